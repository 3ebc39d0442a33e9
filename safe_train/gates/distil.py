"""Distil: a small gate that learns to choose what a larger one chooses, and what it loses by that.

Candidates are tried from the smallest on. Agreement with the teacher is shown, and decides nothing: what the
teacher and a student choose differently may cost nothing, or much. The first is taken whose extra loss, by
its one-sided upper bound, is within a limit on audio questions and on the others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import nn

from safe_eval.statistics.folds import Folds, Rows, out_of_fold
from safe_train.gates.drop import AUDIO, VL, slice_rows, upper_bound
from safe_train.gates.features import features_of, standardised_on
from safe_train.gates.gate import Decisions
from safe_train.gates.learned import BudgetGate
from safe_train.gates.network import Network
from safe_train.gates.outcomes import Outcomes
from safe_train.gates.policy import layer_of, step
from safe_train.gates.policy_values import Columns, of_rows
from safe_train.gates.student import weights_of

STUDENT = "student"
LEARNING_RATE, STEPS, WEIGHT_DECAY = 0.02, 300, 0.01

Teach = Callable[[Outcomes], Callable[[Outcomes], Columns]]  # fits a teacher, which then chooses columns


@dataclass(frozen=True)
class Candidate:
    """A student to try: what it sees, and the units of its hidden layer (0: it is linear)."""

    name: str
    features: tuple[str, ...]
    units: int = 0


# From the smallest to the largest.
CANDIDATES = (
    Candidate("entropy", ("entropy",)),
    Candidate("scalars", ("entropy", "confidence", "margin")),
    Candidate("linear", ("entropy", "hidden")),
    Candidate("small mlp", ("entropy", "hidden"), units=8),
)


class StudentLoss(msgspec.Struct, frozen=True, kw_only=True):
    """What a student loses against its teacher, out of fold, as shares with one-sided upper bounds.

    `agreement` is the share of questions for which both choose the same budget. `least_audio` is the bound
    that these questions would give if no answer changed.
    """

    name: str
    features: tuple[str, ...]
    units: int
    weights: int
    agreement: float
    loss_audio: float | None
    high_audio: float | None
    least_audio: float | None
    loss_vl: float | None
    high_vl: float | None
    limit: float

    @property
    def keeps(self) -> bool:
        """Whether both losses are shown to be within the limit; one that was not measured is not shown."""
        return all(high is not None and high <= self.limit for high in (self.high_audio, self.high_vl))


def distil(outcomes: Outcomes, chosen: Columns, candidate: Candidate, *, seed: int = 0) -> BudgetGate:
    """The student that is fitted on what was chosen for these questions, by cross-entropy."""
    features = features_of(outcomes.states, candidate.features)
    standardised = standardised_on(features)
    inputs = torch.from_numpy(standardised(features).astype(np.float32))
    model = _model(inputs.shape[1], candidate.units, len(outcomes.budgets), seed)
    wanted = torch.from_numpy(chosen)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for _ in range(STEPS):
        step(optimizer, nn.functional.cross_entropy(model(inputs), wanted))
    layers = [layer_of(layer) for layer in model if isinstance(layer, nn.Linear)]
    network = Network(standardised, layers[0] if candidate.units else None, layers[-1])
    return BudgetGate(STUDENT, candidate.features, network, outcomes.budgets)


def chosen_out_of_fold(
    outcomes: Outcomes, folds: Folds, teach: Teach, candidates: tuple[Candidate, ...], *, seed: int = 0
) -> tuple[Columns, dict[str, Decisions]]:
    """What the teacher and each student choose for each question, none of them fitted on its group."""

    def on_others(fitted: Rows, rows: Rows) -> Float64[ndarray, "rows columns"]:
        seen, own = of_rows(outcomes, fitted), of_rows(outcomes, rows)
        teacher = teach(seen)
        lesson = teacher(seen)
        found = [teacher(own).astype(np.float64)]
        for candidate in candidates:
            decisions = distil(seen, lesson, candidate, seed=seed).decide(own.states)
            found += [decisions.tokens.astype(np.float64), decisions.scores]
        return np.stack(found, axis=1)

    found = out_of_fold(folds, on_others)
    students = {
        one.name: Decisions(found[:, 1 + 2 * at].astype(np.int64), found[:, 2 + 2 * at])
        for at, one in enumerate(candidates)
    }
    return found[:, 0].astype(np.int64), students


def student_loss(
    outcomes: Outcomes,
    teacher: Columns,
    decisions: Decisions,
    candidate: Candidate,
    gate: BudgetGate,
    *,
    limit: float,
    confidence: float,
) -> StudentLoss:
    """What a student loses against its teacher on the same questions."""
    rows = np.arange(len(outcomes))
    lost = outcomes.scores[rows, teacher] - outcomes.under(decisions)
    student = outcomes.columns(decisions.tokens)
    found: dict[str, Any] = {}
    for name in (AUDIO, VL):
        inside = slice_rows(outcomes, name)
        groups = np.asarray(outcomes.groups)[inside]
        some = bool(inside.any())
        found[f"loss_{name.lower()}"] = float(lost[inside].mean()) if some else None
        found[f"high_{name.lower()}"] = upper_bound(lost[inside], groups, confidence) if some else None
        if name == AUDIO:
            none = np.zeros(int(inside.sum()))
            found["least_audio"] = upper_bound(none, groups, confidence) if some else None
    return StudentLoss(
        name=candidate.name,
        features=candidate.features,
        units=candidate.units,
        weights=weights_of(gate),
        agreement=float((teacher == student).mean()),
        limit=limit,
        **found,
    )


def _model(inputs: int, units: int, outputs: int, seed: int) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):  # the caller's own draws stay what they were
        torch.manual_seed(seed)
        if not units:
            return nn.Sequential(nn.Linear(inputs, outputs))
        return nn.Sequential(nn.Linear(inputs, units), nn.ReLU(), nn.Linear(units, outputs))
