"""Two predictions files to compare, whose numbers are known by hand."""

from pathlib import Path

from made_rows import answers

from safe_eval.comparison.compare import compare_files
from safe_eval.comparison.comparison_file import ComparisonFile, Difference
from safe_eval.options import CompareOptions, Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions

QUICK = Sampling(resamples=200)


def make_two_files(folder: Path) -> tuple[Path, Path]:
    """A hears 45 of 50 sounds and sees 45 of 50 pictures; B guesses 10 sounds and sees the same pictures."""
    hearing = answers("new", "full", lambda clip, audio: clip % 10 != 1 if audio else clip % 10 != 0)
    guessing = answers("old", "full", lambda clip, audio: clip % 5 == 0 if audio else clip % 10 != 0)
    return written(folder / "a.jsonl", hearing), written(folder / "b.jsonl", guessing)


def written(path: Path, rows: list[Prediction]) -> Path:
    write_predictions(path, rows)
    return path


def compared(files: tuple[Path, Path], **options: object) -> ComparisonFile:
    return compare_files(files, QUICK, CompareOptions(**options))


def of_slice(found: ComparisonFile, name: str) -> Difference:
    (only,) = [row for row in found.rows if row.slice == name]
    return only
