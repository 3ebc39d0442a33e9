"""The command `safe-data split`: its options, what of them fits together, and its exit code."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from safe_data.core.command import DOES_NOT_HOLD, HOLDS, NOT_JUDGED
from safe_data.core.errors import InputError, check_seed
from safe_data.core.terminal import say, wrote

FRACTIONS = (0.8, 0.1, 0.1)
NAMES = {1: ("train",), 2: ("train", "test"), 3: ("train", "val", "test")}
OFFICIAL = ("train", "val", "test")


@dataclass(frozen=True)
class SplitInto:
    """Which splits are made."""

    fractions: tuple[float, ...] = field(default=(), metadata={"nargs": "+"})
    """share of each split, with the sum 1; if not given, .8 .1 .1"""
    names: tuple[str, ...] = field(default=(), metadata={"nargs": "+"})
    """names of the splits, that of train first; if not given, train val test, or train test for two"""
    dev: float | None = None
    """share of train that becomes the split dev"""
    folds: int | None = None
    """number the records of train in so many folds for cross-validation, 2 or more; all records with
    --fractions 1"""
    clean: bool = False
    """keep the splits, and list for each the records whose unit no split before it has"""


@dataclass(frozen=True)
class SplitBy:
    """What stays together, and what is spread evenly."""

    group: str = "group"
    """column whose values stay together"""
    stratify: str | None = None
    """column, or question_type, whose values each split has in the same shares"""
    merge_duplicates: bool = False
    """keep together what shares a sound or a picture, or nearly; only of a built dataset"""


def split(
    source_root: Path,
    out: Path,
    into: SplitInto = SplitInto(),
    by: SplitBy = SplitBy(),
    *,
    source: str | None = None,
    seed: int = 0,
    tolerance: float = 0.02,
    force: bool = False,
    quiet: bool = False,
) -> int:
    """Make splits that share no group and no duplicate, or clean official ones: 0 as wanted, 1 not reached.

    Writes OUT/splits.csv for `safe-data build --splits`, split.json and, for a folder, metadata.jsonl. Exit
    code 2: duplicates could not be looked for among all records.

    Args:
        source_root: a built dataset, or a folder of annotations; media need not be there
        out: directory for the splits and the report
        source: how annotations are laid out, as in `safe-data build` (default: folder)
        seed: seed of the random numbers, 0 or more
        tolerance: how far a share may be from its fraction, from 0 to 1; further, the exit code is 1
        force: replace other splits in OUT
        quiet: show no progress

    Examples:
        safe-data split runs/mine/shards runs/mine/splits --stratify label --merge-duplicates
        safe-data split my_folder runs/mine/splits --fractions .8 .1 .1 --dev .1 --folds 5
        safe-data split corpora/music_avqa runs/music_avqa/clean --source music_avqa --clean
    """
    from safe_data.core.options_file import write_options
    from safe_data.core.phases import Phases
    from safe_data.splitting.divide import Wanted
    from safe_data.splitting.report import report_lines
    from safe_data.splitting.split import FOLDER, Together, read_corpus, split_corpus, write_split

    fractions, names = _named(into)
    _check(into, names, tolerance)
    check_seed(seed)
    wanted = Wanted(names, fractions, into.dev, into.folds, seed)
    together = Together(by.group, by.stratify, by.merge_duplicates)
    with Phases(f"splitting {source_root}", quiet=quiet) as at:
        at("reading")
        corpus = read_corpus(source_root, source)
        table, report = split_corpus(corpus, wanted, together, tolerance=tolerance, at=at)
    is_folder = bool(corpus.described) and (source or FOLDER) == FOLDER
    paths = write_split(corpus, table, report, out, metadata=is_folder, force=force)
    options = {
        "source_root": source_root,
        "out": out,
        **vars(into),
        **vars(by),
        "source": source,
        "seed": seed,
    }
    paths.append(write_options(out, "safe-data split", {**options, "tolerance": tolerance}))
    say(report_lines(report))
    wrote(paths)
    if report.missed:
        return DOES_NOT_HOLD
    return NOT_JUDGED if report.not_looked_for else HOLDS


def _named(into: SplitInto) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """The fractions and the names of the splits.

    Raises:
        InputError: they do not fit together.
    """
    if into.clean:
        if into.fractions:
            raise InputError("--fractions makes new splits, and --clean keeps the old ones; give one of them")
        return (), into.names or OFFICIAL
    fractions = into.fractions or FRACTIONS
    shown = " ".join(f"{fraction:g}" for fraction in fractions)
    if not all(0 < fraction <= 1 for fraction in fractions):
        raise InputError(f"--fractions {shown}: each is above 0, and at most 1")
    if not math.isclose(sum(fractions), 1, abs_tol=1e-6):
        raise InputError(f"--fractions {shown}: have the sum {sum(fractions):g}; give shares with the sum 1")
    names = into.names or NAMES.get(len(fractions), ())
    if len(names) != len(fractions):
        raise InputError(f"--fractions {shown}: give as many --names, and not {len(names)}")
    return fractions, names


def _check(into: SplitInto, names: tuple[str, ...], tolerance: float) -> None:
    """Refuse options that are out of their range.

    Raises:
        InputError: one is.
    """
    from safe_data.records import ID_PATTERN
    from safe_data.splitting.divide import DEV

    for name in names:
        if not ID_PATTERN.fullmatch(name):
            raise InputError(f"--names {name!r}: may hold only A-Z a-z 0-9 _ and -")
    taken = [*names, *([DEV] if into.dev is not None else [])]
    if twice := [name for name in taken if taken.count(name) > 1]:
        raise InputError(f"--names: {twice[0]!r} is there twice; give each split its own name")
    if into.dev is not None and not 0 < into.dev < 1:
        raise InputError(f"--dev {into.dev:g}: is a share of train, between 0 and 1")
    if into.folds is not None and into.folds < 2:
        raise InputError(f"--folds {into.folds}: give 2 or more")
    if not 0 <= tolerance <= 1:
        raise InputError(f"--tolerance {tolerance:g}: is a share, from 0 to 1")
