"""Items: items.parquet, one row per prediction and metric, so that every number can be traced to its items.

It also holds what the report and the viewer show of an item, so that neither reads nor scores predictions
again.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.core.files import committing, file_sha256
from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import Arm, Places
from safe_eval.arms.coverage import OUTCOMES, Outcomes
from safe_eval.arms.scored_arm import ScoredArm

if TYPE_CHECKING:
    import pyarrow as pa

ITEMS_FILE = "items.parquet"
# Columns that repeat text fields of the prediction, for the report.
SHOWN = ("record_id", "split", "group", "task", "question_type", "prompt", "answer", "error", "audio_sha256")
SENT = {"sent_sound": "sound", "sent_picture": "picture"}  # columns with what `metadata.sent` says of each
COLUMNS = (
    *("example_id", "condition", "seed", "metric", "value", "coverage", "model", "dataset"),
    *SHOWN,
    *SENT,
    *("references", "needs_audio", "confidence", "consulted"),
)
_shown_of = attrgetter(*SHOWN)
_EXCLUDED = OUTCOMES.index("excluded")


def item_tables(arms: Arms) -> Iterator["pa.Table"]:
    """One table per arm, with one row per metric and example.

    Metrics have the order of the scores, examples the order of their ids. A prediction that no metric judges
    has one row without metric and value.
    """
    import pyarrow as pa

    by_arm: dict[int, list[ScoredArm]] = {}
    for scored in (one for found in arms.scored.values() for one in found):
        by_arm.setdefault(id(scored.arm), []).append(scored)
    for arm, became in zip(arms.arms, arms.outcomes, strict=True):
        columns = _columns(arm)
        parts = [_part(columns, one.at, became, one.metric, one.scores) for one in by_arm.get(id(arm), ())]
        excluded = np.flatnonzero(became == _EXCLUDED)
        if len(excluded):
            parts.append(_part(columns, excluded, became, None, None))
        yield pa.concat_tables(parts).unify_dictionaries().combine_chunks().select(list(COLUMNS))


@contextmanager
def writing_items(out: Path, arms: Arms) -> Iterator[str]:
    """Write items.parquet into a folder; it appears at the end of the block, which is given its hash.

    Equal arms give equal bytes. An exception inside the block leaves the old file as it was.

    Raises:
        InputError: see `files.committing`.
    """
    import pyarrow.parquet as pq

    path, tables = out / ITEMS_FILE, item_tables(arms)
    first = next(tables)
    with committing(path) as file:
        with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
            for table in itertools.chain([first], tables):  # one arm at a time, to save memory
                writer.write_table(table, row_group_size=max(1, table.num_rows))
        file.flush()
        yield file_sha256(file.name)


def read_items(
    run: Path, sha256: str | None, columns: Sequence[str] | None = None, *, without: Sequence[str] = ()
) -> "pa.Table":
    """Read a run's items.parquet, or some of its columns; `sha256` is the hash in its scores.json.

    The rows of metrics that are named by `without` are left out.

    Raises:
        InputError: the file does not exist, or its hash is not `sha256`.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = _checked(run, sha256)
    metric = pc.field("metric")
    kept = metric.is_null() | ~metric.isin(list(without)) if without else None
    with _readable(path):
        return pq.read_table(path, columns=columns, filters=kept)


def item_faults(run: Path, sha256: str | None, arms: Arms, tolerance: float) -> Iterator[str]:
    """One line for each place where a run's items.parquet is not what these arms give, up to a tolerance.

    Raises:
        InputError: see `read_items`.
    """
    import pyarrow.parquet as pq

    path, groups = _checked(run, sha256), 0
    with _readable(path):
        stored = pq.ParquetFile(path)
        for table in item_tables(arms):
            if groups < stored.num_row_groups:
                yield from _differences(stored.read_row_group(groups), table, tolerance)
            groups += 1
        if groups != stored.num_row_groups:
            yield f"{stored.num_row_groups} arms, the predictions give {groups}"


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say that a file is no table of items, whatever pyarrow says of it."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        said = str(error).partition("\n")[0]
        raise InputError(f"{path}: is no table of items: {said}; score the predictions again") from None


def _checked(run: Path, sha256: str | None) -> Path:
    path = run / ITEMS_FILE
    if not path.is_file():
        raise InputError(f"{path}: no such file; make it with: safe-eval score PREDICTIONS --out {run}")
    if sha256 is None or file_sha256(path) != sha256:
        raise InputError(
            f"{path}: is not the file that was written with its scores.json; score the predictions again: "
            f"safe-eval score PREDICTIONS --out {run} --force"
        )
    return path


