"""Given scores as text: what other harnesses scored, beside the scores here, and where the two disagree."""

import textwrap
from collections.abc import Iterator, Sequence

from safe_data.core import numerals
from safe_data.core.table import COLUMNS
from safe_eval.results.given_scores import Disagreement, GivenRow
from safe_eval.scoring.scores import Scores

_NAME, _SHORT = 21, 17  # characters of "safe/mute_audio"
_LONGEST = 60  # of an answer that a line repeats


def given_lines(scores: Scores) -> Iterator[str]:
    """One table per given score, metric and dataset; below it the reasons and the first disagreements."""
    keys = dict.fromkeys((row.metric, row.beside, row.dataset, row.seed) for row in scores.given_scores)
    for metric, beside, dataset, seed in keys:
        rows = [
            row
            for row in scores.given_scores
            if (row.metric, row.beside, row.dataset, row.seed) == (metric, beside, dataset, seed)
        ]
        where = "" if dataset is None else f" on {dataset}"
        yield ""
        yield f"{metric} beside {beside or 'no metric here'}{where}, seed {seed}"
        yield from _means(rows)
        if beside is not None:
            yield from _agreement(rows)


def _means(rows: Sequence[GivenRow]) -> Iterator[str]:
    yield f"  {'':<{_NAME}}    mean       n   scored alone       n  failed  no score"
    for row in rows:
        alone = numerals.fraction(row.scored_value)
        yield (
            f"  {numerals.cut(f'{row.model}/{row.condition}', _NAME):<{_NAME}}"
            f"{numerals.fraction(row.value):>8}{row.n:>8}{alone:>15}{row.scored:>8}"
            f"{row.failed:>8}{row.unscored:>10}"
        )


def _agreement(rows: Sequence[GivenRow]) -> Iterator[str]:
    yield f"  {'':<{_SHORT}}  given   here   same  interval       only given  here  ranks"
    for row in rows:
        alone = "".join(
            f"{numerals.MISSING if count is None else count:>{width}}"
            for count, width in ((row.only_given, 10), (row.only_own, 6))
        )
        interval = numerals.interval(row.ci_low, row.ci_high) if row.agreement is not None else ""
        values = "".join(
            f"{numerals.fraction(value):>7}" for value in (row.given_value, row.own_value, row.agreement)
        )
        name = numerals.cut(f"{row.model}/{row.condition}", _SHORT)
        yield f"  {name:<{_SHORT}}{values}  {interval:<15}{alone}{numerals.difference(row.correlation):>7}"
    for row in rows:
        if row.why:
            counts = ", ".join(f"{count} {why}" for why, count in row.why.items())
            text = f"{row.model}/{row.condition} disagrees on {sum(row.why.values())}: {counts}"
            yield from textwrap.wrap(text, COLUMNS, initial_indent="  ", subsequent_indent="    ")
            yield from map(_told, row.first)


def _told(found: Disagreement) -> str:
    said = numerals.cut(repr(found.answer), _LONGEST)
    scores = f"given {found.theirs:g}, here {found.ours:g}"
    return numerals.cut(f"    {found.example_id}: {scores} ({found.why}): {said}", COLUMNS)
