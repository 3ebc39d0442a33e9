"""Seed tables: mean ± std over trained seeds, and what of it other items or other seeds would change."""

from collections.abc import Iterator, Sequence

from safe_eval.scoring.over_seeds import SeedComparison, SeedRow
from safe_eval.scoring.scores import Scores
from safe_eval.scoring.slices import without_repeats
from safe_eval.tables import numerals
from safe_eval.tables.overview import BESIDE, GROUPS

_NAME = 30  # columns of "safe/mute_audio − base/full"
_SHORT, _SPREAD, _BESIDE = 20, 14, 4  # columns of a model, of "0.123 ± 0.012", and how many stand in a line


def seed_lines(scores: Scores) -> Iterator[str]:
    """For each main metric and dataset of several seeds: the spread of its means, then of its differences.

    The other metrics stand side by side, a column each; their differences are in scores.json.
    """
    for metric, dataset in dict.fromkeys((row.metric, row.dataset) for row in scores.seeds):
        if metric in BESIDE:
            continue
        rows = [row for row in scores.seeds if (row.metric, row.dataset) == (metric, dataset)]
        pairs = [row for row in scores.seed_comparisons if (row.metric, row.dataset) == (metric, dataset)]
        yield ""
        yield f"{metric} over seeds" if dataset is None else f"{metric} on {dataset} over seeds"
        yield from _mean_lines(rows)
        yield from _difference_lines(pairs)
    for title, group in GROUPS.items():
        beside = [row for row in scores.seeds if row.metric in group and row.slice == "all"]
        for dataset in dict.fromkeys(row.dataset for row in beside):
            yield ""
            yield f"{title} over seeds" if dataset is None else f"{title} on {dataset} over seeds"
            yield from _side_by_side([row for row in beside if row.dataset == dataset])


def _side_by_side(rows: Sequence[SeedRow]) -> Iterator[str]:
    names = list(dict.fromkeys(row.metric for row in rows))
    spreads = {(row.model, row.condition, row.metric): _spread(row) for row in rows}
    for start in range(0, len(names), _BESIDE):
        shown = names[start : start + _BESIDE]
        yield f"  {'mean ± std':<{_SHORT}}" + "".join(f"{name:>{_SPREAD}}" for name in shown)
        for model, condition in dict.fromkeys((row.model, row.condition) for row in rows):
            told = (spreads.get((model, condition, name), "") for name in shown)
            title = numerals.cut(f"{model}/{condition}", _SHORT)
            yield f"  {title:<{_SHORT}}" + "".join(f"{spread:>{_SPREAD}}" for spread in told)


def _mean_lines(rows: Sequence[SeedRow]) -> Iterator[str]:
    judged = any(row.mixed is not None for row in rows)
    counted = " right wrong mixed" if judged else ""
    yield f"  {'':<{_NAME}} slice     mean ± std    seeds{counted}"
    for row in without_repeats(rows, ("model", "condition")):
        name = numerals.cut(f"{row.model}/{row.condition}", _NAME) if row.slice == "all" else ""
        counts = (row.always_right, row.always_wrong, row.mixed)
        told = "".join(f"{count:>6}" for count in counts if count is not None)
        yield f"  {name:<{_NAME}} {row.slice:<6}{_spread(row):>14}{len(row.seeds):>7}{told}"
    if judged:
        yield "  right, wrong: items that every seed gets right, or wrong"


def _difference_lines(rows: Sequence[SeedComparison]) -> Iterator[str]:
    if not rows:
        return
    yield ""
    yield f"  {'':<{_NAME}} slice difference ± std interval               p"
    shown = ""
    for row in without_repeats(rows, ("a", "b")):
        name = f"{row.a} − {row.b}"
        title = numerals.cut(name, _NAME) if name != shown else ""
        spread = f"{numerals.difference(row.mean)} ± {numerals.fraction(row.std)}"
        interval = numerals.interval(row.ci_low, row.ci_high, signed=True)
        yield (
            f"  {title:<{_NAME}} {row.slice:<6}{spread:>15}  {interval:<16}{numerals.p_value(row.p_value):>8}"
        )
        shown = name
    yield "  intervals over clusters and seeds at once"


def _spread(row: SeedRow) -> str:
    return f"{numerals.fraction(row.mean)} ± {numerals.fraction(row.std)}"
