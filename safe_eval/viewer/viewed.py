"""Viewed: the runs that are shown, opened: their arms, facets and metrics, and their rows in full."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from jaxtyping import Int
from numpy import ndarray

from safe_data.core.errors import InputError, require_extra
from safe_eval.arms.arm import ArmKey
from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.judging.chain import read_verdict
from safe_eval.judging.verdict import VERDICT_FILE, Verdict
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.report.side_by_side import run_names
from safe_eval.scoring.items import read_items
from safe_eval.scoring.scores import Scores, read_scores, scored_files
from safe_eval.viewer.cells import ArmName, cells_of
from safe_eval.viewer.lines import Lines
from safe_eval.viewer.store import Store, store_of

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT_VERSION = 1
MOST_VALUES = 200  # of a facet; there are more groups than anybody reads
# Facets by the name in a query: their title, and their column.
FACETS = {
    "dataset": ("Dataset", "dataset"),
    "split": ("Split", "split"),
    "task": ("Task", "task"),
    "type": ("Question type", "question_type"),
    "needs_audio": ("Needs the sound", "needs_audio"),
}
NEEDS_AUDIO = {"yes": True, "no": False, "unknown": None}


class ShownRun(msgspec.Struct, frozen=True):
    """A run by its name, and what its verdict decided, if it has one."""

    name: str
    folder: str
    decision: str | None


class ShownArm(msgspec.Struct, frozen=True):
    """An arm: who was asked, under which condition, and how many items."""

    arm: int
    run: str
    model: str
    condition: str
    seed: int
    title: str
    subtitle: str
    is_baseline: bool
    items: int


class FacetValue(msgspec.Struct, frozen=True):
    """A value of a facet, and how many items have it."""

    value: str
    items: int


class Facet(msgspec.Struct, frozen=True):
    """A property by which items can be filtered, with its values."""

    name: str
    title: str
    values: tuple[FacetValue, ...]


class RunFacts(msgspec.Struct, frozen=True):
    """The content of data/run.json."""

    title: str
    items: int
    answers: int
    has_media: bool
    writes_notes: bool
    runs: tuple[ShownRun, ...]
    arms: tuple[ShownArm, ...]
    metrics: tuple[str, ...]
    metric_of: dict[str, str]
    facets: tuple[Facet, ...]
    format_version: int = FORMAT_VERSION


@dataclass(frozen=True)
class Opened:
    """A run that was scored: its folder, scores, and verdict if there is one."""

    name: str
    folder: Path
    scores: Scores
    verdict: Verdict | None


@dataclass(frozen=True, repr=False)
class Viewed:
    """Some runs and everything that is shown of them. `shards` is the dataset with pictures and sounds."""

    runs: tuple[Opened, ...]
    arms: tuple[ShownArm, ...]
    metrics: tuple[str, ...]
    store: Store
    shards: Path | None = None

    @property
    def items(self) -> int:
        """How many items there are."""
        return int(self.store.cells.items.num_rows)

    @property
    def sampling(self) -> Sampling:
        """How the first run was scored, and so how what is filtered is."""
        made = self.runs[0].scores.provenance
        return Sampling(confidence=made.confidence, resamples=made.resamples, seed=made.seed)

    def key_of(self, item: int) -> tuple[str | None, str]:
        """The dataset and the id of an item.

        Raises:
            InputError: there is no such item.
        """
        if not 0 <= item < self.items:
            raise InputError(f"item={item}: there is none; items are 0 to {self.items - 1}")
        row = self.store.cells.items.slice(item, 1)
        return row["dataset"][0].as_py(), row["id"][0].as_py()

    def find_all(self, keys: Collection[tuple[str | None, str]]) -> dict[tuple[str | None, str], int]:
        """The numbers of those items that are seen, by dataset and example id."""
        asked = "SELECT dataset, id, item FROM items WHERE id IN (SELECT unnest(?::VARCHAR[]))"
        rows = self.store.query(asked, [[example_id for _, example_id in keys]]).fetchall()
        return {(dataset, name): item for dataset, name, item in rows if (dataset, name) in keys}

    def find(self, dataset: str | None, example_id: str) -> int | None:
        """The number of an item; None for one that is not seen."""
        return self.find_all([(dataset, example_id)]).get((dataset, example_id))

    @cached_property
    def clusters(self) -> Int[ndarray, " items"]:
        """The number of each item's cluster, as the first run was scored; datasets share none."""
        import pyarrow.compute as pc

        field = self.runs[0].scores.provenance.cluster
        items = self.store.cells.items
        labels = items["id" if field == "example_id" else field].combine_chunks()
        # In the order of their names, as scoring numbers them: sums differ by their order in the last digit.
        codes = pc.index_in(labels, value_set=labels.unique().sort()).to_numpy(zero_copy_only=False)
        # An item without one, as another run may have, is a cluster of its own.
        is_alone = labels.is_null().to_numpy(zero_copy_only=False)
        own = np.where(is_alone, self.items + np.arange(self.items), codes)
        datasets = items["dataset"].combine_chunks().dictionary_encode(null_encoding="encode").indices
        joined = datasets.to_numpy().astype(np.int64) * (2 * self.items + 1) + own.astype(np.int64)
        numbers: Int[ndarray, " items"] = np.unique(joined, return_inverse=True)[1]
        return numbers

    @cached_property
    def lines(self) -> tuple[Lines, ...]:
        """The predictions files of each run, to read rows from."""
        return tuple(Lines(tuple(scored_files(one.folder, one.scores)), one.scores) for one in self.runs)

    def rows_of(self, item: int) -> dict[int, Prediction]:
        """The whole rows of an item by arm; an arm whose predictions file is gone or another has none."""
        dataset, example_id = self.key_of(item)
        found: dict[int, Prediction] = {}
        for place, lines in enumerate(self.lines):
            for row in lines.rows(dataset, example_id):
                number = self._numbers.get(ArmName(place, row.model, row.condition, row.seed))
                if number is not None:
                    found.setdefault(number, row)
        return dict(sorted(found.items()))

    @cached_property
    def _numbers(self) -> dict[ArmName, int]:
        return {name: number for number, name in enumerate(self.store.cells.arms)}

    def facts(self, *, writes_notes: bool = False) -> RunFacts:
        """The content of data/run.json."""
        count = "SELECT count(*) FROM answers"
        return RunFacts(
            title=", ".join(one.name for one in self.runs),
            items=self.items,
            answers=int((self.store.query(count).fetchone() or [0])[0]),
            has_media=self.shards is not None,
            writes_notes=writes_notes,
            runs=tuple(
                ShownRun(one.name, str(one.folder), one.verdict.decision if one.verdict else None)
                for one in self.runs
            ),
            arms=self.arms,
            metrics=self.metrics,
            metric_of=self.metric_of,
            facets=tuple(self.facets()),
        )

    def facets(self) -> list[Facet]:
        """The facets that tell items apart: those with more than one value."""
        found = []
        for name, (title, column) in FACETS.items():
            counted = f"SELECT {column}, count(*) FROM items GROUP BY 1"  # noqa: S608 - a column of ours
            asked = f"{counted} ORDER BY 2 DESC, 1 LIMIT {MOST_VALUES}"
            rows = self.store.query(asked).fetchall()
            if len(rows) > 1:
                values = tuple(FacetValue(facet_text(name, value), count) for value, count in rows)
                found.append(Facet(name, title, values))
        return found

    @property
    def metric_of(self) -> dict[str, str]:
        """The first metric of each dataset, by which its items are shown."""
        found: dict[str, str] = {}
        for run in self.runs:
            for row in run.scores.metrics:
                if row.metric in self.metrics:
                    found.setdefault(row.dataset or "", row.metric)
        return found


