"""Policy result: what stage B ran with, and what the policies of all seeds earn, as stage_b.json."""

import hashlib
from typing import Any

import msgspec
import numpy as np

from safe_data.core.files import file_sha256
from safe_data.core.options_file import installed_versions
from safe_train.gates.drop import Limits
from safe_train.gates.front import chosen_by
from safe_train.gates.gate import Decisions
from safe_train.gates.off_policy import Log, Value, off_policy_values
from safe_train.gates.outcomes import Outcomes
from safe_train.gates.policy_fit import (
    Learning,
    chances_out_of_fold,
    log_for,
    mean_and_deviation,
    predictions_out_of_fold,
)
from safe_train.gates.policy_values import PolicyWorth, worth_of
from safe_train.gates.reward import Reward, rewards
from safe_train.gates.safe_set import BudgetLoss
from safe_train.settings.stage_b import Cost, Irrelevance, Method, StageBConfig

RESULT, FORMAT_VERSION = "stage_b.json", 1
_VERSIONS = ("safe-hearing", "numpy", "torch")


class SeedResult(msgspec.Struct, frozen=True, kw_only=True):
    """The policy of one seed, out of fold: what it earns, and what a log alone says it earns."""

    seed: int
    worth: PolicyWorth | None
    off_policy: tuple[Value, ...]


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A number over the seeds; `sd` is None for a single seed."""

    name: str
    mean: float
    sd: float | None


class StageB(msgspec.Struct, frozen=True, kw_only=True):
    """The content of stage_b.json. `outcomes` are the facts of the table, with its hash.

    `log_sha256` is the hash of the log that was given; None if none was.
    """

    format_version: int
    method: Method
    steps: int
    alpha: float
    gamma: float
    cost: Cost
    irrelevance: Irrelevance
    folds: int
    budgets: tuple[int, ...]
    safe_set: tuple[BudgetLoss, ...]
    chosen_from: tuple[int, ...]
    seeds: tuple[SeedResult, ...]
    over_seeds: tuple[Spread, ...]
    confidence: float
    questions: int
    groups: int
    outcomes_sha256: str
    outcomes: dict[str, Any]
    notes: tuple[str, ...]
    versions: dict[str, str]
    log_sha256: str | None = None


def reward_of(config: StageBConfig) -> Reward:
    """By what these settings judge."""
    return Reward(config.alpha, config.gamma, config.cost, config.irrelevance)


def learning_of(config: StageBConfig) -> Learning:
    """How these settings learn."""
    return Learning(method=config.method, steps=config.steps, folds=config.folds)


def outcomes_hash(outcomes: Outcomes) -> str:
    """A hash of what was asked, of its scores and of its states."""
    found = hashlib.sha256("\n".join(outcomes.example_ids).encode())
    states = outcomes.states
    for array in (outcomes.scores, states.entropy, states.hidden):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def seed_result(
    outcomes: Outcomes, reward: Reward, learning: Learning, limits: Limits, given: Log | None, seed: int
) -> tuple[SeedResult, Decisions]:
    """What the policy of a seed earns by its choices out of fold, and these choices."""
    log = log_for(outcomes, learning, given, seed=seed)
    chances = chances_out_of_fold(outcomes, reward, learning, log, seed=seed)
    decisions = chosen_by(outcomes, chances)
    values: tuple[Value, ...] = ()
    if log is not None:
        paid = rewards(outcomes, reward)
        predicted = predictions_out_of_fold(outcomes, reward, log, learning.folds)
        greedy = np.zeros_like(chances)
        greedy[np.arange(len(outcomes)), chances.argmax(axis=1)] = 1.0
        groups = np.asarray(outcomes.groups)
        values = off_policy_values(greedy, log, paid, predicted, groups, limits.confidence)
    worth = worth_of(outcomes, decisions, reward, limits) if outcomes.is_whole else None
    return SeedResult(seed=seed, worth=worth, off_policy=values), decisions


def policy_result(
    config: StageBConfig,
    outcomes: Outcomes,
    losses: tuple[BudgetLoss, ...],
    kept: tuple[int, ...],
    seeds: list[SeedResult],
    notes: list[str],
) -> StageB:
    """The content of stage_b.json."""
    return StageB(
        format_version=FORMAT_VERSION,
        method=config.method,
        steps=learning_of(config).steps_with(log=config.log is not None),
        alpha=config.alpha,
        gamma=config.gamma,
        cost=config.cost,
        irrelevance=config.irrelevance,
        folds=config.folds,
        budgets=outcomes.budgets,
        safe_set=losses,
        chosen_from=kept,
        seeds=tuple(seeds),
        over_seeds=tuple(_spreads(seeds)),
        confidence=config.confidence,
        questions=len(outcomes),
        groups=len(set(outcomes.groups)),
        outcomes_sha256=outcomes_hash(outcomes),
        outcomes=outcomes.facts,
        notes=tuple(notes),
        versions=installed_versions(_VERSIONS),
        log_sha256=None if config.log is None else file_sha256(config.log),
    )


def _spreads(seeds: list[SeedResult]) -> list[Spread]:
    """The mean and the standard deviation over seeds of what counts."""
    worths = [one.worth for one in seeds if one.worth is not None]
    named: dict[str, list[float]] = {}
    for worth in worths:
        found = worth.found
        numbers = {
            "reward": worth.reward.value,
            "regret": worth.regret.value,
            "skips_audio": None if found.skips_audio is None else found.skips_audio.value,
            "drop_audio": None if found.drop_audio is None else found.drop_audio.value,
            "false_consultation": None if (wrong := found.false_consultation) is None else wrong.value,
            "mean_tokens": found.mean_tokens,
        }
        for name, number in numbers.items():
            if number is not None:
                named.setdefault(name, []).append(number)
    spreads = []
    for name, numbers_of_seeds in named.items():
        mean, sd = mean_and_deviation(numbers_of_seeds)
        spreads.append(Spread(name=name, mean=mean, sd=sd))
    return spreads
