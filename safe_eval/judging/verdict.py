"""Verdict: whether the scores of a run meet every criterion: go, no-go, or not measured."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from safe_data.core import command, numerals
from safe_data.core.errors import InputError
from safe_data.core.files import write_json
from safe_data.core.json_document import Json, content_sha256, document_of
from safe_eval.judging.criteria_file import SHIPPED, Parameters, criteria_path, fill_criteria
from safe_eval.judging.criterion import ONE_SIDED, Criterion
from safe_eval.judging.evidence import find_evidence, is_sent_sound_known
from safe_eval.judging.expectation import Expectation, check_expected, with_expected
from safe_eval.judging.expected_examples import Wanted, read_wanted
from safe_eval.judging.labelled import Labelled, agreement_evidence, check_labels, find_labels
from safe_eval.judging.metric_names import AGREEMENT
from safe_eval.judging.overlooked import Overlooked, find_overlooked
from safe_eval.judging.row_evidence import Evidence
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
    equivalence_low: float | None = None  # of two one-sided tests
    equivalence_high: float | None = None
    n: int | None = None
    clusters: int | None = None
    smallest_effect: float | None = None  # that so many items show, in the unit of the value

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """The interval that decides: of the one-sided tests where they judge, or else the ordinary one."""
        if self.use in ONE_SIDED:
            return self.equivalence_low, self.equivalence_high
        return self.ci_low, self.ci_high


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The content of verdict.json. Its hashes name all that it rests on; see `judging.chain`."""

    decision: str
    criteria: tuple[Judged, ...]
    scores_sha256: str  # of the scores.json that was judged
    criteria_file: PredictionsFile
    parameters: Parameters = {}  # of the criteria file, as they were filled in
    labels_file: PredictionsFile | None = None  # the table of labelled answers, if a criterion asked for one
    predictions: tuple[PredictionsFile, ...] = ()
    items_sha256: str | None = None  # None: the run has no items.parquet
    asked: tuple[Criterion, ...] = ()  # what the criteria file says, its parameters filled in
    asked_sha256: str = ""  # of what it says, whatever its comments and spaces
    expected: Expectation | None = None
    overlooked: Overlooked | None = None
    notes: tuple[str, ...] = ()
    sha256: str = ""  # of all the above


