"""Shrinkage as text: question types and classes of each arm, best first, beside what their items carry."""

import textwrap
from collections.abc import Iterator, Sequence

from safe_data.core import numerals
from safe_data.core.table import COLUMNS
from safe_eval.results.shrinkage import ShrinkageRow
from safe_eval.scoring.scores import Scores

MOST_SHOWN = 20  # slices of a family; of more, the best and the worst

_NAME = 27
_LEGEND = (
    "effective: the clusters, as if all were of one size; shrunken: drawn toward the mean of these slices by "
    "what chance explains, for reading and ranking only"
)
_TITLES = {"type": "question types", "class": "classes"}


def shrinkage_lines(scores: Scores, metric: str, dataset: str | None, seed: int) -> Iterator[str]:
    """A table per family of slices, with the arms under `full`; the others are in scores.json."""
    own = [
        row
        for row in scores.shrinkage
        if (row.metric, row.dataset, row.seed, row.condition) == (metric, dataset, seed, "full")
    ]
    for family in dict.fromkeys(row.family for row in own):
        yield from _family(family, [row for row in own if row.family == family])


def _family(family: str, rows: Sequence[ShrinkageRow]) -> Iterator[str]:
    kind, _, number = family.partition(" ")
    title = _TITLES.get(kind, kind) + (f", division {number}" if number else "")
    reasons = dict.fromkeys(row.why_not for row in rows)
    if list(reasons) != [None] and None not in reasons:
        for reason in reasons:
            yield ""
            yield from _wrapped(f"{title}: no shrunken values: {reason}")
        return
    yield ""
    head = (
        f"  {title + ', best first':<{_NAME}}{'mean':>8}{'n':>7}{'effective':>10}{'shrunken':>10}  interval"
    )
    yield head
    for model in dict.fromkeys(row.model for row in rows):
        shown = [row for row in rows if row.model == model]
        first = shown[0]
        if first.why_not is not None:
            yield from _wrapped(f"{model}/full: no shrunken values: {first.why_not}")
            continue
        yield (
            f"  {numerals.cut(f'{model}/full', 32)}: mean {numerals.fraction(first.family_mean)}, "
            f"std of true values {numerals.fraction(first.between_std)}"
        )
        yield from _ranked(shown)
    yield from textwrap.wrap(_LEGEND, COLUMNS, initial_indent="  ", subsequent_indent="  ")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS, initial_indent="  ", subsequent_indent="    ")


def _ranked(rows: Sequence[ShrinkageRow]) -> Iterator[str]:
    ranked = sorted(rows, key=lambda row: -(row.shrunken or 0.0))
    left_out = len(ranked) - MOST_SHOWN
    for place, row in enumerate(ranked):
        if left_out > 0 and MOST_SHOWN // 2 <= place < len(ranked) - MOST_SHOWN // 2:
            if place == MOST_SHOWN // 2:
                yield f"    … {left_out} more are in scores.json"
            continue
        name = numerals.cut(row.slice.partition(":")[2] or row.slice, _NAME - 2)
        yield (
            f"    {name:<{_NAME - 2}}{numerals.fraction(row.value):>8}{row.n:>7}"
            f"{row.effective_clusters:>10.1f}{numerals.fraction(row.shrunken):>10}  "
            f"{numerals.interval(row.ci_low, row.ci_high)}"
        )
