"""Tables: scores and verdicts as lines of at most 80 columns."""

import textwrap
from collections.abc import Iterator, Sequence

from safe_data.core import numerals
from safe_eval.arms.arm import COMPARED_SLICES
from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.results.aggregates import CAPTIONS, OWN_AGGREGATES, WITHOUT_INTERVAL, AggregateRow
from safe_eval.results.calibration import CALIBRATION_METRICS
from safe_eval.results.metrics import Metric, without_repeats
from safe_eval.results.seeds import SeedComparison, SeedRow
from safe_eval.scorers.scorer import CAPTION_METRICS
from safe_eval.scoring.scores import Scores

_COLUMNS = 80
_NAME = 30  # columns of "safe/mute_audio − base/full"


def scores_table(scores: Scores) -> Iterator[str]:
    """Means, comparisons and coverage; the question types are left to scores.json."""
    made = scores.provenance
    confidence = numerals.percent(made.confidence)
    yield f"{made.rows} predictions; {confidence} intervals, clustered by {made.cluster}"
    for metric, dataset, seed in dict.fromkeys((m.metric, m.dataset, m.seed) for m in scores.metrics):
        if metric in BESIDE:
            continue
        yield ""
        yield f"{metric}, seed {seed}" if dataset is None else f"{metric} on {dataset}, seed {seed}"
        yield from _metric_lines(scores, metric, dataset, seed)
        yield from _comparison_lines(scores, metric, dataset, seed)
    yield from overview_lines(scores)
    yield from seed_lines(scores)
    yield from aggregate_lines(scores)
    yield ""
    yield f"{'coverage':<17} expected  answered   errored  unparsed  excluded"
    for condition, c in scores.coverage.items():
        missing = c.expected - c.answered - c.errored - c.unparsed - c.excluded
        counts = f"{c.expected:>10}{c.answered:>10}{c.errored:>10}{c.unparsed:>10}{c.excluded:>10}"
        yield f"  {numerals.cut(condition, 13):<13}{counts}" + (f"  {missing} absent" if missing else "")
    for note in scores.notes:
        yield from textwrap.wrap(f"note: {note}", _COLUMNS, subsequent_indent="      ")


def _metric_lines(scores: Scores, metric: str, dataset: str | None, seed: int) -> Iterator[str]:
    yield f"  {'':<{_NAME}} slice     mean  interval             n clusters"
    own = [m for m in scores.metrics if (m.metric, m.dataset, m.seed) == (metric, dataset, seed)]
    compared = [m for m in own if m.slice in COMPARED_SLICES]
    for m in without_repeats(compared, ("model", "condition")):
        name = numerals.cut(f"{m.model}/{m.condition}", _NAME) if m.slice == "all" else ""
        interval = numerals.interval(m.ci_low, m.ci_high)
        yield (
            f"  {name:<{_NAME}} {m.slice:<6} {numerals.fraction(m.value):>7}  {interval:<14}"
            f"{m.n:>7}{m.clusters:>9}"
        )


def _comparison_lines(scores: Scores, metric: str, dataset: str | None, seed: int) -> Iterator[str]:
    pairs = [c for c in scores.comparisons if (c.metric, c.dataset, c.seed) == (metric, dataset, seed)]
    if not pairs:
        return
    yield ""
    yield f"  {'':<{_NAME}} slice  difference  interval               p"
    shown = ""
    for pair in without_repeats(pairs, ("a", "b")):
        name = f"{pair.a} − {pair.b}"
        interval = numerals.interval(pair.ci_low, pair.ci_high, signed=True)
        yield (
            f"  {numerals.cut(name, _NAME) if name != shown else '':<{_NAME}} {pair.slice:<6} "
            f"{numerals.difference(pair.difference):>10}  {interval:<16} {numerals.p_value(pair.p_value):>7}"
        )
        shown = name
    tests = sorted({pair.test for pair in pairs if pair.test is not None})
    yield f"  p: {' or '.join(tests) or 'not measured'}"


_SHORT_ARM, _AGGREGATE = 19, 17  # columns of "safe/mute_audio", of "balanced_accuracy"


def aggregate_lines(scores: "Scores") -> Iterator[str]:
    """The aggregates that are no slice of a metric, one per line; those not measured with the reason.

    What is not measured for the same reasons with every seed is said once, without the seed.
    """
    shown = [row for row in scores.aggregates if row.name in OWN_AGGREGATES or row.metric == CAPTIONS]
    for metric, dataset in dict.fromkeys((row.metric, row.dataset) for row in shown):
        by_seed: dict[int, list[AggregateRow]] = {}
        for row in shown:
            if (row.metric, row.dataset) == (metric, dataset):
                by_seed.setdefault(row.seed, []).append(row)
        about = metric if dataset is None else f"{metric} on {dataset}"
        what = "not measured" if metric == CAPTIONS else "other aggregates"
        reasons = {seed: list(_unmeasured(own)) for seed, own in by_seed.items()}
        first, *others = reasons.values()
        alike = bool(others) and all(other == first for other in others)
        for seed, own in by_seed.items():
            lines = [*_measured(own), *([] if alike else reasons[seed])]
            if lines:
                yield from ("", f"{about}, seed {seed}: {what}", *lines)
        if alike and first:
            yield from ("", f"{about}: {what}", *first)


