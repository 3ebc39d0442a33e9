"""Own numbers: what a log states, computed again from the scores of its rows.

The rules are those of the harnesses: a mean, MME's sum over categories of accuracy and accuracy+, MMBench's
mean over questions that are right in every rotation, and POPE's F1 over rows that count once a split.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from safe_eval.logs.log import Log, OwnNumber
from safe_eval.logs.vlmevalkit_numbers import mme_categories
from safe_eval.prediction import Prediction

_CLOSE = 1e-6  # relative: sums in another order differ by less
_POINTS = 100.0
_TWO = 2  # questions about each picture of MME
_YES = "yes"


class Fact(NamedTuple):
    """What the rules read of one row."""

    value: float
    example: str
    category: str
    group: str
    split: str
    right: bool  # the right answer is yes
    said: bool  # what the harness read is yes


class Reproduced(msgspec.Struct, frozen=True, kw_only=True):
    """A number of a log, and what follows from its rows: None where that cannot be compared, and why."""

    name: str
    stated: float
    found: float | None = None
    agrees: bool | None = None
    rows: int = 0
    by: str = ""
    why_not: str = ""


class Tally:
    """Collects from each row what the numbers of a log need; means need no more than two sums."""

    def __init__(self, own: Sequence[OwnNumber]) -> None:
        self.rows = self.errors = self.unscored = 0
        self._metrics = {one.metric for one in own if one.rule != "mean" or one.category}
        self._facts: dict[str, list[Fact]] = defaultdict(list)
        self._sums: dict[str, list[float]] = {}

    def add(self, row: Prediction) -> None:
        """Count a row."""
        self.rows += 1
        self.errors += row.error is not None
        self.unscored += not row.scores
        for metric, value in (row.scores or {}).items():
            sums = self._sums.setdefault(metric, [0.0, 0.0])
            sums[0] += value
            sums[1] += 1
            if metric in self._metrics:
                self._facts[metric].append(_fact(row, value))

    @property
    def means(self) -> dict[str, float]:
        """The mean of each score over the rows that have it."""
        return {metric: total / count for metric, (total, count) in self._sums.items()}

    def scored(self, metric: str) -> int:
        """How many rows have a score."""
        return int(self._sums.get(metric, (0.0, 0.0))[1])

    def mean_with_errors(self, metric: str) -> float | None:
        """The mean of a score where rows with an error and without this score count as 0."""
        total, count = self._sums.get(metric, (0.0, 0.0))
        missing = self.rows - count if self.errors else 0
        return total / (count + min(missing, self.errors)) if count else None

    def reproduced(self, log: Log, one: OwnNumber) -> Reproduced:
        """One number of the log, computed again."""
        scored = self.scored(one.metric)
        name, stated = one.name, one.value
        answered = max(scored, self.rows - self.errors)
        if log.expected is not None and answered < log.expected:
            why = f"{answered} of {log.expected} rows are here"
            return Reproduced(name=name, stated=stated, rows=scored, why_not=why)
        if not scored:
            return Reproduced(name=name, stated=stated, why_not="no row has its score")
        if one.rule in ("mean", "unknown") and not one.category:
            found: float | None = self.means[one.metric] * one.scale
        else:
            found = _by_rule(one, self._facts[one.metric])
        agrees = found is not None and math.isclose(found, stated, rel_tol=_CLOSE, abs_tol=_CLOSE)
        if one.rule == "unknown" and not agrees:
            why = f"it is no mean of scores: {one.aggregation or 'its rule is not known'}"
            return Reproduced(name=name, stated=stated, rows=scored, why_not=why)
        if found is None:
            return Reproduced(name=name, stated=stated, rows=scored, why_not="rows of its rule are missing")
        return Reproduced(
            name=name, stated=stated, found=found, agrees=agrees, rows=scored, by="given scores"
        )


def _fact(row: Prediction, value: float) -> Fact:
    read = (row.metadata or {}).get("extracted") or row.answer or ""
    right = row.references[0].strip().lower() == _YES if row.references else False
    category, group = row.question_type or row.split or "", row.group or ""
    split = row.split or ""
    return Fact(value, row.example_id, category, group, split, right, str(read).strip().lower() == _YES)


def _by_rule(one: OwnNumber, facts: Sequence[Fact]) -> float | None:
    """What a rule makes of the rows; a category with commas counts once for each of them, as in POPE."""
    if one.rule == "mme":
        return _mme(facts, one.category)
    if one.rule == "mean_of_ids":
        return one.scale * _mean(_mean(values) for values in _grouped(facts, lambda fact: fact.example))
    each = [fact._replace(category=of) for fact in facts for of in fact.category.split(",")]
    kept = [fact for fact in each if one.category in (None, fact.category.strip(), fact.split)]
    if not kept:
        return None
    if one.rule == "circular":
        return one.scale * _mean(min(values) for values in _grouped(kept, lambda fact: fact.group))
    if one.rule in ("mean", "mean_by_split", "unknown"):
        return one.scale * _mean(fact.value for fact in kept)
    hits = sum(fact.right and fact.said for fact in kept)
    said, right = sum(fact.said for fact in kept), sum(fact.right for fact in kept)
    shares = {
        "precision": hits / said if said else 0.0,
        "recall": hits / right if right else 0.0,
        "f1": 2 * hits / (said + right) if said + right else 0.0,
    }
    return one.scale * shares[one.rule]


def _mme(facts: Sequence[Fact], name: str | None) -> float | None:
    """The sum over categories of accuracy and accuracy+, in points; each picture has two questions."""
    pairs: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for fact in facts:
        pairs[fact.category][fact.group].append(fact.value)
    wanted = None if name is None else mme_categories(name) or (name,)
    points = 0.0
    for category in pairs if wanted is None else wanted:
        pictures = pairs[category].values() if category in pairs else ()
        if not pictures or any(len(values) != _TWO for values in pictures):
            return None
        points += _mean(_POINTS * (sum(values) / _TWO + (sum(values) == _TWO)) for values in pictures)
    return points


def _grouped(facts: Iterable[Fact], key: Callable[[Fact], str]) -> list[list[float]]:
    groups: dict[str, list[float]] = defaultdict(list)
    for fact in facts:
        groups[key(fact)].append(fact.value)
    return list(groups.values())


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
