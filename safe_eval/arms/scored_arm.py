"""Scored arm: one arm as one metric scored it."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray

from safe_eval.arms.arm import Arm, ArmKey, Places, Slices
from safe_eval.prediction import Prediction
from safe_eval.scorers.scorer import judges, metrics_for, no_slices, scorer_of

Counts = Shaped[ndarray, "rows counts"]
Corpus = Callable[[Shaped[ndarray, "*rows counts"]], Float[ndarray, "*rows"]]  # from sums of counts


@dataclass(frozen=True)
class ScoredArm:
    """The rows of an arm that a metric judges, with their scores, which lie between `lowest` and `highest`.

    Errors and unparsed replies score 0, or what the metric gives for a failure.
    """

    metric: str
    arm: Arm
    at: Places  # the places of these rows in the arm
    examples: Int[ndarray, " rows"]
    clusters: Int[ndarray, " rows"]
    scores: Float[ndarray, " rows"]
    unparsed: Bool[ndarray, " rows"]  # replies that the scorer did not understand
    slices: Slices
    highest: float = 1.0
    lowest: float = 0.0
    counts: Counts | None = None  # for a corpus-level metric: its value is `corpus` of their sums
    corpus: Corpus | None = None

    @property
    def key(self) -> ArmKey:
        """The key of the arm."""
        return self.arm.key

    @property
    def rows(self) -> list[Prediction]:
        """The judged rows."""
        return [self.arm.rows[place] for place in self.at.tolist()]

    @property
    def answers(self) -> Int[ndarray, " rows"]:
        """The number of each answer's text, the same in all arms; −1 for an error."""
        answers: Int[ndarray, " rows"] = self.arm.answers[self.at]
        return answers

    def inside(self, slice_name: str) -> Bool[ndarray, " rows"]:
        """The rows in a slice; none if this arm does not have the slice."""
        return self.slices.get(slice_name, np.zeros(len(self.at), dtype=bool))

    def is_whole(self, slice_name: str) -> bool:
        """Whether a slice holds every row, so that its numbers are the numbers of `all`."""
        return slice_name in self.slices and bool(self.slices[slice_name].all())


def score_arms(
    metric: str, arms: Sequence[Arm], *, protocol: str | None = None, requested: bool = False
) -> tuple[ScoredArm, ...]:
    """Score every row that a metric judges; arms without such rows are left out.

    A metric that is requested by name scores every row that it can. `protocol` is that of `metrics_for`.
    """
    judged = [(arm, at) for arm in arms if len(at := _taken(metric, arm, protocol, requested=requested))]
    if not judged:
        return ()
    rows = [arm.rows[place] for arm, at in judged for place in at.tolist()]
    scorer = scorer_of(metric)
    values = iter(np.split(scorer.score_all(rows), np.cumsum([len(at) for _, at in judged])[:-1]))
    return tuple(
        scored_arm(metric, arm, at, next(values), scorer.slices, highest=scorer.highest) for arm, at in judged
    )


def scored_arm(
    metric: str,
    arm: Arm,
    at: Places,
    values: Float[ndarray, " rows"],
    own_slices: Callable[[Sequence[Prediction]], Slices] = no_slices,
    *,
    highest: float = 1.0,
    lowest: float = 0.0,
    failed: float | Float[ndarray, " rows"] = 0.0,
    counts: Counts | None = None,
    corpus: Corpus | None = None,
) -> ScoredArm:
    """An arm with the values of a metric for the rows at some places.

    NaN is unparsed and scores 0, and an error scores `failed`.
    """
    whole = len(at) == len(arm.rows)
    slices = arm.slices if whole else {name: inside[at] for name, inside in arm.slices.items()}
    slices = slices | ({} if own_slices is no_slices else own_slices([arm.rows[place] for place in at]))
    values = np.where(arm.failed[at], failed, values)
    return ScoredArm(
        metric=metric,
        arm=arm,
        at=at,
        examples=arm.examples if whole else arm.examples[at],
        clusters=arm.clusters if whole else arm.clusters[at],
        scores=np.nan_to_num(values),
        unparsed=np.isnan(values),
        slices={name: inside for name, inside in slices.items() if inside.any()},
        highest=highest,
        lowest=lowest,
        counts=counts,
        corpus=corpus,
    )


def _taken(metric: str, arm: Arm, protocol: str | None, *, requested: bool) -> Places:
    """The places of the rows that a metric scores, which dataset, task and choices decide."""
    found = [
        at
        for asked, at in arm.tasks.items()
        if metric in metrics_for(arm.key.dataset, *asked, protocol)
        or (requested and judges(metric, arm.rows[int(at[0])]))
    ]
    taken: Places = np.array(sorted(itertools.chain(*found)), dtype=int) if len(found) != 1 else found[0]
    only = scorer_of(metric).only
    return taken if only is None or not len(taken) else taken[only([arm.rows[at] for at in taken.tolist()])]
