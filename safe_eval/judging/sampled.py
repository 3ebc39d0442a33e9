"""Sampled: the arms that a criteria file leaves out by their condition, which may be asked a sample alone."""

from collections.abc import Iterable, Sequence

import msgspec

from safe_eval.arms.coverage import ArmCoverage
from safe_eval.judging.scope import Scope

_SHOWN = 8  # arms that the text names


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """An arm that nothing judges, and how many of the examples it was asked."""

    model: str
    condition: str
    dataset: str | None
    seed: int
    items: int
    examples: int  # that the other arms of its dataset were asked


def sampled_arms(cells: Iterable[ArmCoverage], scope: Scope) -> tuple[Sampled, ...]:
    """The arms that are left out by their condition, in the order of the table."""
    return tuple(
        Sampled(
            model=cell.model,
            condition=cell.condition,
            dataset=cell.dataset,
            seed=cell.seed,
            items=_asked(cell),
            examples=cell.expected,
        )
        for cell in cells
        if scope.samples(cell.dataset, cell.condition)
    )


def judged_cells(cells: Iterable[ArmCoverage], scope: Scope) -> list[ArmCoverage]:
    """The arms without those that are left out by their condition."""
    return [cell for cell in cells if not scope.samples(cell.dataset, cell.condition)]


def as_asked(cells: Iterable[ArmCoverage], scope: Scope) -> list[ArmCoverage]:
    """The arms, where those that are left out need answer no more than they were asked.

    A request that failed stays unanswered: who asks a sample may not leave out what went wrong in it.
    """
    return [
        msgspec.structs.replace(cell, expected=_asked(cell))
        if scope.samples(cell.dataset, cell.condition)
        else cell
        for cell in cells
    ]


def sampled_text(arms: Sequence[Sampled]) -> str:
    """The arms with how many examples each was asked; those that were asked alike together.

    >>> one = Sampled(model="safe", condition="snr_10db", dataset="made", seed=0, items=300, examples=1352)
    >>> sampled_text([one, msgspec.structs.replace(one, condition="snr_0db")])
    'safe/snr_10db, safe/snr_0db on 300 of 1,352 examples'
    """
    several = len({arm.dataset for arm in arms}) > 1
    alike: dict[tuple[str | None, int, int], dict[str, None]] = {}
    for arm in arms[:_SHOWN]:
        found = alike.setdefault((arm.dataset, arm.items, arm.examples), {})
        found[f"{arm.model}/{arm.condition}"] = None
    texts = [
        f"{', '.join(names)} on {items:,} of {examples:,} examples"
        + (f" of {dataset or 'unnamed dataset'}" if several else "")
        for (dataset, items, examples), names in alike.items()
    ]
    texts += [f"and {len(arms) - _SHOWN} more arms"] if len(arms) > _SHOWN else []
    return "; ".join(texts)


def _asked(cell: ArmCoverage) -> int:
    return cell.answered + cell.errored + cell.unparsed + cell.excluded
