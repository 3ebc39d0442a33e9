"""Retention result: what each mechanism kept on each seed, and the loss of each question, for the verdict.

All numbers are of the test split, scored by safe_eval. VL questions are asked with the gate open and the
sound of another clip; drift is the accuracy that this loses against the base. A dataset without sounds, or
without VL questions that these metrics score, has nothing to lose beside a sound, and no line.
"""

from collections.abc import Iterator, Mapping, Sequence
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

METRICS = ("accuracy", "vqa_accuracy")  # of a dataset that both score, the first
BESIDE = "swap_audio"  # the irrelevant sound
Losses = Float[ndarray, " questions"]
TEST, VALIDATION = "choices of the test split", "tokens of the validation split"


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a mechanism heard and kept on one seed. Accuracies, drift and flips are fractions of 1.

    `dataset` is given where there are several. One without audio questions has no audio accuracy.

    `flips` is the share of VL questions that became right or wrong. `kl_nats` is KL(base ‖ fused) on VL
    questions; `kl_of` says whether over the choices of the test split, or, where predictions have no choice
    probabilities, over the tokens of the last evaluation in training, which has no interval.
    """

    seed: int
    mechanism: str
    audio_accuracy: float | None
    audio_low: float | None
    audio_high: float | None
    audio_muted: float | None
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
    dataset: str | None = None


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
    """Of one seed: what each mechanism lost on each VL question, and the question's cluster.

    Seeds of one world were asked the same questions in the same order, so their clusters are the same.
    Clusters of two worlds have nothing in common, whatever their numbers.
    """

    seed: int  # of the training
    world: int  # the seed that tells which questions
    losses: dict[str, Losses]
    clusters: Shaped[ndarray, " questions"]


@dataclass(frozen=True)
class _Scored:
    """What the scores say of a dataset by a metric."""

    scores: Scores
    metric: str
    dataset: str | None

    def audio(self, model: str, condition: str) -> Metric | None:
        """An arm's value on audio questions; None if there are none."""
        return next(self._rows(model, condition, "audio"), None)

    def vl(self, model: str, condition: str) -> Metric:
        """An arm's value on VL questions."""
        return next(self._rows(model, condition, "vl"))

    def _rows(self, model: str, condition: str, name: str) -> Iterator[Metric]:
        wanted = (self.metric, self.dataset, name, model, condition)
        for row in self.scores.metrics:
            if (row.metric, row.dataset, row.slice, row.model, row.condition) == wanted:
                yield row

    def against_base(self, mechanism: str) -> Comparison:
        """The VL questions beside an irrelevant sound, against the base."""
        wanted = (self.metric, self.dataset, "vl", f"{mechanism}/{BESIDE}", f"{BASE}/full")
        rows = self.scores.comparisons
        return next(c for c in rows if (c.metric, c.dataset, c.slice, c.a, c.b) == wanted)

    def divergence(self, mechanism: str) -> RetentionRow | None:
        """How far the choices of these questions moved."""
        wanted = (self.metric, self.dataset, "vl", mechanism, BESIDE)
        rows = self.scores.retention
        found = (r for r in rows if (r.metric, r.dataset, r.slice, r.model, r.condition) == wanted)
        return next(found, None)


def vl_metrics(scores: Scores) -> dict[str | None, str]:
    """The metric of the VL questions of each dataset that has some beside an irrelevant sound, by dataset."""
    asked = {(m.dataset, m.metric) for m in scores.metrics if (m.slice, m.condition) == ("vl", BESIDE)}
    datasets = sorted({dataset for dataset, metric in asked if metric in METRICS}, key=str)
    return {name: next(metric for metric in METRICS if (name, metric) in asked) for name in datasets}


def kept_rows(scores: Scores, seed: int, mechanism: str, kl_on_validation: float | None) -> list[Kept]:
    """The lines of the table, one a dataset, from the scores of a seed."""
    metrics = vl_metrics(scores)
    return [
        _kept(_Scored(scores, metric, dataset), seed, mechanism, kl_on_validation, is_alone=len(metrics) == 1)
        for dataset, metric in metrics.items()
    ]


def _kept(
    found: _Scored, seed: int, mechanism: str, kl_on_validation: float | None, *, is_alone: bool
) -> Kept:
    hears, sees = found.audio(mechanism, "full"), found.vl(mechanism, BESIDE)
    against = found.against_base(mechanism)
    divergence, of = found.divergence(mechanism), TEST
    if divergence is None or divergence.kl_nats is None:
        divergence, of = None, VALIDATION
    kl_nats = kl_on_validation if divergence is None else divergence.kl_nats
    return Kept(
        seed=seed,
        mechanism=mechanism,
        audio_accuracy=_value(hears),
        audio_low=None if hears is None else hears.ci_low,
        audio_high=None if hears is None else hears.ci_high,
        audio_muted=_value(found.audio(mechanism, "mute_audio")),
        vl_base=found.vl(BASE, "full").value,
        vl_accuracy=sees.value,
        vl_low=sees.ci_low,
        vl_high=sees.ci_high,
        vl_muted=found.vl(mechanism, "mute_audio").value,
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
        dataset=None if is_alone else found.dataset,
    )


def vl_losses(
    arms: Arms, mechanisms: Sequence[str], metrics: Mapping[str | None, str], *, seed: int, world: int
) -> Contrasted:
    """What each mechanism lost on each VL question beside an irrelevant sound: base's score less its own.

    `metrics` is that of each dataset; the questions of one follow those of another.
    """
    judged = [(metric, arm) for metric in METRICS for arm in arms.judged.get(metric, ())]
    scored = {(arm.key.dataset, metric, arm.key.name): arm for metric, arm in judged}
    losses: dict[str, list[Losses]] = {name: [np.zeros(0)] for name in mechanisms}
    clusters = [np.zeros(0, dtype=int)]
    for dataset, metric in metrics.items():
        base = scored[dataset, metric, f"{BASE}/full"]
        inside = base.inside("vl")
        clusters.append(base.clusters[inside])
        for name in mechanisms:
            losses[name].append(_losses(base, scored[dataset, metric, f"{name}/{BESIDE}"])[inside])
    together = {name: np.concatenate(parts) for name, parts in losses.items()}
    return Contrasted(seed, world, together, np.concatenate(clusters))


def _losses(base: ScoredArm, safe: ScoredArm) -> Losses:
    at_base, at_safe = shared_examples(base.examples, safe.examples)
    if not len(at_base) == len(base.examples) == len(safe.examples):
        raise InputError(
            f"{safe.key.name} and {base.key.name} did not answer the same questions; answer again"
        )
    found: Losses = np.asarray(base.scores[at_base] - safe.scores[at_safe])
    return found


def _value(metric: Metric | None) -> float | None:
    return None if metric is None else metric.value


def _negative(value: float | None) -> float | None:
    """The negative; 0 has no sign."""
    return None if value is None else 0.0 - value
