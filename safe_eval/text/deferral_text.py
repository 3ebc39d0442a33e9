"""Deferral as text: AURC and the AUROCs of each arm, and its risk at some coverages."""

import textwrap
from collections.abc import Iterator, Sequence

from safe_data.core import numerals
from safe_data.core.table import COLUMNS
from safe_eval.results.deferral import CONSULTED, DeferralRow
from safe_eval.scoring.scores import Scores

_ARM, _METRIC = 20, 16  # widths of columns, in characters: "safe/mute_audio", "auroc_confidence"
_COVERAGES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)  # of the short table of a curve


def deferral_lines(scores: Scores) -> Iterator[str]:
    """One table per dataset and seed, with the reason where a number is not measured."""
    for dataset, seed in dict.fromkeys((row.dataset, row.seed) for row in scores.deferral):
        rows = [row for row in scores.deferral if (row.dataset, row.seed) == (dataset, seed)]
        yield ""
        yield f"deferral, seed {seed}" if dataset is None else f"deferral on {dataset}, seed {seed}"
        yield from _numbers([row for row in rows if row.value is not None])
        yield from _curves([row for row in rows if len(row.curve) > 1])
        yield from _reasons(rows)


def _numbers(rows: Sequence[DeferralRow]) -> Iterator[str]:
    if not rows:
        return
    yield f"  {'':<{_ARM}} {'':<{_METRIC}}  value  interval            n   clusters"
    shown = ""
    for row in rows:
        arm = f"{row.model}/{row.condition}"
        name = numerals.cut(arm, _ARM) if arm != shown else ""
        interval = numerals.interval(row.ci_low, row.ci_high)
        yield (
            f"  {name:<{_ARM}} {row.metric:<{_METRIC}}{numerals.fraction(row.value):>7}  {interval:<14}"
            f"{row.n:>7}{numerals.clusters(row.clusters, row.effective_clusters):>11}"
        )
        shown = arm
    if any(row.field == CONSULTED for row in rows):
        yield f"  auroc_gate of a decision ({CONSULTED!r}, no gate_score) is its balanced accuracy"


def _curves(rows: Sequence[DeferralRow]) -> Iterator[str]:
    """The risk where at least so many answers are kept; a curve of one point says no more than accuracy."""
    if not rows:
        return
    yield f"  {'risk at coverage':<{_ARM}}" + "".join(f"{share:>8.0%}" for share in _COVERAGES)
    for row in rows:
        kept = [next(point for point in row.curve if point.coverage >= share) for share in _COVERAGES]
        risks = "".join(f"{numerals.fraction(point.risk):>8}" for point in kept)
        yield f"  {numerals.cut(f'{row.model}/{row.condition}', _ARM):<{_ARM}}{risks}"


def _reasons(rows: Sequence[DeferralRow]) -> Iterator[str]:
    """One line per reason, with all arms that share it."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.why_not is not None:
            by_reason.setdefault((row.metric, row.why_not), []).append(f"{row.model}/{row.condition}")
    for (metric, reason), arms in by_reason.items():
        text = f"{metric} of {', '.join(arms)}; not measured: {reason}"
        yield from textwrap.wrap(text, COLUMNS, initial_indent="  ", subsequent_indent="    ")
