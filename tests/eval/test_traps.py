"""What other harnesses get wrong, one test a trap: each would fail if it were ours too."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from made_rows import answers, good_run, row

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.results.comparisons import Comparison
from safe_eval.results.metrics import Metric
from safe_eval.scorers.captions.caption_scores import score_captions
from safe_eval.scoring.score import score_predictions
from safe_eval.statistics.bca import bca_interval
from safe_eval.statistics.calibration import reliability
from safe_eval.statistics.calibration.calibration import calibrate
from safe_eval.statistics.calibration.forecasts import Forecasts
from safe_eval.statistics.intervals import clustered_stderr, mean_interval
from safe_eval.statistics.paired import mcnemar

QUICK = Sampling(resamples=200)


def metric(rows: list[Prediction], slice_name: str = "all", **fields: Any) -> Metric:
    (found,) = [
        m
        for m in score_predictions(rows, QUICK).metrics
        if m.slice == slice_name and all(getattr(m, name) == value for name, value in fields.items())
    ]
    return found


def pair(rows: list[Prediction], a: str, b: str) -> Comparison:
    found = score_predictions(rows, QUICK).comparisons
    (one,) = [c for c in found if (c.a, c.b, c.slice) == (a, b, "all")]
    return one


# The six traps --------------------------------------------------------------------------------------------


def test_a_bootstrap_interval_does_not_shrink_with_the_number_of_resamples() -> None:
    """One harness divides the bootstrap's standard deviation by √1000 once more: 31.6 times too small."""
    values = np.random.default_rng(0).random(400)
    wide, narrow = (mean_interval(values, np.arange(400), Sampling(resamples=n)) for n in (500, 20_000))
    assert wide.high - wide.low == pytest.approx(narrow.high - narrow.low, rel=0.15)
    assert (narrow.high - narrow.low) / (2 * 1.96) == pytest.approx(values.std() / np.sqrt(400), rel=0.05)


def test_a_caption_is_never_a_corpus_of_its_own() -> None:
    """One harness gives each caption a corpus of one, where every weight is 0, and a perfect one scores 0."""
    perfect = [row("c1", "a dog barks at night", references=("a dog barks at night",))]
    alone = score_captions(perfect)
    assert "cider_d" not in alone.items
    assert "cider_d" in alone.not_measured
    with pytest.raises(InputError, match=r"\w"):
        alone.corpus("cider_d")
    other = row("c2", "rain on a roof", references=("rain on a tin roof",))
    assert score_captions([*perfect, other]).items["cider_d"][0] == pytest.approx(10, abs=1e-9)


def test_a_temperature_is_not_fitted_on_the_items_it_is_judged_by() -> None:
    """One harness fits Platt scaling on the items it scores."""
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.6, 1, 200)
    correct = (rng.random(200) < 0.6).astype(float)
    names = np.array([f"q{i}" for i in range(200)])
    scored = Forecasts(names, names, confidence, correct)
    with pytest.raises(InputError, match="200 of 200 scored examples are also in dev"):
        calibrate(scored, scored, QUICK)
    halves = [
        Forecasts(*(part[half] for part in (names, names, confidence, correct)))
        for half in (slice(100), slice(100, 200))
    ]
    assert calibrate(*halves, QUICK).shared_examples == 0


def test_the_command_refuses_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row(f"q{i}", "yes" if i % 3 else "no", confidence=0.5 + i / 100) for i in range(40)]
    write_predictions(tmp_path / "p.jsonl", rows)
    same = ["calibrate", "--dev", str(tmp_path / "p.jsonl"), "--test", str(tmp_path / "p.jsonl")]
    assert main(same) == 3
    assert "are also in dev" in capsys.readouterr().err
    assert main([*same, "--force", "--resamples", "100"]) == 0
    assert "flattered" in capsys.readouterr().out


def test_a_paired_test_knows_its_clusters() -> None:
    """One harness's paired test ignores its own cluster key: ten questions on a clip are ten clips."""

    def helped(clip: int, needs_audio: bool) -> bool:
        return clip < 6

    def alone(clip: int, needs_audio: bool) -> bool:
        return clip < 2

    rows = [
        msgspec.structs.replace(one, example_id=f"{one.example_id}-{copy}")
        for copy in range(10)
        for one in answers("safe", "full", helped, clips=8) + answers("base", "full", alone, clips=8)
    ]
    compared = pair(rows, "safe/full", "base/full")
    assert (compared.gained, compared.lost, compared.clusters) == (80, 0, 8)
    assert mcnemar(80, 0) < 1e-20
    assert compared.p_value > 0.05  # four clips changed, and 2 of their 2⁴ signs are as extreme


