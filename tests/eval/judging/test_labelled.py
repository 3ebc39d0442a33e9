"""Labelled answers: agreement of scorer and person by interval, on this run's answers and no others."""

import json
from pathlib import Path

import msgspec
import pytest
from made_labels import labelled_table
from made_rows import answers

from safe_data.core.files import file_sha256
from safe_eval.annotation.labels import key_path, read_labels
from safe_eval.cli import main
from safe_eval.judging.judged import Judged
from safe_eval.judging.verdict import decide
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.predictions import write_predictions
from safe_eval.scoring.score import score_files

CLIPS = 120


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    rows = answers("safe", "full", lambda clip, hears: clip % 3 > 0, clips=CLIPS)
    write_predictions(folder / "predictions.jsonl", rows)
    score_files([folder / "predictions.jsonl"], Sampling(resamples=100), out=folder)
    return folder


def judged(run: Path, labels: Path | None, *settings: str) -> Judged:
    (found,) = decide(run, "parser", labels=labels, settings=settings, force=True).criteria
    return found


@pytest.mark.parametrize(
    ("sample", "wrong", "decision", "low"),
    [(189, 0, "go", 0.9801), (188, 0, "no-go", 0.97998), (100, 0, "no-go", 0.963), (240, 1, "no-go", 0.9768)],
)
def test_the_low_end_of_the_interval_decides(
    run: Path, tmp_path: Path, sample: int, wrong: int, decision: str, low: float
) -> None:
    found = judged(run, labelled_table(run, tmp_path, sample, wrong))
    assert (found.decision, found.value) == (decision, pytest.approx(1 - wrong / sample))
    assert found.ci_low == pytest.approx(low, abs=1e-3)
    assert f"{sample - wrong} of {sample} labelled answers of labels.csv are judged alike" in found.evidence
    assert "by wilson" in found.evidence


@pytest.mark.parametrize(
    ("protocol", "metric"), [(None, "vqa_accuracy_normalised"), ("vqa_accuracy_2017", "vqa_accuracy_2017")]
)
def test_labels_count_whatever_rule_scores_their_dataset(
    tmp_path: Path, protocol: str | None, metric: str
) -> None:
    rows = answers("safe", "full", lambda clip, hears: clip % 3 > 0, clips=20)
    rows = [msgspec.structs.replace(row, dataset="TextVQA") for row in rows]
    write_predictions(tmp_path / "predictions.jsonl", rows)
    options = ScoreOptions(protocol=protocol)
    score_files([tmp_path / "predictions.jsonl"], Sampling(resamples=100), options, out=tmp_path)
    labels = labelled_table(tmp_path, tmp_path, 40)
    assert {item.metric for item in read_labels(labels)[0].items} == {metric}
    assert "40 of 40 labelled answers" in judged(tmp_path, labels).evidence


def test_a_hundred_labels_can_meet_a_lower_bound(run: Path, tmp_path: Path) -> None:
    labels = labelled_table(run, tmp_path, 100)
    assert judged(run, labels, "agreement=0.96").decision == "go"
    assert judged(run, labels, "agreement=0.97").decision == "no-go"


def test_no_table_is_not_measured(run: Path) -> None:
    found = judged(run, None)
    assert found.decision == "not measured"
    assert "draw one with safe-eval annotate RUN, label it, and give it as --labels TABLE" in found.evidence


def test_an_answer_without_a_label_is_not_measured(run: Path, tmp_path: Path) -> None:
    found = judged(run, labelled_table(run, tmp_path, 200, blank=3))
    assert found.decision == "not measured"
    assert "3 of 200 answers have no label; write ? if unsure" in found.evidence


def test_unsure_labels_are_counted_and_left_out(run: Path, tmp_path: Path) -> None:
    found = judged(run, labelled_table(run, tmp_path, 200, unsure=4))
    assert found.decision == "go"
    assert "196 of 196 labelled answers" in found.evidence
    assert "4 more labelled '?'" in found.evidence


def test_labels_of_other_answers_prove_nothing(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    rows = answers("safe", "full", lambda clip, hears: clip % 2 > 0, clips=CLIPS)
    write_predictions(other / "predictions.jsonl", rows)
    found = judged(run, labelled_table(other, tmp_path, 200))
    assert found.decision == "not measured"
    assert "labels.csv: its key is of other predictions than this run's" in found.evidence


def forged(labels: Path, **fields: object) -> Path:
    """The key says something else about the first answer."""
    content = json.loads(key_path(labels).read_text("utf-8"))
    content["items"][0] |= fields
    key_path(labels).write_text(json.dumps(content), "utf-8")
    return labels


def test_a_key_that_was_changed_proves_nothing(run: Path, tmp_path: Path) -> None:
    labels = labelled_table(run, tmp_path, 200)
    right = read_labels(labels)[0].items[0].score
    found = judged(run, forged(labels, score=1 - right))
    assert found.decision == "not measured"
    assert f"item-0001 scores {1 - right:g} in the key, and {right:g} by the predictions" in found.evidence
    absent = judged(run, forged(labels, score=right, example_id="nowhere"))
    assert "item-0001 of the key is no answer of this run" in absent.evidence


def test_labels_beside_the_run_are_found_and_recorded(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = labelled_table(run, tmp_path, 200)
    assert main(["verdict", str(run), "--criteria", "parser", "--force", "--labels", str(labels)]) == 0
    content = json.loads((run / "verdict.json").read_text("utf-8"))
    named = content["labels_file"]
    assert (named["name"], named["sha256"]) == ("labels.csv", file_sha256(labels))
    assert (run / named["path"]).resolve() == labels.resolve()
    assert content["parameters"] == {"agreement": "0.98", "dataset": None}
    assert main(["verdict", str(run), "--criteria", "parser", "--force"]) == 2
    for source, name in ((labels, "annotations.csv"), (key_path(labels), "annotations.key.json")):
        (run / name).write_bytes(source.read_bytes())
    try:
        assert main(["verdict", str(run), "--criteria", "parser", "--force"]) == 0
    finally:
        (run / "annotations.csv").unlink()
        (run / "annotations.key.json").unlink()
    assert "asked for the low end >= 0.98" in capsys.readouterr().out


def test_labels_that_no_criterion_asks_for_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = str(tmp_path / "nowhere.csv")
    assert main(["verdict", str(run), "--criteria", "demo", "--force", "--labels", labels]) == 3
    words = "nowhere.csv: no criterion of demo.yaml asks for agreement; leave out the labels"
    assert words in capsys.readouterr().err