def _differences(said: "pa.Table", found: "pa.Table", tolerance: float) -> Iterator[str]:
    """One line for each cell of an arm's table that differs; one alone if the tables have another shape."""
    about = " ".join(str(found[name][0]) for name in ("model", "condition"))
    if said.column_names != found.column_names:
        yield f"{about}: the columns are {', '.join(said.column_names)}"
    elif said.num_rows != found.num_rows:
        yield f"{about}: {said.num_rows} rows, the predictions give {found.num_rows}"
    else:
        for name in COLUMNS:
            stated, given = _plain(said[name]), _plain(found[name])
            if stated.type != given.type:
                yield f"{about}: {name} holds {stated.type}, not {given.type}"
                continue
            for at in _where_different(stated, given, tolerance if name == "value" else 0.0):
                item = f"{found['example_id'][at].as_py()!r} {about} {found['metric'][at].as_py()}"
                yield f"{item}: {name} is {stated[at].as_py()!r}, the predictions give {given[at].as_py()!r}"


def _where_different(said: "pa.ChunkedArray", found: "pa.ChunkedArray", tolerance: float) -> list[int]:
    """The rows in which two columns of one type and length differ."""
    if said.equals(found):
        return []
    if tolerance:
        one, other = said.to_numpy(), found.to_numpy()
        near = np.isclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True)
        return np.flatnonzero(~near).tolist()
    pairs = zip(said.to_pylist(), found.to_pylist(), strict=True)
    return [at for at, (one, other) in enumerate(pairs) if one != other]


def _plain(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """A column without its dictionary, since two files may number the same texts differently."""
    import pyarrow as pa

    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _columns(arm: Arm) -> "pa.Table":
    """The columns of an arm that are the same for every metric, made once."""
    import pyarrow as pa

    n = len(arm.rows)
    shown = zip(SHOWN, zip(*map(_shown_of, arm.rows), strict=True), strict=True)
    texts = {name: pa.array(column, pa.string()).dictionary_encode() for name, column in shown}
    return pa.table(
        {
            "example_id": pa.array([row.example_id for row in arm.rows], pa.string()),
            "condition": _repeated(arm.key.condition, n),
            "seed": pa.array(np.full(n, arm.key.seed, dtype=np.int64)),
            "model": _repeated(arm.key.model, n),
            "dataset": _repeated(arm.key.dataset, n),
            **texts,
            **{name: _sent(arm, part) for name, part in SENT.items()},
            "references": pa.array([row.references for row in arm.rows], pa.list_(pa.string())),
            "needs_audio": pa.array([row.needs_audio for row in arm.rows], pa.bool_()),
            "confidence": pa.array([row.confidence for row in arm.rows], pa.float64()),
            "consulted": pa.array([row.consulted for row in arm.rows], pa.bool_()),
        }
    )


def _sent(arm: Arm, part: str) -> "pa.DictionaryArray":
    """What the rows of an arm say about the sound, or the picture, that was sent."""
    import pyarrow as pa

    notes = ((row.metadata or {}).get("sent") for row in arm.rows)
    said = (note.get(part) if isinstance(note, dict) else None for note in notes)
    texts = [text if isinstance(text, str) else None for text in said]
    return pa.array(texts, pa.string()).dictionary_encode()


def _part(
    columns: "pa.Table",
    at: Places,
    became: Outcomes,
    metric: str | None,
    scores: Float[ndarray, " rows"] | None,
) -> "pa.Table":
    """The rows of one arm and metric."""
    import pyarrow as pa

    n = len(at)
    part = columns if n == columns.num_rows else columns.take(pa.array(at))
    values = pa.nulls(n, pa.float64()) if scores is None else pa.array(scores, pa.float64())
    outcomes = pa.DictionaryArray.from_arrays(pa.array(became[at].astype(np.int32)), pa.array(OUTCOMES))
    part = part.append_column("metric", _repeated(metric, n)).append_column("value", values)
    return part.append_column("coverage", outcomes)


def _repeated(text: str | None, n: int) -> "pa.DictionaryArray":
    import pyarrow as pa

    codes = pa.array(np.zeros(n, dtype=np.int32), mask=np.full(n, text is None))
    return pa.DictionaryArray.from_arrays(codes, pa.array([] if text is None else [text], pa.string()))