def test_pairs_are_made_by_id_never_by_equal_text() -> None:
    """The same harness pairs by equal answers and targets where ids are missing, and drops what is left."""
    rows = [row("q1", "yes", model="base"), row("q2", "yes", model="safe"), row("q3", "yes", model="safe")]
    compared = pair(rows, "safe/full", "base/full")
    assert (compared.n, compared.only_a, compared.only_b, compared.difference) == (0, 2, 1, None)


def test_a_comparison_of_other_examples_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for name, ids in (("a", range(20)), ("b", range(5, 25))):
        files.append(str(tmp_path / f"{name}.jsonl"))
        write_predictions(files[-1], [row(f"q{i}", model=name) for i in ids])
    assert main(["compare", *files]) == 3
    assert "--intersect" in capsys.readouterr().err
    assert main(["compare", *files, "--intersect", "--resamples", "100"]) == 0
    assert "15" in capsys.readouterr().out


@pytest.mark.parametrize("dataset", ["avqa", "music_avqa", None])
def test_a_reply_that_is_not_understood_is_never_option_a(dataset: str | None) -> None:
    """One harness scores an unparseable reply as the first option; here the first option would be right."""
    asked = {"references": ("yes",), "choices": ("yes", "no"), "dataset": dataset}
    task = {"task": "classify"} if dataset is None else {}
    rows = [
        row("q1", "I cannot hear anything in this clip, sorry", **asked, **task),
        row("q2", "yes or no", **asked, **task),
        row("q3", "yes", **asked, **task),
    ]
    scores = score_predictions(rows, QUICK)
    assert metric(rows).value == pytest.approx(1 / 3)
    assert scores.coverage["full"].unparsed == 2


