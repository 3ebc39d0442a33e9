"""Gates, listening, variance and policy: one after another, on two small trainings."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tiny_plans import by_name, small_work, train_seeds

from safe_eval.predictions import read_predictions
from safe_train.experiments import gates, listening, policy, variance
from safe_train.experiments.experiment import Experiment, Finding, Work
from safe_train.gates.outcomes import read_outcomes, write_outcomes
from safe_train.parity.parity import ParityReport
from safe_train.stages.policy_result import StageB

SEEDS = (0, 1)
OPTIONS = {"steps": 4, "eval_steps": 0, "answer_tokens": 2, "tokens": (2, 4)}
LOOSE = 0.9  # so few groups rule out no small loss


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, shards: Path, untaught: Path) -> Work:
    """Two seeds of stage A with their answers, as a plan has them."""
    root = tmp_path_factory.mktemp("plan")
    earlier = {f"stage-a-{seed}": root / f"stage-a-{seed}" for seed in SEEDS}
    settings = {"kinds": ("entropy", "confidence"), "split": "test", "bound": LOOSE, "vl_bound": LOOSE}
    work = small_work(
        gates.EXPERIMENT,
        root / "gates",
        shards,
        untaught,
        earlier=earlier,
        seeds=SEEDS,
        options=OPTIONS,
        timed_questions=20,
        latency_questions=5,
        **settings,
    )
    train_seeds(work, ("full", "gate_off"))
    return work


@pytest.fixture(scope="module")
def gated(trained: Work) -> dict[str, Finding]:
    return by_name(gates.EXPERIMENT.run(trained))


def next_work(trained: Work, experiment: Experiment, **settings: object) -> Work:
    folder = trained.folder.parent / experiment.name
    folder.mkdir(exist_ok=True)
    earlier = {**trained.earlier, "gates": trained.folder}
    return replace(trained, settings=experiment.settings(**settings), folder=folder, earlier=earlier)


def test_each_gate_is_judged_and_only_the_first_decides(trained: Work, gated: dict[str, Finding]) -> None:
    kinds = ("entropy", "confidence", "always", "never")
    skips = {kind: gated[f"{kind}: the_gate_skips_the_sound"] for kind in kinds}
    assert [one.severity for one in skips.values()] == ["critical", "warning", "warning", "warning"]
    assert (skips["always"].value, skips["never"].value) == (0, 1)
    assert skips["always"].decision == "no-go"
    assert skips["entropy"].bound == ">= 0.2"
    assert gated["always: answers_stay_quick"].value is not None  # a sample was asked alone
    assert gated["never: answers_stay_quick"].value == 1  # it is the base
    rows = read_predictions(trained.folder / "confidence-1.jsonl")
    assert {row.model for row in rows} == {"base", "safe", "safe_always_on"}
    assert {row.seed for row in rows} == {1}
    assert len({(row.model, row.condition, row.example_id) for row in rows}) == len(rows)


def test_a_gate_has_a_curve_beside_always_and_never(trained: Work, gated: dict[str, Finding]) -> None:
    curve = gated["entropy: trade_off_curve"]
    assert (curve.decision, curve.severity) == ("go", "critical")
    assert gated["confidence: trade_off_curve"].severity == "warning"
    with (trained.folder / curve.file).open() as file:
        rows = list(csv.DictReader(file))
    assert {row["gate"] for row in rows} == {"entropy", "always", "never"}
    assert {row["seed"] for row in rows} == {"0", "1"}
    ends = {row["gate"]: row["mean_cost"] for row in rows if not row["threshold"]}
    assert (ends["always"], ends["never"]) == ("1.0", "0.0")


def test_a_second_gate_asks_again_only_what_it_answers_itself(
    trained: Work, gated: dict[str, Finding]
) -> None:
    files = [trained.folder / f"{kind}-0.jsonl" for kind in ("entropy", "confidence")]
    first, second = ([row for row in read_predictions(file) if row.model == "base"] for file in files)
    asked = read_predictions(trained.answers(0))
    answers = {row.example_id: row.answer for row in asked if row.model == "base"}
    assert {row.example_id: row.answer for row in first} == answers
    assert [row.answer for row in first] == [row.answer for row in second]


def test_the_trained_checkpoint_stays_as_it_is(trained: Work, gated: dict[str, Finding]) -> None:
    assert not (trained.earlier["stage-a-0"] / "adapter" / "gate").exists()


def test_listening_is_judged_by_both_criteria_and_stable(trained: Work, gated: dict[str, Finding]) -> None:
    work = next_work(trained, listening.EXPERIMENT, kind="entropy")
    found = by_name(listening.EXPERIMENT.run(work))
    names = {"lomo", "lomo, corrected for guesses", "lomo, gated", "irrelevance", "scores_are_stable"}
    assert {name.partition(": ")[0] for name in found} == names
    assert found["scores_are_stable"].decision == "go"
    assert found["irrelevance: a_noisy_sound_still_helps"].decision != "not measured"
    for kind, model, severity in (
        ("lomo", "safe_always_on", "critical"),
        ("lomo, gated", "safe", "warning"),
        ("irrelevance", "safe", "critical"),
    ):
        own = [one for name, one in found.items() if name.partition(": ")[0] == kind]
        assert {one.severity for one in own if "beyond_chance" not in one.name} == {severity}
        assert all(f"{model}/" in one.evidence for one in own)
    rows = read_predictions(work.folder / "lomo" / "predictions.jsonl")
    assert {row.model for row in rows} == {"safe_always_on"}
    assert all(row.consulted for row in rows if not row.error)


def test_seeds_share_what_they_answer_behind_a_closed_gate(trained: Work) -> None:
    found = by_name(variance.EXPERIMENT.run(next_work(trained, variance.EXPERIMENT, samples=8)))
    assert found["the_frozen_path_is_one"].decision == "go"
    assert found["the_frozen_logits_are_one"].decision == "go"
    assert found["seeds_agree_on_sounds"].decision == "not measured"  # two seeds, and it asks for three

    rows = read_predictions(trained.earlier["stage-a-0"] / "predictions.jsonl")
    other = [msgspec.structs.replace(row, answer="x") if row.condition == "gate_off" else row for row in rows]
    assert variance.frozen_path([rows, other]).decision == "no-go"
    assert variance.frozen_path([rows]).decision == "not measured"

    file = trained.folder.parent / "variance" / "parity.json"
    report = msgspec.json.decode(file.read_bytes(), type=ParityReport)
    change = msgspec.structs.replace
    first, second = report.pathways
    moved = change(second, gate_off=change(second.gate_off, checksum="0" * 64))
    assert variance.frozen_logits(change(report, pathways=(first, moved))).decision == "no-go"
    silent = change(second, gate_on_difference=0.0)
    assert variance.frozen_logits(change(report, pathways=(first, silent))).decision == "not measured"
    assert variance.frozen_logits(change(report, pathways=(first,))).decision == "not measured"
    assert variance.frozen_logits(None, why="trained the base, too").evidence == "trained the base, too"


@pytest.fixture(scope="module")
def one_without(trained: Work, gated: dict[str, Finding], tmp_path_factory: pytest.TempPathFactory) -> Work:
    """The gates of both seeds, of which the second's outcomes say that every budget harms VL questions."""
    copy = tmp_path_factory.mktemp("harmed") / "gates"
    shutil.copytree(trained.folder, copy)
    for kind in ("entropy", "confidence"):
        file = copy / "seed-1" / kind / "gate" / "outcomes.parquet"
        asked = read_outcomes(file)
        scores = asked.scores.copy()
        scores[~asked.needs_audio] = [1.0, 0.0, 0.0]
        write_outcomes(file, replace(asked, scores=scores))
    earlier = {**trained.earlier, "gates": copy}
    return replace(next_work(trained, policy.EXPERIMENT), earlier=earlier)


