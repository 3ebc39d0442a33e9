"""Verdict: whether the scores of a run meet every criterion: go, no-go, or not measured."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from safe_data.core import command
from safe_data.core.errors import InputError
from safe_data.core.files import write_json
from safe_data.core.json_document import Json, content_sha256, document_of
from safe_eval.judging.criterion import SHIPPED, Criterion, criteria_path, read_criteria
from safe_eval.judging.evidence import Evidence, find_evidence
from safe_eval.judging.expectation import Expectation, check_expected, with_expected
from safe_eval.judging.expected_examples import Wanted, read_wanted
from safe_eval.judging.overlooked import Overlooked, find_overlooked
from safe_eval.scoring.recheck import recheck
from safe_eval.scoring.scores import PredictionsFile, Scores, named_file

VERDICT_FILE = "verdict.json"
EXPECTED_ANSWERS = "expected_answers"  # the row that asks whether every expected answer is there
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
    """The content of verdict.json. Its hashes name all that it rests on; see `judging.chain`."""

    decision: str
    criteria: tuple[Judged, ...]
    scores_sha256: str  # of the scores.json that was judged
    criteria_file: PredictionsFile
    predictions: tuple[PredictionsFile, ...] = ()
    items_sha256: str | None = None  # None: the run has no items.parquet
    asked: tuple[Criterion, ...] = ()  # what the criteria file says
    asked_sha256: str = ""  # of what it says, whatever its comments and spaces
    expected: Expectation | None = None
    overlooked: Overlooked | None = None
    notes: tuple[str, ...] = ()
    sha256: str = ""  # of all the above


def decide(
    run: Path, criteria: Path, expect: Sequence[Path] = (), *, expect_split: Sequence[str] = ()
) -> Verdict:
    """Judge a run by a criteria file and write its verdict.json.

    The numbers that are judged are computed here, from the predictions. `expect` names datasets or files of
    what the run should have answered, beside those of the criteria file; `expect_split` the splits of these.

    Raises:
        InputError: see `read_criteria`, `recheck` and `check_expected`; or `expect_split` without `expect`.
    """
    if expect_split and not expect:
        raise InputError("expect_split names splits of nothing; name their source with expect")
    criteria = criteria_path(criteria)
    listed, wanted = read_criteria(criteria), read_wanted(criteria)
    wanted += tuple(Wanted(source, tuple(expect_split)) for source in expect)
    found = recheck(run)
    expected = check_expected(wanted, found.arms, run) if wanted else None
    scores = with_expected(found.scores, expected)
    judged = tuple(judge(criterion, scores) for criterion in listed)
    if expected is not None:
        judged += (_judged_expectation(expected),)
    verdict = Verdict(
        decision=overall(judged),
        criteria=judged,
        scores_sha256=found.scores_sha256,
        criteria_file=_criteria_file(criteria, run),
        predictions=scores.provenance.predictions,
        items_sha256=scores.provenance.items_sha256,
        asked=listed,
        expected=expected,
        overlooked=find_overlooked(listed, found.arms),
        notes=(*found.notes, *(() if expected is None else expected.notes)),
    )
    verdict = sealed(verdict)
    write_json(run / VERDICT_FILE, verdict)
    return verdict


def sealed(verdict: Verdict) -> Verdict:
    """The verdict with the hashes of its criteria and of itself."""
    asked = content_sha256([document_of(criterion) for criterion in verdict.asked])
    verdict = msgspec.structs.replace(verdict, asked_sha256=asked)
    return msgspec.structs.replace(verdict, sha256=seal_of(document_of(verdict)))


def seal_of(document: Json) -> str:
    """The hash of the document of a verdict, without the hash that it states."""
    return content_sha256({key: value for key, value in document.items() if key != "sha256"})


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


def bound_of(criterion: Criterion) -> str:
    """The bound of a criterion as a verdict writes it."""
    bound = criterion.parsed_bound()
    return f"{bound.operator} {bound.limit:g}"


def _criteria_file(criteria: Path, run: Path) -> PredictionsFile:
    """A criteria file by its hash; of a shipped one the name is enough."""
    return named_file(criteria, None if criteria.parent == SHIPPED else run)


def _judged_expectation(expected: Expectation) -> Judged:
    """Whether every expected answer is there. A missing one could go either way, so nothing was measured."""
    there = expected.answers - expected.missing
    sources = ", ".join(file.name for file in expected.sources)
    text = f"{there} of {expected.answers} answers that {sources} expects are there"
    if expected.missing:
        text += f"; missing: {expected.named[0]}"
        text += f", and {expected.missing - 1} more" if expected.missing > 1 else ""
    return Judged(
        name=EXPECTED_ANSWERS,
        value=there / expected.answers,
        bound="== 1",
        decision=NOT_MEASURED if expected.missing else GO,
        evidence=text,
        use="value",
        severity="critical",
    )


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
        bound=bound_of(criterion),
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