def facet_text(name: str, value: Any) -> str:
    """A value of a facet as a query names it; the empty text is what has none."""
    if name == "needs_audio":
        return next(text for text, known in NEEDS_AUDIO.items() if known is value)
    return "" if value is None else str(value)


def open_runs(runs: Sequence[Path], shards: Path | None = None) -> Viewed:
    """Open the folders that `safe-eval score` wrote to; `shards` is found in the first run's folder.

    Raises:
        InputError: a folder is missing or malformed, two are one, or the extra `view` is not installed.
    """
    require_extra("the viewer", "view", "duckdb", "starlette", "uvicorn", "jinja2", "altair", "vl_convert")
    folders = [Path(run) for run in runs]
    if not folders:
        raise InputError("no run folder given")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise InputError("a run folder is given twice; give each once")
    opened = [_opened(folder, name) for folder, name in zip(folders, run_names(folders), strict=True)]
    without = tuple(CONSULTATION_METRICS)  # who consulted the sound is a column, too
    tables = [read_items(one.folder, one.scores.provenance.items_sha256, without=without) for one in opened]
    names = _arm_names(opened, tables)
    metrics = _metrics(opened, tables)
    cells = cells_of(tables, names, metrics)
    del tables
    if shards is None and (folders[0] / "shards" / "dataset.json").is_file():
        shards = folders[0] / "shards"
    asked = (cells.first >= 0).sum(axis=1).tolist()
    arms = tuple(_shown_arm(number, name, opened, names, asked[number]) for number, name in enumerate(names))
    return Viewed(tuple(opened), arms, metrics, store_of(cells), shards)


