"""Off-policy: what a policy would earn, told from a log in which another chose one budget for each question.

A log is a Parquet file with a row for each question: `example_id`, `tokens` (the budget that was tried) and
`propensity` (how likely that choice was). Scores are those of the table of outcomes, which may be NaN at
budgets that were not tried. Every value has an interval, since importance weights make it uncertain.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, Shaped
from numpy import ndarray

from safe_data.core.errors import InputError, raise_row_errors
from safe_data.core.files import committing
from safe_eval.statistics.intervals import CLUSTER_T, Interval, clustered_stderr
from safe_train.gates.outcomes import Outcomes

Chances = Float64[ndarray, "questions budgets"]
Table = Float64[ndarray, "questions budgets"]
Groups = Shaped[ndarray, " questions"]

COLUMNS = ("example_id", "tokens", "propensity")


@dataclass(frozen=True)
class Log:
    """For each question, the column of the budget that was tried, and the probability of that choice."""

    columns: Int64[ndarray, " questions"]
    propensities: Float64[ndarray, " questions"]

    def of(self, rows: Int64[ndarray, " rows"]) -> "Log":
        """The log of these questions."""
        return Log(self.columns[rows], self.propensities[rows])

    def at(self, table: Table) -> Float64[ndarray, " questions"]:
        """The entry of a table at each tried budget."""
        found: Float64[ndarray, " questions"] = table[np.arange(len(table)), self.columns]
        return found


@dataclass(frozen=True)
class Value:
    """An estimate of the mean reward of a policy, its clustered standard error and its interval.

    `value` is None where the policy would have chosen nothing that was tried.
    """

    method: str
    value: float | None
    stderr: float | None
    interval: Interval


def draw_log(questions: int, budgets: int, *, seed: int = 0) -> Log:
    """A log of a policy that chooses every budget with the same probability."""
    columns = np.random.default_rng(seed).integers(0, budgets, questions)
    return Log(columns.astype(np.int64), np.full(questions, 1 / budgets))


def write_log(path: Path, log: Log, outcomes: Outcomes) -> None:
    """Write a log of these questions as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tokens = np.asarray(outcomes.budgets)[log.columns]
    columns = zip(COLUMNS, (list(outcomes.example_ids), tokens, log.propensities), strict=True)
    with committing(path) as file:
        pq.write_table(pa.table(dict(columns)), file, compression="zstd")


