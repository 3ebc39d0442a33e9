"""Verdict: whether the scores of a run meet every criterion: go, no-go, or not measured."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from safe_data.core import command
from safe_data.core.files import file_sha256, json_bytes
from safe_data.core.overwriting import write_new
from safe_data.core.phases import Phase, unseen
from safe_eval.judging.criterion import Criterion, criteria_path, read_criteria
from safe_eval.judging.evidence import Evidence, find_evidence
from safe_eval.scoring.recheck import check_scores
from safe_eval.scoring.scores import SCORES_FILE, PredictionsFile, Scores

VERDICT_FILE = "verdict.json"
GO, NO_GO, NOT_MEASURED = "go", "no-go", "not measured"
EXIT_CODES = {GO: command.HOLDS, NO_GO: command.DOES_NOT_HOLD, NOT_MEASURED: command.NOT_JUDGED}
_WORST_FIRST = (NO_GO, NOT_MEASURED, GO)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A criterion with the number found for it. A missing number is not measured, and never passes."""

    name: str
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    bound: str
    decision: str
    evidence: str
    use: str
    severity: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The content of verdict.json."""

    decision: str
    criteria: tuple[Judged, ...]
    scores_sha256: str  # of the scores.json that was judged
    criteria_file: PredictionsFile


def decide(run: Path, criteria: Path, *, force: bool = False, at: Phase = unseen) -> Verdict:
    """Judge a run by a criteria file and write its verdict.json; `force` replaces another verdict.

    `at` is told which phase of the work begins.

    Raises:
        InputError: see `read_criteria` and `check_scores`; or another verdict is there.
    """
    criteria = criteria_path(criteria)
    listed = read_criteria(criteria)
    scores = check_scores(run, at)
    judged = tuple(judge(criterion, scores) for criterion in listed)
    verdict = Verdict(
        decision=overall(judged),
        criteria=judged,
        scores_sha256=file_sha256(run / SCORES_FILE),
        criteria_file=PredictionsFile(criteria.name, file_sha256(criteria)),
    )
    write_new(run / VERDICT_FILE, json_bytes(verdict), force=force)
    return verdict


def overall(judged: Sequence[Judged]) -> str:
    """The verdict on all criteria: no-go if one fails; else not measured if one is not measured; else go.

    A failure outweighs a missing number, since no number could undo it. Warnings do not count.
    """
    decisions = {row.decision for row in judged if row.severity == "critical"}
    return next((decision for decision in _WORST_FIRST if decision in decisions), NOT_MEASURED)


def judge(criterion: Criterion, scores: Scores) -> Judged:
    """Judge one criterion: it must hold in every dataset and seed, and the worst of them is shown."""
    judged = [_judged(criterion, found) for found in find_evidence(criterion, scores)]
    return min(judged, key=lambda row: _WORST_FIRST.index(row.decision))


def _judged(criterion: Criterion, found: Evidence) -> Judged:
    bound = criterion.parsed_bound()
    numbers = found.numbers(criterion.use)
    measured = [number for number in numbers if number is not None]
    if len(measured) < len(numbers):
        decision = NOT_MEASURED
    else:
        decision = GO if all(bound.holds(number) for number in measured) else NO_GO
    return Judged(
        name=criterion.name,
        value=found.value,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        bound=f"{bound.operator} {bound.limit:g}",
        decision=decision,
        evidence="; ".join([found.text, *_remarks(criterion, found, decision)]),
        use=criterion.use,
        severity=criterion.severity,
    )


def _remarks(criterion: Criterion, found: Evidence, decision: str) -> Iterator[str]:
    """What a reader of the decision must know besides the numbers."""
    if criterion.vacuous:
        yield criterion.vacuous
    is_small = found.value is not None and criterion.parsed_bound().holds(found.value)
    if criterion.use == "equivalence" and decision == NO_GO and is_small:
        yield "the difference is small, but too few examples show that it stays so"