@pytest.mark.slow
def test_a_policy_is_judged_on_the_seeds_that_have_one(one_without: Work) -> None:
    settings = {"cost": "tokens", "vl_bound": 0.5, "extra": LOOSE, "timed_questions": 20}
    work = replace(one_without, settings=policy.EXPERIMENT.settings(**settings))
    found = by_name(policy.EXPERIMENT.run(work))
    learned = found["budgets: a_policy_is_learned"]
    assert (learned.decision, learned.value) == ("not measured", 1)  # so few groups show no harm
    assert "seed 1 has none" in learned.evidence
    assert found["budgets: the_gate_skips_the_sound"].bound == ">= 0.3"
    for space in ("budgets", "on_off"):
        assert found[f"{space}: answers_stay_quick"].value is not None
    assert found["on_off: seeing_is_kept"].severity == "warning"
    assert found["a_small_gate_keeps_up"].decision == "not measured"  # of one seed it is known
    for cost in ("skips", "audio_tokens", "latency"):
        front = found[f"the_policy_is_on_the_front_of_{cost}"]
        assert front.evidence.startswith("seed 0: ")
        assert front.decision != "go"  # the other seed has no point
    with (work.folder / front.file).open() as file:
        points = {(row["cost"], row["gate"]) for row in csv.DictReader(file)}
    names = {"base", "always_2", "always_4", "entropy", "confidence", "policy", "policy_on_off"}
    for cost in ("consulted", "audio_tokens", "latency_ms"):
        assert {name for of, name in points if of == cost} <= names
        assert {"base", "entropy", "confidence", "policy"} <= {name for of, name in points if of == cost}
    assert by_name(policy.EXPERIMENT.run(work)) == found  # what is there is used again


def test_a_policy_says_why_there_is_none(trained: Work, gated: dict[str, Finding]) -> None:
    strict = next_work(trained, policy.EXPERIMENT, kind="entropy", vl_bound=0.0001)
    strict = replace(strict, folder=strict.folder.parent / "strict")  # other options are another folder
    found = by_name(policy.EXPERIMENT.run(strict))
    none = found["budgets: a_policy_is_learned"]
    assert (none.decision, none.value) == ("not measured", 0)
    assert "seed 0 has none" in none.evidence
    assert "seed 1 has none" in none.evidence
    assert "no budget is in the safe set" in none.evidence
    assert found["on_off: a_policy_is_learned"].severity == "warning"
    assert found["the_policy_is_on_the_front_of_skips"].decision == "not measured"
    assert found["a_small_gate_keeps_up"].evidence == "no policy to learn from"

    file = strict.folder / none.file
    result = msgspec.json.decode(file.read_bytes(), type=StageB)
    harmed = msgspec.structs.replace(result, safe_set=tuple(replace(one, low=0.1) for one in result.safe_set))
    assert policy.learned_finding({0: result, 1: harmed}, "budgets").decision == "no-go"
    chosen = msgspec.structs.replace(result, chosen_from=(0, 2))
    assert policy.learned_finding({0: chosen, 1: chosen}, "budgets").decision == "go"