def read_log(path: Path, outcomes: Outcomes) -> Log:
    """Read which budget was tried for each question of a table of outcomes.

    Raises:
        InputError: the file is no log, or does not fit the table: a question is missing, unknown or named
            twice, a budget is not of the table, its score is missing, or a propensity is not in (0, 1].
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_table(path, columns=list(COLUMNS)).to_pydict()
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(
            f"{path}: is no log ({error}); write a Parquet file with the columns {', '.join(COLUMNS)}"
        ) from None
    if missing := [name for name in COLUMNS if name not in found]:
        raise InputError(f"{path}: has no column {missing[0]!r}; a log has {', '.join(COLUMNS)}")
    place = {example: number for number, example in enumerate(outcomes.example_ids)}
    columns, propensities = np.full(len(outcomes), -1, np.int64), np.full(len(outcomes), np.nan)
    errors = []
    for number, row in enumerate(zip(*(found[name] for name in COLUMNS), strict=True), start=1):
        fault = _fault(row, place, columns, outcomes)
        if fault:
            errors.append(f"{path}: row {number} {row[0]!r}: {fault}")
        else:
            columns[place[row[0]]] = outcomes.budgets.index(row[1])
            propensities[place[row[0]]] = row[2]
    raise_row_errors(errors, str(path))
    if (columns < 0).any():
        lacking = outcomes.example_ids[int(np.flatnonzero(columns < 0)[0])]
        raise InputError(
            f"{path}: {int((columns < 0).sum())} of {len(outcomes)} questions are not logged, such as "
            f"{lacking!r}; give the table of outcomes of the logged questions only"
        )
    return Log(columns, propensities)


def off_policy_values(
    chances: Chances,
    log: Log,
    rewards: Table,
    predicted: Table,
    groups: Groups,
    confidence: float = 0.95,
) -> tuple[Value, ...]:
    """The mean reward of a policy, told from a log in three ways, each with the interval of its clusters.

    Args:
        chances: how likely the policy chooses each budget
        log: what was tried
        rewards: of which only those of tried budgets are looked at
        predicted: rewards by a model that was not fitted on these questions, for the doubly robust value
        groups: the cluster of each question
        confidence: level of the two-sided intervals

    Source: Horvitz & Thompson 1952 (inverse propensity scores); Swaminathan & Joachims 2015, "The
    self-normalized estimator for counterfactual learning", with the standard error of its linear part;
    Dudík, Langford & Li 2011, "Doubly robust policy evaluation and learning".

    >>> log = Log(np.array([0, 1, 0, 1]), np.full(4, 0.5))
    >>> chances, paid = np.tile([0.0, 1.0], (4, 1)), np.tile([0.0, 0.5], (4, 1))
    >>> found = off_policy_values(chances, log, paid, paid, np.arange(4))
    >>> [(one.method, one.value) for one in found]
    [('ips', 0.5), ('self_normalised_ips', 0.5), ('doubly_robust', 0.5)]
    """
    weights = log.at(chances) / log.propensities
    paid = log.at(rewards)
    found = [_value("ips", weights * paid, groups, confidence)]
    total = weights.mean()
    if total > 0:
        share = float((weights * paid).mean() / total)
        linear = share + weights * (paid - share) / total
        # Where nearly all answers are right, a log may hold none that is wrong: one more question at each
        # end of the scale stands for those. Without it, 95 % intervals of 100 groups held in 89 % of trials.
        typical = float((weights**2).mean() / total**2)
        ends = min(0.0, float(paid.min())), max(1.0, float(paid.max()))
        unseen = sum((typical * (end - share)) ** 2 for end in ends)
        found.append(_value("self_normalised_ips", linear, groups, confidence, unseen=unseen))
    else:  # the policy would have chosen nothing that was tried
        found.append(Value("self_normalised_ips", None, None, Interval()))
    robust = (chances * predicted).sum(axis=1) + weights * (paid - log.at(predicted))
    return (*found, _value("doubly_robust", robust, groups, confidence))


def _value(
    method: str,
    terms: Float64[ndarray, " questions"],
    groups: Groups,
    confidence: float,
    *,
    unseen: float = 0.0,
) -> Value:
    """The mean of terms, with Student's t over groups; `unseen` is added to the sum of squares."""
    from scipy.special import stdtrit

    value, stderr = float(terms.mean()), clustered_stderr(terms, groups)
    if not stderr:
        return Value(method, value, None, Interval())
    stderr = float(np.sqrt(stderr**2 + unseen / len(terms) ** 2))
    reach = stderr * float(stdtrit(len(np.unique(groups)) - 1, (1 + confidence) / 2))
    return Value(method, value, stderr, Interval(value - reach, value + reach, CLUSTER_T))


def _fault(
    row: tuple[Any, ...], place: dict[str, int], columns: Int64[ndarray, " questions"], outcomes: Outcomes
) -> str:
    """What is wrong with a row of a log, or nothing."""
    example, tokens, propensity = row
    if example not in place:
        return "the table of outcomes has no such question"
    if columns[place[example]] >= 0:
        return "is logged twice"
    if tokens not in outcomes.budgets:
        return f"{tokens} audio tokens are none of the budgets {list(outcomes.budgets)}"
    if propensity is None or not 0 < propensity <= 1:
        return f"propensity {propensity} is not above 0 and at most 1"
    if np.isnan(outcomes.scores[place[example], outcomes.budgets.index(tokens)]):
        return f"the table of outcomes has no score at {tokens} audio tokens"
    return ""
