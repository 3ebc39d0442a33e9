"""Matching: which answers of two predictions files belong together, by dataset, example id and condition."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.errors import InputError, first_errors
from safe_data.core.files import file_sha256
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions

IDS_SHOWN = 10
# Fields that must agree where both sides give them, and fields that are copied to a side that lacks them.
_SAME = ("references", "group", "record_id", "needs_audio", "question_type", "task")
_FILLED = (*_SAME[1:], "split", "choices")

Key = tuple[str | None, str]  # dataset and example id
Rows = list[Prediction]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of one model and seed in one file; `name` is A or B."""

    name: str
    file: str
    sha256: str
    model: str
    seed: int
    conditions: tuple[str, ...]
    rows: int


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """How many examples both sides answered, and the first ids of examples that only one side answered."""

    condition_a: str
    condition_b: str
    matched: int
    only_a: int
    only_b: int
    only_a_ids: tuple[str, ...]
    only_b_ids: tuple[str, ...]


def predictions_file(path: Path) -> Path:
    """The path itself, or predictions.jsonl in it if it is a run folder."""
    return path / "predictions.jsonl" if path.is_dir() else path


def read_side(
    path: Path,
    name: str,
    *,
    model: str | None,
    seed: int | None,
    condition: str | None,
    allow_partial: bool = False,
) -> tuple[Side, Rows]:
    """Read the answers of one model and seed from a predictions file or run folder.

    Raises:
        InputError: the file cannot be read, holds no such answers, or holds several models or seeds.
    """
    file = predictions_file(path)
    rows = read_predictions(file, allow_partial=allow_partial)
    for field, wanted in (("condition", condition), ("model", model), ("seed", seed)):
        rows = _chosen(rows, field, wanted, f"{name} ({file.name})", name.lower())
    side = Side(
        name=name,
        file=file.name,
        sha256=file_sha256(file),
        model=rows[0].model,
        seed=rows[0].seed,
        conditions=tuple(dict.fromkeys(row.condition for row in rows)),
        rows=len(rows),
    )
    return side, rows


def matched_conditions(
    a: Side, b: Side, condition_a: str | None, condition_b: str | None
) -> list[tuple[str, str]]:
    """The conditions of A and B to compare: the ones asked for (one alone counts for both), or all in common.

    Raises:
        InputError: no condition is on both sides.
    """
    if condition_a is not None or condition_b is not None:
        return [(condition_a or str(condition_b), condition_b or str(condition_a))]
    shared = [(name, name) for name in a.conditions if name in b.conditions]
    if not shared:
        raise InputError(
            f"A answered under {', '.join(a.conditions)} and B under {', '.join(b.conditions)}: no condition "
            "is on both sides; choose with --condition-a and --condition-b"
        )
    return shared


def match(
    a: Rows, b: Rows, conditions: tuple[str, str], *, intersect: bool
) -> tuple[Matched, list[tuple[Prediction, Prediction]]]:
    """Match the answers to the same examples; fields that one side lacks are copied from the other side.

    Raises:
        InputError: examples on one side only, unless `intersect`; no example on both sides; or an example
            that is not the same on both sides.
    """
    of_a, of_b = (
        {(row.dataset, row.example_id): row for row in rows if row.condition == condition}
        for rows, condition in zip((a, b), conditions, strict=True)
    )
    shared = sorted(of_a.keys() & of_b.keys(), key=_order)
    only_a, only_b = (
        sorted(one.keys() - other.keys(), key=_order) for one, other in ((of_a, of_b), (of_b, of_a))
    )
    found = Matched(
        condition_a=conditions[0],
        condition_b=conditions[1],
        matched=len(shared),
        only_a=len(only_a),
        only_b=len(only_b),
        only_a_ids=tuple(example for _, example in only_a[:IDS_SHOWN]),
        only_b_ids=tuple(example for _, example in only_b[:IDS_SHOWN]),
    )
    if not shared or ((only_a or only_b) and not intersect):
        raise InputError(_unmatched(found, only_a, only_b))
    matches = [(of_a[key], of_b[key]) for key in shared]
    _check_same(matches)
    return found, [(_filled(one, other), _filled(other, one)) for one, other in matches]


def _chosen(rows: Rows, field: str, wanted: Any, where: str, side: str) -> Rows:
    """The rows with the wanted value of a field; all rows if no value is wanted and none must be chosen."""
    values = sorted({getattr(row, field) for row in rows})
    if wanted is not None and wanted not in values:
        raise InputError(f"{where}: has no {field} {wanted!r}; it has {_listed(values)}")
    if wanted is None and field != "condition" and len(values) > 1:
        raise InputError(
            f"{where}: holds several {field}s ({_listed(values)}); choose one with --{field}-{side}, for "
            f"example --{field}-{side} {values[-1]}"
        )
    return rows if wanted is None else [row for row in rows if getattr(row, field) == wanted]


def _listed(values: Sequence[Any]) -> str:
    shown = ", ".join(map(str, values[:IDS_SHOWN]))
    return f"{shown}, …" if len(values) > IDS_SHOWN else shown


def _order(key: Key) -> tuple[str, str]:
    return key[0] or "", key[1]


def _unmatched(found: Matched, only_a: Sequence[Key], only_b: Sequence[Key]) -> str:
    lines = [
        f"A {found.condition_a} and B {found.condition_b} do not hold the same examples: {found.matched} in "
        f"both, {found.only_a} only in A, {found.only_b} only in B"
    ]
    for side, keys in (("A", only_a), ("B", only_b)):
        if keys:
            more = f" … and {len(keys) - IDS_SHOWN} more" if len(keys) > IDS_SHOWN else ""
            lines.append(f"only in {side}: {', '.join(repr(key[1]) for key in keys[:IDS_SHOWN])}{more}")
    same_ids = {key[1] for key in only_a} & {key[1] for key in only_b}
    if same_ids:
        datasets = [_listed(sorted({str(key[0]) for key in keys})) for keys in (only_a, only_b)]
        lines.append(
            f"{len(same_ids)} ids are on both sides under different datasets ({datasets[0]} in A, "
            f"{datasets[1]} in B); write the same 'dataset' in both files"
        )
    lines.append(
        "give --intersect to compare the examples that both have"
        if found.matched
        else "nothing can be compared; use the same example ids in both files"
    )
    return "\n".join(lines)


def _check_same(matches: Iterable[tuple[Prediction, Prediction]]) -> None:
    errors = [error for a, b in matches if (error := _differing(a, b)) is not None]
    if not errors:
        return
    lines = [
        f"{len(errors)} examples are not the same in A and B; answer the same questions on both sides",
        *first_errors(errors),
    ]
    raise InputError("\n".join(lines))


def _differing(a: Prediction, b: Prediction) -> str | None:
    """The first field that both sides give differently for an example, in words; None if they agree."""
    for name in _SAME:
        one, other = getattr(a, name), getattr(b, name)
        if name == "references":
            one, other = sorted(one) or None, sorted(other) or None
        if one is not None and other is not None and one != other:
            return f"{a.example_id!r}: {name} is {_short(one)} in A and {_short(other)} in B"
    return None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _filled(row: Prediction, other: Prediction) -> Prediction:
    missing = {name: getattr(other, name) for name in _FILLED if getattr(row, name) is None}
    if not row.references:
        missing["references"] = other.references
    return msgspec.structs.replace(row, **missing) if missing else row
