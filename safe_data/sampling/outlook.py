"""Outlook: what the stages of a curriculum will draw, before any training.

    safe-data check audio=runs/audiocaps vl=runs/vqav2 --sampling curriculum.yaml

Rows, epochs and repeats are known if datasets are given; without any, only the file is judged.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import ceil
from pathlib import Path
from textwrap import wrap

import msgspec
from numpy import ndarray

from safe_data.core.command import DOES_NOT_HOLD, HOLDS
from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.numerals import MISSING
from safe_data.core.table import COLUMNS, Table, render
from safe_data.core.terminal import say
from safe_data.sampling.curriculum import levels_of, rows_drawn
from safe_data.sampling.curriculum_file import Stage, Until, read_stages
from safe_data.sampling.mixture import Mixture, exact_shares
from safe_data.shards.dataset import ShardDataset


class DatasetOutlook(msgspec.Struct, frozen=True):
    """What a stage draws of one dataset; None where it is not known, or not limited.

    `rows` are those with the stage's difficulties. `drawn` and `epochs` are for the most steps that the stage
    may last, and `repeats_after` is the number of batches before the first that holds a row again, in them.
    """

    name: str
    share: float
    rows_per_batch: float
    difficulty: tuple[str, ...] | None
    rows: int | None = None
    drawn: int | None = None
    epochs: float | None = None
    repeats_after: int | None = None


class StageOutlook(msgspec.Struct, frozen=True):
    """What a stage draws, what ends it, what a user may not expect, and why it cannot be drawn."""

    name: str
    steps: int | None
    most_steps: int | None
    ends: str
    datasets: tuple[DatasetOutlook, ...]
    notes: tuple[str, ...]
    faults: tuple[str, ...]


class Outlook(msgspec.Struct, frozen=True):
    """What a curriculum draws; `unused` are datasets that no stage draws."""

    file: str
    split: str
    batch_size: int
    datasets: dict[str, int]
    stages: tuple[StageOutlook, ...]
    unused: tuple[str, ...]

    @property
    def faults(self) -> int:
        """How many faults the stages have."""
        return sum(len(stage.faults) for stage in self.stages)


def check_sampling(
    sampling: Path,
    roots: Sequence[str] = (),
    *,
    split: str = "train",
    batch_size: int = 256,
    as_json: bool = False,
) -> int:
    """Print what a curriculum will draw from datasets; return 0 if it can be drawn, and 1 if not.

    Args:
        sampling: YAML file of the curriculum
        roots: finished datasets, each as ROOT or NAME=ROOT; without any, only the file is judged
        split: split of the datasets that is drawn from
        batch_size: rows of a batch over all ranks
        as_json: print JSON instead of text

    Raises:
        InputError: the file is not one of stages, a root is no dataset with this split, two have one name, or
            the batch size is below 1.
    """
    outlook = read_outlook(sampling, roots, split=split, batch_size=batch_size)
    say(render((), "json" if as_json else "text", outlook, outlook_lines(outlook)))
    return DOES_NOT_HOLD if outlook.faults else HOLDS


def read_outlook(sampling: Path, roots: Sequence[str], *, split: str, batch_size: int) -> Outlook:
    """What a curriculum will draw from datasets; see `check_sampling`, which prints it.

    Raises:
        InputError: see `check_sampling`.
    """
    if batch_size < 1:
        raise InputError(f"--batch-size {batch_size}: a batch holds one row or more")
    stages = read_stages(sampling)
    return look_ahead(stages, named_difficulties(roots, split), str(sampling), split, batch_size)


def named_difficulties(roots: Sequence[str], split: str) -> dict[str, ndarray]:
    """The difficulty of every row of the datasets at ROOT or NAME=ROOT, by their names.

    Raises:
        InputError: see `check_sampling`.
    """
    found: dict[str, ndarray] = {}
    for given in roots:
        name, equals, path = given.partition("=")
        if not equals or Path(given).exists():  # a folder's name may have an =
            name, path = "", given
        dataset = ShardDataset(path, split)
        name = name or dataset.name
        if name in found:
            raise InputError(
                f"{path}: {name!r} is given twice; give one of them another name, as NAME={path}"
            )
        found[name] = levels_of(dataset.manifest["difficulty"].to_pylist())
    return found


def look_ahead(
    stages: Sequence[Stage], levels: Mapping[str, ndarray], file: str, split: str, batch_size: int
) -> Outlook:
    """What stages will draw from datasets, given the difficulty of every row; or what the file alone says."""
    drawn = {name for stage in stages for name, weight in stage.weights.items() if weight}
    return Outlook(
        file=file,
        split=split,
        batch_size=batch_size,
        datasets={name: len(column) for name, column in levels.items()},
        stages=tuple(_stage_outlook(stage, levels, batch_size) for stage in stages),
        unused=tuple(name for name in levels if name not in drawn),
    )


def _stage_outlook(stage: Stage, levels: Mapping[str, ndarray], batch_size: int) -> StageOutlook:
    until = stage.until
    most = until.most_steps if until else None
    shares = {name: share for name, share in exact_shares(stage.weights).items() if share}
    rows, faults = _rows(stage, list(shares), levels)
    lengths = {name: range(rows.get(name) or 1) for name in shares}
    mixture = Mixture(lengths, {name: stage.weights[name] for name in shares}, batch_size=batch_size, seed=0)
    shown = (_dataset_outlook(stage, mixture, name, share, rows.get(name)) for name, share in shares.items())
    return StageOutlook(
        name=stage.name,
        steps=until.steps if until else None,
        most_steps=most,
        ends=_end(until),
        datasets=tuple(shown),
        notes=tuple(mixture.notes(most)) if len(rows) == len(shares) else (),
        faults=tuple(faults),
    )


def _dataset_outlook(
    stage: Stage, mixture: Mixture, name: str, share: Fraction, rows: int | None
) -> DatasetOutlook:
    most = stage.until.most_steps if stage.until else None
    exact = share * mixture.batch_size

    def drawn(steps: int) -> int:
        return mixture.drawn_before(steps)[name]

    repeats = None
    if rows:
        ends = ceil((rows + 2) / exact) if most is None else most  # at most two rows are off the exact share
        before = bisect_right(range(ends + 1), rows, key=drawn) - 1  # so many batches hold no row again
        repeats = before if before < ends else None
    return DatasetOutlook(
        name=name,
        share=float(share),
        rows_per_batch=float(exact),
        difficulty=stage.difficulty.get(name),
        rows=rows,
        drawn=None if most is None else drawn(most),
        epochs=None if most is None or not rows else drawn(most) / rows,
        repeats_after=repeats,
    )


def _rows(
    stage: Stage, names: Sequence[str], levels: Mapping[str, ndarray]
) -> tuple[dict[str, int], list[str]]:
    """How many rows of each dataset the stage may draw, and why it cannot draw the others."""
    rows, faults = {}, []
    for name in names if levels else ():
        if name not in levels:
            hint = did_you_mean(name, levels, f"give it as {name}=ROOT; datasets are {', '.join(levels)}")
            faults.append(f"no dataset is named {name!r}; {hint}")
        elif not len(levels[name]):
            faults.append(f"{name!r} has no rows in this split; leave it out")
        else:
            try:
                rows[name] = len(rows_drawn(stage, name, levels[name]))
            except InputError as error:
                faults.append(str(error).removeprefix(f"stage {stage.name!r}: "))
    return rows, faults


def _end(until: Until | None) -> str:
    """What ends a stage, as the end of a sentence."""
    if until is None:
        return "with the training"
    if until.metric is None:
        return f"after {_counted(until.steps, 'step')}"
    bound = f"at least {until.at_least:g}" if until.at_least is not None else f"at most {until.at_most:g}"
    often = f" at {until.patience} evaluations in a row" if until.patience > 1 else ""
    holds = f"{until.metric} is {bound}{often}"
    if until.extend_steps is None:
        return f"once {holds}, or after {_counted(until.steps, 'step')}"
    return (
        f"after {_counted(until.steps, 'step')} if {holds}; otherwise once that holds, or after "
        f"{_counted(until.most_steps, 'step')}"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def outlook_lines(outlook: Outlook) -> Iterator[str]:
    """The outlook in at most 80 columns."""
    count = _counted(len(outlook.stages), "stage")
    yield f"{outlook.file}: {count}, batches of {_counted(outlook.batch_size, 'row')}"
    if not outlook.datasets:
        yield "no datasets are given, so only the file was judged"
    for name, rows in outlook.datasets.items():
        yield f"  {name}: {rows:,} rows in {outlook.split}"
    for number, stage in enumerate(outlook.stages, 1):
        yield ""
        yield from render(
            [_table(f"stage {number}: {stage.name}", stage, whole=bool(outlook.datasets))], "text"
        )
        said = [f"ends {stage.ends}", *(f"note: {note}" for note in stage.notes)]
        for text in (*said, *(f"FAULT: {fault}" for fault in stage.faults)):
            yield from wrap(text, COLUMNS, initial_indent="  ", subsequent_indent="    ")
    yield ""
    for name in outlook.unused:
        yield f"note: no stage draws {name!r}"
    yield (
        "OK" if not outlook.faults else f"cannot be drawn: {outlook.faults} fault{'s'[: outlook.faults > 1]}"
    )


def _table(title: str, stage: StageOutlook, *, whole: bool) -> Table:
    """What a stage draws; only what the file says, if not the whole is known."""
    columns = ("dataset", "share", "per batch", "difficulty", "rows", "epochs", "repeats after")
    rows = [
        (
            one.name,
            one.share,
            one.rows_per_batch,
            "all" if one.difficulty is None else ", ".join(one.difficulty),
            one.rows,
            one.epochs,
            _repeats(one.repeats_after),
        )
        for one in stage.datasets
    ]
    shown = len(columns) if whole else columns.index("rows")
    write = {"rows": "{:,}".format, "epochs": "{:,.2f}".format, "per batch": "{:,.1f}".format}
    return Table(title, columns[:shown], [row[:shown] for row in rows], write=write)


def _repeats(after: int | None) -> str:
    if after is None:
        return MISSING
    return _counted(after, "step") if after else "at once"
