"""Stage C: the smallest gate that chooses as well as the policy, by what it loses, not by what it agrees on.

    CHECKPOINT/gate/                  the student as the checkpoint's gate
    OUT/student.safetensors           the same as one file, which NumPy alone can run
    OUT/stage_c.json                  what each candidate loses (`StageC`)

Teacher and students are learned on the other groups before they choose for a group, so that what is lost is
what a new question would lose.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import json_bytes, write_bytes
from safe_data.core.interruption import interrupted_by_sigterm
from safe_data.core.options_file import TRAIN, installed_versions, options_of, write_options
from safe_data.core.overwriting import check_free
from safe_eval.statistics.folds import folds_by_group
from safe_train.gates.all_gates import Recipe
from safe_train.gates.distil import CANDIDATES, STUDENT, StudentLoss, chosen_out_of_fold, distil, student_loss
from safe_train.gates.drop import Limits
from safe_train.gates.features import features_of
from safe_train.gates.fitting import Rules, facts_of
from safe_train.gates.gate import Decisions
from safe_train.gates.gate_facts import GateFacts
from safe_train.gates.gate_files import check_no_gate, fitted_gate, no_gate, write_gate
from safe_train.gates.learned import SEEN, BudgetGate
from safe_train.gates.off_policy import draw_log
from safe_train.gates.outcomes import Outcomes
from safe_train.gates.policy_fit import Learning, chances_of, learned
from safe_train.gates.policy_values import Columns, narrowed
from safe_train.gates.reward import Reward, rewards
from safe_train.gates.student import write_student
from safe_train.settings.stage_c import StageCConfig
from safe_train.stages.policy_result import RESULT as TAUGHT
from safe_train.stages.policy_result import StageB, outcomes_hash
from safe_train.stages.stage_b import OUT as STAGE_B
from safe_train.stages.stage_b import table_of

RESULT, STUDENT_FILE, OUT = "stage_c.json", "student.safetensors", "stage_c"
FORMAT_VERSION = 1
_VERSIONS = ("safe-hearing", "numpy", "torch")


class StageC(msgspec.Struct, frozen=True, kw_only=True):
    """The content of stage_c.json; `chosen` is the smallest student that keeps the drop, or None."""

    format_version: int
    teacher: str
    extra: float
    confidence: float
    seed: int
    folds: int
    budgets: tuple[int, ...]
    students: tuple[StudentLoss, ...]
    chosen: str | None
    outcomes_sha256: str
    outcomes: dict[str, Any]
    notes: tuple[str, ...]
    versions: dict[str, str]


class Distilled(msgspec.Struct, frozen=True, kw_only=True):
    """What stage C found: its result, the facts of the gate if one was written, and the files."""

    result: StageC
    gate: GateFacts | None
    files: tuple[Path, ...]


@interrupted_by_sigterm()
def stage_c(checkpoint: Path, config: StageCConfig | None = None) -> Distilled:
    """Find the smallest student that keeps the drop, and write it to CHECKPOINT/gate and to one file.

    No gate is written where no student keeps it.

    Raises:
        InputError: stage B has no result for this table, there are results or a gate and no `force`, or
            there are too few groups.
        KeyboardInterrupt: stopped by Ctrl-C or SIGTERM; nothing is half written.
    """
    config = config or StageCConfig()
    out = config.out or checkpoint / OUT
    check_free(out / RESULT, force=config.force)
    check_no_gate(checkpoint, force=config.force)
    everything = table_of(checkpoint, config, quiet=config.quiet)
    taught = _taught(checkpoint, config)
    narrow = taught.chosen_from
    if any(tokens not in everything.budgets for tokens in narrow):
        raise InputError(
            f"stage B chose among the budgets {list(narrow)}, which these outcomes do not all have; run "
            "`safe-train stage-b` on them first"
        )
    outcomes = narrowed(everything, narrow)
    _check_same(narrowed(everything, taught.budgets), taught)
    folds = folds_by_group(outcomes.groups, config.folds)
    teach = _teacher(config, taught)
    teacher, students = chosen_out_of_fold(outcomes, folds, teach, CANDIDATES, seed=config.seed)
    lesson = teach(outcomes)(outcomes)
    losses: list[StudentLoss] = []
    kept: tuple[BudgetGate, Decisions] | None = None
    for candidate in CANDIDATES:
        gate = distil(outcomes, lesson, candidate, seed=config.seed)
        choices = students[candidate.name]
        losses.append(
            student_loss(
                outcomes, teacher, choices, candidate, gate, limit=config.extra, confidence=config.confidence
            )
        )
        if kept is None and losses[-1].keeps:
            kept = gate, choices
    chosen = next((loss.name for loss in losses if loss.keeps), None)
    notes = _notes(losses, chosen, checkpoint)
    facts, files = None, []
    for name in (RESULT, STUDENT_FILE):  # of an earlier run, which would stay beside new ones
        (out / name).unlink(missing_ok=True)
    if kept is not None:
        facts = _install(checkpoint, config, everything, outcomes, *kept, taught)
        files.append(write_student(out / STUDENT_FILE, kept[0]))
    result = StageC(
        format_version=FORMAT_VERSION,
        teacher=config.teacher,
        extra=config.extra,
        confidence=config.confidence,
        seed=config.seed,
        folds=config.folds,
        budgets=outcomes.budgets,
        students=tuple(losses),
        chosen=chosen,
        outcomes_sha256=outcomes_hash(outcomes),
        outcomes=outcomes.facts,
        notes=tuple(notes),
        versions=installed_versions(_VERSIONS),
    )
    write_options(out, "safe-train stage-c", options_of(config), TRAIN)
    files.append(write_bytes(out / RESULT, json_bytes(result)))
    return Distilled(result=result, gate=facts, files=tuple(files))


def _taught(checkpoint: Path, config: StageCConfig) -> StageB:
    """What stage B ran with.

    Raises:
        InputError: it did not run, learned from a log, or found no budget to choose.
    """
    path = (config.stage_b or checkpoint / STAGE_B) / TAUGHT
    try:
        found = msgspec.json.decode(path.read_bytes(), type=StageB)
    except FileNotFoundError:
        raise InputError(f"{path}: is not there; run `safe-train stage-b` first") from None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: is no result of stage B: {error}; run `safe-train stage-b` again"
        ) from None
    if found.log_sha256 is not None and config.teacher == "policy":
        raise InputError(
            f"{path}: its policy was learned from a log, of which no fold's teacher would learn the same; "
            "run `safe-train stage-b` without --log"
        )
    if len(found.chosen_from) < 2:
        raise InputError(f"{path}: no budget is in its safe set, so its policy has nothing to teach")
    return found


def _check_same(outcomes: Outcomes, taught: StageB) -> None:
    """Refuse a table that stage B did not learn from, whose choices would be another policy's."""
    if outcomes_hash(outcomes) != taught.outcomes_sha256:
        raise InputError(
            "these outcomes are not those that stage B learned from; run `safe-train stage-b` on them first"
        )
    if not outcomes.is_whole:
        raise InputError(
            "not every budget was tried for every question, so what a student loses is not known; ask them "
            "all with --data and --backbone"
        )


