"""Policy: what the policy of stage B skips and loses; it also chooses how many audio tokens to hear.

    FOLDER/seed-N/SPACE/            a copy of the checkpoint of seed N, with the policy as its gate; stage_b/
    FOLDER/seed-N/student/          another copy, with the small gate of stage C, and stage_c/
    FOLDER/alone-N.jsonl            a sample that is asked alone with every gate, in turns
    FOLDER/SPACE-N.jsonl            what the policy, the base and the twin that always listens answer
    FOLDER/SPACE/scores.json, verdict.json
    FOLDER/front/                   all gates beside the policy: see `policy_front`

It is the plan's experiment 12. A policy chooses from no sound and all trained budgets (`budgets`), or from no
sound and one budget (`on_off`). The first decides, the other warns. The criteria are those of gates.yaml, and
the reward takes the latency, as the plan says. The questions of the split were asked by the experiment gates.

A seed whose budgets are not shown to spare VL questions has no policy. The others are judged all the same, so
that a no-go is found; a go needs a policy of every seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec.structs import replace

from safe_data.core.errors import check_above_zero, check_at_least_one, check_choices
from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED
from safe_eval.options import Sampling
from safe_eval.predictions import read_predictions
from safe_eval.scoring.score import score_files
from safe_train.checkpoint import CONFIG, read_config
from safe_train.experiments.experiment import WARNING, Estimate, Experiment, Finding, Work, by_criteria
from safe_train.experiments.gated import copy_checkpoint, gate_of, gated_answers
from safe_train.experiments.gates import after_gates, answers_of, checkpoint_of
from safe_train.experiments.plan_questions import NO_QUESTIONS, NOT_THERE, questions_of
from safe_train.experiments.policy_front import (
    BUDGETS,
    ON_OFF,
    alone_of,
    fronts,
    policy_answers,
    policy_of,
    times_of,
)
from safe_train.experiments.policy_student import STUDENT, student_finding, student_of
from safe_train.experiments.training import planned_training
from safe_train.gates.gate_files import FOLDER
from safe_train.gates.outcomes import OUTCOMES
from safe_train.settings.plan import PlanConfig
from safe_train.settings.predict import SAFE
from safe_train.settings.stage_b import Cost, StageBConfig
from safe_train.stages.policy_result import RESULT, StageB
from safe_train.stages.stage_b import OUT, stage_b
from safe_train.stages.stage_c import StageC

CRITERIA = "gates"
MODELS = 7  # that are asked alone: the base, two policies, two that always listen, two heuristics


@dataclass(frozen=True)
class PolicySettings:
    """What the policy pays, and how it is judged.

    Raises:
        InputError: a number outside the range that its option names, or no such cost.
    """

    kind: str = "entropy"
    """kind of the gate beside which the experiment gates keeps the outcomes"""

    alpha: float = 0.1
    """score that the dearest budget costs, above 0"""

    gamma: float = 0.02
    """score that listening costs where it is irrelevant, above 0"""

    cost: Cost = "latency"
    """what a budget costs: its share of the latency that the dearest adds, or of its tokens"""

    budgets: tuple[int, ...] = ()
    """budgets to choose from, 0 and trained ones (default: all that were trained)"""

    one_budget: int | None = None
    """the budget of the policy that only listens or not (default: that of the gate of this kind)"""

    vl_bound: float = 0.005
    """accuracy that a budget may lose on VL questions, by its bound, above 0"""

    extra: float = 0.003
    """accuracy that the small gate of stage C may lose beyond the policy, by its bound, above 0"""

    skips: float = 0.3
    """share of audio questions that must skip the sound, above 0"""

    timed_questions: int = 150
    """questions of each seed, at most, that are asked alone to be timed, at least 1"""

    def __post_init__(self) -> None:
        check_above_zero(self, "alpha", "gamma", "vl_bound", "extra", "skips")
        check_at_least_one(self, "timed_questions")
        check_choices(self, cost=("tokens", "latency"))


def run(work: Work) -> Sequence[Finding]:
    """Learn the policies of every seed, ask the test split, and judge all seeds together.

    Raises:
        InputError: see `stage_b`, `stage_c`, `score_files` and `by_criteria`.
    """
    # All are learned before any is judged, since all gates are asked in turns.
    trained = read_config(work.adapter(work.plan.seeds[0]) / CONFIG).pathway.budgets
    learned = {
        space: {seed: _learnt(work, seed, space) for seed in work.plan.seeds} for space in _spaces(trained)
    }
    having = {
        space: [n for n, one in results.items() if has_policy(one)] for space, results in learned.items()
    }
    found: list[Finding] = []
    for space, results in learned.items():
        told = [learned_finding(results, space), *_judged(work, having, space)]
        change = {"severity": WARNING} if space != BUDGETS else {}
        found += [replace(one, name=f"{space}: {one.name}", **change) for one in told]
    students = {seed: _student(work, seed) for seed in having[BUDGETS]}
    return [*found, *fronts(work, having), student_finding(students, work.plan.seeds)]


def _spaces(trained: Sequence[int]) -> Sequence[str]:
    """What policies choose from; of one trained budget, both spaces are the same."""
    return (BUDGETS, ON_OFF) if len(trained) > 1 else (BUDGETS,)


def _learnt(work: Work, seed: int, space: str) -> StageB:
    """Make the policy the gate of a copy of the checkpoint; its result is written last, after the gate."""
    settings: PolicySettings = work.settings
    gated = checkpoint_of(work.earlier["gates"], seed, settings.kind)
    checkpoint = copy_checkpoint(work.adapter(seed), policy_of(work.folder, seed, space), gated)
    file = checkpoint / OUT / RESULT
    if file.is_file():
        return msgspec.json.decode(file.read_bytes(), type=StageB)
    budgets = settings.budgets
    if space == ON_OFF:
        budgets = (0, settings.one_budget or gate_of(gated).facts.tokens)
    config = StageBConfig(
        outcomes=checkpoint / FOLDER / OUTCOMES,
        alpha=settings.alpha,
        gamma=settings.gamma,
        cost=settings.cost,
        scan_alphas=(settings.alpha,),  # the front is that of the gates; `safe-train stage-b` scans
        scan_gammas=(settings.gamma,),
        budgets=budgets,
        vl_bound=settings.vl_bound,
        seeds=(seed,),
        trackers=("none",),
        quiet=True,
        force=True,
    )
    return stage_b(checkpoint, config).result


def has_policy(result: StageB) -> bool:
    """Whether some budget was shown to be safe, so that there was something to choose."""
    return len(result.chosen_from) > 1


def learned_finding(results: Mapping[int, StageB], space: str) -> Finding:
    """Whether every seed has a policy; which has none, and why.

    It is no-go where every budget of a seed is shown to lose more on VL questions than it may, and not
    measured where too few questions show that some budget does not.

    Args:
        results: of stage B, by seed
        space: what the policies choose from
    """
    none = {seed: result for seed, result in results.items() if not has_policy(result)}
    harmed = [seed for seed, one in none.items() if all(loss.is_harmful for loss in one.safe_set)]
    why = [f"seed {seed} has none: {'; '.join(result.notes)}" for seed, result in none.items()]
    first = next(iter(none or results))
    return Finding(
        name="a_policy_is_learned",
        bound="some budget is shown to spare VL questions, in every seed",
        decision=NO_GO if harmed else NOT_MEASURED if none else GO,
        evidence="; ".join([f"{len(results) - len(none)} of {len(results)} seeds have a policy", *why]),
        judged_by="safe-train stage-b",
        file=f"seed-{first}/{space}/{OUT}/{RESULT}",
        value=float(len(results) - len(none)),
    )


def _judged(work: Work, having: Mapping[str, Sequence[int]], space: str) -> Sequence[Finding]:
    """The criteria on the seeds that have a policy; no findings where none has."""
    files = [_answers(work, seed, space, having) for seed in having[space]]
    if not files:
        return ()
    out = work.folder / space
    score_files(files, Sampling(), out=out, force=True)
    return by_criteria(CRITERIA, out, within=work.folder, settings={"skips": work.settings.skips})


def _answers(work: Work, seed: int, space: str, having: Mapping[str, Sequence[int]]) -> Path:
    """What the base, SAFE with a policy, and its twin answer, with the times of a sample."""
    file = policy_answers(work.folder, seed, space)
    if not file.is_file():
        before = read_predictions(answers_of(work.earlier["gates"], seed, work.settings.kind))
        checkpoint = policy_of(work.folder, seed, space)
        gated_answers(
            checkpoint,
            work.material,
            file,
            seed=seed,
            conditions=("full",),
            known=[row for row in before if row.model != SAFE],
            alone=times_of(alone_of(work, seed, having), space, gate_of(checkpoint).facts.tokens),
            quiet=work.quiet,
        )
    return file


def _student(work: Work, seed: int) -> StageC:
    """The small gate that stage C finds for the policy of a seed, on a copy of the checkpoint."""
    settings: PolicySettings = work.settings
    gated = checkpoint_of(work.earlier["gates"], seed, settings.kind)
    checkpoint = copy_checkpoint(work.adapter(seed), work.folder / f"seed-{seed}" / STUDENT, gated)
    taught = policy_of(work.folder, seed, BUDGETS) / OUT
    return student_of(checkpoint, taught, extra=settings.extra, seed=seed)


def _estimate(plan: PlanConfig, settings: PolicySettings) -> Estimate:
    found = questions_of(plan, "test")
    spaces = _spaces(planned_training(plan).pathway.budgets)
    return Estimate(
        answers=len(plan.seeds) * len(spaces) * (found or NO_QUESTIONS).all,
        alone=len(plan.seeds) * MODELS * settings.timed_questions,
        unknown="" if found else NOT_THERE,
    )


EXPERIMENT = Experiment(
    number=12,
    name="policy",
    title="Policy of stage B",
    settings=PolicySettings,
    needs=after_gates,
    run=run,
    estimate=_estimate,
)
