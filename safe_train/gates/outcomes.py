"""Outcomes: what the answer to each question is worth at every budget of audio tokens, as outcomes.parquet.

Since every budget is tried once for every question, a gate can be fitted and judged on this table without the
model: what a gate would have scored is known exactly, not estimated.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.core.files import committing
from safe_train.gates.gate import Decisions, are_budgets
from safe_train.gates.states import States

OUTCOMES = "outcomes.parquet"
FORMAT_VERSION = 1
_FACTS = b"safe_outcomes"  # the key of the file's metadata


@dataclass(frozen=True)
class Outcomes:
    """A row for each question, a column for each budget; the first budget is 0, the base's own answer.

    `scores` lie in [0, 1]. `influence_kl` is the KL divergence in nats of the first token, with the gate shut
    against that budget. `latency_ms` is what an answer costs at each budget, asked alone, NaN if it was not
    measured. `facts` say what the table was made from: hashes of adapter, base and dataset, split and seed.
    """

    example_ids: tuple[str, ...]
    groups: tuple[str, ...]
    question_types: tuple[str | None, ...]
    needs_audio: Bool[ndarray, " questions"]
    budgets: tuple[int, ...]
    answers: tuple[tuple[str, ...], ...]
    scores: Float64[ndarray, "questions budgets"]
    influence_kl: Float64[ndarray, "questions budgets"]
    latency_ms: Float64[ndarray, " budgets"]
    states: States
    facts: dict[str, Any]

    def __len__(self) -> int:
        return len(self.example_ids)

    @property
    def is_whole(self) -> bool:
        """Whether every budget was tried for every question."""
        return not np.isnan(self.scores).any()

    def column(self, tokens: int) -> int:
        """The column of a budget.

        Raises:
            InputError: it was not tried.
        """
        if tokens not in self.budgets:
            raise InputError(f"{tokens} audio tokens: these outcomes are of the budgets {list(self.budgets)}")
        return self.budgets.index(tokens)

    def columns(self, tokens: Int64[ndarray, " questions"]) -> Int64[ndarray, " questions"]:
        """The column of each question's budget.

        Raises:
            InputError: a budget was not tried.
        """
        chosen, place = np.unique(tokens, return_inverse=True)
        columns = np.array([self.column(one) for one in chosen.tolist()], np.int64)
        return np.asarray(columns[place])

    def under(self, decisions: Decisions) -> Float64[ndarray, " questions"]:
        """The score of each question's answer, had a gate decided so."""
        return np.asarray(self.scores[np.arange(len(self)), self.columns(decisions.tokens)])


def write_outcomes(path: Path, outcomes: Outcomes) -> None:
    """Write the table as Parquet, with its facts in the file's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    states = outcomes.states
    columns: dict[str, Any] = {
        "example_id": list(outcomes.example_ids),
        "group": list(outcomes.groups),
        "question_type": list(outcomes.question_types),
        "needs_audio": outcomes.needs_audio,
    }
    for number, tokens in enumerate(outcomes.budgets):
        columns[f"answer_{tokens}"] = [row[number] for row in outcomes.answers]
        columns[f"score_{tokens}"] = outcomes.scores[:, number]
        columns[f"influence_kl_{tokens}"] = outcomes.influence_kl[:, number]
    columns |= {"entropy": states.entropy, "confidence": states.confidence, "margin": states.margin}
    columns["hidden"] = pa.FixedSizeListArray.from_arrays(
        pa.array(states.hidden.ravel(), pa.float32()), states.hidden.shape[1]
    )
    facts = {
        "format_version": FORMAT_VERSION,
        "budgets": list(outcomes.budgets),
        "latency_ms": [None if np.isnan(one) else float(one) for one in outcomes.latency_ms],
        "largest_entropy": states.largest_entropy,
        "facts": outcomes.facts,
    }
    table = pa.table(columns).replace_schema_metadata({_FACTS: json.dumps(facts, sort_keys=True)})
    with committing(path) as file:
        pq.write_table(table, file, compression="zstd")


def read_outcomes(path: Path) -> Outcomes:
    """Read what `write_outcomes` wrote.

    Raises:
        InputError: there is no such table, it is damaged or of another version, or it holds numbers that no
            answer or state has.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        facts = json.loads((table.schema.metadata or {})[_FACTS])
        version = facts["format_version"]
        if version != FORMAT_VERSION:
            raise InputError(f"{path}: is of format {version}, this version reads {FORMAT_VERSION}")
        found = _outcomes_of(table, facts)
    except InputError:
        raise
    # What a stranger's file may lead to: it is no Parquet, lacks a column, or has one of another type.
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: is no table of outcomes ({error}); make it with `safe-train gate fit`"
        ) from None
    if fault := _fault(found):
        raise InputError(f"{path}: {fault}; make it again with `safe-train gate fit`")
    return found


def _outcomes_of(table: Any, facts: dict[str, Any]) -> Outcomes:
    budgets = tuple(facts["budgets"])
    hidden = table["hidden"].combine_chunks()

    def numbers(name: str) -> Float64[ndarray, " questions"]:
        return np.asarray(table[name].to_numpy(), np.float64)

    def by_budget(name: str) -> Float64[ndarray, "questions budgets"]:
        return np.column_stack([numbers(f"{name}_{tokens}") for tokens in budgets])

    return Outcomes(
        example_ids=tuple(table["example_id"].to_pylist()),
        groups=tuple(table["group"].to_pylist()),
        question_types=tuple(table["question_type"].to_pylist()),
        needs_audio=table["needs_audio"].to_numpy().astype(bool),
        budgets=budgets,
        answers=tuple(zip(*(table[f"answer_{tokens}"].to_pylist() for tokens in budgets), strict=True)),
        scores=by_budget("score"),
        influence_kl=by_budget("influence_kl"),
        latency_ms=np.array([np.nan if one is None else float(one) for one in facts["latency_ms"]]),
        states=States(
            numbers("entropy"),
            numbers("confidence"),
            numbers("margin"),
            hidden.flatten().to_numpy().reshape(len(table), -1).astype(np.float32),
            float(facts["largest_entropy"]),
        ),
        facts=dict(facts["facts"]),
    )


def _fault(outcomes: Outcomes) -> str | None:
    """What no table that was asked has; a score may be missing (NaN) where a budget was not tried."""
    budgets, states = outcomes.budgets, outcomes.states
    if not are_budgets(budgets):
        return f"its budgets {list(budgets)} are not whole numbers, 0 or more, ascending"
    if not len(outcomes) or budgets[:1] != (0,) or len(outcomes.latency_ms) != len(budgets):
        return "it has no questions, no budget 0, or not one latency for each budget"
    if None in outcomes.groups:
        return "a question has no group"
    scores = outcomes.scores[~np.isnan(outcomes.scores)]
    if not ((scores >= 0) & (scores <= 1)).all():
        return "a score lies outside [0, 1]"
    numbers = (states.entropy, states.confidence, states.margin, states.hidden)
    if not all(np.isfinite(one).all() for one in numbers):
        return "a state is not all finite: the base computed no numbers"
    return None