def test_a_condition_that_never_reached_the_model_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One harness switches the sound by a constant of the adapter; nothing in its logs tells on from off."""

    def sent(condition: str, sound: str, level: float) -> list[Prediction]:
        fields = {"model": "safe", "condition": condition, "audio_rms_db": level}
        return [row(f"q{i}", audio_sha256=f"{sound}{i}", **fields) for i in range(4)]

    write_predictions(tmp_path / "p.jsonl", [*sent("full", "a", -20), *sent("mute_audio", "a", -20)])
    assert main(["validate", str(tmp_path / "p.jsonl")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "safe/mute_audio, seed 0: 4 of 4 sounds were sent as under full" in said
    assert "4 of 4 sounds were not silent" in said
    write_predictions(tmp_path / "p.jsonl", [*sent("full", "a", -20), *sent("mute_audio", "b", -120)])
    assert main(["validate", str(tmp_path / "p.jsonl")]) == 0
    assert "sounds were" not in capsys.readouterr().out


# What their users complain of ------------------------------------------------------------------------------


def test_errors_stay_in_the_denominator() -> None:
    """80 % was shown as 88.9 %, since the failed tenth was left out of the mean."""
    rows = [row(f"q{i}", "yes" if i < 8 else "no") for i in range(9)]
    rows.append(row("q9", None, error="TimeoutError: no reply"))
    assert metric(rows).value == pytest.approx(0.8)
    assert metric(rows).n == 10


def test_an_error_is_not_full_marks_whatever_its_answer_says() -> None:
    """A judge whose API failed gave 100 points."""
    rows = [row("q1", "yes", error="HTTP 429"), row("q2", "yes")]
    assert metric(rows).value == 0.5
    assert score_predictions(rows, QUICK).coverage["full"].errored == 1


def test_nothing_is_not_a_score_of_nought() -> None:
    with pytest.raises(InputError, match="an empty set has no score"):
        score_predictions([], QUICK)


def test_what_is_asked_and_not_answered_is_counted() -> None:
    """MUSIC-AVQA is reported on 9,185 and on 9,129 items, and nobody can tell which."""
    rows = [one for one in good_run(10) if (one.example_id, one.condition) != ("c0-audio", "gate_off")]
    coverage = score_predictions(rows, QUICK).coverage["gate_off"]
    assert (coverage.expected, coverage.answered) == (20, 19)


@pytest.mark.parametrize("field", ["group", "record_id"])
def test_missing_clusters_are_not_pooled_into_one(field: str) -> None:
    """One harness makes one cluster of all items without a key."""
    whole: dict[str, Callable[[int], str]] = {field: lambda i: f"g{i // 2}"}
    rows = [row(f"q{i}", **{name: of(i) for name, of in whole.items()}) for i in range(8)]
    half = [msgspec.structs.replace(one, **{field: None}) if i > 5 else one for i, one in enumerate(rows)]
    with pytest.raises(InputError, match=f"2 of 8 rows have no '{field}'.*give it in every row, or in none"):
        score_predictions(half, QUICK)
    none = [msgspec.structs.replace(one, **{field: None}) for one in rows]
    assert (metric(rows).clusters, metric(none).clusters) == (4, 8)


def test_a_single_cluster_has_no_interval() -> None:
    alone = metric([row(f"q{i}", "yes" if i % 2 else "no", group="g") for i in range(50)])
    assert (alone.ci_low, alone.ci_high, alone.stderr) == (None, None, None)


def test_one_answer_a_question_even_where_a_harness_logs_several(tmp_path: Path) -> None:
    """One harness writes a row a filter, so that a question counts twice."""
    path = tmp_path / "p.jsonl"
    line = json.dumps({"example_id": "q1", "references": ["yes"], "answer": "yes"})
    path.write_text(f"{line}\n{line}\n")
    assert main(["score", str(path), "--out", str(tmp_path)]) == 3


def test_the_scores_of_a_part_are_those_it_has_in_the_whole() -> None:
    """Batch sizes changed results: here no row of a question-answering metric knows of another."""
    rows = good_run(20)
    whole = {(p.example_id, p.model, p.condition): p for p in rows}
    part = [one for key, one in whole.items() if key[1] == "safe" and key[2] == "full"]
    assert metric(part) == metric(rows, model="safe", condition="full")


# Definitions that look alike -------------------------------------------------------------------------------


def test_full_confidence_has_a_place_in_the_last_bin() -> None:
    """Libraries differ at the edges: one gives a confidence of 1 a bin beyond the last."""
    bars = reliability.reliability(np.array([1.0, 0.8, 0.0]), np.array([1.0, 1.0, 0.0]), bins=5)
    assert [bar.n for bar in bars] == [1, 0, 0, 1, 1]
    lattice = np.repeat([0.2, 0.4, 0.6, 0.8, 1.0], 4)
    right = np.tile([1.0, 0.0, 0.0, 0.0], 5)
    assert reliability.ece(lattice, right, bins=5) == pytest.approx(np.abs(lattice - 0.25).mean())


def test_what_is_no_probability_is_refused_not_squashed() -> None:
    """One library silently takes values outside [0, 1] for logits."""
    with pytest.raises(InputError, match="write probabilities, not logits"):
        reliability.ece(np.array([2.0, -1.0]), np.array([1.0, 0.0]))


def test_no_change_at_all_is_no_evidence() -> None:
    """Without discordant pairs one library divides by zero, another's corrected test says p = 0."""
    assert mcnemar(0, 0) == 1.0
    same = pair(
        [row(f"q{i}", model=m) for m in ("base", "safe") for i in range(30)], "safe/full", "base/full"
    )
    assert same.p_value == 1.0
    assert same.ci_low < 0 < same.ci_high  # thirty equal pairs do not prove the thirty-first


def test_answers_that_all_agree_are_not_certain() -> None:
    """BCa on constant data is nan elsewhere, and the percentile interval has no width."""
    for interval in (mean_interval, bca_interval):
        found = interval(np.ones(30), np.arange(30), QUICK)
        assert found.high == 1.0
        assert 0.85 < found.low < 0.95


def test_clusters_widen_the_standard_error() -> None:
    values = np.repeat(np.tile([0.0, 1.0], 10), 5)
    assert clustered_stderr(values, np.repeat(np.arange(20), 5)) > 2 * clustered_stderr(
        values, np.arange(100)
    )


def test_an_average_over_modalities_is_over_questions() -> None:
    """MUSIC-AVQA's averages are micro: nine audio questions weigh nine times one visual question."""
    asked = {"dataset": "music_avqa", "references": ("yes",)}
    rows = [row(f"a{i}", "yes", question_type="Audio/Comparative", **asked) for i in range(9)]
    rows.append(row("v", "no", question_type="Visual/Counting", **asked))
    assert metric(rows).value == pytest.approx(0.9)
    assert metric(rows, "type:Audio").value == 1.0


def test_a_caption_of_two_lines_shifts_no_other() -> None:
    """A line separator within a caption gives every later caption another's tokens."""
    rows = [
        row(f"c{i}", text, references=(text, "a cat"), task="caption")
        for i, text in enumerate(("a\u2028dog", "rain"))
    ]
    with pytest.raises(InputError, match="'c0': answer holds the line separator"):
        score_predictions(rows, QUICK)