def decide(
    run: Path,
    criteria: str | Path,
    expect: Sequence[Path] = (),
    *,
    expect_split: Sequence[str] = (),
    settings: Sequence[str] = (),
    labels: Path | None = None,
) -> Verdict:
    """Judge a run by a criteria file and write its verdict.json.

    The numbers that are judged are computed here, from the predictions. `expect` names datasets or files of
    what the run should have answered, beside those of the criteria file; `expect_split` the splits of these.
    `settings` are parameters of the criteria file, as `NAME=VALUE`; `labels` is a table of labelled answers.

    Raises:
        InputError: see `fill_criteria`, `recheck`, `check_expected` and `check_labels`; or `expect_split`
            without `expect`.
    """
    if expect_split and not expect:
        raise InputError("expect_split names splits of nothing; name their source with expect")
    criteria = criteria_path(criteria)
    filled, wanted = fill_criteria(criteria, settings), read_wanted(criteria)
    wanted += tuple(Wanted(source, tuple(expect_split)) for source in expect)
    found = recheck(run)
    expected = check_expected(wanted, found.arms, run) if wanted else None
    scores = with_expected(found.scores, expected)
    table, labelled = None, None
    if any(criterion.metric == AGREEMENT for criterion in filled.criteria):
        table = find_labels(run, labels)
        labelled = None if table is None else check_labels(table, run, scores)
    judged = tuple(judge(criterion, scores, labelled) for criterion in filled.criteria)
    if expected is not None:
        judged += (_judged_expectation(expected),)
    verdict = Verdict(
        decision=overall(judged),
        criteria=judged,
        scores_sha256=found.scores_sha256,
        criteria_file=_criteria_file(criteria, run),
        parameters=filled.parameters,
        labels_file=None if table is None else named_file(table, run),
        predictions=scores.provenance.predictions,
        items_sha256=scores.provenance.items_sha256,
        asked=filled.criteria,
        expected=expected,
        overlooked=find_overlooked(filled.criteria, found.arms),
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


def judge(criterion: Criterion, scores: Scores, labelled: Labelled | None = None) -> Judged:
    """Judge one criterion: it must hold in every dataset and seed, and the worst of them is shown."""
    if criterion.metric == AGREEMENT:
        every = [agreement_evidence(criterion, labelled, scores.provenance.confidence)]
    else:
        every = find_evidence(criterion, scores)
    judged = [(_decision(criterion, found, scores), found) for found in every]
    (decision, why_not), worst = min(judged, key=lambda one: _how_bad(criterion, *one))
    remarks = [*_remarks(criterion, worst, decision, why_not, scores)]
    if len(judged) > 1:
        counts = Counter(decision for (decision, _), _ in judged)
        all_of_them = ", ".join(f"{counts[name]} {name}" for name in _WORST_FIRST if counts[name])
        remarks.append(f"the worst of {len(judged)}: {all_of_them}")
    is_judged = why_not is None
    return Judged(
        name=criterion.name,
        value=worst.value if is_judged else None,
        ci_low=worst.ci_low if is_judged else None,
        ci_high=worst.ci_high if is_judged else None,
        bound=bound_of(criterion),
        decision=decision,
        evidence="; ".join([f"{worst.text}{worst.place}", *remarks]),
        use=criterion.use,
        severity=criterion.severity,
        equivalence_low=worst.equivalence[0] if is_judged else None,
        equivalence_high=worst.equivalence[1] if is_judged else None,
        n=worst.n,
        clusters=worst.clusters,
        smallest_effect=worst.smallest_effect(criterion.use) if is_judged else None,
    )


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


def _decision(criterion: Criterion, found: Evidence, scores: Scores) -> tuple[str, str | None]:
    """The decision in one dataset and seed, and what the criterion demands that is not there."""
    bound = criterion.parsed_bound()
    numbers = found.numbers(criterion.use, bound.operator)
    measured = [number for number in numbers if number is not None]
    if len(measured) < len(numbers):
        return NOT_MEASURED, None
    lacking = list(_lacking(criterion, found, scores))
    if lacking:
        return NOT_MEASURED, "; ".join(lacking)
    return (GO if all(bound.holds(number) for number in measured) else NO_GO), None


def _lacking(criterion: Criterion, found: Evidence, scores: Scores) -> Iterator[str]:
    """What the criterion demands of its evidence, where there is less of it."""
    made = scores.provenance
    confidence = made.confidence if found.confidence is None else found.confidence
    if criterion.min_confidence is not None and confidence < criterion.min_confidence:
        asked = numerals.percent(criterion.min_confidence)
        yield f"its intervals have {numerals.percent(confidence)} confidence, {asked} is asked for"
    if criterion.min_resamples is not None and made.resamples < criterion.min_resamples:
        yield f"the scores have {made.resamples} resamples, {criterion.min_resamples} are asked for"
    for what in ("clusters", "seeds"):
        asked_for, there = getattr(criterion, f"min_{what}"), getattr(found, what)
        if asked_for is not None and (there or 0) < asked_for:
            count = "not known" if there is None else there
            yield f"the {what} are {count}, {asked_for} are asked for"


def _how_bad(criterion: Criterion, decided: tuple[str, str | None], found: Evidence) -> tuple[int, float]:
    """The sort key of evidence, the worst first: by decision, then by how far inside the bound it is."""
    bound = criterion.parsed_bound()
    numbers = [n for n in found.numbers(criterion.use, bound.operator) if n is not None]
    inside = min((bound.inside(number) for number in numbers), default=float("-inf"))
    return _WORST_FIRST.index(decided[0]), inside


def _remarks(
    criterion: Criterion, found: Evidence, decision: str, why_not: str | None, scores: Scores
) -> Iterator[str]:
    """What a reader of the decision must know besides the numbers."""
    if why_not is not None:
        yield f"not judged: {why_not}"
    if criterion.vacuous:
        yield criterion.vacuous
    bound, effect = criterion.parsed_bound(), found.smallest_effect(criterion.use)
    if effect is not None and found.n is not None:
        margin = f", and the margin is {abs(bound.limit):g}" if criterion.use in ONE_SIDED else ""
        yield f"the smallest effect that so many items show is {numerals.effect(effect)}{margin}"
    is_small = found.value is not None and bound.holds(found.value)
    if criterion.use in ONE_SIDED and decision == NO_GO and is_small:
        yield "the difference is small, but too few examples show that it stays so"
    if found.value is not None and not is_sent_sound_known(criterion, found, scores):
        yield "no row says which sound was sent"