def _teacher(config: StageCConfig, taught: StageB) -> Callable[[Outcomes], Callable[[Outcomes], Columns]]:
    """What fits a teacher on some questions, which then chooses columns for others."""
    reward = Reward(taught.alpha, taught.gamma, taught.cost, taught.irrelevance)
    learning = Learning(method=taught.method, steps=taught.steps, folds=taught.folds)
    seed = taught.seeds[0].seed if taught.seeds else 0

    def policy(fitted: Outcomes) -> Callable[[Outcomes], Columns]:
        log = None
        if learning.needs_log:
            log = draw_log(len(fitted), len(fitted.budgets), seed=seed)
        network = learned(fitted, reward, learning, log, seed=seed)
        return lambda asked: chances_of(network, features_of(asked.states, SEEN)).argmax(axis=1)

    def oracle(_: Outcomes) -> Callable[[Outcomes], Columns]:
        return lambda asked: rewards(asked, reward).argmax(axis=1)

    return oracle if config.teacher == "oracle" else policy


def _install(
    checkpoint: Path,
    config: StageCConfig,
    everything: Outcomes,
    outcomes: Outcomes,
    gate: BudgetGate,
    decisions: Decisions,
    taught: StageB,
) -> GateFacts:
    """Write the student as the checkpoint's gate, with what it does out of fold against always listening."""
    limits = Limits(config.bound, config.vl_bound, config.confidence)
    rules = Rules("the likeliest budget, as its teacher", limits, config.seed, taught.alpha, taught.gamma)
    recipe = Recipe(STUDENT, gate.features, None, outcomes.budgets[-1], outcomes.budgets)
    facts = facts_of(recipe, outcomes, decisions, rules, [])
    write_gate(checkpoint, fitted_gate(facts, gate.network.weights), everything, force=config.force)
    return facts


def _notes(losses: list[StudentLoss], chosen: str | None, checkpoint: Path) -> list[str]:
    if chosen is not None:
        return []
    least = losses[0].least_audio
    if least is not None and least > losses[0].limit:
        return [
            f"these questions can show a loss of {100 * least:.2f} points at best, not the "
            f"{100 * losses[0].limit:g} that a student may lose: ask more, or give a larger --extra; "
            + no_gate(checkpoint)
        ]
    return ["no student is shown to keep the drop: " + no_gate(checkpoint)]
