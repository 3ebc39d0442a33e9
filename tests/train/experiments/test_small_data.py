"""The small-data study: what it decides on planted tables, and (slow) the whole of it, killed once."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.judging.verdict import Verdict
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.scoring.scores import PredictionsFile
from safe_train.cli import main
from safe_train.experiments import small_data
from safe_train.experiments.small_data import exit_code, judge, run_small_data
from safe_train.experiments.small_data_arms import MLP, REFERENCE, SIZES, Arm, Size, config_of, find_size
from safe_train.experiments.small_data_decision import Chosen, choose_targets, compare
from safe_train.experiments.small_data_result import ArmRow, arm_row, decide, outcomes_of
from safe_train.experiments.small_data_text import study_csv, study_markdown, wrong_csv
from safe_train.toy.recipe import Recipe

GROUPS, PER_GROUP = 60, 8
CLUSTERS = np.repeat(np.arange(GROUPS), PER_GROUP)
SPEECH = CLUSTERS % 2 == 0
FEW = Sampling(resamples=500)


def drawn(speech: float, other: float, seeds: tuple[int, ...] = (42, 123, 456)) -> dict[int, ndarray]:
    """Right and wrong answers with these recalls; seeds agree on most clips."""
    levels = np.random.default_rng(0).random(len(CLUSTERS))
    return {
        seed: (
            levels + np.random.default_rng(seed).normal(0, 0.02, len(levels))
            < np.where(SPEECH, speech, other)
        ).astype(float)
        for seed in seeds
    }


def test_a_rise_of_speech_that_is_shown_chooses_mlp() -> None:
    found = choose_targets((MLP, drawn(0.9, 0.8)), (REFERENCE, drawn(0.6, 0.8)), SPEECH, CLUSTERS, FEW)
    assert found.winner == MLP
    assert found.rise is not None
    assert found.rise_low is not None
    assert found.rise == pytest.approx(0.3, abs=0.07)
    assert found.rise_low >= 0.05
    assert found.statement == "attention_mlp: SPEECH of attention_mlp over attention rises at least 5%"


def test_a_rise_that_may_be_too_small_names_nobody() -> None:
    found = choose_targets((MLP, drawn(0.66, 0.8)), (REFERENCE, drawn(0.6, 0.8)), SPEECH, CLUSTERS, FEW)
    assert found.winner is None
    assert found.statement.startswith(
        "not told apart: whether SPEECH of attention_mlp over attention rises 5%"
    )


def test_without_a_rise_the_steadier_is_named_only_where_it_is_shown() -> None:
    alone = np.arange(len(CLUSTERS))  # a group for each clip: few groups could not rule out a rise
    same = drawn(0.6, 0.8)
    found = choose_targets((MLP, same), (REFERENCE, same), SPEECH, alone, FEW)
    assert found.winner is None
    assert "does not rise 5%; not told apart which is steadier" in found.statement
    seeds = tuple(range(8))
    steady, shaky = drawn(0.6, 0.8, seeds), drawn(0.6, 0.8, seeds)
    for seed in seeds:  # another share of the other sounds is wrong each time
        shaky[seed][~SPEECH] = (np.arange((~SPEECH).sum()) % 8 >= seed).astype(float)
    for pair in (((MLP, shaky), (REFERENCE, steady)), ((MLP, steady), (REFERENCE, shaky))):
        found = choose_targets(*pair, SPEECH, alone, FEW)
        assert found.winner == next(name for name, scores in pair if scores is steady)
        assert "is the steadier (sd " in found.statement


def test_one_seed_decides_nothing() -> None:
    one = drawn(0.9, 0.9, (42,))
    found = choose_targets((MLP, one), (REFERENCE, drawn(0.1, 0.9)), SPEECH, CLUSTERS, FEW)
    assert (found.winner, found.rise) == (None, None)
    assert found.statement == "not measured: 1 seed in both; needs at least 2 seeds"
    (row,) = compare([("a", "b")], {"a": one, "b": drawn(0.1, 0.9)}, CLUSTERS, FEW)
    assert (row.seeds, row.p_value, row.p_holm, row.told_apart) == ((42,), None, None, False)


def test_comparisons_are_one_family_with_mcnemar_by_seed() -> None:
    scores = {"a": drawn(0.9, 0.8), "b": drawn(0.6, 0.8), "c": drawn(0.61, 0.8, (42, 123))}
    better, alike, back = compare([("a", "b"), ("c", "b"), ("b", "a")], scores, CLUSTERS, FEW)
    assert better.told_apart
    assert not alike.told_apart
    assert alike.seeds == (42, 123)
    assert better.p_value is not None
    assert better.p_holm == pytest.approx(min(1.0, 3 * better.p_value))
    assert better.difference == pytest.approx(0.15, abs=0.03)
    assert back.difference == pytest.approx(-better.difference)
    assert back.ci_low == pytest.approx(-(better.ci_high or 0))
    assert better.bootstrap_low is not None
    assert better.bootstrap_low > 0
    assert len(better.mcnemar) == 3
    assert all(p is not None and p < 0.001 for p in better.mcnemar)


def rows_of(scores: dict[int, ndarray]) -> list[Prediction]:
    return [
        Prediction(
            example_id=f"q{number:03d}",
            references=("SPEECH" if speech else "NONSPEECH",),
            answer=("SPEECH" if speech else "NONSPEECH") if right else ("NONSPEECH" if speech else "SPEECH"),
            seed=seed,
            group=f"g{group}",
            task="classify",
            choices=("SPEECH", "NONSPEECH"),
            metadata={"snr_db": float(number % 2), "duration_ms": 20 * (1 + number % 3), "kind": "tone"},
        )
        for seed, values in scores.items()
        for number, (right, speech, group) in enumerate(zip(values, SPEECH, CLUSTERS, strict=True))
    ]


def verdict(decision: str) -> Verdict:
    return Verdict(
        decision=decision, criteria=(), scores_sha256="", criteria_file=PredictionsFile("speech.yaml", "")
    )


def planted(decision: str = "no-go") -> small_data.SmallDataResult:
    arms = {
        Arm(REFERENCE, (42, 123, 456)): drawn(0.6, 0.8),
        Arm(MLP, (42, 123, 456), targets="attention_mlp"): drawn(0.9, 0.8),
        Arm("specaugment", (42, 123), augmented=True): drawn(0.9, 0.9, (42, 123)),
    }
    found = [outcomes_of(arm, rows_of(scores)) for arm, scores in arms.items()]
    rows = [arm_row(one, verdict(decision), (1.5, 2.0), 1234, FEW) for one in found]
    return judge("small", "formants", found, rows, FEW)


def test_the_table_has_what_the_answers_show() -> None:
    result = planted()
    reference, mlp, _ = result.arms
    assert reference.speech == pytest.approx(0.6, abs=0.06)
    assert reference.non_speech == pytest.approx(0.8, abs=0.06)
    assert reference.balanced_accuracy == pytest.approx((reference.speech + reference.non_speech) / 2)
    assert reference.ci_low is not None
    assert reference.ci_high is not None
    assert reference.ci_low < reference.balanced_accuracy < reference.ci_high
    assert reference.sd == pytest.approx(np.std(reference.by_seed, ddof=1))
    assert result.chosen.winner == mlp.arm
    wrong = {one.example_id for one in result.wrong if one.arm == REFERENCE}
    scores = np.stack(list(drawn(0.6, 0.8).values()))
    assert wrong == {f"q{number:03d}" for number in np.flatnonzero((scores == 0).all(axis=0))}
    assert len(wrong) == reference.wrong_in_every_seed > 0
    at = [one for one in result.slices if one.arm == MLP and one.fact == "snr_db" and one.label == "SPEECH"]
    assert sum(one.n * one.accuracy for one in at) / sum(one.n for one in at) == pytest.approx(mlp.speech)


def test_tables_and_recipe_name_the_chosen_arm() -> None:
    result = planted()
    text = study_markdown(result, SIZES["small"])
    assert "decision: no-go: attention_mlp: " in text
    assert "the decision above is no go, so mend what it names first" in text
    assert "--lora-targets attention_mlp --lora-rank 16 --lora-alpha 32 --lora-dropout 0.05" in text
    assert "--epochs 7 --seed 42 --seed 123 --seed 456" in text  # 100 steps of 64 over 68 % of 1,280 clips
    assert "--freq-mask 5 --time-mask 10 --time-shift-ms 50" in text  # its gain is shown
    table = list(csv.DictReader(study_csv(result).decode().splitlines()))
    assert [row["arm"] for row in table] == [REFERENCE, MLP, "specaugment"]
    assert float(table[0]["balanced_accuracy"]) == result.arms[0].balanced_accuracy
    assert len(list(csv.DictReader(wrong_csv(result).decode().splitlines()))) == len(result.wrong)


def target(arm: str, decision: str, seeds: tuple[int, ...] = (1, 2)) -> ArmRow:
    return ArmRow(
        arm=arm,
        targets=arm,
        rank=1,
        alpha=1,
        dropout=0,
        augmented=False,
        seeds=seeds,
        trained_parameters=1,
        balanced_accuracy=0.5,
        ci_low=None,
        ci_high=None,
        sd=None,
        by_seed=(),
        speech=0.5,
        non_speech=0.5,
        ece=None,
        temperatures=(),
        wrong_in_every_seed=0,
        decision=decision,
        criteria={"speech_is_found": decision},
    )


@pytest.mark.parametrize(
    ("winner", "decisions", "expected"),
    [
        (MLP, ("no-go", "go"), "go"),
        (REFERENCE, ("no-go", "go"), "no-go"),
        (None, ("no-go", "go"), "not measured"),
        (None, ("no-go", "no-go"), "no-go"),
        (None, ("go", "go"), "go"),
    ],
)
def test_the_study_goes_by_the_chosen_arm_or_by_both(
    winner: str | None, decisions: tuple[str, str], expected: str
) -> None:
    rows = [target(name, decision) for name, decision in zip((REFERENCE, MLP), decisions, strict=True)]
    assert decide(Chosen(winner=winner, statement=""), rows)[0] == expected


def test_one_seed_is_not_measured_whatever_it_shows() -> None:
    found = decide(Chosen(winner=None, statement=""), [target(REFERENCE, "go", (1,)), target(MLP, "go")])
    assert found == ("not measured", "attention: one seed shows nothing of how much another would differ")


def test_other_clips_are_refused() -> None:
    rows = rows_of(drawn(0.6, 0.8, (42, 123)))
    with pytest.raises(InputError, match="attention: seed 123 and seed 42 answered other clips"):
        outcomes_of(Arm(REFERENCE, (42, 123)), rows[:-1])


def test_the_arms_are_those_of_the_plan() -> None:
    full = find_size("full").arms
    points = {(arm.rank, arm.alpha, arm.dropout) for arm in full if not arm.augmented}
    assert len(points) == 6
    assert {arm.seeds for arm in full if arm.name in (REFERENCE, MLP)} == {(42, 123, 456)}
    assert all(len(arm.seeds) >= 2 for size in SIZES.values() for arm in size.arms)
    (augmented,) = (arm for arm in full if arm.augmented)
    places: dict[str, Any] = {name: Path(name) for name in ("shards", "backbone", "out")}
    clips = config_of(augmented, find_size("full"), **places, quiet=True).clips
    assert (clips.freq_mask, clips.time_mask, clips.time_shift_ms) == (5, 10, 50)
    with pytest.raises(InputError, match="size='ful': no such size; did you mean 'full'"):
        find_size("ful")


TINY = Size(
    clips=320,
    steps=2,
    grid=(),
    batch_size=8,
    bottleneck=8,
    seeds=(42, 123),
    recipe=Recipe(world="speech", pictures=50, vision_steps=1, language_steps=1, held_out_questions=4),
)


@pytest.mark.slow
def test_the_whole_study_is_killed_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, tuned = small_data.run_finetune, []

    def dies(config: Any) -> Any:
        tuned.append(config.run.name)
        if tuned == [REFERENCE, MLP]:
            raise KeyboardInterrupt
        return real(config)

    out = tmp_path / "study"
    monkeypatch.setattr(small_data, "run_finetune", dies)
    with pytest.raises(KeyboardInterrupt):
        run_small_data(out, speaker="formants", own_size=TINY, quiet=True)
    assert not (out / "small_data.json").exists()
    monkeypatch.setattr(small_data, "run_finetune", real)
    result = run_small_data(out, speaker="formants", own_size=TINY, quiet=True)
    assert [row.arm for row in result.arms] == [REFERENCE, MLP, "specaugment"]
    assert exit_code(result) in (0, 1, 2)
    again = run_small_data(out, speaker="formants", own_size=TINY, quiet=True)
    assert again == result
    assert json.loads((out / "small_data.json").read_text())["decision"] == result.decision
    splits = csv.DictReader((out / "splits/splits.csv").read_text().splitlines())
    assert {row["split"] for row in splits} == {"train", "dev", "test"}


def test_a_wrong_size_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["small-data", "--out", str(tmp_path / "o"), "--size", "huge"]) == 3
    assert "huge" in capsys.readouterr().err
