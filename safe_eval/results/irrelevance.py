"""Irrelevance: what sounds that do not matter do to questions about the picture.

Four measures: the accuracy, whether it is kept, how many answers change, and how often the sound is consulted
although no question asks about it. None of them says why an answer changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import Arm, ArmKey, Places, shared_examples
from safe_eval.arms.consultation import CONSULTED
from safe_eval.arms.pairs import baseline_of
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.condition import changes_picture, changes_sound
from safe_eval.options import Sampling
from safe_eval.results.sound_kinds import ALL, kinds_of, sound_labels
from safe_eval.scorers.scorer import ANSWER_METRICS
from safe_eval.statistics.bootstrap import Labels, count_clusters
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.score_interval import count_effective, score_interval

ACCURACY, KEPT = "accuracy_beside_sound", "accuracy_kept"
ANSWERS_CHANGED, FALSE_CONSULTATION = "answers_changed_share", "false_consultation"
IRRELEVANCE_MEASURES = (ACCURACY, KEPT, ANSWERS_CHANGED, FALSE_CONSULTATION)

SILENCES = ("full", "mute_audio", "gate_off")  # what a sound is compared with, beside the baseline
SEEN = "vl"


class IrrelevanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of the questions that need no sound, beside one kind of sound.

    `limit` is one-sided at the confidence: of `accuracy_kept` the least that the difference to `against` can
    be, so that −limit is the loss that is ruled out; of the shares the most that they can be.
    """

    measure: str
    metric: str | None  # that judged the answers; None for consultation
    dataset: str | None
    seed: int
    model: str
    condition: str
    sound: str  # its kind: see `sound_kinds`; "all" for all sounds of the condition
    against: str | None = None  # an arm, as "model/condition"
    gate: str | None = None  # the policy that the rows show: see `gate_policy`
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    limit: float | None = None
    confidence: float
    interval: str | None = None
    n: int = 0
    clusters: int = 0
    effective_clusters: float = 0.0
    only_one: int = 0  # questions that only one side answered; in no other number
    why_not: str | None = None


@dataclass(frozen=True)
class _Asked:
    """What every row about one arm shares."""

    key: ArmKey
    metric: str | None
    gate: str | None
    sampling: Sampling

    def row(self, measure: str, sound: str, **found: object) -> IrrelevanceRow:
        """A row of one measure."""
        return IrrelevanceRow(
            measure=measure,
            metric=self.metric,
            **self.key._asdict(),
            sound=sound,
            gate=self.gate,
            confidence=self.sampling.confidence,
            **found,  # type: ignore[arg-type]
        )


def is_irrelevant(condition: str) -> bool:
    """Whether a condition leaves the picture and sends a sound that says nothing about it.

    A contradicting sound claims something about it, and is in `contradiction`.

    >>> [is_irrelevant(name) for name in ("full", "snr_0db", "contradict", "drop_50", "gate_off")]
    [True, True, False, False, False]
    """
    if condition in ("full", "contradict"):
        return condition == "full"
    return changes_sound(condition) and not changes_picture(condition)


def irrelevance_rows(arms: Arms, sampling: Sampling) -> Iterator[IrrelevanceRow]:
    """The measures of each arm with a sound, all sounds together and by kind; then false consultation."""
    labels = sound_labels(arms.arms)
    for metric in ANSWER_METRICS:
        scored = arms.judged.get(metric, ())
        for arm in scored:
            if is_irrelevant(arm.key.condition) and arm.inside(SEEN).any() and _has_sound(arm.arm):
                asked = _Asked(arm.key, metric, gate_policy(arm.arm), sampling)
                beside = list(_beside(arm, scored, baseline_of(arm, scored, arms.pairing)))
                for sound, of_kind in kinds_of(arm, arm.inside(SEEN), labels).items():
                    yield _accuracy(asked, sound, arm, of_kind)
                    for other in beside:
                        yield from _paired(asked, sound, arm, other, of_kind)
    yield from _consultation(arms, labels, sampling)


def gate_policy(arm: Arm) -> str | None:
    """What the rows show of the gate: "scored", "open", "closed", "mixed"; None if they show nothing.

    A scored gate decides by a number of its own (`gate_score`); the others are as `consulted` says.
    """
    if any(row.gate_score is not None for row in arm.rows):
        return "scored"
    said = {row.consulted for row in arm.rows if row.consulted is not None}
    if not said:
        return None
    return "mixed" if len(said) > 1 else "open" if said == {True} else "closed"


def _has_sound(arm: Arm) -> bool:
    """Whether a sound may have been sent; not if the rows of all questions say that there was none."""
    sent = [(row.metadata or {}).get("sent") for row in arm.rows]
    return not all(isinstance(one, dict) and one.get("sound") is None for one in sent)


