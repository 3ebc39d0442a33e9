"""Stage B: a policy that chooses how many audio tokens each question is worth, learned from outcomes.

    CHECKPOINT/gate/            the policy as the checkpoint's gate, with the bound on its drop
    OUT/stage_b.json            what ran, and what the policies of all seeds earn (`StageB`)
    OUT/pareto.json, .csv, .svg the policies of other α and γ, with joint intervals
    OUT/policy.safetensors      the policy as one file, which NumPy alone can run
    OUT/outcomes.parquet        what was asked, if it was; name it with --outcomes to use it again

Since every budget was tried for every question, the expected reward of a policy is known exactly, and a
policy is learned in seconds. It is judged by choices about groups that it was not learned on.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import json_bytes, write_bytes
from safe_data.core.interruption import interrupted_by_sigterm
from safe_data.core.options_file import TRAIN, options_of, write_options
from safe_data.core.overwriting import check_free
from safe_data.core.progress import Progress
from safe_eval.options import Sampling
from safe_train.checkpoint import read_checkpoint
from safe_train.gates.all_gates import Recipe
from safe_train.gates.drop import Limits
from safe_train.gates.fit import outcomes_of
from safe_train.gates.fitting import Rules, facts_of
from safe_train.gates.front import Front, front_of
from safe_train.gates.front_view import can_draw, front_csv, front_svg
from safe_train.gates.gate import Decisions
from safe_train.gates.gate_facts import GateFacts
from safe_train.gates.gate_files import FOLDER, check_no_gate, fitted_gate, made_for, no_gate, write_gate
from safe_train.gates.learned import SEEN, BudgetGate
from safe_train.gates.network import Network
from safe_train.gates.off_policy import Log, read_log
from safe_train.gates.outcomes import OUTCOMES, Outcomes, read_outcomes, write_outcomes
from safe_train.gates.policy_fit import Learning, learned, log_for
from safe_train.gates.policy_values import narrowed
from safe_train.gates.reward import Reward
from safe_train.gates.safe_set import budget_losses, safe_budgets
from safe_train.gates.student import write_student
from safe_train.run_identity import RUN
from safe_train.settings.gate import GateConfig
from safe_train.settings.stage_b import AskedConfig, StageBConfig
from safe_train.stages.policy_result import (
    RESULT,
    StageB,
    learning_of,
    policy_result,
    reward_of,
    seed_result,
)
from safe_train.track import Log as Track

PARETO, POLICY_FILE, OUT, POLICY = "pareto", "policy.safetensors", "stage_b", "policy"


class Learnt(msgspec.Struct, frozen=True, kw_only=True):
    """What stage B found: its result, the front, the facts of the gate if one was written, and the files."""

    result: StageB
    front: Front | None
    gate: GateFacts | None
    files: tuple[Path, ...]


@interrupted_by_sigterm()
def stage_b(checkpoint: Path, config: StageBConfig | None = None) -> Learnt:
    """Learn a policy for a checkpoint, judge and scan it, and write it to CHECKPOINT/gate.

    No gate is written where no budget above 0 is in the safe set, or where not every budget was tried, so
    that the drop is not known; the result says which.

    Raises:
        InputError: there are results or a gate and no `force`, there are no outcomes, or they are too few.
        KeyboardInterrupt: stopped by Ctrl-C or SIGTERM; nothing is half written, and the same call begins
            anew.
    """
    config = config or StageBConfig()
    out = config.out or checkpoint / OUT
    check_free(out / RESULT, force=config.force)
    check_no_gate(checkpoint, force=config.force)
    everything = table_of(checkpoint, config, quiet=config.quiet)
    asked = [write_table(out / OUTCOMES, everything)] if config.data is not None else []
    outcomes = narrowed(everything, config.budgets or everything.budgets)
    given = read_log(config.log, outcomes) if config.log else None
    learning, reward = learning_of(config), reward_of(config)
    log_for(outcomes, learning, given, seed=config.seeds[0])  # refuses outcomes that it could not learn from
    limits = Limits(config.bound, config.vl_bound, config.confidence)
    partial = None if outcomes.is_whole else given
    losses = budget_losses(outcomes, margin=config.vl_bound, confidence=config.confidence, log=partial)
    kept = safe_budgets(outcomes, losses)
    notes = [loss.note for loss in losses if not loss.is_safe]
    if len(kept) < 2:
        notes.append("no budget is in the safe set, so there is nothing to choose: " + no_gate(checkpoint))
        _remove_results(out)
        result = policy_result(config, outcomes, losses, kept, [], notes)
        files = (*asked, *_write(out, config, result, None, None))
        return Learnt(result=result, front=None, gate=None, files=files)
    safe = narrowed(outcomes, kept)
    log = read_log(config.log, safe) if config.log and kept == outcomes.budgets else None
    if given is not None and log is None:
        raise InputError(
            f"{config.log}: tried budgets that are not in the safe set {list(kept)}; raise --vl-bound, or "
            "log these budgets only",
            *notes,
        )
    judged = [seed_result(safe, reward, learning, limits, log, seed) for seed in config.seeds]
    front = _scanned(config, safe, learning, reward, limits, log) if partial is None else None
    network = _tracked(out, config, safe, reward, learning, log)
    gate = BudgetGate(POLICY, SEEN, network, safe.budgets)
    facts = None
    _remove_results(out)
    if partial is None:
        facts = _install(checkpoint, config, everything, safe, gate, judged[0][1], limits, notes)
    else:
        notes.append("not every budget was tried, so the drop is not known: " + no_gate(checkpoint))
    result = policy_result(config, outcomes, losses, kept, [found for found, _ in judged], notes)
    files = (*asked, *_write(out, config, result, front, gate))
    return Learnt(result=result, front=front, gate=facts, files=files)


def table_of(checkpoint: Path, config: AskedConfig, *, quiet: bool = False) -> Outcomes:
    """The outcomes to learn from: a table that is named, those of a dataset, or those of the gate's folder.

    Raises:
        InputError: there are none, or they are of another checkpoint.
    """
    made = made_for(read_checkpoint(checkpoint).config)
    kept = config.outcomes or checkpoint / FOLDER / OUTCOMES
    if config.data is not None:
        asking = GateConfig(
            split=config.split,
            batch_size=config.batch_size,
            latency_questions=config.latency_questions,
            allow_other_dataset=config.allow_other_dataset,
            quiet=quiet,
        )
        return outcomes_of(checkpoint, config.data, backbone=config.backbone, config=asking)[0]
    if not kept.is_file():
        asked = checkpoint / OUT / OUTCOMES
        known = f"; or use what stage B asked, with --outcomes {asked}" if asked.is_file() else ""
        raise InputError(
            f"{kept}: is not there; name a dataset whose questions are asked at every budget, and the base, "
            f"with --data and --backbone{known}"
        )
    found = read_outcomes(kept)
    stated = found.facts.get("adapter_sha256"), found.facts.get("base_sha256")
    if stated != (made.adapter_sha256, made.base_sha256):
        raise InputError(
            f"{kept}: is not of this checkpoint, whose weights have the hash {made.adapter_sha256[:12]}…; "
            "ask its questions again with --data and --backbone"
        )
    return found


def write_table(path: Path, outcomes: Outcomes) -> Path:
    """Keep what was asked as soon as it was, so that a run that ends early need not ask again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_outcomes(path, outcomes)
    return path


