"""Few clusters are said wherever intervals stand, and below two effective ones there is no interval."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_rows import answers, row

from safe_eval.calibration.calibrate import calibrate_files
from safe_eval.comparison.compare import compare_files
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.scoring.score import score_predictions
from safe_eval.text.scores_text import scores_table

QUICK = Sampling(resamples=100)
GIANT = "3.9/31 effective clusters; below 20, intervals are wide"


def of_sizes(*sizes: int, model: str = "safe") -> list[Prediction]:
    """Two models and a muted one, in clusters of these sizes, with every field that a table needs."""
    rng = np.random.default_rng(len(sizes))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    made = [
        msgspec.structs.replace(one, group=f"g{groups[clip]}", question_type=f"{'ab'[clip % 2]}{clip % 4}")
        for arm in ((model, "full"), (model, "mute_audio"), ("base", "full"))
        for at, one in enumerate(answers(*arm, lambda clip, _: bool(clip % 3), clips=len(groups)))
        for clip in [at // 2]
    ]
    return [
        msgspec.structs.replace(
            one,
            confidence=float(rng.random()),
            gate_score=float(rng.random()),
            consulted=bool(rng.random() < 0.5),
            audio_tokens=4,
            latency_ms=float(rng.random()),
        )
        for one in made
    ]


def captions(*sizes: int) -> list[Prediction]:
    groups, words = np.repeat(np.arange(len(sizes)), sizes), ("a dog barks", "rain falls", "a man talks")
    said = {"task": "caption", "dataset": "clips", "needs_audio": None, "model": "safe"}
    return [
        row(f"k{i}", f"{words[i % 3]} now", references=(words[i % 2],), group=f"g{group}", **said)
        for i, group in enumerate(groups)
    ]


def test_one_cluster_that_outweighs_all_others_leaves_no_interval() -> None:
    scores = score_predictions([*of_sizes(60, 1, 1, 1), *captions(60, 1, 1, 1)], QUICK)
    tables = (scores.metrics, scores.deferral, scores.shrinkage, scores.frontiers, scores.separation)
    for rows in tables:
        assert rows
        assert [one for one in rows if (one.ci_low, one.ci_high) != (None, None)] == []
    names = {one.metric for one in scores.metrics}
    assert {"vqa_accuracy", "cider_d", "bleu_4", "ece", "brier", "nll", "confidence", "consulted"} <= names
    assert {one.status for one in scores.frontiers} == {None}
    said = " ".join(" ".join(scores_table(scores)).split())
    assert "no shrunken values: 1.1 effective clusters do not show how much clusters differ" in said
    assert "made, all: 1.1/4 effective clusters; an interval needs 2" in said
    assert max(map(len, scores_table(scores))) <= 80


def test_the_same_rows_in_clusters_of_one_size_have_intervals() -> None:
    scores = score_predictions([*of_sizes(*[2] * 30), *captions(*[2] * 30)], QUICK)
    for rows in (scores.metrics, scores.deferral, scores.shrinkage, scores.frontiers, scores.separation):
        assert [one for one in rows if one.ci_low is None and one.value is not None] == []


def write(path: Path, rows: list[Prediction]) -> Path:
    write_predictions(path, rows)
    return path


def test_a_comparison_says_how_few_clusters_it_has(tmp_path: Path) -> None:
    found = compare_files([write(tmp_path / "giant.jsonl", of_sizes(60, *[2] * 30))], QUICK)
    assert any(note.startswith(f"made, all: {GIANT}") for note in found.notes)
    assert round(found.rows[0].effective_clusters, 1) == 3.9


def test_a_calibration_says_how_few_clusters_it_has_and_agrees_with_the_scores(
    tmp_path: Path,
) -> None:
    rows = [one for one in of_sizes(*[2] * 30) if one.model == "safe" and one.condition == "full"]
    dev = [
        msgspec.structs.replace(one, example_id=f"d{one.example_id}", group=f"d{one.group}") for one in rows
    ]
    test = [one for one in of_sizes(60, *[2] * 30) if one.model == "safe" and one.condition == "full"]
    found = calibrate_files(write(tmp_path / "dev.jsonl", dev), write(tmp_path / "test.jsonl", test), QUICK)
    assert [note for note in found.notes if note.startswith(f"test: {GIANT}")]
    scores = {one.metric: one for one in score_predictions(test, QUICK).metrics if one.slice == "all"}
    before = found.cells[0].before
    for name, measured in (("vqa_accuracy", before.accuracy), ("brier", before.brier)):
        ends = (scores[name].ci_low, scores[name].ci_high)
        assert (measured.interval.low, measured.interval.high) == pytest.approx(ends, abs=1e-9)
    assert (before.accuracy.interval.low or 0.0) < 0.3  # one cluster is half of the items
