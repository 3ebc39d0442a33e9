"""Overlooked: the answers that no criterion looks at, so that a reader knows what was not judged."""

from collections.abc import Sequence

import msgspec
import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import Arm
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.headline import ACCURACY
from safe_eval.judging.metric_names import COVERAGE, SEED_STD, is_mean
from safe_eval.results.aggregates import OWN_AGGREGATES
from safe_eval.results.calibration import CALIBRATION_METRICS
from safe_eval.results.deferral import AUROC_GATE, DEFERRAL_METRICS, gate_of
from safe_eval.results.gate_times import GATE_TIMES
from safe_eval.results.latency import LATENCIES
from safe_eval.results.retention import DRIFT_METRICS
from safe_eval.results.separation import SEPARATION
from safe_eval.scorers.captions.caption_scores import MAXIMA

_SHOWN = 6  # places that the text names


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Answers of one arm that no criterion looks at: all of them, or those of one slice."""

    dataset: str | None
    seed: int
    model: str
    condition: str
    slice: str
    items: int


class Overlooked(msgspec.Struct, frozen=True):
    """How many answers there are, how many of them no criterion looks at, and where these are."""

    answers: int
    items: int
    parts: tuple[Part, ...] = ()

    @property
    def text(self) -> str:
        """The count in a sentence, with the places of the most answers."""
        if not self.items:
            return f"each of {self.answers:,} items is looked at by a criterion"
        places: dict[str, int] = {}
        for part in self.parts:
            where = f"condition {part.model}/{part.condition}"
            where += "" if part.slice == "all" else f", slice {part.slice}"
            where = f"dataset {part.dataset}, {where}" if part.dataset is not None else where
            places[where] = places.get(where, 0) + part.items
        most = sorted(places.items(), key=lambda place: -place[1])
        named = [f"{where} ({items:,})" for where, items in most[:_SHOWN]]
        named += [f"and {len(most) - _SHOWN} more places"] if len(most) > _SHOWN else []
        are = "is" if self.items == 1 else "are"
        return f"{self.items:,} of {self.answers:,} items {are} looked at by no criterion: {'; '.join(named)}"


def find_overlooked(criteria: Sequence[Criterion], arms: Arms) -> Overlooked:
    """Count the answers that no criterion looks at.

    Coverage and latency look at none: they ask whether there is an answer, and how soon, not what it says.
    Nor does a warning.
    """
    parts: list[Part] = []
    idle = (COVERAGE, *LATENCIES, *GATE_TIMES)
    deciding = [one for one in criteria if one.severity == "critical" and one.metric not in idle]
    for arm in arms.arms:
        seen = np.zeros(len(arm.rows), dtype=bool)
        for criterion in deciding:
            is_asked = criterion.dataset in (None, arm.key.dataset)
            if is_asked and arm.key.name in (criterion.condition, criterion.against):
                seen |= looked_at(criterion, arms, arm)
        parts += _parts(arm, ~seen)
    main = {id(arm) for arm in arms.arms}
    parts += [
        Part(**arm.key._asdict(), slice=f"prompt {arm.prompt_id}", items=len(arm.rows))
        for arm in arms.worded.several
        if id(arm) not in main
    ]
    return Overlooked(arms.rows, sum(part.items for part in parts), tuple(parts))


def looked_at(criterion: Criterion, arms: Arms, arm: Arm) -> Bool[ndarray, " rows"]:
    """The rows of an arm that a criterion takes its number from."""
    asked = criterion.metric.removesuffix(SEED_STD)
    metric = OWN_AGGREGATES.get(asked, asked)  # an aggregate of `accuracy` is of this metric alone
    seen = np.zeros(len(arm.rows), dtype=bool)
    if is_mean(metric):
        metrics = [name for name in arms.judged if name not in MAXIMA] if asked == ACCURACY else [metric]
        for scored in (one for name in metrics for one in arms.scored.get(name, ())):
            if scored.arm is arm:
                seen[scored.at[scored.inside(criterion.slice)]] = True
        return seen
    for name in ("audio", "vl") if metric == SEPARATION else (criterion.slice,):
        seen |= arm.slices.get(name, False)
    if metric == AUROC_GATE:
        seen &= ~np.isnan(gate_of(arm)[1])
        seen &= np.array([row.needs_audio is not None for row in arm.rows])
    elif metric in (*CALIBRATION_METRICS, *DEFERRAL_METRICS):
        seen &= ~np.isnan(arm.confidences)
    elif metric in DRIFT_METRICS:
        seen &= np.array([row.choice_probabilities is not None for row in arm.rows])
    return seen


def _parts(arm: Arm, overlooked: Bool[ndarray, " rows"]) -> list[Part]:
    """The overlooked rows of an arm, by slice if some of its rows are looked at."""
    names = {"all": overlooked}
    if not overlooked.all():
        sides = {name: arm.slices[name] for name in ("audio", "vl") if name in arm.slices}
        names = {name: overlooked & inside for name, inside in sides.items()}
        rest = overlooked & ~np.any([np.zeros(len(arm.rows), dtype=bool), *sides.values()], axis=0)
        names["neither audio nor vl"] = rest
    return [
        Part(**arm.key._asdict(), slice=name, items=int(inside.sum()))
        for name, inside in names.items()
        if inside.any()
    ]