def _measured(rows: Sequence[AggregateRow]) -> Iterator[str]:
    measured = [row for row in rows if row.value is not None]
    if not measured:
        return
    yield f"  {'':<{_SHORT_ARM}} {'aggregate':<{_AGGREGATE}}   value  interval             n clusters"
    shown = ""
    for row in measured:
        cell = f"{row.model}/{row.condition}"
        has_none = row.name == WITHOUT_INTERVAL
        interval = numerals.MISSING if has_none else numerals.interval(row.ci_low, row.ci_high)
        clusters = numerals.MISSING if row.clusters is None else row.clusters
        name = numerals.cut(cell, _SHORT_ARM) if cell != shown else ""
        yield (
            f"  {name:<{_SHORT_ARM}} {row.name:<{_AGGREGATE}} "
            f"{numerals.fraction(row.value):>7}  {interval:<14}{row.n:>7}{clusters:>9}"
        )
        shown = cell


def _unmeasured(rows: Sequence[AggregateRow]) -> Iterator[str]:
    """The names that share a reason on one line; the reasons of captions stand in the notes."""
    by_reason: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.value is None:
            told = "the notes say why" if row.metric == CAPTIONS else f"not measured: {row.why_not}"
            by_reason.setdefault(told, {})[row.name] = None
    for told, names in by_reason.items():
        text = f"{', '.join(names)}; {told}"
        yield from textwrap.wrap(text, _COLUMNS, initial_indent="  ", subsequent_indent="    ")


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


# Each group is one table; the first caption metric has a whole table of its own.
GROUPS = {
    "other caption metrics": CAPTION_METRICS[1:],
    "confidence and consultation": (*CALIBRATION_METRICS, *CONSULTATION_METRICS),
}
BESIDE = frozenset(metric for group in GROUPS.values() for metric in group)
_OVERVIEW_NAME, _OVERVIEW_SLICE, _NARROWEST = 20, 7, 7


def overview_lines(scores: Scores) -> Iterator[str]:
    """A table for each group, dataset and seed; columns that do not fit stand below."""
    for title, group in GROUPS.items():
        rows = [row for row in scores.metrics if row.metric in group]
        for dataset, seed in dict.fromkeys((row.dataset, row.seed) for row in rows):
            own = [row for row in rows if (row.dataset, row.seed) == (dataset, seed)]
            names = [name for name in group if any(row.metric == name for row in own)]
            yield ""
            yield f"{title}, seed {seed}" if dataset is None else f"{title} on {dataset}, seed {seed}"
            for shown in _fitting(names):
                yield from _overview_table(own, shown)


def _overview_table(rows: Sequence[Metric], names: Sequence[str]) -> Iterator[str]:
    values = {(row.model, row.condition, row.slice, row.metric): row for row in rows}
    yield f"  {'':<{_OVERVIEW_NAME}} slice " + "".join(f"{name:>{_width(name)}}" for name in names)
    for model, condition in dict.fromkeys((row.model, row.condition) for row in rows):
        title = f"{model}/{condition}"
        whole = [values.get((model, condition, "all", name)) for name in names]
        for slice_name in COMPARED_SLICES:
            found = [values.get((model, condition, slice_name, name)) for name in names]
            told = slice_name != "all" and all(
                row is None or (of_all is not None and row.n == of_all.n)
                for row, of_all in zip(found, whole, strict=True)
            )
            if told or not any(found):
                continue
            cells = (
                f"{numerals.fraction(row.value) if row else '':>{_width(name)}}"
                for name, row in zip(names, found, strict=True)
            )
            line = (
                f"  {title[:_OVERVIEW_NAME]:<{_OVERVIEW_NAME}} {slice_name:<{_OVERVIEW_SLICE - 1}}"
                + "".join(cells)
            )
            yield line.rstrip()
            title = ""


def _fitting(names: Sequence[str]) -> Iterator[list[str]]:
    """The names in portions whose columns fit in a line."""
    portion: list[str] = []
    for name in names:
        if 2 + _OVERVIEW_NAME + _OVERVIEW_SLICE + sum(map(_width, [*portion, name])) > _COLUMNS:
            yield portion
            portion = []
        portion.append(name)
    if portion:
        yield portion


def _width(name: str) -> int:
    return max(_NARROWEST, len(name) + 1)
