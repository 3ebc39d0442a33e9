"""Scores as text: means, differences, seeds, aggregates and coverage as lines of at most 80 columns."""

import textwrap
from collections.abc import Iterator, Sequence

from safe_data.core import numerals
from safe_data.core.table import COLUMNS
from safe_eval.arms.arm import COMPARED_SLICES
from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.results.aggregates import (
    CAPTIONS,
    DIVERSITY,
    HIGHEST,
    OWN_AGGREGATES,
    WITHOUT_INTERVAL,
    AggregateRow,
)
from safe_eval.results.calibration import CALIBRATION_METRICS
from safe_eval.results.comparisons import Comparison
from safe_eval.results.metrics import Metric, without_repeats
from safe_eval.results.seeds import SeedRow
from safe_eval.scorers.captions.diversity import VOCABULARY
from safe_eval.scorers.scorer import CAPTION_METRICS
from safe_eval.scoring.scores import Scores
from safe_eval.text.curve_text import curve_lines, domain_lines
from safe_eval.text.deferral_text import deferral_lines
from safe_eval.text.frontier_text import frontier_lines
from safe_eval.text.gates_text import gate_lines
from safe_eval.text.given_text import given_lines
from safe_eval.text.hearing_text import hearing_lines
from safe_eval.text.hurts_text import hurt_lines
from safe_eval.text.lomo_text import lomo_lines
from safe_eval.text.pairs_text import family_lines, pair_lines
from safe_eval.text.rules_text import prior_lines, spread_lines
from safe_eval.text.seeds_text import prompt_lines, seed_differences, seed_means, spread_text
from safe_eval.text.shrinkage_text import shrinkage_lines

# Metrics that share a table, one column each. The first caption metric has its own table.
GROUPS = {
    "other caption metrics": CAPTION_METRICS[1:],
    "confidence and consultation": (*CALIBRATION_METRICS, *CONSULTATION_METRICS),
}
GROUPED = frozenset(metric for group in GROUPS.values() for metric in group)

# Widths of columns, in characters.
_NAME = 28  # "safe/mute_audio − base/full"
_ARM, _AGGREGATE = 17, 17  # "safe/mute_audio", "balanced_accuracy"
_GROUP_ARM, _GROUP_SLICE, _GROUP_METRIC = 20, 7, 7  # in the tables of a group; a metric has at least so many
_PAIR = 27  # of differences: "safe/swap_audio − base/full"
_SEED_ARM, _SPREAD, _SPREADS = 20, 14, 4  # over seeds; "0.123 ± 0.012", and how many fit on a line


def scores_table(scores: Scores) -> Iterator[str]:
    """The tables of a run and its notes; of other conditions than `full`, slices by question type
    are in scores.json only."""
    made = scores.provenance
    confidence = numerals.percent(made.confidence)
    yield f"{made.rows} predictions; {confidence} intervals, clustered by {made.cluster}"
    if any(f"{row.effective_clusters:.0f}" != str(row.clusters) for row in scores.metrics):
        yield "clusters: effective ones / all; unequal clusters count for less"
    for metric, dataset, seed in dict.fromkeys((m.metric, m.dataset, m.seed) for m in scores.metrics):
        if metric in GROUPED:
            continue
        yield ""
        yield f"{metric}, seed {seed}" if dataset is None else f"{metric} on {dataset}, seed {seed}"
        yield from _metric_lines(scores, metric, dataset, seed)
        yield from prior_lines(scores, metric, dataset)
        yield from _comparison_lines(scores, metric, dataset, seed)
        yield from shrinkage_lines(scores, metric, dataset, seed)
    yield from gate_lines(scores)
    yield from frontier_lines(scores)
    yield from spread_lines(scores)
    yield from _group_lines(scores)
    yield from deferral_lines(scores)
    yield from _seed_lines(scores)
    yield from prompt_lines(scores)
    yield from lomo_lines(scores)
    yield from hearing_lines(scores)
    yield from curve_lines(scores)
    yield from domain_lines(scores)
    yield from hurt_lines(scores)
    yield from given_lines(scores)
    yield from aggregate_lines(scores)
    yield from _coverage_lines(scores)
    for note in scores.notes:
        yield from textwrap.wrap(f"note: {note}", COLUMNS, subsequent_indent="      ")


