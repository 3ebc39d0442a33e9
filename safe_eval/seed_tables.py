"""Seed tables: mean ± std over trained seeds, and what of it other items or other seeds would change."""

from collections.abc import Iterator, Sequence

from safe_eval import numerals
from safe_eval.over_seeds import SeedComparison, SeedRow
from safe_eval.scores import Scores

_NAME = 30  # columns of "safe/mute_audio − base/full"


def seed_lines(scores: Scores) -> Iterator[str]:
    """For each metric and dataset of several seeds: the spread of its means, then of its differences."""
    for metric, dataset in dict.fromkeys((row.metric, row.dataset) for row in scores.seeds):
        rows = [row for row in scores.seeds if (row.metric, row.dataset) == (metric, dataset)]
        pairs = [row for row in scores.seed_comparisons if (row.metric, row.dataset) == (metric, dataset)]
        yield ""
        yield f"{metric} over seeds" if dataset is None else f"{metric} on {dataset} over seeds"
        yield from _mean_lines(rows)
        yield from _difference_lines(pairs)


def _mean_lines(rows: Sequence[SeedRow]) -> Iterator[str]:
    yield f"  {'':<{_NAME}} slice     mean ± std    seeds right wrong mixed"
    for row in rows:
        name = numerals.cut(f"{row.model}/{row.condition}", _NAME) if row.slice == "all" else ""
        counts = (row.always_right, row.always_wrong, row.mixed)
        told = "".join(f"{numerals.MISSING if count is None else count:>6}" for count in counts)
        spread = f"{numerals.fraction(row.mean)} ± {numerals.fraction(row.std)}"
        yield f"  {name:<{_NAME}} {row.slice:<6}{spread:>14}{len(row.seeds):>7}{told}"
    yield "  right, wrong: items that every seed gets right, or wrong"


def _difference_lines(rows: Sequence[SeedComparison]) -> Iterator[str]:
    if not rows:
        return
    yield ""
    yield f"  {'':<{_NAME}} slice difference ± std interval               p"
    shown = ""
    for row in rows:
        name = f"{row.a} − {row.b}"
        title = numerals.cut(name, _NAME) if name != shown else ""
        spread = f"{numerals.difference(row.mean)} ± {numerals.fraction(row.std)}"
        interval = numerals.interval(row.ci_low, row.ci_high, signed=True)
        yield (
            f"  {title:<{_NAME}} {row.slice:<6}{spread:>15}  {interval:<16}{numerals.p_value(row.p_value):>8}"
        )
        shown = name
    yield "  intervals over clusters and seeds at once; too narrow for a few seeds"
