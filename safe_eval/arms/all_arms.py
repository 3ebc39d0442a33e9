"""All arms: the table that every result is computed from, made once when predictions are read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from safe_data.core.errors import InputError, did_you_mean
from safe_eval.arms.arm import Arm, ArmKey, cluster_field, make_arms
from safe_eval.arms.caption_arms import CaptionInputs, caption_arms
from safe_eval.arms.consultation import consultation_arms
from safe_eval.arms.coverage import Outcomes, arm_outcomes
from safe_eval.arms.given_arms import check_given, given_arms, is_given
from safe_eval.arms.pairs import Pairing, pairing_of
from safe_eval.arms.prompts import Worded, by_prompt
from safe_eval.arms.scored_arm import ScoredArm, score_arms
from safe_eval.prediction import Prediction
from safe_eval.scorers.aggregate import Aggregate
from safe_eval.scorers.benchmarks import check_protocol
from safe_eval.scorers.scorer import ANSWER_METRICS, CAPTION_METRICS, ON_REQUEST

Scored = dict[str, tuple[ScoredArm, ...]]  # by metric
_ONE_WORDING = Worded(())


@dataclass(frozen=True)
class Arms:
    """Every arm, and every arm as each metric scored it. Nothing later numbers, clusters or scores."""

    arms: tuple[Arm, ...]
    cluster: str  # the field whose values are the clusters
    judged: Scored  # by the metrics of the rows' datasets and tasks
    requested: Scored  # by metrics requested by name, which do not change coverage
    consultation: Scored
    captions_not_measured: dict[str | None, dict[str, str]]  # {dataset: {metric: reason}}
    caption_diversity: dict[ArmKey, list[Aggregate]]
    caption_models: dict[str, tuple[str, str]]  # the path or id, and the hash, of each model by its option
    notes: tuple[str, ...]  # on captions
    pairing: Pairing
    worded: Worded = _ONE_WORDING
    given: Scored = field(default_factory=dict)  # by what other harnesses scored
    prompted: Scored = field(default_factory=dict)  # the arms of `worded.several`, but for captions

    @cached_property
    def scored(self) -> Scored:
        """The scored arms by metric, for all metrics, in the order of the tables."""
        return self.judged | self.requested | self.given | self.consultation

    @property
    def rows(self) -> int:
        """The number of predictions, in every wording."""
        every = {id(arm): len(arm.rows) for arm in (*self.arms, *self.worded.several)}
        return sum(every.values())

    @cached_property
    def outcomes(self) -> list[Outcomes]:
        """The outcome of each row of each arm."""
        return arm_outcomes(self.arms, self.judged)


def all_arms(
    predictions: Sequence[Prediction],
    *,
    metrics: Sequence[str] = (),
    captions: CaptionInputs | None = None,
    protocol: str | None = None,
    baseline: str | None = None,
    pairs: bool = False,
    prompt: str | None = None,
) -> Arms:
    """Score predictions with every metric that judges any of them, and with the requested metrics.

    `protocol` scores the rows of the benchmarks that have such a rule, in place of their own protocol.
    `baseline` and `pairs` say which models are compared: see `pairing_of`. Where examples are asked in
    several wordings, `prompt` names the one that tables are about: see `by_prompt`.

    Raises:
        InputError: see `make_arms`, `pairing_of` and `by_prompt`; no row has a task that can be scored, or
            another harness's score; a metric is unknown or judges no row; no benchmark here has such a
            protocol; or captions cannot be scored.
    """
    check_metrics(metrics)
    pairing = pairing_of({row.model for row in predictions}, baseline, pairs=pairs)
    worded = by_prompt(make_arms(predictions, pairing.baseline), prompt)
    arms = worded.main
    if protocol is not None:
        check_protocol(protocol, {arm.key.dataset for arm in arms})
    captioned = caption_arms(arms, captions or CaptionInputs())
    judged = _scored(ANSWER_METRICS, arms, protocol=protocol) | captioned.scored
    given = given_arms(arms)
    check_given(metrics, given)
    if not judged and not given:
        tasks = ", ".join(sorted({str(asked.task) for arm in arms for asked in arm.tasks}))
        raise InputError(f"no metric judges the tasks of these predictions ({tasks})")
    asked = [metric for metric in metrics if metric in ANSWER_METRICS]
    requested = _scored(asked, arms, requested=True)
    explained = {metric for reasons in captioned.not_measured.values() for metric in reasons}
    for metric in metrics:
        if not (metric in explained or any(metric in found for found in (judged, requested, given))):
            raise InputError(f"{metric} judges none of these predictions; leave it out")
    return Arms(
        arms=arms,
        cluster=cluster_field(predictions),
        judged=judged,
        requested=requested,
        consultation=consultation_arms(arms),
        captions_not_measured=captioned.not_measured,
        caption_diversity=captioned.diversity,
        caption_models=captioned.models,
        notes=captioned.notes,
        pairing=pairing,
        worded=worded,
        given=given,
        prompted=_scored(ANSWER_METRICS, worded.several, protocol=protocol)
        | _scored(asked, worded.several, requested=True)
        | given_arms(worded.several)
        | consultation_arms(worded.several),
    )


def check_metrics(metrics: Sequence[str]) -> None:
    """Refuse metrics that do not exist, and suggest the nearest name; of given ones, see `check_given`.

    Raises:
        InputError: a metric has no scorer.
    """
    known = (*ANSWER_METRICS, *CAPTION_METRICS)
    for metric in metrics:
        if metric not in known and not is_given(metric):
            hint = f"{did_you_mean(metric, known)} on request: {', '.join(ON_REQUEST)}"
            raise InputError(f"no metric is named {metric!r}; {hint.lstrip()}")


def _scored(
    metrics: Sequence[str], arms: Sequence[Arm], *, protocol: str | None = None, requested: bool = False
) -> Scored:
    """The arms as each of these metrics scored them, without metrics that judge no row."""
    scored = {m: score_arms(m, arms, protocol=protocol, requested=requested) for m in metrics}
    return {metric: found for metric, found in scored.items() if found}
