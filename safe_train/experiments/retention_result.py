"""Retention result: what each mechanism kept on each seed, and the loss of each question, for the verdict.

All numbers are of the test split, scored by safe_eval. VL questions are asked with the gate open and the
sound of another clip; drift is the accuracy that this loses against the base.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import shared_examples
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.judging.judged import worst
from safe_eval.prediction import BASE
from safe_eval.results.comparisons import Comparison
from safe_eval.results.metrics import Metric
from safe_eval.results.retention import RetentionRow
from safe_eval.scoring.scores import Scores

METRIC = "accuracy"
BESIDE = "swap_audio"  # the irrelevant sound
TEST, VALIDATION = "choices of the test split", "tokens of the validation split"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a mechanism heard and kept on one seed. Accuracies, drift and flips are fractions of 1.

    `flips` is the share of VL questions that became right or wrong. `kl_nats` is KL(base ‖ fused) on VL
    questions; `kl_of` says whether over the choices of the test split, or, where predictions have no choice
    probabilities, over the tokens of the last evaluation in training, which has no interval.
    """

    seed: int
    mechanism: str
    audio_accuracy: float
    audio_low: float | None
    audio_high: float | None
    audio_muted: float
    vl_base: float
    vl_accuracy: float
    vl_low: float | None
    vl_high: float | None
    vl_muted: float
    drift: float
    drift_low: float | None
    drift_high: float | None
    flips: float
    kl_nats: float | None
    kl_low: float | None
    kl_high: float | None
    kl_of: str | None
    vl_questions: int
    clusters: int


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A statement about the drift, over all seeds; `value` must not be above `bound`."""

    name: str
    statement: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    bound: float
    decision: str
    evidence: str
    severity: str  # a warning is shown and decides nothing


class RetentionResult(msgspec.Struct, frozen=True, kw_only=True):
    """The content of retention.json."""

    rows: tuple[Kept, ...]
    judged: tuple[Judged, ...]
    confidence: float
    resamples: int

    @property
    def decision(self) -> str:
        """No-go if a statement that decides fails; else not measured if one is; else go."""
        return worst([row.decision for row in self.judged if row.severity == "critical"])


@dataclass(frozen=True)
class Contrasted:
    """Of one seed: what each mechanism lost on each VL question, and the question's cluster."""

    seed: int
    losses: dict[str, Float[ndarray, " questions"]]
    clusters: Shaped[ndarray, " questions"]


def kept_rows(scores: Scores, seed: int, mechanism: str, kl_on_validation: float | None) -> Kept:
    """One line of the table, from the scores of a seed."""
    hears = _metric(scores, mechanism, "full", "audio")
    sees = _metric(scores, mechanism, BESIDE, "vl")
    against = _against_base(scores, mechanism)
    divergence, of = _divergence(scores, mechanism), TEST
    if divergence is None or divergence.kl_nats is None:
        divergence, of = None, VALIDATION
    kl_nats = kl_on_validation if divergence is None else divergence.kl_nats
    return Kept(
        seed=seed,
        mechanism=mechanism,
        audio_accuracy=hears.value,
        audio_low=hears.ci_low,
        audio_high=hears.ci_high,
        audio_muted=_metric(scores, mechanism, "mute_audio", "audio").value,
        vl_base=_metric(scores, BASE, "full", "vl").value,
        vl_accuracy=sees.value,
        vl_low=sees.ci_low,
        vl_high=sees.ci_high,
        vl_muted=_metric(scores, mechanism, "mute_audio", "vl").value,
        drift=_negative(against.difference) or 0.0,
        drift_low=_negative(against.ci_high),
        drift_high=_negative(against.ci_low),
        flips=(against.gained + against.lost) / against.n,
        kl_nats=kl_nats,
        kl_low=None if divergence is None else divergence.kl_low,
        kl_high=None if divergence is None else divergence.kl_high,
        kl_of=None if kl_nats is None else of,
        vl_questions=against.n,
        clusters=against.clusters,
    )


def vl_losses(arms: Arms, seed: int, mechanisms: Sequence[str]) -> Contrasted:
    """What each mechanism lost on each VL question beside an irrelevant sound: base's score less its own."""
    scored = {arm.key.name: arm for arm in arms.judged.get(METRIC, ())}
    base = scored[f"{BASE}/full"]
    inside = base.inside("vl")
    losses = {name: _losses(base, scored[f"{name}/{BESIDE}"])[inside] for name in mechanisms}
    return Contrasted(seed, losses, base.clusters[inside])


def _losses(base: ScoredArm, safe: ScoredArm) -> Float[ndarray, " questions"]:
    at_base, at_safe = shared_examples(base.examples, safe.examples)
    if not len(at_base) == len(base.examples) == len(safe.examples):
        raise InputError(
            f"{safe.key.name} and {base.key.name} did not answer the same questions; answer again"
        )
    found: Float[ndarray, " questions"] = np.asarray(base.scores[at_base] - safe.scores[at_safe])
    return found


def _metric(scores: Scores, model: str, condition: str, name: str) -> Metric:
    wanted = (METRIC, name, model, condition)
    return next(m for m in scores.metrics if (m.metric, m.slice, m.model, m.condition) == wanted)


def _against_base(scores: Scores, mechanism: str) -> Comparison:
    wanted = (METRIC, "vl", f"{mechanism}/{BESIDE}", f"{BASE}/full")
    return next(c for c in scores.comparisons if (c.metric, c.slice, c.a, c.b) == wanted)


def _divergence(scores: Scores, mechanism: str) -> RetentionRow | None:
    wanted = (METRIC, "vl", mechanism, BESIDE)
    rows = (r for r in scores.retention if (r.metric, r.slice, r.model, r.condition) == wanted)
    return next(rows, None)


def _negative(value: float | None) -> float | None:
    """The negative; 0 has no sign."""
    return None if value is None else 0.0 - value
