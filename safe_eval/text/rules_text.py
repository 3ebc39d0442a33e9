"""Rules as text: what the questions alone are worth, and the answers by every published rule."""

import textwrap
from collections.abc import Iterator

from safe_data.core import numerals
from safe_data.core.table import COLUMNS
from safe_eval.results.metrics import without_repeats
from safe_eval.results.priors import CONSTANT, PriorRow
from safe_eval.scoring.scores import Scores

_NAME = 28  # the column of arms in the tables of means, below which the priors stand
_SLICE = 6
_RULE = 30


def prior_lines(scores: Scores, metric: str, dataset: str | None) -> Iterator[str]:
    """The rows below a table of means: the best constant reply and the question-only prior."""
    own = [row for row in scores.priors if (row.metric, row.dataset) == (metric, dataset)]
    shown = ""
    for row in without_repeats([row for row in own if len(row.slice) <= _SLICE], ("name",)):
        name = _name(row)
        title = numerals.cut(name, _NAME) if name != shown else ""
        shown = name
        if row.value is None:
            why = f"{title:<{_NAME}} not measured: {row.why_not}"
            yield from textwrap.wrap(why, COLUMNS, initial_indent="  ", subsequent_indent=" " * (_NAME + 3))
            continue
        interval = numerals.interval(row.ci_low, row.ci_high)
        yield (
            f"  {title:<{_NAME}} {row.slice:<{_SLICE}} {numerals.fraction(row.value):>7}  {interval:<14}"
            f"{row.n:>7}{numerals.clusters(row.clusters, row.effective_clusters):>11}"
        )


def spread_lines(scores: Scores) -> Iterator[str]:
    """A table per dataset and seed with every rule of its benchmark, and where each rule is published."""
    for dataset, seed in dict.fromkeys((row.dataset, row.seed) for row in scores.spread):
        own = [row for row in scores.spread if (row.dataset, row.seed) == (dataset, seed)]
        yield ""
        yield f"{dataset}, seed {seed}: every published rule"
        yield f"  {'':<{_RULE}} slice     mean  interval        difference"
        arm = ""
        for row in without_repeats(own, ("model", "condition", "rule")):
            if len(row.slice) > _SLICE:
                continue
            if f"{row.model}/{row.condition}" != arm:
                arm = f"{row.model}/{row.condition}"
                yield f"  {arm}"
            apart = "protocol" if row.difference is None else numerals.difference(row.difference)
            interval = numerals.interval(row.ci_low, row.ci_high)
            yield (
                f"    {row.rule if row.slice == 'all' else '':<{_RULE - 2}} {row.slice:<{_SLICE}} "
                f"{numerals.fraction(row.value):>7}  {interval:<14}{apart:>12}"
            )
        for rule, source in dict.fromkeys((row.rule, row.source) for row in own):
            yield from textwrap.wrap(
                f"{rule}: {source}", COLUMNS, initial_indent="  ", subsequent_indent="    "
            )


def _name(row: PriorRow) -> str:
    if row.name != CONSTANT or row.reply is None:
        return row.name
    return f"{row.name} “{' '.join(row.reply.split())}”"
