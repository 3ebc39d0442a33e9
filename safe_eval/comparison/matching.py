"""Matching: the answers of two predictions files to the same examples, under one condition of each."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from safe_data.core.errors import InputError, first_errors
from safe_eval.arms.consultation import Matches
from safe_eval.comparison.pairing import (
    ID,
    PROMPT,
    are_of_different_harnesses,
    mostly_contradict,
    paired,
    prompts_contradict,
)
from safe_eval.comparison.sides import Rows, Side, listed
from safe_eval.options import PairBy
from safe_eval.prediction import Prediction

IDS_SHOWN = 10
# Fields that must agree where both sides give them, and fields that are copied to a side that lacks them.
_SAME = ("references", "group", "record_id", "needs_audio", "question_type", "task")
_FILLED = (*_SAME[1:], "split", "choices")

# Fields that rows of different harnesses share as A has them.
_NAMED = ("group", "record_id", "needs_audio", "question_type", "split")


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
    paired_by: str = ID  # or prompt
    ambiguous: int = 0  # rows whose prompt and media are those of another row of their side
    ambiguous_ids: tuple[str, ...] = ()
    how: tuple[str, ...] = ()  # what a reader must know of the pairs


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
    a: Rows, b: Rows, conditions: tuple[str, str], *, intersect: bool, by: PairBy = "auto"
) -> tuple[Matched, Matches, dict[str, str]]:
    """Match the answers to the same examples; fields that one side lacks are copied from the other side.

    Returns what was matched, the pairs, and the ids that B has for examples that A names otherwise.

    Rows of different harnesses, or that prompts pair, differ in more than the answer: there A names the
    example, its group and its kind, and each side keeps its own references.

    Raises:
        InputError: examples on one side only, unless `intersect` or prompts pair them; no example on both
            sides; or an example that is not the same on both sides of one harness.
    """
    of_a, of_b = (
        [row for row in rows if row.condition == condition]
        for rows, condition in zip((a, b), conditions, strict=True)
    )
    pairs = paired(of_a, of_b, by)
    found = Matched(
        condition_a=conditions[0],
        condition_b=conditions[1],
        paired_by=pairs.by,
        matched=len(pairs.pairs),
        same_answers=sum(
            (one.answer, one.error) == (other.answer, other.error) for one, other in pairs.pairs
        ),
        only_a=len(pairs.only_a),
        only_b=len(pairs.only_b),
        only_a_ids=_ids(pairs.only_a),
        only_b_ids=_ids(pairs.only_b),
        ambiguous=len(pairs.ambiguous),
        ambiguous_ids=_ids(pairs.ambiguous),
        how=pairs.how,
    )
    across = pairs.by == PROMPT or are_of_different_harnesses(of_a, of_b)
    alone = bool(pairs.only_a or pairs.only_b)
    if not pairs.pairs or (alone and not intersect and pairs.by == ID):
        raise InputError(*_unmatched(found, pairs.only_a, pairs.only_b))
    if across and pairs.by == ID and mostly_contradict(pairs.pairs):
        raise InputError(*_other_questions(pairs.pairs))
    if across:
        matches = [_aligned(one, other) for one, other in pairs.pairs]
        ids = {a.example_id: b.example_id for a, b in pairs.pairs if a.example_id != b.example_id}
        return msgspec.structs.replace(found, how=(*found.how, *_apart(matches))), matches, ids
    _check_same(pairs.pairs)
    return found, [(_filled(one, other), _filled(other, one)) for one, other in pairs.pairs], {}


def _other_questions(pairs: Matches) -> list[str]:
    others = [(a, b) for a, b in pairs if prompts_contradict(a, b)]
    a, b = others[0]
    return [
        f"{len(others)} of {len(pairs)} ids that are on both sides ask something else there, and prompts "
        f"pair no more rows: {a.example_id!r} asks {_short(a.prompt)} in A and {_short(b.prompt)} in B",
        "the two harnesses number their questions differently; compare answers to the same questions",
    ]


def _ids(rows: Sequence[Prediction]) -> tuple[str, ...]:
    return tuple(row.example_id for row in rows[:IDS_SHOWN])


def _aligned(a: Prediction, b: Prediction) -> tuple[Prediction, Prediction]:
    """Two rows of one example as different harnesses write it, so that both are scored by the same rule.

    Where one side alone has choices or references, both have those of that side.
    """
    shared = {name: getattr(a, name) for name in _NAMED}
    shared |= {name: getattr(b, name) for name, value in shared.items() if value is None}
    truth = a if a.references or not b.references else b
    shared["task"] = next((row.task for row in (truth, a, b) if row.task is not None), None)
    chosen = [row for row in (a, b) if row.choices and row.references]
    one, other = (
        msgspec.structs.replace(
            row,
            **shared,
            example_id=a.example_id,
            dataset=a.dataset,
            references=_truth(row, chosen, truth).references,
            choices=_truth(row, chosen, truth).choices,
        )
        for row in (a, b)
    )
    return one, other


def _truth(row: Prediction, chosen: Sequence[Prediction], truth: Prediction) -> Prediction:
    """The row whose references and choices a row is scored by."""
    if len(chosen) == 1:
        return chosen[0]
    return row if row.references else truth


def _apart(matches: Matches) -> Iterator[str]:
    """Notes on what two harnesses say differently of the same example."""
    asked = [a.example_id for a, b in matches if prompts_contradict(a, b)]
    if asked:
        yield f"{len(asked)} of {len(matches)} pairs seem to ask different things, such as {asked[0]!r}"
    others = [(a, b) for a, b in matches if sorted(a.references) != sorted(b.references)]
    if others:
        a, b = others[0]
        yield (
            f"{len(others)} of {len(matches)} examples have other references in B; each side is scored by "
            f"its own: {a.example_id!r}: {_short(list(a.references))} in A, {_short(list(b.references))} in B"
        )


def _unmatched(found: Matched, only_a: Rows, only_b: Rows) -> list[str]:
    lines = [
        f"A {found.condition_a} and B {found.condition_b} do not hold the same examples: {found.matched} in "
        f"both, {found.only_a} only in A, {found.only_b} only in B"
    ]
    for side, rows in (("A", only_a), ("B", only_b)):
        if rows:
            more = f" … and {len(rows) - IDS_SHOWN} more" if len(rows) > IDS_SHOWN else ""
            lines.append(f"only in {side}: {', '.join(map(repr, _ids(rows)))}{more}")
    same_ids = {row.example_id for row in only_a} & {row.example_id for row in only_b}
    if same_ids:
        datasets = [listed(sorted({str(row.dataset) for row in rows})) for rows in (only_a, only_b)]
        lines.append(
            f"{len(same_ids)} ids are on both sides under different datasets ({datasets[0]} in A, "
            f"{datasets[1]} in B); write the same 'dataset' in both files"
        )
    lines.append(
        "give --intersect to compare the examples that both have"
        if found.matched
        else "nothing can be compared; use the same example ids in both files, or write each row's prompt"
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
