"""Noise curve: what is left of hearing as the sound gets worse, from the clean sound to none.

Whatever is degraded by a number has its curve here: noise, a low-pass filter, MP3, the length and the delay
of the sound, and the probability with which sound and picture are left out.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import Places, shared_examples
from safe_eval.arms.pairs import answered_alike
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.condition import condition_parts
from safe_eval.options import Sampling
from safe_eval.scorers.scorer import ANSWER_METRICS
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.score_interval import count_effective, score_interval
from safe_eval.statistics.seeds import seed_difference, seed_spread

CLEAN, SILENT, GATE_OFF = (
    "full",
    "mute_audio",
    "gate_off",
)  # the ends; the last stands in for the second
SNR, DROP = "snr", "drop"
SHIFT_LATER, SHIFT_EARLIER = "shift_later", "shift_earlier"


class Kind(NamedTuple):
    """One kind of curve: the unit of its level, whether less is harder, and whether steps are ratios."""

    unit: str
    less_is_harder: bool
    in_octaves: bool = False
    at_full: float | None = None  # the level that leaves the input as it is, where there is one


KINDS = {
    SNR: Kind("dB", less_is_harder=True),
    "lowpass": Kind("Hz", less_is_harder=True, in_octaves=True),
    "codec_mp3": Kind("kbps", less_is_harder=True, in_octaves=True),
    "clip": Kind("s", less_is_harder=True, in_octaves=True),
    SHIFT_LATER: Kind("ms", less_is_harder=False, at_full=0),
    SHIFT_EARLIER: Kind("ms", less_is_harder=True, at_full=0),
    DROP: Kind("%", less_is_harder=False, at_full=0),
}
_SLICES = {DROP: ("audio", "vl")}  # all others change the sound alone

BySeed = dict[int, ScoredArm]


class NoiseRow(msgspec.Struct, frozen=True, kw_only=True):
    """The accuracy at one level of a curve, and its difference from `full`. Without a seed: over all.

    All rows of a curve are about the examples that were answered under each of its conditions, `n`; those
    that this condition answered beside them are `not_shared`. If there are none of the former, `n` are its
    own. The difference is on the examples that it and `full` answered.
    """

    metric: str
    dataset: str | None
    seed: int | None
    seeds: tuple[int, ...]
    model: str
    slice: str  # audio; of drop also vl
    kind: str
    unit: str
    condition: str
    level: float | None  # None under full, mute_audio and gate_off
    value: float
    ci_low: float | None
    ci_high: float | None
    confidence: float
    interval: str | None
    difference: float | None = None  # this condition − full, on the examples that both answered
    difference_low: float | None = None
    difference_high: float | None = None
    difference_interval: str | None = None
    n: int
    not_shared: int = 0
    clusters: int
    effective_clusters: float
    only_full: int = 0  # examples that only one of the two answered; not in the difference
    only_changed: int = 0


class Curve(NamedTuple):
    """The arms of one curve by condition, from the mildest to the hardest, each by seed."""

    kind: str
    slice: str
    arms: dict[str, BySeed]

    @property
    def first(self) -> ScoredArm:
        """Any of its arms."""
        return next(iter(next(iter(self.arms.values())).values()))


def noise_rows(arms: Arms, sampling: Sampling) -> Iterator[NoiseRow]:
    """The curves of each model and dataset, seed by seed, and over all seeds that answered alike."""
    for curve in curves_of(arms):
        full, places = curve.arms.get(CLEAN), shared_places(curve)
        for condition, by_seed in curve.arms.items():
            row = _row(curve, condition, by_seed, places[condition], sampling)
            beside = full is not None and condition != CLEAN
            yield _beside_full(row, by_seed, full, sampling) if full and beside else row


def curves_of(arms: Arms) -> Iterator[Curve]:
    """Each curve with at least one level, of each seed, and of all seeds together if they answered alike."""
    for metric in ANSWER_METRICS:
        found: dict[tuple[str | None, str], dict[int, dict[str, ScoredArm]]] = {}
        for arm in arms.judged.get(metric, ()):
            of_model = found.setdefault((arm.key.dataset, arm.key.model), {})
            of_model.setdefault(arm.key.seed, {})[arm.key.condition] = arm
        for seeds in found.values():
            for kind in KINDS:
                for slice_name in _SLICES.get(kind, ("audio",)):
                    yield from _with_seeds(kind, slice_name, seeds)


def kind_and_level(condition: str) -> tuple[str, float] | None:
    """The kind of curve that a condition is a level of, and the level; None for one that is on no curve.

    >>> kind_and_level("snr_-5db"), kind_and_level("shift_-200"), kind_and_level("mute_audio")
    (('snr', -5.0), ('shift_earlier', -200.0), None)
    """
    kind, level = condition_parts(condition) or ("", None)
    if level is None:
        return None
    if kind == "shift":
        kind = SHIFT_EARLIER if level < 0 else SHIFT_LATER
    return (kind, level) if kind in KINDS else None


def severity(kind: str, level: float) -> float:
    """Where a level stands on its curve: a number that grows as the condition gets harder.

    >>> severity("snr", -5.0) - severity("snr", 20.0), severity("lowpass", 2.0**12), severity("clip", 0.5)
    (25.0, -12.0, 1.0)
    """
    of = KINDS[kind]
    place = float(np.log2(level)) if of.in_octaves else level
    return -place if of.less_is_harder else place


def level_at(kind: str, place: float) -> float:
    """The level that stands at a place of its curve: the inverse of `severity`.

    >>> level_at("lowpass", severity("lowpass", 3000.0)).__round__(9)
    3000.0
    """
    of = KINDS[kind]
    place = -place if of.less_is_harder else place
    return float(2.0**place if of.in_octaves else place)


def _with_seeds(kind: str, slice_name: str, seeds: dict[int, dict[str, ScoredArm]]) -> Iterator[Curve]:
    curves = {seed: _ordered(kind, slice_name, arms) for seed, arms in seeds.items()}
    curves = {seed: curve for seed, curve in curves.items() if curve}
    for seed, curve in curves.items():
        yield Curve(kind, slice_name, {name: {seed: arm} for name, arm in curve.items()})
    names = [tuple(curve) for curve in curves.values()]
    if len(names) > 1 and len(set(names)) == 1:
        together = {name: {seed: curve[name] for seed, curve in curves.items()} for name in names[0]}
        if all(answered_alike([(arm, arm) for arm in by_seed.values()]) for by_seed in together.values()):
            yield Curve(kind, slice_name, together)


def _ordered(kind: str, slice_name: str, arms: dict[str, ScoredArm]) -> dict[str, ScoredArm]:
    """The arms of a curve from the mildest on, with its ends; empty if it has no level."""
    there = {name: arm for name, arm in arms.items() if arm.inside(slice_name).any()}
    levels = {name: found[1] for name in there if (found := kind_and_level(name)) and found[0] == kind}
    if not levels:
        return {}
    ordered = sorted(levels, key=lambda name: severity(kind, levels[name]))
    last = next((name for name in (SILENT, GATE_OFF) if name in there and kind != DROP), None)
    names = [CLEAN, *ordered, *filter(None, [last])]
    return {name: there[name] for name in names if name in there}


def shared_places(curve: Curve) -> dict[str, Places]:
    """The places, in the arms of each condition, of the examples that all conditions of a curve answered."""
    firsts: dict[str, ScoredArm] = {name: next(iter(arms.values())) for name, arms in curve.arms.items()}
    shared, *others = [arm.examples[arm.inside(curve.slice)] for arm in firsts.values()]
    for own in others:
        shared = shared[shared_examples(shared, own)[0]]
    return {name: np.flatnonzero(np.isin(arm.examples, shared)) for name, arm in firsts.items()}


def about(curve: Curve, by_seed: BySeed) -> dict[str, Any]:
    """What a row says that it is about: a curve, and the seeds of one of its arms."""
    arm = next(iter(by_seed.values()))
    return {
        "metric": arm.metric,
        "dataset": arm.key.dataset,
        "seed": arm.key.seed if len(by_seed) == 1 else None,
        "seeds": tuple(by_seed),
        "model": arm.key.model,
        "slice": curve.slice,
        "kind": curve.kind,
        "unit": KINDS[curve.kind].unit,
    }


def _row(curve: Curve, condition: str, by_seed: BySeed, shared: Places, sampling: Sampling) -> NoiseRow:
    arm = next(iter(by_seed.values()))
    own = np.flatnonzero(arm.inside(curve.slice))
    at = shared if len(shared) else own
    clusters = arm.clusters[at]
    scores = np.stack([one.scores[at] for one in by_seed.values()])
    if len(by_seed) > 1:
        interval = seed_spread(scores, clusters, sampling).interval
    else:
        interval = score_interval(scores[0], clusters, sampling.confidence)
    found = kind_and_level(condition)
    return NoiseRow(
        **about(curve, by_seed),
        condition=condition,
        level=None if found is None else found[1],
        value=float(scores.mean()),
        ci_low=interval.low,
        ci_high=interval.high,
        confidence=sampling.confidence,
        interval=interval.method,
        n=len(clusters),
        not_shared=len(own) - len(at),
        clusters=count_clusters(clusters),
        effective_clusters=count_effective(clusters),
    )


def _beside_full(row: NoiseRow, by_seed: BySeed, full: BySeed, sampling: Sampling) -> NoiseRow:
    arm, clean = next(iter(by_seed.values())), next(iter(full.values()))
    at_arm, at_full = shared_examples(arm.examples, clean.examples)
    both = arm.inside(row.slice)[at_arm] & clean.inside(row.slice)[at_full]
    at_arm, at_full = at_arm[both], at_full[both]
    differences = np.stack([by_seed[seed].scores[at_arm] - full[seed].scores[at_full] for seed in by_seed])
    found = _difference_interval(differences, arm.clusters[at_arm], sampling)
    return msgspec.structs.replace(
        row,
        difference=float(differences.mean()) if len(at_arm) else None,
        difference_low=found.low,
        difference_high=found.high,
        difference_interval=found.method,
        only_full=int(np.sum(clean.inside(row.slice))) - len(at_full),
        only_changed=int(np.sum(arm.inside(row.slice))) - len(at_arm),
    )


def _difference_interval(differences: np.ndarray, clusters: np.ndarray, sampling: Sampling) -> Interval:
    if not differences.shape[1]:
        return Interval()
    if len(differences) > 1:
        return seed_difference(differences, clusters, sampling).inference.interval
    return difference_interval(differences[0], clusters, sampling.confidence)
