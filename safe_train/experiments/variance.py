"""Variance: whether trainings with several seeds agree, and the base behind the closed gate stays one.

    FOLDER/scores.json, verdict.json   of all seeds' answers to the same questions

It is the plan's experiment 11. The criteria are those of variance.yaml.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED
from safe_eval.judging.verdict import VERDICT_FILE
from safe_eval.options import Sampling
from safe_eval.prediction import BASE, Prediction
from safe_eval.predictions import read_predictions
from safe_eval.scoring.score import score_files
from safe_train.experiments.experiment import Estimate, Experiment, Finding, Work, by_criteria, trained_steps
from safe_train.settings.plan import PlanConfig
from safe_train.settings.predict import SAFE

CRITERIA = "variance"


@dataclass(frozen=True)
class VarianceSettings:
    """How the criteria are filled in."""

    parameters: dict[str, str] = field(default_factory=dict)
    """parameters of the criteria, such as seeds_std_audio: 0.01"""


def run(work: Work) -> Sequence[Finding]:
    """Score all seeds together, judge their spread, and compare what the base says in each.

    Raises:
        InputError: see `score_files` and `by_criteria`.
    """
    files = [work.answers(seed) for seed in work.plan.seeds]
    score_files(files, Sampling(), out=work.folder, force=True)
    found = by_criteria(CRITERIA, work.folder, within=work.folder, settings=work.settings.parameters)
    return [*found, frozen_path([read_predictions(file) for file in files])]


def frozen_path(seeds: Sequence[Sequence[Prediction]]) -> Finding:
    """Whether the base's answers, and those behind the closed gate, have one checksum in all seeds.

    It covers the answers, their confidence and the probabilities of choices, to the last bit of each.
    """
    sums = {checksum(rows, *arm) for rows in seeds for arm in ((BASE, "full"), (SAFE, "gate_off"))}
    measured = None not in sums and len(seeds) > 1
    decision = NOT_MEASURED if not measured else GO if len(sums) == 1 else NO_GO
    shown = ", ".join(sorted(one[:12] for one in sums if one is not None))
    return Finding(
        name="the_frozen_path_is_one",
        bound="one checksum of the base's answers and of those behind the closed gate, in all seeds",
        decision=decision,
        evidence=f"{len(seeds)} seeds: {shown or 'no answers with the gate off'}",
        judged_by="this experiment's rule",
        file=VERDICT_FILE,
    )


def checksum(rows: Sequence[Prediction], model: str, condition: str) -> str | None:
    """SHA-256 of an arm's answers in the order of their questions, in hexadecimal; None if there are none."""
    of_arm = [row for row in rows if (row.model, row.condition) == (model, condition)]
    if not of_arm:
        return None
    content = sorted(
        (row.dataset or "", row.example_id, row.answer, row.confidence, row.choice_probabilities)
        for row in of_arm
    )
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


def _estimate(_plan: PlanConfig, _settings: VarianceSettings) -> Estimate:
    return Estimate()


EXPERIMENT = Experiment(
    number=11,
    name="variance",
    title="Variance over seeds",
    settings=VarianceSettings,
    needs=trained_steps,
    run=run,
    estimate=_estimate,
)