def aggregate_lines(scores: Scores) -> Iterator[str]:
    """The aggregates that are no slice of a metric, one per line, or why they are not measured.

    If all seeds share the reasons, the reasons are given once, without a seed.
    """
    shown = [row for row in scores.aggregates if row.name in OWN_AGGREGATES or row.metric == CAPTIONS]
    for metric, dataset in dict.fromkeys((row.metric, row.dataset) for row in shown):
        by_seed: dict[int, list[AggregateRow]] = {}
        for row in shown:
            if (row.metric, row.dataset) == (metric, dataset):
                by_seed.setdefault(row.seed, []).append(row)
        about = metric if dataset is None else f"{metric} on {dataset}"
        what = {CAPTIONS: ": not measured", DIVERSITY: ""}.get(metric, ": other aggregates")
        reasons = {seed: list(_unmeasured(own)) for seed, own in by_seed.items()}
        first = next(iter(reasons.values()))
        shared = len(reasons) > 1 and all(found == first for found in reasons.values())
        for seed, own in by_seed.items():
            lines = [*_measured(own), *([] if shared else reasons[seed])]
            if lines:
                yield from ("", f"{about}, seed {seed}{what}", *lines)
        if shared and first:
            yield from ("", f"{about}{what}", *first)


def _metric_lines(scores: Scores, metric: str, dataset: str | None, seed: int) -> Iterator[str]:
    yield f"  {'':<{_NAME}} slice     mean  interval             n   clusters"
    own = [m for m in scores.metrics if (m.metric, m.dataset, m.seed) == (metric, dataset, seed)]
    in_table = [m for m in own if m.slice in COMPARED_SLICES]
    for m in without_repeats(in_table, ("model", "condition")):
        name = numerals.cut(f"{m.model}/{m.condition}", _NAME) if m.slice == "all" else ""
        interval = numerals.interval(m.ci_low, m.ci_high)
        yield (
            f"  {name:<{_NAME}} {m.slice:<6} {numerals.fraction(m.value):>7}  {interval:<14}"
            f"{m.n:>7}{numerals.clusters(m.clusters, m.effective_clusters):>11}"
        )


def _comparison_lines(scores: Scores, metric: str, dataset: str | None, seed: int) -> Iterator[str]:
    rows = [c for c in scores.comparisons if (c.metric, c.dataset, c.seed) == (metric, dataset, seed)]
    if not rows:
        return
    yield ""
    yield f"  {'':<{_PAIR}} slice difference  interval               p    Holm"
    yield from pair_lines(rows, _PAIR, _difference)
    tests = sorted({row.test for row in rows if row.test is not None})
    yield f"  p: {' or '.join(tests) or 'not measured'}"
    yield from family_lines(rows)
    for row in rows:
        if row.slice == "all" and (row.only_a or row.only_b):
            alone = f"{row.only_a} only by {row.a}, {row.only_b} only by {row.b}"
            text = f"{row.a} − {row.b}: {row.n} examples were answered by both, {alone}"
            yield from textwrap.wrap(text, COLUMNS, initial_indent="  ", subsequent_indent="    ")


def _difference(row: Comparison) -> str:
    interval = numerals.interval(row.ci_low, row.ci_high, signed=True)
    tests = f"{numerals.p_value(row.p_value):>7} {numerals.p_value(row.holm_p):>7}"
    return f"{row.slice:<6}{numerals.difference(row.difference):>9}  {interval:<16} {tests}"


def _group_lines(scores: Scores) -> Iterator[str]:
    """One table per group, dataset and seed; columns that do not fit on a line follow below."""
    for title, group in GROUPS.items():
        rows = [row for row in scores.metrics if row.metric in group]
        for dataset, seed in dict.fromkeys((row.dataset, row.seed) for row in rows):
            own = [row for row in rows if (row.dataset, row.seed) == (dataset, seed)]
            names = [name for name in group if any(row.metric == name for row in own)]
            yield ""
            yield f"{title}, seed {seed}" if dataset is None else f"{title} on {dataset}, seed {seed}"
            for shown in _columns_that_fit(names):
                yield from _group_table(own, shown)


def _group_table(rows: Sequence[Metric], names: Sequence[str]) -> Iterator[str]:
    values = {(row.model, row.condition, row.slice, row.metric): row for row in rows}
    yield f"  {'':<{_GROUP_ARM}} slice " + "".join(f"{name:>{_width(name)}}" for name in names)
    for model, condition in dict.fromkeys((row.model, row.condition) for row in rows):
        title = f"{model}/{condition}"
        whole = [values.get((model, condition, "all", name)) for name in names]
        for slice_name in COMPARED_SLICES:
            found = [values.get((model, condition, slice_name, name)) for name in names]
            repeats_all = slice_name != "all" and all(
                row is None or (of_all is not None and row.n == of_all.n)
                for row, of_all in zip(found, whole, strict=True)
            )
            if repeats_all or not any(found):
                continue
            cells = (
                f"{numerals.fraction(row.value) if row else '':>{_width(name)}}"
                for name, row in zip(names, found, strict=True)
            )
            line = f"  {title[:_GROUP_ARM]:<{_GROUP_ARM}} {slice_name:<{_GROUP_SLICE - 1}}" + "".join(cells)
            yield line.rstrip()
            title = ""


