"""Listening: whether answers about sounds go without them, and an irrelevant sound changes nothing.

    FOLDER/answers-N.jsonl     the gated checkpoint of seed N under every condition that the criteria need
    FOLDER/lomo, irrelevance   scores.json and verdict.json of each criteria file
    FOLDER/again/scores.json   the same rows in another order

It is the plan's experiment 7. The criteria are those of lomo.yaml and irrelevance.yaml. That our metrics give
published scores is shown by the tests (tests/golden, tests/eval/scorers).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from safe_eval.judging.judged import GO, NO_GO
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import Scores
from safe_train.experiments.experiment import PREDICTIONS, Estimate, Experiment, Finding, Work, by_criteria
from safe_train.experiments.gated import gated_answers
from safe_train.experiments.gates import after_gates, checkpoint_of
from safe_train.experiments.plan_questions import NONE, NOT_THERE, questions_of
from safe_train.settings.plan import PlanConfig

CRITERIA = ("lomo", "irrelevance")
CONDITIONS = ("full", "mute_audio", "noise_audio", "swap_audio", "snr_10db")


@dataclass(frozen=True)
class ListeningSettings:
    """Which gate answers."""

    kind: str = "entropy"
    """kind of the gate, one of those that the experiment gates fits"""


def run(work: Work) -> Sequence[Finding]:
    """Ask every seed under every condition, and judge all seeds together.

    Raises:
        InputError: the experiment gates fitted no gate of this kind; see `score_files` and `by_criteria`.
    """
    rows: list[Prediction] = []
    for seed in work.plan.seeds:
        rows += gated_answers(
            checkpoint_of(work.earlier["gates"], seed, work.settings.kind),
            work.material,
            work.folder / f"answers-{seed}.jsonl",
            seed=seed,
            conditions=CONDITIONS,
            quiet=work.quiet,
        )
    write_predictions(work.folder / PREDICTIONS, rows)
    found: list[Finding] = []
    for criteria in CRITERIA:
        out = work.folder / criteria
        scores = score_files([work.folder / PREDICTIONS], Sampling(), out=out, force=True)
        judged = by_criteria(criteria, out, within=work.folder)
        found += [replace(one, name=f"{criteria}: {one.name}") for one in judged]
    return [*found, _stable(work, rows, scores)]


def _stable(work: Work, rows: Sequence[Prediction], scores: Scores) -> Finding:
    """Whether the same rows in another order give the same numbers, to the last digit."""
    out = work.folder / "again"
    out.mkdir(exist_ok=True)
    write_predictions(out / PREDICTIONS, rows[::-1])
    again = score_files([out / PREDICTIONS], Sampling(), out=out, force=True)
    first, second = (msgspec.structs.replace(one, provenance=scores.provenance) for one in (scores, again))
    same = first == second
    return Finding(
        name="scores_are_stable",
        bound="every table of scores is the same in another order of rows",
        decision=GO if same else NO_GO,
        evidence=f"{len(scores.metrics)} metrics, {len(scores.comparisons)} comparisons, {len(rows)} rows",
        judged_by="this experiment's rule",
        file="again/scores.json",
    )


def _estimate(plan: PlanConfig, _settings: ListeningSettings) -> Estimate:
    found = questions_of(plan, "test")
    arms = len(CONDITIONS) + 2  # the base and the twin
    return Estimate(answers=len(plan.seeds) * arms * (found or NONE).all, unknown="" if found else NOT_THERE)


EXPERIMENT = Experiment(
    number=7,
    name="listening",
    title="One modality left out, and irrelevant sounds",
    settings=ListeningSettings,
    needs=after_gates,
    run=run,
    estimate=_estimate,
)
