"""Gates: what heuristics skip and lose that decide, before any sound is opened, whether to listen.

    FOLDER/seed-N/KIND/          a copy of the checkpoint of seed N, with a gate of this kind
    FOLDER/KIND-N.jsonl          what it, the base and its twin that always listens answer
    FOLDER/KIND/scores.json, verdict.json
    FOLDER/KIND/trade_off.csv    skips and accuracy as the threshold moves, beside always and never
    FOLDER/always, never         the same scores and verdict of the two gates that look at nothing

It is the plan's experiment 5. The criteria are those of gates.yaml; kinds after the first only warn, and so
do always and never. Always answers as the twin, and never as the base, so neither is asked again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from msgspec.structs import replace

from safe_data.core.errors import InputError, check_above_zero, check_at_least_one
from safe_eval.arms.consultation import CONSULTED
from safe_eval.options import Sampling
from safe_eval.prediction import BASE, Prediction
from safe_eval.predictions import read_predictions, write_predictions
from safe_eval.scoring.score import score_files
from safe_train.experiments.experiment import (
    PREDICTIONS,
    WARNING,
    Estimate,
    Experiment,
    Finding,
    Work,
    by_criteria,
    trained_steps,
)
from safe_train.experiments.gated import TWIN, ask_alone, copy_checkpoint, fit, gate_of, gated_answers
from safe_train.experiments.plan_questions import NO_QUESTIONS, NOT_THERE, by_dataset, questions_of
from safe_train.experiments.trade_off import curve_finding, write_points
from safe_train.experiments.training import planned_training
from safe_train.predict.chosen_gate import always
from safe_train.settings.gate import GateConfig, GateKind
from safe_train.settings.plan import PlanConfig
from safe_train.settings.predict import SAFE

CRITERIA, TRADE_OFF, GATE_OFF = "gates", "trade_off.csv", "gate_off"
CONSTANTS = {"always": TWIN, "never": BASE}  # the gates that look at nothing, and who answers as they do
MODELS = 3  # that are asked alone: the base, the gated checkpoint, and its twin


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

    latency_questions: int = 50
    """questions of each seed that are asked alone at every budget, for the reward of stage B, at least 1"""

    def __post_init__(self) -> None:
        known = [one for one in get_args(GateKind) if one not in CONSTANTS]  # which are shown in any case
        if not self.kinds or any(one not in known for one in self.kinds):
            raise InputError(f"kinds={[*self.kinds]}: choose from {', '.join(known)}")
        check_above_zero(self, "bound", "vl_bound", "skips")
        check_at_least_one(self, "timed_questions", "latency_questions")


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
        found += _of_kind(work, kind, files)
    first = [read_predictions(answers_of(work.folder, seed, settings.kinds[0])) for seed in work.plan.seeds]
    for constant, model in CONSTANTS.items():
        out = work.folder / constant
        file = out / PREDICTIONS
        out.mkdir(exist_ok=True)
        write_predictions(file, [row for rows in first for row in as_if_gated(rows, model)])
        score_files([file], Sampling(), out=out, force=True)
        rows = by_criteria(CRITERIA, out, within=work.folder, settings={"skips": settings.skips})
        found += [
            replace(one, name=f"{constant}: {one.name}", severity=WARNING)
            for one in rows
            if one.severity != WARNING  # the page has enough of them
        ]
    return found


def _of_kind(work: Work, kind: str, files: Sequence[Path]) -> list[Finding]:
    """The criteria and the trade-off of a gate, on which only the first of the kinds decides."""
    settings: GatesSettings = work.settings
    out = work.folder / kind
    scores = score_files(files, Sampling(), out=out, force=True)
    rows = by_criteria(CRITERIA, out, within=work.folder, settings={"skips": settings.skips})
    points = [row for row in scores.frontiers if row.cost == CONSULTED]
    write_points(out / TRADE_OFF, points, {SAFE: kind, TWIN: "always", BASE: "never"})
    curve = curve_finding(points, work.plan.seeds, kind=kind, file=f"{kind}/{TRADE_OFF}")
    found = [*(replace(one, name=f"{kind}: {one.name}") for one in rows), curve]
    if kind == settings.kinds[0]:
        return found
    return [replace(one, severity=WARNING) for one in found]


def as_if_gated(rows: Sequence[Prediction], model: str) -> Iterator[Prediction]:
    """The answers of a gate that always, or never, listens: those of the twin, or of the base."""
    for row in rows:
        if row.condition == "full":
            if row.model in (BASE, TWIN):
                yield row
            if row.model == model:
                yield replace(row, model=SAFE)


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
            latency_questions=settings.latency_questions,
            seed=seed,
            quiet=work.quiet,
            force=True,
        )
        fit(folder, work.material, config)
        first = first or folder


def answers_of(folder: Path, seed: int, kind: str) -> Path:
    """What a seed's gate of this kind, its base and its twin answered of the test split."""
    return folder / f"{kind}-{seed}.jsonl"


def _answers(work: Work, seed: int, kind: str) -> Path:
    file = answers_of(work.folder, seed, kind)
    if not file.is_file():
        first = answers_of(work.folder, seed, work.settings.kinds[0])
        before = read_predictions(first if first.is_file() else work.answers(seed))
        known = [row for row in before if row.model != SAFE or row.condition == GATE_OFF]
        checkpoint = checkpoint_of(work.folder, seed, kind)
        gate, most = gate_of(checkpoint), work.settings.timed_questions
        turns = {SAFE: gate, TWIN: always(gate.facts.tokens)}
        gated_answers(
            checkpoint,
            work.material,
            file,
            seed=seed,
            conditions=("full", GATE_OFF),
            known=known,
            alone=ask_alone(checkpoint, work.material, turns, seed=seed, most=most),
            quiet=work.quiet,
        )
    return file


def _estimate(plan: PlanConfig, settings: GatesSettings) -> Estimate:
    tested, fitted = questions_of(plan, "test"), questions_of(plan, settings.split)
    kinds, budgets = len(settings.kinds), len(planned_training(plan).pathway.budgets)
    first = by_dataset(plan, settings.split) or {}
    # Gates are fitted on the first dataset, whose questions are asked without a sound and at each budget.
    # What the base and the closed gate say of the test split is known from stage A; the kinds share a twin.
    asked = (1 + budgets) * next(iter(first.values()), NO_QUESTIONS).all
    alone = MODELS * kinds * settings.timed_questions + (1 + budgets) * settings.latency_questions
    return Estimate(
        answers=len(plan.seeds) * (asked + (1 + kinds) * (tested or NO_QUESTIONS).all),
        alone=len(plan.seeds) * alone,
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