def _beside(arm: ScoredArm, among: Sequence[ScoredArm], baseline: ScoredArm | None) -> Iterator[ScoredArm]:
    """The arms that an arm is compared with: the same model unheard or untouched, and the baseline."""
    repeated = ("full", "mute_audio") if arm.key.condition == "mute_audio" else (arm.key.condition,)
    for condition in SILENCES:
        key = arm.key._replace(condition=condition)
        yield from (other for other in among if other.key == key and condition not in repeated)
    if baseline is not None:
        yield baseline


def _accuracy(asked: _Asked, sound: str, arm: ScoredArm, inside: Bool[ndarray, " rows"]) -> IrrelevanceRow:
    scores, clusters = arm.scores[inside], arm.clusters[inside]
    interval = score_interval(scores, clusters, asked.sampling.confidence)
    low = score_interval(scores, clusters, asked.sampling.equivalence_confidence).low
    return asked.row(ACCURACY, sound, limit=low, **_measured(scores, clusters, interval))


def _paired(
    asked: _Asked, sound: str, arm: ScoredArm, other: ScoredArm, inside: Bool[ndarray, " rows"]
) -> Iterator[IrrelevanceRow]:
    """Accuracy kept, and answers changed, on the questions that both answered."""
    at_arm, at_other = shared_examples(arm.examples, other.examples)
    both = inside[at_arm]
    at_arm, at_other = at_arm[both], at_other[both]
    apart: dict[str, object] = {"against": other.key.name, "only_one": int(inside.sum()) - len(at_arm)}
    if not len(at_arm):
        why_not = f"{other.key.name} answered none of these questions"
        for measure in (KEPT, ANSWERS_CHANGED):
            yield asked.row(measure, sound, why_not=why_not, **apart)
        return
    clusters = arm.clusters[at_arm]
    differences = arm.scores[at_arm] - other.scores[at_other]
    interval = difference_interval(differences, clusters, asked.sampling.confidence)
    limit = difference_interval(differences, clusters, asked.sampling.equivalence_confidence).low
    yield asked.row(KEPT, sound, limit=limit, **apart, **_measured(differences, clusters, interval))
    changed = _changed(arm, other, at_arm, at_other)
    yield _share(asked, ANSWERS_CHANGED, sound, changed, clusters, **apart)


def _changed(arm: ScoredArm, other: ScoredArm, at_arm: Places, at_other: Places) -> Float[ndarray, " pairs"]:
    """1 where two answers differ in any letter, or where either failed."""
    one, two = arm.answers[at_arm], other.answers[at_other]
    changed: Float[ndarray, " pairs"] = ((one != two) | (one < 0)).astype(float)
    return changed


def _consultation(
    arms: Arms, labels: Mapping[tuple[str | None, str], str], sampling: Sampling
) -> Iterator[IrrelevanceRow]:
    """False consultation of every arm with a sound, or why it is not measured."""
    saying = {id(arm.arm): arm for arm in arms.consultation.get(CONSULTED, ())}
    for arm in arms.arms:
        if not is_irrelevant(arm.key.condition) or SEEN not in arm.slices or not _has_sound(arm):
            continue
        asked = _Asked(arm.key, None, gate_policy(arm), sampling)
        found = saying.get(id(arm))
        if found is None or not found.inside(SEEN).any():
            why_not = "no row says in 'consulted' whether the sound was used"
            yield asked.row(FALSE_CONSULTATION, ALL, why_not=why_not)
            continue
        for sound, inside in kinds_of(found, found.inside(SEEN), labels).items():
            yield _share(asked, FALSE_CONSULTATION, sound, found.scores[inside], found.clusters[inside])


def _share(
    asked: _Asked,
    measure: str,
    sound: str,
    values: Float[ndarray, " items"],
    clusters: Labels,
    **apart: object,
) -> IrrelevanceRow:
    """A share with its interval and its one-sided upper limit."""
    interval = score_interval(values, clusters, asked.sampling.confidence)
    limit = score_interval(values, clusters, asked.sampling.equivalence_confidence).high
    return asked.row(measure, sound, limit=limit, **apart, **_measured(values, clusters, interval))


def _measured(values: Float[ndarray, " items"], clusters: Labels, interval: Interval) -> dict[str, object]:
    return {
        "value": float(np.mean(values)),
        "ci_low": interval.low,
        "ci_high": interval.high,
        "interval": interval.method,
        "n": len(values),
        "clusters": count_clusters(clusters),
        "effective_clusters": count_effective(clusters),
    }
