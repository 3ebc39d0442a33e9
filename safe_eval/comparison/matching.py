"""Matching: which answers of two predictions files belong together, by dataset, example id and condition."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from safe_data.core.errors import InputError, first_errors
from safe_eval.comparison.sides import Rows, Side, listed
from safe_eval.prediction import Prediction

IDS_SHOWN = 10
# Fields that must agree where both sides give them, and fields that are copied to a side that lacks them.
_SAME = ("references", "group", "record_id", "needs_audio", "question_type", "task")
_FILLED = (*_SAME[1:], "split", "choices")

Key = tuple[str | None, str]  # dataset and example id


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """How many examples both sides answered, and the first ids of examples that only one side answered."""

    condition_a: str
    condition_b: str
    matched: int
    same_answers: int  # of the matched examples: the same text, or the same failure
    only_a: int
    only_b: int
    only_a_ids: tuple[str, ...]
    only_b_ids: tuple[str, ...]


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
    matches = [(of_a[key], of_b[key]) for key in shared]
    found = Matched(
        condition_a=conditions[0],
        condition_b=conditions[1],
        matched=len(shared),
        same_answers=sum((one.answer, one.error) == (other.answer, other.error) for one, other in matches),
        only_a=len(only_a),
        only_b=len(only_b),
        only_a_ids=tuple(example for _, example in only_a[:IDS_SHOWN]),
        only_b_ids=tuple(example for _, example in only_b[:IDS_SHOWN]),
    )
    if not shared or ((only_a or only_b) and not intersect):
        raise InputError(*_unmatched(found, only_a, only_b))
    _check_same(matches)
    return found, [(_filled(one, other), _filled(other, one)) for one, other in matches]


def _order(key: Key) -> tuple[str, str]:
    return key[0] or "", key[1]


def _unmatched(found: Matched, only_a: Sequence[Key], only_b: Sequence[Key]) -> list[str]:
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
        datasets = [listed(sorted({str(key[0]) for key in keys})) for keys in (only_a, only_b)]
        lines.append(
            f"{len(same_ids)} ids are on both sides under different datasets ({datasets[0]} in A, "
            f"{datasets[1]} in B); write the same 'dataset' in both files"
        )
    lines.append(
        "give --intersect to compare the examples that both have"
        if found.matched
        else "nothing can be compared; use the same example ids in both files"
    )
    return lines


def _check_same(matches: Iterable[tuple[Prediction, Prediction]]) -> None:
    errors = [error for a, b in matches if (error := _differing(a, b)) is not None]
    if not errors:
        return
    lines = [
        f"{len(errors)} examples are not the same in A and B; answer the same questions on both sides",
        *first_errors(errors),
    ]
    raise InputError(*lines)


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
