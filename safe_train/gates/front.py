"""Front: policies for several α and γ, what each loses and how often it listens, with joint intervals.

All is told of audio questions, by choices out of fold. The intervals of all points and both axes hold at
once, so a reader may choose the point that suits them.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.frontier import joint_points, jointly, standings
from safe_eval.statistics.intervals import DIFFERENCE
from safe_train.gates.drop import AUDIO, Limits, slice_rows
from safe_train.gates.gate import Decisions
from safe_train.gates.off_policy import Log
from safe_train.gates.outcomes import Outcomes
from safe_train.gates.policy_fit import Learning, chances_out_of_fold
from safe_train.gates.policy_values import PolicyWorth, worth_of
from safe_train.gates.reward import Reward

Status = Literal["on the front", "dominated", "dominated in this sample"]


class FrontPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A policy at one α and γ, or a constant budget, whose α and γ are None.

    Of audio questions: `skips` is the share that is answered without the sound, `drop` what they lose
    against always listening with the most tokens. Their ends hold for all points at once. `drop_bound` is
    the one-sided upper bound of this point alone. `mean_tokens` and `false_consultation` are of all
    questions and of VL questions. `reward` is at the α and γ that the scan was asked for, so that points
    can be compared.
    """

    name: str
    alpha: float | None
    gamma: float | None
    skips: float
    skips_low: float | None
    skips_high: float | None
    drop: float
    drop_low: float | None
    drop_high: float | None
    drop_bound: float | None
    false_consultation: float | None
    mean_tokens: float
    reward: float
    status: Status
    share_on_front: float


class Front(msgspec.Struct, frozen=True, kw_only=True):
    """The content of pareto.json: the points, and what their intervals are of."""

    points: tuple[FrontPoint, ...]
    questions: int
    groups: int
    confidence: float
    resamples: int
    seed: int
    folds: int


Done = Callable[[], None]


def front_of(
    outcomes: Outcomes,
    weights: Sequence[Reward],
    learning: Learning,
    judged_by: Reward,
    *,
    limits: Limits,
    sampling: Sampling,
    log: Log | None = None,
    seed: int = 0,
    done: Done = lambda: None,
) -> Front:
    """Learn a policy for each reward, judge its choices out of fold, and say which are on the front.

    The constant budgets are points, too. `done` is called after each policy.

    Raises:
        InputError: there are no audio questions, or all are of one group.
    """
    if not slice_rows(outcomes, AUDIO).any():
        raise InputError("no question of these outcomes needs the sound, so there is nothing to choose")
    named: list[tuple[str, Reward | None, Decisions]] = [
        (_constant_name(tokens), None, _constant(outcomes, tokens)) for tokens in outcomes.budgets
    ]
    for reward in weights:
        chances = chances_out_of_fold(outcomes, reward, learning, log, seed=seed)
        name = f"α = {reward.alpha:g}, γ = {reward.gamma:g}"
        named.append((name, reward, chosen_by(outcomes, chances)))
        done()
    worths = [worth_of(outcomes, decisions, judged_by, limits) for *_, decisions in named]
    return Front(
        points=tuple(_points(outcomes, named, worths, sampling)),
        questions=int(outcomes.needs_audio.sum()),
        groups=len(set(np.asarray(outcomes.groups)[outcomes.needs_audio])),
        confidence=sampling.confidence,
        resamples=sampling.resamples,
        seed=seed,
        folds=learning.folds,
    )


def chosen_by(outcomes: Outcomes, chances: Float64[ndarray, "questions budgets"]) -> Decisions:
    """The likeliest budget of each question, the smaller of two alike, and the chance that it listens."""
    tokens = np.asarray(outcomes.budgets, np.int64)[chances.argmax(axis=1)]
    scores = np.clip(1 - chances[:, outcomes.budgets.index(0)], 0.0, 1.0)
    return Decisions(tokens, scores)


def _constant(outcomes: Outcomes, tokens: int) -> Decisions:
    return Decisions(np.full(len(outcomes), tokens, np.int64), np.full(len(outcomes), float(tokens > 0)))


def _constant_name(tokens: int) -> str:
    return f"always {tokens}" if tokens else "never"


def _points(
    outcomes: Outcomes,
    named: Sequence[tuple[str, Reward | None, Decisions]],
    worths: Sequence[PolicyWorth],
    sampling: Sampling,
) -> list[FrontPoint]:
    inside = slice_rows(outcomes, AUDIO)
    rows, groups = np.arange(len(outcomes)), np.asarray(outcomes.groups)[inside]
    always = outcomes.scores[:, -1]
    gains, listens = [], []
    for *_, decisions in named:
        columns = outcomes.columns(decisions.tokens)
        gains.append((outcomes.scores[rows, columns] - always)[inside])
        listens.append(decisions.listens[inside].astype(np.float64))
    joint = jointly(np.stack(gains), np.stack(listens), groups, sampling)
    placed = joint_points(joint, scale=DIFFERENCE, highest_cost=1.0)
    found = []
    for (name, reward, _), worth, point, standing in zip(
        named, worths, placed, standings(joint, scale=DIFFERENCE), strict=True
    ):
        drop, skips = point.value_interval, point.cost_interval
        status: Status = "on the front"
        if standing.dominated_by is not None:
            status = "dominated" if standing.is_shown else "dominated in this sample"
        lost, wrongly = worth.found.drop_audio, worth.found.false_consultation
        found.append(
            FrontPoint(
                name=name,
                alpha=None if reward is None else reward.alpha,
                gamma=None if reward is None else reward.gamma,
                skips=1 - point.cost,
                skips_low=_less(1.0, skips.high),
                skips_high=_less(1.0, skips.low),
                drop=0.0 - point.value,
                drop_low=_less(0.0, drop.high),
                drop_high=_less(0.0, drop.low),
                drop_bound=None if lost is None else lost.high,
                false_consultation=None if wrongly is None else wrongly.value,
                mean_tokens=worth.found.mean_tokens,
                reward=worth.reward.value,
                status=status,
                share_on_front=standing.share,
            )
        )
    return found


def _less(whole: float, value: float | None) -> float | None:
    return None if value is None else whole - value
