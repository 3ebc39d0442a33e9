"""Drift guard: what an evaluation's drift does to a run: it is said, warned of, and in the end stops the run.

All three go by the lower bound, so that a few unlucky questions do nothing.
"""

from collections.abc import Mapping

from safe_train.retention.drift import drift_line, largest_drift, shown_above
from safe_train.run_state import Best
from safe_train.settings.train import RunConfig

MOST_DRIFT = 0.01  # of accuracy, without --drift-stop: a state shown to lose more is not the best


class DriftGuard:
    """Watches the evaluations of a run, and remembers which state was the best."""

    def __init__(self, run: RunConfig, best: Best | None) -> None:
        self.best = best
        self._warning, self._stop = run.drift_warning, run.drift_stop
        self._is_warned = False

    def stops(self, metrics: Mapping[str, float]) -> bool:
        """Whether an evaluation shows more drift than the run may have."""
        return bool(shown_above(metrics, self._stop))

    def keep_if_best(self, step: int, metrics: Mapping[str, float]) -> None:
        """Remember a state if it hears best of those not shown to have drifted.

        A state whose estimate is above the limit comes behind all whose estimate is not.
        """
        limit = MOST_DRIFT if self._stop is None else self._stop
        now = Best(step, metrics.get("audio_accuracy", 0.0), largest_drift(metrics))
        is_better = self.best is None or _rank(now, limit) > _rank(self.best, limit)
        if is_better and not shown_above(metrics, limit):
            self.best = now

    def said(self, step: int, metrics: Mapping[str, float]) -> str:
        """The line that tells what vision questions lost; empty if there were none."""
        line = drift_line(metrics)
        return f"step {step}: {line}" if line else ""

    def warnings(self, step: int, metrics: Mapping[str, float]) -> list[str]:
        """A warning where drift begins to be shown to be too much; none while it goes on."""
        above = shown_above(metrics, self._warning)
        was_warned, self._is_warned = self._is_warned, bool(above)
        if was_warned or not above:
            return []
        cases = " and ".join(one.heard for one in above)
        what = f"VL questions are shown to lose more than {100 * self._warning:g} points with {cases}"
        return [f"step {step}: {what}; raise --kl-weight, or give vl a larger weight"]


def _rank(state: Best, limit: float) -> tuple[bool, float, float]:
    return state.vl_drift <= limit, state.audio_accuracy, -state.vl_drift
