"""All arms: the table that every result is computed from, made once when predictions are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from safe_data.core.errors import InputError, did_you_mean
from safe_eval.arms.arm import Arm, cluster_field, make_arms
from safe_eval.arms.caption_arms import CaptionInputs, caption_arms
from safe_eval.arms.consultation import consultation_arms
from safe_eval.arms.coverage import Outcomes, arm_outcomes
from safe_eval.arms.pairs import Pairing, pairing_of
from safe_eval.arms.scored_arm import ScoredArm, score_arms
from safe_eval.prediction import Prediction
from safe_eval.scorers.scorer import CAPTION_METRICS, ON_REQUEST, SCORERS

Scored = dict[str, tuple[ScoredArm, ...]]  # by metric


@dataclass(frozen=True)
class Arms:
    """Every arm, and every arm as each metric scored it. Nothing later numbers, clusters or scores."""

    arms: tuple[Arm, ...]
    cluster: str  # the field whose values are the clusters
    judged: Scored  # by the metrics of the rows' datasets and tasks
    requested: Scored  # by metrics requested by name, which do not change coverage
    consultation: Scored
    captions_not_measured: dict[str | None, dict[str, str]]  # {dataset: {metric: reason}}
    notes: tuple[str, ...]  # on captions
    pairing: Pairing

    @cached_property
    def scored(self) -> Scored:
        """The scored arms by metric, for all metrics, in the order of the tables."""
        return self.judged | self.requested | self.consultation

    @cached_property
    def outcomes(self) -> list[Outcomes]:
        """The outcome of each row of each arm."""
        return arm_outcomes(self.arms, self.judged)


def all_arms(
    predictions: Sequence[Prediction],
    *,
    metrics: Sequence[str] = (),
    captions: CaptionInputs | None = None,
    baseline: str | None = None,
    pairs: bool = False,
) -> Arms:
    """Score predictions with every metric that judges any of them, and with the requested metrics.

    `baseline` and `pairs` say which models are compared: see `pairing_of`.

    Raises:
        InputError: see `make_arms` and `pairing_of`; no row has a task that can be scored; a metric is
            unknown or judges no row; or captions cannot be scored.
    """
    check_metrics(metrics)
    pairing = pairing_of({row.model for row in predictions}, baseline, pairs=pairs)
    arms = make_arms(predictions, pairing.baseline)
    captioned = caption_arms(arms, captions or CaptionInputs())
    judged = _scored(tuple(SCORERS), arms) | captioned.scored
    if not judged:
        tasks = ", ".join(sorted({str(task) for arm in arms for task in arm.tasks}))
        raise InputError(f"no metric judges the tasks of these predictions ({tasks})")
    requested = _scored([metric for metric in metrics if metric in ON_REQUEST], arms)
    for metric in metrics:
        if metric not in judged and metric not in requested:
            raise InputError(f"{metric} judges none of these predictions; leave it out")
    return Arms(
        arms=arms,
        cluster=cluster_field(predictions),
        judged=judged,
        requested=requested,
        consultation=consultation_arms(arms),
        captions_not_measured=captioned.not_measured,
        notes=captioned.notes,
        pairing=pairing,
    )


def check_metrics(metrics: Sequence[str]) -> None:
    """Refuse metrics that do not exist, and suggest the nearest name.

    Raises:
        InputError: a metric has no scorer.
    """
    known = (*SCORERS, *CAPTION_METRICS, *ON_REQUEST)
    for metric in metrics:
        if metric not in known:
            hint = f"{did_you_mean(metric, known)} on request: {', '.join(ON_REQUEST)}"
            raise InputError(f"no metric is named {metric!r}; {hint.lstrip()}")


def _scored(metrics: Sequence[str], arms: Sequence[Arm]) -> Scored:
    """The arms as each of these metrics scored them, without metrics that judge no row."""
    return {metric: scored for metric in metrics if (scored := score_arms(metric, arms))}
