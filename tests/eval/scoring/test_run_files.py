"""Run files: a run folder leads to the predictions it was scored from, wherever they lie."""

import shlex
from pathlib import Path

import pytest
from made_rows import good_run

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.options import Sampling
from safe_eval.predictions import write_predictions
from safe_eval.scoring.run_files import predictions_of
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import read_scores

QUICK = Sampling(resamples=100)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A run folder whose two predictions files lie outside it."""
    rows = good_run(3)
    for name, part in (("p.jsonl", rows[:6]), ("q.jsonl", rows[6:])):
        write_predictions(tmp_path / name, part)
    score_files([tmp_path / "p.jsonl", tmp_path / "q.jsonl"], QUICK, out=tmp_path / "runs" / "mine")
    return tmp_path / "runs" / "mine"


def test_a_run_leads_to_its_files_and_a_file_to_itself(elsewhere: Path, tmp_path: Path) -> None:
    assert [file.resolve() for file in predictions_of(elsewhere)] == [
        tmp_path / "p.jsonl",
        tmp_path / "q.jsonl",
    ]
    assert predictions_of(tmp_path / "p.jsonl") == [tmp_path / "p.jsonl"]
    (elsewhere / "predictions.jsonl").write_text("not what was scored\n")
    assert len(predictions_of(elsewhere)) == 2


def test_a_folder_that_is_not_scored_yet(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds neither scores.json nor predictions.jsonl; give a"):
        predictions_of(tmp_path)
    write_predictions(tmp_path / "predictions.jsonl", good_run(1))
    assert predictions_of(tmp_path) == [tmp_path / "predictions.jsonl"]


def test_a_file_that_changed_or_is_gone_is_refused(elsewhere: Path, tmp_path: Path) -> None:
    write_predictions(tmp_path / "q.jsonl", good_run(2)[6:])
    with pytest.raises(InputError, match=r"q.jsonl: has changed since .* score it again: safe-eval score "):
        predictions_of(elsewhere)
    (tmp_path / "q.jsonl").unlink()
    with pytest.raises(InputError, match=r"q.jsonl: no such file, but .*scores.json was computed from it"):
        predictions_of(elsewhere)


def test_to_score_again_is_to_score_with_the_same_options(tmp_path: Path) -> None:
    """The command in the message, as it stands, keeps the baseline, the draws and the metrics."""
    file, out = tmp_path / "of two.jsonl", tmp_path / "run"
    write_predictions(file, good_run(3))
    asked = ["--baseline", "safe", "--metric", "exact_match", "--seed", "3", "--resamples", "100", "--pairs"]
    assert main(["score", str(file), "--out", str(out), *asked]) == 0
    before = read_scores(out).provenance
    write_predictions(file, good_run(4))
    with pytest.raises(InputError, match="score it again: safe-eval score") as caught:
        predictions_of(out)
    assert main(shlex.split(str(caught.value).rpartition("safe-eval ")[2])) == 0
    now = read_scores(out).provenance
    kept = ("baseline", "pairs", "metrics", "seed", "resamples", "confidence", "protocol")
    assert [getattr(now, name) for name in kept] == [getattr(before, name) for name in kept]
    assert now.rows > before.rows


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "is not a scores file"),
        ("\udcff", "is not a scores file"),
        ('{"provenance": {"predictions": []}}', "names no"),
    ],
)
def test_a_broken_scores_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "scores.json").write_text(text, errors="surrogateescape")
    with pytest.raises(InputError, match=said):
        predictions_of(tmp_path)
