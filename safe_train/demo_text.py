"""Demo text: what the demo prints after each step and at its end."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from safe_data.core.terminal import say
from safe_eval.arms.pairs import ALWAYS_ON
from safe_eval.judging.judged import GO
from safe_eval.judging.verdict import Verdict
from safe_eval.prediction import BASE
from safe_eval.results.gate_row import GateRow
from safe_eval.results.metrics import Metric
from safe_eval.scoring.scores import Scores
from safe_train.parity.freeze_proof import FreezeProof
from safe_train.settings.predict import SAFE

METRIC = "accuracy"
TWIN = f"{SAFE}{ALWAYS_ON}"  # the same checkpoint without its gate
_ARMS = {
    "base": (BASE, "full"),
    "SAFE": (SAFE, "full"),
    "always on": (TWIN, "full"),
    "audio muted": (SAFE, "mute_audio"),
    "audio swapped": (SAFE, "swap_audio"),
    "gate off": (SAFE, "gate_off"),
}
_SLICES = {"VL questions": "vl", "audio questions": "audio"}


@contextlib.contextmanager
def told_step(text: str) -> Iterator[Callable[[str], None]]:
    """Print one line after a step: what it did, what was added inside the block, and how long it took."""
    parts = [text]
    started = time.monotonic()
    yield parts.append
    say([f"{'; '.join(parts)} ({time.monotonic() - started:.1f} s)"], flush=True)


def accuracy_lines(scores: Scores) -> list[str]:
    """A table of accuracies in percent with their intervals: a line per slice, a column per arm."""
    found = {(m.slice, m.model, m.condition): m for m in scores.metrics if m.metric == METRIC}
    lines = [[f"accuracy (%) [{scores.provenance.confidence:.0%} interval]", *_ARMS]]
    for title, part in _SLICES.items():
        metrics = [found[part, model, condition] for model, condition in _ARMS.values()]
        lines.append([f"{title} ({metrics[0].n})", *map(_percent, metrics)])
    return columns(lines)


def gate_lines(scores: Scores) -> list[str]:
    """What the gate skips and loses on each slice, and what a user waits for an answer."""
    found = {(row.measure, row.slice, row.condition, row.model): row for row in scores.gates}

    def row(measure: str, part: str, condition: str = "full") -> GateRow | None:
        return found.get((measure, part, condition, SAFE))

    lines = [["the gate", *_SLICES]]
    lines.append(["skips the sound (%)", *(_percent(row("skipped", part)) for part in _SLICES.values())])
    drops = (_at_most(row("drop", part), 2) for part in _SLICES.values())
    lines.append(["loses to always on (points)", *drops])
    for condition in ("full", "noise_audio", "swap_audio", "mute_audio"):
        wrong = _at_most(row("false_consultation", "vl", condition), 1)
        lines.append([f"consults without need, {condition} (%)", wrong, "–"])
    return [*columns(lines), *_time_lines(scores)]


def _percent(row: Metric | GateRow | None) -> str:
    if row is None or row.value is None:
        return "not measured"
    if row.ci_low is None or row.ci_high is None:
        return f"{100 * row.value:.1f}"
    return f"{100 * row.value:.1f} [{100 * row.ci_low:.1f}, {100 * row.ci_high:.1f}]"


def _at_most(row: GateRow | None, digits: int) -> str:
    if row is None or row.value is None or row.limit is None:
        return "not measured"
    return f"{100 * row.value:.{digits}f}, at most {100 * row.limit:.{digits}f}"


def _time_lines(scores: Scores) -> list[str]:
    """Median and 95th percentile of the answers that were asked alone."""
    times = {(row.model, row.measure): row for row in scores.gates if row.measure.startswith("latency_p")}
    told = [f"{model}: {_milliseconds(times, model)}" for model in (SAFE, TWIN)]
    return [f"latency asked alone, median and 95th percentile: {'; '.join(told)}"]


def _milliseconds(times: dict[tuple[str, str], GateRow], model: str) -> str:
    found = [times.get((model, f"latency_{name}")) for name in ("p50", "p95")]
    ratio = times.get((model, "latency_p50_ratio"))
    said = ", ".join(
        "not measured" if row is None or row.value is None else f"{row.value:.1f} ms" for row in found
    )
    of_base = "" if ratio is None or ratio.value is None else f" ({ratio.value:.2f} × the base)"
    return said + of_base


def columns(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lines whose cells begin in the same columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]


def freeze_lines(freeze: FreezeProof) -> list[str]:
    gate_off = freeze.gate_off
    same = "unchanged" if freeze.base_weights_sha256_before == freeze.base_weights_sha256_after else "CHANGED"
    return [
        f"base: weights {same} by sha256, {freeze.trainable_base_parameters} of {freeze.base_parameters:,} "
        "parameters trainable",
        f"gate off: logits bit-identical in {gate_off.identical_batches} of {gate_off.batches} batches of "
        "questions",
    ]


def verdict_lines(verdict: Verdict) -> list[str]:
    held = sum(row.decision == GO for row in verdict.criteria)
    lines = [f"verdict: {verdict.decision} ({held} of {len(verdict.criteria)} criteria hold)"]
    lines += [
        f"  {row.decision}: {row.name}: {row.evidence}" for row in verdict.criteria if row.decision != GO
    ]
    return lines
