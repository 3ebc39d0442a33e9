"""A table of answers that somebody has labelled."""

import csv
from pathlib import Path

from safe_eval.annotation.annotate import draw_sample


def labelled_table(
    run: Path, folder: Path, sample: int, wrong: int = 0, blank: int = 0, unsure: int = 0
) -> Path:
    """A table drawn from the run and labelled as the scorer says, but for the first so many rows."""
    path, key = draw_sample(run, sample=sample, out=folder / "labels.csv")
    lines = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    place = lines[0].index("label")
    for number, (line, item) in enumerate(zip(lines[1:], key.items, strict=True)):
        right = (item.score >= 0.5) != (number < wrong)
        line[place] = "right" if right else "wrong"
        if number >= sample - blank - unsure:
            line[place] = "" if number >= sample - blank else "?"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    return path
