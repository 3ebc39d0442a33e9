"""Variance: whether trainings with several seeds agree, and the base behind the closed gate stays one.

    FOLDER/scores.json, verdict.json   of all seeds' answers to the same questions
    FOLDER/parity.json                 all seeds' checkpoints behind the closed gate, beside the base

It is the plan's experiment 11. The criteria are those of variance.yaml. The frozen path is one if the logits
and generated tokens of all seeds have the base's checksum, and so have the answers to all questions.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from safe_data.core.errors import check_at_least_one
from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED
from safe_eval.judging.verdict import VERDICT_FILE
from safe_eval.options import Sampling
from safe_eval.prediction import BASE, Prediction
from safe_eval.predictions import read_predictions
from safe_eval.scoring.score import score_files
from safe_train.checkpoint import CONFIG, read_config
from safe_train.experiments.experiment import (
    Estimate,
    Experiment,
    Finding,
    Work,
    by_criteria,
    decided,
    trained_steps,
)
from safe_train.experiments.freeze import PARITY, FreezeSettings, closed_gate, parity_config
from safe_train.experiments.training import training_of
from safe_train.parity.parity import ParityReport
from safe_train.settings.plan import PlanConfig
from safe_train.settings.predict import SAFE

CRITERIA = "variance"
REPEATS = 8  # of the times that parity measures, too; experiment 2 judges them


@dataclass(frozen=True)
class VarianceSettings:
    """How the criteria are filled in, and how many logits are compared.

    Raises:
        InputError: no question is to be compared.
    """

    parameters: dict[str, str] = field(default_factory=dict)
    """parameters of the criteria, such as seeds_std_audio: 0.01"""

    samples: int = 200
    """VL questions whose logits are compared behind the closed gate, at least 1"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "samples")


def run(work: Work) -> Sequence[Finding]:
    """Score all seeds together, judge their spread, and compare what the base says in each.

    Raises:
        InputError: see `score_files`, `by_criteria` and `check_parity`.
    """
    files = [work.answers(seed) for seed in work.plan.seeds]
    score_files(files, Sampling(), out=work.folder, force=True)
    found = by_criteria(CRITERIA, work.folder, within=work.folder, settings=work.settings.parameters)
    return [*found, _logits(work), frozen_path([read_predictions(file) for file in files])]


def _logits(work: Work) -> Finding:
    """Attach each seed's checkpoint to the base, ask with the gate closed, and compare all logits."""
    adapters = tuple(work.adapter(seed) for seed in work.plan.seeds)
    trained = [str(one) for one in adapters if read_config(one / CONFIG).adapted is not None]
    if trained:
        return frozen_logits(None, why=f"{', '.join(trained)}: trained the base, too")
    first, quiet = work.plan.seeds[0], work.quiet
    training = training_of(work.plan, work.material, work.folder / "adapter", seed=first, quiet=quiet)
    asked = FreezeSettings(samples=work.settings.samples, repeats=REPEATS)
    return frozen_logits(
        closed_gate(parity_config(training, asked, work.folder / PARITY, checkpoints=adapters))
    )


def frozen_logits(report: ParityReport | None, why: str = "") -> Finding:
    """Whether all logits and generated tokens behind the closed gates have the base's checksum, bit for bit.

    Args:
        report: the proof of a closed gate, with a pathway for each seed; None if none could be made
        why: there is none
    """
    holds: bool | None = None
    if report is not None:
        of = [one.gate_off for one in report.pathways]
        same = {one.checksum for one in of} == {report.base_checksum}
        kept = report.weights_sha256_before == report.weights_sha256_after
        silent = [one.name for one in report.pathways if not one.gate_on_difference > 0]
        holds = None if len(of) < 2 or silent else same and kept
        batches, same_batches = (sum(getattr(one, n) for one in of) for n in ("batches", "identical_batches"))
        largest = max(one.largest_difference for one in of)
        why = (
            f"{len(of)} seeds, {of[0].questions} VL questions: {same_batches} of {batches} batches are the "
            f"base's bit for bit, logits differ by {largest:g} at most; its "
            f"checksum is {report.base_checksum[:12]}, weights are {'kept' if kept else 'changed'}"
        )
        if silent:
            why += f"; with the gate open, {', '.join(silent)} says what the base says, so this shows nothing"
    return Finding(
        name="the_frozen_logits_are_one",
        bound="one checksum of the base's logits and of those behind the closed gate, in all seeds",
        decision=decided(holds),
        evidence=why,
        judged_by="safe-train parity",
        file=PARITY,
    )


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


def _estimate(plan: PlanConfig, settings: VarianceSettings) -> Estimate:
    return Estimate(answers=settings.samples * (1 + len(plan.seeds)))


EXPERIMENT = Experiment(
    number=11,
    name="variance",
    title="Variance over seeds",
    settings=VarianceSettings,
    needs=trained_steps,
    run=run,
    estimate=_estimate,
)
