"""Small-data result: what each arm of the study found, and what the study decides."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.sources.synthetic.questions import CLASSES
from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED
from safe_eval.judging.verdict import Verdict
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.scorers.classification import score_all
from safe_eval.scorers.scorer import RIGHT_FROM
from safe_eval.statistics.seeds import always_wrong, linear_spread
from safe_train.experiments.small_data_arms import Arm
from safe_train.experiments.small_data_decision import BySeed, Chosen, Compared
from safe_train.sweeps.candidate import LEAST_SEEDS, ONE_SEED

SPEECH = CLASSES[0]
FACTS = ("snr_db", "duration_ms")


class ArmRow(msgspec.Struct, frozen=True, kw_only=True):
    """One arm over its seeds; accuracies are fractions of 1, and `criteria` the decision of each criterion.

    `sd` is the standard deviation of balanced accuracy over seeds; the interval is over seeds and groups.
    """

    arm: str
    targets: str
    rank: int
    alpha: int
    dropout: float
    augmented: bool
    seeds: tuple[int, ...]
    trained_parameters: int
    balanced_accuracy: float
    ci_low: float | None
    ci_high: float | None
    sd: float | None
    by_seed: tuple[float, ...]
    speech: float
    non_speech: float
    ece: float | None  # of the worst seed, at its temperature
    temperatures: tuple[float | None, ...]
    wrong_in_every_seed: int
    decision: str
    criteria: dict[str, str]


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The accuracy of an arm on the clips of a class that share an SNR or a duration, over its seeds."""

    arm: str
    label: str
    fact: str
    value: float
    n: int
    accuracy: float


class Wrong(msgspec.Struct, frozen=True, kw_only=True):
    """A clip that an arm gets wrong with every seed."""

    arm: str
    example_id: str
    label: str
    group: str | None
    kind: str | None
    snr_db: float | None
    duration_ms: float | None


class SmallDataResult(msgspec.Struct, frozen=True, kw_only=True):
    """The content of small_data.json."""

    size: str
    speaker: str
    decision: str
    statement: str
    chosen: Chosen
    arms: tuple[ArmRow, ...]
    compared: tuple[Compared, ...]
    slices: tuple[Slice, ...]
    wrong: tuple[Wrong, ...]
    confidence: float
    resamples: int


@dataclass(frozen=True)
class Outcomes:
    """An arm's test answers: the rows of its first seed by their ids, and the scores of every seed."""

    arm: Arm
    rows: tuple[Prediction, ...]
    scores: BySeed

    @property
    def labels(self) -> Sequence[str]:
        """The class of each clip."""
        return [row.references[0] for row in self.rows]

    @property
    def groups(self) -> ndarray:
        """The group of each clip."""
        return np.array([row.group or row.example_id for row in self.rows], dtype=object)

    @property
    def is_speech(self) -> ndarray:
        """Which clips are speech."""
        return np.array([label == SPEECH for label in self.labels])

    @property
    def stacked(self) -> Float[ndarray, "seeds clips"]:
        """The scores of all seeds."""
        return np.stack(list(self.scores.values()))


def outcomes_of(arm: Arm, rows: Sequence[Prediction]) -> Outcomes:
    """The test answers of an arm; a reply that names no class is wrong.

    Raises:
        InputError: the seeds did not answer the same clips.
    """
    by_seed = {
        seed: sorted((row for row in rows if row.seed == seed), key=lambda row: row.example_id)
        for seed in arm.seeds
    }
    first = by_seed[arm.seeds[0]]
    for seed, of_seed in by_seed.items():
        if [row.example_id for row in of_seed] != [row.example_id for row in first]:
            raise InputError(f"{arm.name}: seed {seed} and seed {arm.seeds[0]} answered other clips")
    scores = {seed: np.nan_to_num(score_all(of_seed)) for seed, of_seed in by_seed.items()}
    return Outcomes(arm, tuple(first), scores)


def arm_row(
    found: Outcomes,
    verdict: Verdict,
    temperatures: Sequence[float | None],
    trained_parameters: int,
    sampling: Sampling,
) -> ArmRow:
    """One line of the table."""
    arm, scores, speech = found.arm, found.stacked, found.is_speech
    # A clip weighs so much that the mean is that of the two recalls.
    weights = np.where(speech, 0.5 / speech.mean(), 0.5 / (~speech).mean())
    spread = linear_spread(scores * weights, found.groups, sampling, scale=(0.0, 1.0))
    judged = {one.name: one for one in verdict.criteria}
    honest = judged.get("confidence_is_honest")
    return ArmRow(
        arm=arm.name,
        targets=arm.targets,
        rank=arm.rank,
        alpha=arm.alpha,
        dropout=arm.dropout,
        augmented=arm.augmented,
        seeds=arm.seeds,
        trained_parameters=trained_parameters,
        balanced_accuracy=spread.mean,
        ci_low=spread.interval.low,
        ci_high=spread.interval.high,
        sd=spread.std,
        by_seed=spread.means,
        speech=float(scores[:, speech].mean()),
        non_speech=float(scores[:, ~speech].mean()),
        ece=None if honest is None else max(honest.seed_values, default=honest.value),
        temperatures=tuple(temperatures),
        wrong_in_every_seed=int(always_wrong(scores, right_from=RIGHT_FROM).sum()),
        decision=verdict.decision,
        criteria={name: one.decision for name, one in judged.items()},
    )


def slices_of(found: Outcomes) -> list[Slice]:
    """The accuracy of each class at each SNR and duration."""
    means, labels = found.stacked.mean(axis=0), np.array(found.labels)
    slices = []
    for fact in FACTS:
        values = np.array([_number(row, fact) for row in found.rows], dtype=float)
        for label in CLASSES:
            for value in sorted(set(values[~np.isnan(values)].tolist())):
                inside = (labels == label) & (values == value)
                if inside.any():
                    accuracy, n = float(means[inside].mean()), int(inside.sum())
                    slices.append(
                        Slice(arm=found.arm.name, label=label, fact=fact, value=value, n=n, accuracy=accuracy)
                    )
    return slices


def wrong_of(found: Outcomes) -> list[Wrong]:
    """The clips that every seed gets wrong."""
    return [
        Wrong(
            arm=found.arm.name,
            example_id=row.example_id,
            label=row.references[0],
            group=row.group,
            kind=(row.metadata or {}).get("kind"),
            snr_db=_number(row, "snr_db"),
            duration_ms=_number(row, "duration_ms"),
        )
        for row, wrong in zip(found.rows, always_wrong(found.stacked, right_from=RIGHT_FROM), strict=True)
        if wrong
    ]


def decide(chosen: Chosen, targets: Sequence[ArmRow]) -> tuple[str, str]:
    """Whether to scale up, and why: by the arm that was chosen, or by both where none was.

    Without a choice, the study goes or fails only if it does so with either arm.
    """
    judged = [row for row in targets if chosen.winner in (None, row.arm)]
    few = [row.arm for row in judged if len(row.seeds) < LEAST_SEEDS]
    if few:
        return NOT_MEASURED, f"{', '.join(few)}: {ONE_SEED}"
    found = {row.decision for row in judged}
    decision = found.pop() if len(found) == 1 else NOT_MEASURED
    missed = "; ".join(
        f"{row.arm}: {', '.join(f'{name} {one}' for name, one in row.criteria.items() if one != GO) or GO}"
        for row in judged
    )
    return decision, missed if decision in (GO, NO_GO) or missed else "nothing was judged"


def _number(row: Prediction, fact: str) -> float | None:
    value = (row.metadata or {}).get(fact)
    return float(value) if isinstance(value, int | float) else None
