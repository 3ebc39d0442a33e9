"""Sides: whose answers are A and whose are B, read from predictions files, run folders or logs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.files import file_sha256
from safe_eval.comparison.read_answers import read_answers
from safe_eval.options import CompareOptions
from safe_eval.prediction import BASE, Prediction
from safe_eval.scoring.run_files import predictions_of, run_baseline
from safe_eval.scoring.scores import PredictionsFile

NAMES_SHOWN = 10

Rows = list[Prediction]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of one model and seed; `name` is A or B."""

    name: str
    files: tuple[PredictionsFile, ...]
    model: str
    seed: int
    conditions: tuple[str, ...]
    rows: int
    notes: tuple[str, ...] = ()  # of a log of another harness

    @property
    def file(self) -> str:
        """The names of its files."""
        return ", ".join(file.name for file in self.files)

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes of its files, which say whether two sides were read from the same bytes."""
        return tuple(file.sha256 for file in self.files)


def files_of_sides(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The predictions files of A and B; without B, both are in the same files.

    Raises:
        InputError: there is no path, or there are more than two; or see `predictions_of`.
    """
    if len(paths) not in (1, 2):
        raise InputError(f"compare takes A and B, not {len(paths)} files; use score for more than two models")
    files_a = predictions_of(paths[0])
    return files_a, files_a if len(paths) == 1 else predictions_of(paths[1])


def read_sides(paths: Sequence[Path], options: CompareOptions) -> tuple[tuple[Side, Rows], tuple[Side, Rows]]:
    """Read the answers of both sides, each of one model and one seed.

    Without B, two models of A are compared: the baseline is B. It is the one that is named, or that the run
    was scored with, or `base`; where there is none, the model that comes second by name.

    Raises:
        InputError: a file cannot be read; a side holds no such answers, or several models or seeds; or the
            options contradict each other.
    """
    files_a, files_b = files_of_sides(paths)
    rows_a, notes_a = read_answers(files_a, allow_partial=options.allow_partial)
    rows_b, notes_b = rows_a, notes_a
    if files_b != files_a:
        rows_b, notes_b = read_answers(files_b, allow_partial=options.allow_partial)
    alone = len(paths) == 1
    default = run_baseline(paths[0]) if alone else None
    models = _models(_values(rows_a, "model"), options, default, alone=alone)
    conditions, seeds = options.conditions, (options.seed_a, options.seed_b)
    sides = [
        _side(name, rows, files, {"condition": condition, "model": model, "seed": seed}, other)
        for name, rows, files, condition, model, seed, other in zip(
            "AB", (rows_a, rows_b), (files_a, files_b), conditions, models, seeds, models[::-1], strict=True
        )
    ]
    (side_a, of_a), (side_b, of_b) = sides
    return (
        (msgspec.structs.replace(side_a, notes=tuple(notes_a)), of_a),
        (msgspec.structs.replace(side_b, notes=tuple(notes_b)), of_b),
    )


def _models(
    of_a: Sequence[str], options: CompareOptions, default: str | None, *, alone: bool
) -> tuple[str | None, str | None]:
    """The models of A and B that were asked for or follow from the baseline; None is still to be chosen."""
    model_a, model_b, baseline = options.model_a, options.model_b, options.baseline
    if None not in (baseline, model_b) and baseline != model_b:
        raise InputError(f"--baseline {baseline} and --model-b {model_b} both name the model of B; give one")
    model_b = model_b or baseline
    if alone and baseline is not None and baseline not in of_a:
        hint = did_you_mean(baseline, of_a, f"there are {listed(of_a)}")
        raise InputError(f"--baseline {baseline}: no model has this name here; {hint}")
    if alone and model_b is None and len(of_a) > 1:
        named = next((name for name in (default, BASE) if name in of_a and name != model_a), None)
        others = [name for name in of_a if name != (model_a or of_a[0])]
        model_b = named or (others[0] if len(of_a) == 2 else None)
    if model_a is None and (alone or baseline is not None):
        others = [name for name in of_a if name != model_b]
        model_a = others[0] if len(others) == 1 else None
    return model_a, model_b


def _side(
    name: str, rows: Rows, files: Sequence[Path], wanted: dict[str, Any], other: str | None
) -> tuple[Side, Rows]:
    """The side with the wanted answers; `other` is the model of the other side, where it is known."""
    where = f"{name} ({', '.join(file.name for file in files)})"
    for field, value in wanted.items():
        rows = _chosen(rows, field, value, where, name.lower(), other)
    if len(prompts := {row.prompt_id for row in rows}) > 1:
        named = listed(sorted(map(str, prompts)))
        raise InputError(f"{where}: answers several prompts ({named}); keep the rows of one 'prompt_id'")
    side = Side(
        name=name,
        files=tuple(PredictionsFile(file.name, file_sha256(file)) for file in files),
        model=rows[0].model,
        seed=rows[0].seed,
        conditions=tuple(dict.fromkeys(row.condition for row in rows)),
        rows=len(rows),
    )
    return side, rows


def _chosen(rows: Rows, field: str, wanted: Any, where: str, side: str, other: str | None) -> Rows:
    """The rows with the wanted value of a field; all rows if no value is wanted and none must be chosen."""
    values = _values(rows, field)
    if wanted is not None and wanted not in values:
        raise InputError(f"{where}: has no {field} {wanted!r}; it has {listed(values)}")
    if wanted is None and field != "condition" and len(values) > 1:
        example = next(value for value in reversed(values) if value != other)
        raise InputError(
            f"{where}: holds several {field}s ({listed(values)}); choose one with --{field}-{side}, for "
            f"example --{field}-{side} {example}"
        )
    return rows if wanted is None else [row for row in rows if getattr(row, field) == wanted]


def listed(values: Sequence[Any]) -> str:
    """The first values of a list, for a message."""
    shown = ", ".join(map(str, values[:NAMES_SHOWN]))
    return f"{shown}, …" if len(values) > NAMES_SHOWN else shown


def _values(rows: Rows, field: str) -> list[Any]:
    return sorted({getattr(row, field) for row in rows})