def _scanned(
    config: StageBConfig,
    outcomes: Outcomes,
    learning: Learning,
    reward: Reward,
    limits: Limits,
    given: Log | None,
) -> Front:
    """The policies of every α and γ, with the first seed."""
    pairs = product(config.scan_alphas, config.scan_gammas)
    weights = [replace(reward, alpha=alpha, gamma=gamma) for alpha, gamma in pairs]
    seed = config.seeds[0]
    with Progress("scanning α and γ", len(weights), unit="policy", quiet=config.quiet) as progress:
        return front_of(
            outcomes,
            weights,
            learning,
            reward,
            limits=limits,
            sampling=Sampling(config.confidence, config.resamples, seed),
            log=log_for(outcomes, learning, given, seed=seed),
            seed=seed,
            done=progress.update,
        )


def _tracked(
    out: Path, config: StageBConfig, outcomes: Outcomes, reward: Reward, learning: Learning, given: Log | None
) -> Network:
    """The policy that is kept, learned from all rows with the first seed, with its curve in the trackers."""
    seed = config.seeds[0]
    log = log_for(outcomes, learning, given, seed=seed)

    def learn(follow: Callable[[int, float], None] | None) -> Network:
        return learned(outcomes, reward, learning, log, seed=seed, follow=follow)

    names = [name for name in config.trackers if name != "none"]
    if not names:
        return learn(None)
    from accelerate import Accelerator

    from safe_train.track import accelerator_options, tracking

    folder = out / RUN
    accelerator = Accelerator(cpu=True, **accelerator_options(names, folder))

    with tracking(accelerator, folder, options_of(config)) as track:
        return learn(lambda step, value: _track(track, step, value))


def _track(track: Track, step: int, value: float) -> None:
    track({"reward": value}, step)


def _install(
    checkpoint: Path,
    config: StageBConfig,
    everything: Outcomes,
    safe: Outcomes,
    gate: BudgetGate,
    decisions: Decisions,
    limits: Limits,
    notes: list[str],
) -> GateFacts:
    """Write the policy as the checkpoint's gate, with what it decides out of fold."""
    rule, seed = f"the likeliest budget, by {config.method}", config.seeds[0]
    rules = Rules(rule, limits, seed, config.alpha, config.gamma)
    recipe = Recipe(POLICY, SEEN, None, safe.budgets[-1], safe.budgets)
    facts = facts_of(recipe, safe, decisions, rules, list(notes))
    write_gate(checkpoint, fitted_gate(facts, gate.network.weights), everything, force=config.force)
    return facts


def _remove_results(out: Path) -> None:
    """Remove an earlier run's results before any is written, so that none of them stays beside new ones."""
    for name in (RESULT, POLICY_FILE, *(f"{PARETO}.{kind}" for kind in ("json", "csv", "svg"))):
        (out / name).unlink(missing_ok=True)


def _write(
    out: Path, config: StageBConfig, result: StageB, front: Front | None, gate: BudgetGate | None
) -> tuple[Path, ...]:
    """Write the results, stage_b.json last."""
    write_options(out, "safe-train stage-b", options_of(config), TRAIN)
    files = []
    if gate is not None:
        files.append(write_student(out / POLICY_FILE, gate))
    if front is not None:
        files.append(write_bytes(out / f"{PARETO}.json", json_bytes(front)))
        files.append(write_bytes(out / f"{PARETO}.csv", front_csv(front).encode()))
        if can_draw():
            files.append(write_bytes(out / f"{PARETO}.svg", front_svg(front).encode()))
    return (*files, write_bytes(out / RESULT, json_bytes(result)))
