"""Verdict: whether the scores of a run meet every criterion: go, no-go, or not measured."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from safe_data.core import command
from safe_data.core.errors import InputError
from safe_data.core.files import json_bytes
from safe_data.core.json_document import Json, content_sha256, document_of
from safe_data.core.overwriting import write_new
from safe_data.core.phases import Phase, unseen
from safe_eval.judging.criteria_file import SHIPPED, Parameters, criteria_path, fill_criteria
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.expectation import Expectation, check_expected, with_expected
from safe_eval.judging.expected_examples import EXPECTED_ANSWERS, Wanted, read_wanted
from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED, Judged, judge, overall
from safe_eval.judging.labelled import check_labels, find_labels
from safe_eval.judging.metric_names import AGREEMENT, COVERAGE
from safe_eval.judging.overlooked import Overlooked, find_overlooked
from safe_eval.judging.sampled import Sampled, sampled_arms, sampled_text
from safe_eval.judging.scope import Scope
from safe_eval.judging.unjudged import Unjudged, find_unjudged, unjudged_rows
from safe_eval.scoring.recheck import recheck
from safe_eval.scoring.scores import PredictionsFile, named_file

VERDICT_FILE = "verdict.json"
EXIT_CODES = {GO: command.HOLDS, NO_GO: command.DOES_NOT_HOLD, NOT_MEASURED: command.NOT_JUDGED}


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
    asked: tuple[Criterion, ...] = ()  # what the criteria file says, with its parameters filled in
    asked_sha256: str = ""  # of what it says, whatever its comments and spaces
    expected: Expectation | None = None
    overlooked: Overlooked | None = None
    scope: Scope = Scope()  # the answers that the criteria file makes a claim on
    unjudged: tuple[Unjudged, ...] = ()  # of these, what no criterion judges: each is a row of `criteria`
    left_out: tuple[Unjudged, ...] = ()  # what the file leaves out on purpose
    sampled: tuple[Sampled, ...] = ()  # the same by its condition, on how many examples
    notes: tuple[str, ...] = ()
    sha256: str = ""  # of all the above

    @property
    def tally(self) -> str:
        """How many criteria of the file hold, and how many parts none of them judges."""
        met = sum(judged.decision == GO for judged in self.criteria)
        parts = "part" if len(self.unjudged) == 1 else "parts"
        unjudged = f"; {len(self.unjudged)} {parts} judged by none" if self.unjudged else ""
        return f"{met} of {len(self.criteria) - len(self.unjudged)} criteria hold{unjudged}"

    @property
    def left_out_text(self) -> str | None:
        """What the criteria file leaves out on purpose, in sentences: a go does not speak of it."""
        texts = []
        if self.left_out:
            parts = "; ".join(part.text for part in self.left_out)
            is_ = "is" if len(self.left_out) == 1 else "are"
            texts.append(f"The criteria leave out on purpose how well {parts} {is_} answered.")
        if self.sampled:
            texts.append(f"They judge nothing of {sampled_text(self.sampled)}, on purpose.")
        return " ".join(texts) or None


def decide(
    run: Path,
    criteria: str | Path,
    expect: Sequence[Path] = (),
    *,
    expect_split: Sequence[str] = (),
    settings: Sequence[str] = (),
    baseline: str | None = None,
    labels: Path | None = None,
    force: bool = False,
    at: Phase = unseen,
) -> Verdict:
    """Judge a run by a criteria file and write its verdict.json; `force` replaces another verdict.

    The numbers that are judged are computed here, from the predictions. `settings` are parameters of the
    criteria file, as `NAME=VALUE`, and `baseline` is the one of that name; `labels` is a table of labelled
    answers. `expect` names datasets or files of what the run should have answered, beside those of the
    criteria file; `expect_split` their splits.
    `at` is told which phase of the work begins.

    Raises:
        InputError: see `fill_criteria`, `recheck`, `check_labels` and `check_expected`; `expect_split` is
            given without `expect`, or `labels` without a criterion on them; or another verdict is there.
    """
    if expect_split and not expect:
        raise InputError("expect_split names splits of nothing; name their source with expect")
    criteria = criteria_path(criteria)
    settings = settings if baseline is None else (*settings, f"baseline={baseline}")
    filled, wanted = fill_criteria(criteria, settings), read_wanted(criteria)
    asks_for_labels = any(criterion.metric == AGREEMENT for criterion in filled.criteria)
    if labels is not None and not asks_for_labels:
        raise InputError(
            f"{labels}: no criterion of {criteria.name} asks for {AGREEMENT}; leave out the labels"
        )
    wanted += tuple(Wanted(source, tuple(expect_split)) for source in expect)
    found = recheck(run, at)
    scope = filled.scope
    expected = check_expected(wanted, found.arms, run, scope) if wanted else None
    scores = with_expected(found.scores, expected, scope)
    table, labelled = None, None
    if asks_for_labels:
        table = find_labels(run, labels)
        labelled = None if table is None else check_labels(table, run, scores)
    judged = tuple(judge(criterion, scores, labelled, scope) for criterion in filled.criteria)
    claims = find_unjudged(filled.criteria, found.arms, scope)
    judged += unjudged_rows(claims.unjudged)
    sampled = sampled_arms(scores.cells, scope)
    if expected is not None:
        judged += (_judged_expectation(expected, sampled),)
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
        scope=scope,
        unjudged=claims.unjudged,
        left_out=claims.left_out,
        sampled=sampled,
        notes=(*found.notes, *(() if expected is None else expected.notes)),
    )
    verdict = sealed(verdict)
    write_new(run / VERDICT_FILE, json_bytes(verdict), force=force)
    return verdict


def sealed(verdict: Verdict) -> Verdict:
    """The verdict with the hashes of its criteria and of itself."""
    asked = content_sha256([document_of(criterion) for criterion in verdict.asked])
    verdict = msgspec.structs.replace(verdict, asked_sha256=asked)
    return msgspec.structs.replace(verdict, sha256=seal_of(document_of(verdict)))


def seal_of(document: Json) -> str:
    """The hash of the document of a verdict, without the hash that it states."""
    return content_sha256({key: value for key, value in document.items() if key != "sha256"})


def _criteria_file(criteria: Path, run: Path) -> PredictionsFile:
    """A criteria file by its hash; of a shipped one the name is enough."""
    return named_file(criteria, None if criteria.parent == SHIPPED else run)


def _judged_expectation(expected: Expectation, sampled: Sequence[Sampled]) -> Judged:
    """Whether every expected answer is there. A missing one could go either way, so nothing was measured."""
    there = expected.answers - expected.missing
    sources = ", ".join(file.name for file in expected.sources)
    text = f"{there} of {expected.answers} answers that {sources} expects are there"
    if expected.missing:
        text += f"; missing: {expected.named[0]}"
        text += f", and {expected.missing - 1} more" if expected.missing > 1 else ""
    text += f"; left out on purpose: {sampled_text(sampled)}" if sampled else ""
    return Judged(
        name=EXPECTED_ANSWERS,
        value=there / expected.answers,
        bound="== 1",
        decision=NOT_MEASURED if expected.missing else GO,
        evidence=text,
        use="value",
        severity="critical",
        metric=COVERAGE,
    )
