"""Given of both: the scores that harnesses gave, of the examples to which both sides have one."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from safe_eval.arms.arm import make_arms
from safe_eval.arms.consultation import Matches
from safe_eval.arms.given_arms import GIVEN, given_arms
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.prediction import Prediction

Given = Mapping[str, Sequence[ScoredArm]]
Sides = tuple[ScoredArm, ScoredArm]  # of A and of B, with the same examples in the same places


def sided(matches: Matches) -> list[Prediction]:
    """All rows of both sides, with A or B in place of the name of the model."""
    return [
        msgspec.structs.replace(row, model=side, seed=0)
        for both in matches
        for side, row in zip("AB", both, strict=True)
    ]


def given_of_both(given: Given, matches: Matches) -> tuple[Given, list[Sides], list[str]]:
    """The given metrics that both sides have, the two that stand side by side, and what is left out.

    Harnesses name the same score differently. Where they share no name, and each side gives one score, the
    two are set beside each other item by item, but no difference of their means is taken.
    """
    names = {side: [metric for metric, arms in given.items() if _of(arms, side)] for side in "AB"}
    both = [metric for metric in names["A"] if metric in names["B"]]
    found: dict[str, Sequence[ScoredArm]] = {}
    notes = [
        f"{metric} is given by {side} alone, and not compared"
        for side in "AB"
        for metric in names[side]
        if metric not in both
    ]
    for metric in both:
        kept = _with_both(given[metric], given[metric], matches)
        if kept:
            found[metric] = given_arms(make_arms(sided(kept)))[metric]
        if len(kept) < len(matches):
            notes.append(
                f"{metric}: {len(matches) - len(kept)} of {len(matches)} examples are left out: one side "
                "has no such score"
            )
    if both or len(names["A"]) != 1 or len(names["B"]) != 1:
        return found, [], notes
    (one,), (other,) = names["A"], names["B"]
    notes = [
        f"A gives {one.removeprefix(GIVEN)!r} and B {other.removeprefix(GIVEN)!r}: items are set beside each "
        "other, and no difference is taken"
    ]
    kept = _with_both(given[one], given[other], matches)
    again = given_arms(make_arms(sided(kept))) if kept else {}
    return {}, list(_side_by_side(again.get(one, ()), again.get(other, ()))), notes


def _of(arms: Sequence[ScoredArm], side: str) -> list[ScoredArm]:
    return [arm for arm in arms if arm.key.model == side]


def _with_both(of_a: Sequence[ScoredArm], of_b: Sequence[ScoredArm], matches: Matches) -> Matches:
    """The examples that A has in one metric and B in another."""
    has_a, has_b = (
        {(row.dataset, row.example_id) for arm in _of(arms, side) for row in arm.rows}
        for arms, side in ((of_a, "A"), (of_b, "B"))
    )
    return [
        (a, b)
        for a, b in matches
        if (a.dataset, a.example_id) in has_a and (b.dataset, b.example_id) in has_b
    ]


def _side_by_side(of_a: Sequence[ScoredArm], of_b: Sequence[ScoredArm]) -> Iterator[Sides]:
    for a in _of(of_a, "A"):
        for b in _of(of_b, "B"):
            is_one_scale = (a.lowest, a.highest) == (b.lowest, b.highest)
            if b.key.dataset == a.key.dataset and is_one_scale:
                yield a, b