def _opened(folder: Path, name: str) -> Opened:
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such run folder; make it with: safe-eval score PREDICTIONS --out {folder}"
        )
    scores = read_scores(folder, absent=True)
    verdict = read_verdict(folder, scores) if (folder / VERDICT_FILE).is_file() else None
    return Opened(name, folder, scores, verdict)


def _metrics(opened: Sequence[Opened], tables: Sequence["pa.Table"]) -> tuple[str, ...]:
    """The metrics that score items, as the scores have them; others are of whole arms, as calibration is."""
    scored = {name for table in tables for name in table["metric"].unique().to_pylist()}
    every = dict.fromkeys(row.metric for one in opened for row in one.scores.metrics)
    return tuple(name for name in every if name in scored)


def _arm_names(opened: Sequence[Opened], tables: Sequence["pa.Table"]) -> list[ArmName]:
    """Every arm: the baseline's first, `full` before other conditions, and runs and seeds side by side."""
    import pyarrow as pa

    found: set[ArmName] = set()
    for place, table in enumerate(tables):
        schema = pa.schema([("model", pa.string()), ("condition", pa.string()), ("seed", pa.int64())])
        plain = table.select(schema.names).unify_dictionaries().cast(schema)
        for row in plain.group_by(schema.names).aggregate([]).to_pylist():
            found.add(ArmName(place, row["model"], row["condition"], row["seed"]))
    baselines = [one.scores.provenance.baseline for one in opened]
    first = baselines[0]

    def place_of(name: ArmName) -> tuple[Any, ...]:
        is_base = name.model == (baselines[name.run] or first)
        key = ArmKey(None, name.seed, name.model, name.condition).order
        return not is_base, name.condition != "full", name.model, key[4:], name.seed, name.run

    return sorted(found, key=place_of)


def _shown_arm(
    number: int, name: ArmName, opened: Sequence[Opened], names: Sequence[ArmName], items: int
) -> ShownArm:
    """An arm with a short title: what tells it from others, and no more."""
    run = opened[name.run].name
    title = name.model if len(opened) == 1 else f"{run}: {name.model}"
    several = len({one.seed for one in names}) > 1
    return ShownArm(
        arm=number,
        run=run,
        model=name.model,
        condition=name.condition,
        seed=name.seed,
        title=title,
        subtitle=f"{name.condition}, seed {name.seed}" if several else name.condition,
        is_baseline=name.model == opened[name.run].scores.provenance.baseline and name.condition == "full",
        items=items,
    )
