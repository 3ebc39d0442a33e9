"""Gates: what heuristics skip and lose that decide, before any sound is opened, whether to listen.

    FOLDER/seed-N/KIND/          a copy of the checkpoint of seed N, with a gate of this kind
    FOLDER/KIND-N.jsonl          what it, the base and its twin that always listens answer
    FOLDER/KIND/scores.json, verdict.json

It is the plan's experiment 5. The criteria are those of gates.yaml; kinds after the first only warn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from msgspec.structs import replace

from safe_data.core.errors import InputError, check_above_zero, check_at_least_one
from safe_eval.options import Sampling
from safe_eval.scoring.score import score_files
from safe_train.experiments.experiment import (
    WARNING,
    Estimate,
    Experiment,
    Finding,
    Work,
    by_criteria,
    trained_steps,
)
from safe_train.experiments.gated import copy_checkpoint, fit, gated_answers
from safe_train.experiments.plan_questions import NONE, NOT_THERE, by_dataset, questions_of
from safe_train.experiments.training import planned_training
from safe_train.settings.gate import GateConfig, GateKind
from safe_train.settings.plan import PlanConfig

CRITERIA = "gates"
MODELS = 3  # that are asked: the base, the gated checkpoint, and its twin


@dataclass(frozen=True)
class GatesSettings:
    """Which gates are tried, and how they are judged.

    Raises:
        InputError: no such kind, or a number outside the range that its option names.
    """

    kinds: tuple[str, ...] = ("entropy", "confidence")
    """kinds of gates; the criteria decide on the first, and warn for the others"""

    split: str = "gate"
    """split to fit on, which neither training nor test has seen"""

    bound: float = 0.01
    """accuracy that a gate may be fitted to lose on audio questions, by its bound, above 0"""

    vl_bound: float = 0.005
    """the same on VL questions, above 0"""

    skips: float = 0.2
    """share of audio questions that must skip the sound, above 0"""

    timed_questions: int = 150
    """questions of each seed, at most, that are asked alone to be timed, at least 1"""

    def __post_init__(self) -> None:
        unknown = [one for one in self.kinds if one not in get_args(GateKind)]
        if unknown or not self.kinds:
            raise InputError(f"kinds={[*self.kinds]}: choose from {', '.join(get_args(GateKind))}")
        check_above_zero(self, "bound", "vl_bound", "skips")
        check_at_least_one(self, "timed_questions")


def checkpoint_of(folder: Path, seed: int, kind: str) -> Path:
    """The copy of a seed's checkpoint that has a gate of this kind."""
    return folder / f"seed-{seed}" / kind


def run(work: Work) -> Sequence[Finding]:
    """Fit every gate for every seed, ask the test split, and judge all seeds together.

    Raises:
        InputError: there is no split to fit on; see `fit_gate`, `score_files` and `by_criteria`.
    """
    settings: GatesSettings = work.settings
    for seed in work.plan.seeds:
        _fit(work, seed)
    found: list[Finding] = []
    for kind in settings.kinds:
        files = [_answers(work, seed, kind) for seed in work.plan.seeds]
        score_files(files, Sampling(), out=work.folder / kind, force=True)
        rows = by_criteria(
            CRITERIA, work.folder / kind, within=work.folder, settings={"skips": settings.skips}
        )
        decides = kind == settings.kinds[0]
        found += [
            replace(one, name=f"{kind}: {one.name}", severity=one.severity if decides else WARNING)
            for one in rows
        ]
    return found


def _fit(work: Work, seed: int) -> None:
    """One gate a kind; the questions of the split are asked once."""
    settings: GatesSettings = work.settings
    first: Path | None = None
    for kind in settings.kinds:
        folder = checkpoint_of(work.folder, seed, kind)
        copy_checkpoint(work.adapter(seed), folder, first)
        config = GateConfig(
            kind=cast(GateKind, kind),
            split=settings.split,
            bound=settings.bound,
            vl_bound=settings.vl_bound,
            seed=seed,
            quiet=work.quiet,
            force=True,
        )
        fit(folder, work.material, config)
        first = first or folder


def _answers(work: Work, seed: int, kind: str) -> Path:
    file = work.folder / f"{kind}-{seed}.jsonl"
    gated_answers(
        checkpoint_of(work.folder, seed, kind),
        work.material,
        file,
        seed=seed,
        conditions=("full",),
        timed_questions=work.settings.timed_questions,
        quiet=work.quiet,
    )
    return file


def _estimate(plan: PlanConfig, settings: GatesSettings) -> Estimate:
    tested, fitted = questions_of(plan, "test"), questions_of(plan, settings.split)
    kinds, budgets = len(settings.kinds), len(planned_training(plan).pathway.budgets)
    first = by_dataset(plan, settings.split) or {}
    # Gates are fitted on the first dataset, whose questions are asked without a sound and at each budget.
    asked = (1 + budgets) * next(iter(first.values()), NONE).all
    return Estimate(
        answers=len(plan.seeds) * (asked + MODELS * kinds * (tested or NONE).all),
        alone=len(plan.seeds) * MODELS * kinds * settings.timed_questions,
        unknown=NOT_THERE if tested is None or fitted is None else "",
    )


def after_gates(plan: PlanConfig) -> tuple[str, ...]:
    """The steps that an experiment on gated checkpoints needs."""
    return (*trained_steps(plan), EXPERIMENT.name)


EXPERIMENT = Experiment(
    number=5,
    name="gates",
    title="Heuristic gates",
    settings=GatesSettings,
    needs=trained_steps,
    run=run,
    estimate=_estimate,
)
