"""Chosen gate: which gate a run asks with, and its facts, which belong to what the answers depend on."""

from pathlib import Path
from typing import Any, NamedTuple

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_train.gates.all_gates import Recipe, make_gate
from safe_train.gates.gate import Gate
from safe_train.gates.gate_files import FACTS, FOLDER, read_gate
from safe_train.gates.heuristics import ALWAYS, CONSTANT_THRESHOLD, NEVER
from safe_train.settings.pathway import PathwayConfig
from safe_train.settings.predict import SAVED


class ChosenGate(NamedTuple):
    """A gate, and what a run must have in common with another to go on with it."""

    gate: Gate
    facts: dict[str, Any]


def always(tokens: int) -> Gate:
    """The gate that listens to every question with so many tokens.

    >>> from safe_train.gates.states import unseen
    >>> always(8).decide(unseen(2)).tokens.tolist()
    [8, 8]
    """
    return make_gate(Recipe(ALWAYS, (), CONSTANT_THRESHOLD, tokens, (tokens,)), {})


def chosen_gate(checkpoint: Path, pathway: PathwayConfig, choice: str, tokens: int | None) -> ChosenGate:
    """The gate of a checkpoint, or always where it has none (`saved`); or always or never, as asked.

    `tokens` is the budget of always (default: the largest).

    Raises:
        InputError: the saved gate cannot be used, or a budget was not trained.
    """
    fitted = read_gate(checkpoint) if choice == SAVED else None
    if fitted is not None:
        _check_trained(
            pathway, [fitted.facts.tokens, *fitted.facts.budgets], str(checkpoint / FOLDER / FACTS)
        )
        facts = {"kind": fitted.kind, "threshold": fitted.facts.threshold, "tokens": fitted.facts.tokens}
        return ChosenGate(fitted, {**facts, "sha256": file_sha256(checkpoint / FOLDER / FACTS)})
    budget = pathway.most_tokens if tokens is None else tokens
    _check_trained(pathway, [budget], f"tokens={budget}")
    if choice == NEVER:
        return ChosenGate(
            make_gate(Recipe(NEVER, (), CONSTANT_THRESHOLD, budget, (budget,)), {}), {"kind": NEVER}
        )
    return ChosenGate(always(budget), {"kind": ALWAYS, "tokens": budget})


def _check_trained(pathway: PathwayConfig, budgets: list[int], where: str) -> None:
    trained = pathway.budgets
    if unknown := [budget for budget in budgets if budget not in (0, *trained)]:
        raise InputError(
            f"{where}: {unknown[0]} audio tokens were not trained; this pathway was trained with "
            f"{', '.join(map(str, trained))}"
        )