def _columns_that_fit(names: Sequence[str]) -> Iterator[list[str]]:
    """The names of columns, split so that each part fits on a line."""
    part: list[str] = []
    for name in names:
        if 2 + _GROUP_ARM + _GROUP_SLICE + sum(map(_width, [*part, name])) > COLUMNS:
            yield part
            part = []
        part.append(name)
    if part:
        yield part


def _width(name: str) -> int:
    return max(_GROUP_METRIC, len(name) + 1)


def _seed_lines(scores: Scores) -> Iterator[str]:
    """Per main metric and dataset with several seeds: the spread of its means, then of its differences.

    Metrics in groups have one column each; their differences are in scores.json.
    """
    for metric, dataset in dict.fromkeys((row.metric, row.dataset) for row in scores.seeds):
        if metric in GROUPED or metric in OWN_AGGREGATES:
            continue
        rows = [row for row in scores.seeds if (row.metric, row.dataset) == (metric, dataset)]
        differences = [r for r in scores.seed_comparisons if (r.metric, r.dataset) == (metric, dataset)]
        yield ""
        yield f"{metric} over seeds" if dataset is None else f"{metric} on {dataset} over seeds"
        yield from seed_means(rows)
        yield from seed_differences(differences)
    for title, group in {**GROUPS, "aggregates": tuple(OWN_AGGREGATES)}.items():
        grouped = [row for row in scores.seeds if row.metric in group and row.slice == "all"]
        for dataset in dict.fromkeys(row.dataset for row in grouped):
            yield ""
            yield f"{title} over seeds" if dataset is None else f"{title} on {dataset} over seeds"
            yield from _seed_groups([row for row in grouped if row.dataset == dataset])


def _seed_groups(rows: Sequence[SeedRow]) -> Iterator[str]:
    names = list(dict.fromkeys(row.metric for row in rows))
    spreads = {(row.model, row.condition, row.metric): spread_text(row) for row in rows}
    for start in range(0, len(names), _SPREADS):
        shown = names[start : start + _SPREADS]
        yield f"  {'mean ± std':<{_SEED_ARM}}" + "".join(f"{name:>{_SPREAD}}" for name in shown)
        for model, condition in dict.fromkeys((row.model, row.condition) for row in rows):
            told = (spreads.get((model, condition, name), "") for name in shown)
            title = numerals.cut(f"{model}/{condition}", _SEED_ARM)
            yield f"  {title:<{_SEED_ARM}}" + "".join(f"{spread:>{_SPREAD}}" for spread in told)


def _measured(rows: Sequence[AggregateRow]) -> Iterator[str]:
    measured = [row for row in rows if row.value is not None]
    if not measured:
        return
    yield f"  {'':<{_ARM}} {'aggregate':<{_AGGREGATE}}   value  interval             n   clusters"
    shown = ""
    for row in measured:
        arm = f"{row.model}/{row.condition}"
        has_none = row.name in WITHOUT_INTERVAL
        in_points = 1 < HIGHEST.get(row.name, 1.0) < float("inf")
        write = (
            numerals.points if in_points else "{:g}".format if row.name == VOCABULARY else numerals.fraction
        )
        between = numerals.points_interval if in_points else numerals.interval
        interval = numerals.MISSING if has_none else between(row.ci_low, row.ci_high)
        clusters = numerals.MISSING
        if row.clusters is not None and row.effective_clusters is not None:
            clusters = numerals.clusters(row.clusters, row.effective_clusters)
        name = numerals.cut(arm, _ARM) if arm != shown else ""
        yield (
            f"  {name:<{_ARM}} {row.name:<{_AGGREGATE}} "
            f"{write(row.value):>7}  {interval:<14}{row.n:>7}{clusters:>11}"
        )
        shown = arm


def _unmeasured(rows: Sequence[AggregateRow]) -> Iterator[str]:
    """One line per reason, with all names that share it; the reasons of captions are in the notes."""
    by_reason: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.value is None:
            told = "the notes say why" if row.metric == CAPTIONS else f"not measured: {row.why_not}"
            by_reason.setdefault(told, {})[row.name] = None
    for told, names in by_reason.items():
        text = f"{', '.join(names)}; {told}"
        yield from textwrap.wrap(text, COLUMNS, initial_indent="  ", subsequent_indent="    ")


def _coverage_lines(scores: Scores) -> Iterator[str]:
    yield ""
    yield f"{'coverage':<17} expected  answered   errored  unparsed  excluded"
    for condition, c in scores.coverage.items():
        missing = c.expected - c.answered - c.errored - c.unparsed - c.excluded
        counts = f"{c.expected:>10}{c.answered:>10}{c.errored:>10}{c.unparsed:>10}{c.excluded:>10}"
        yield f"  {numerals.cut(condition, 13):<13}{counts}" + (f" {missing} missing" if missing else "")
