"""Chain: the hashes by which a verdict names what it rests on, from the predictions to itself.

An unbroken chain shows that the files belong together and that none was edited afterwards by itself. It does
not show who wrote them: whoever edits a file can write new hashes. The proof is to run `verdict` again.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_data.core.json_document import DocumentError, content_sha256, document_of, read_document
from safe_eval.judging.criteria_file import SHIPPED
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.expected_examples import EXPECTED_ANSWERS
from safe_eval.judging.judged import GO, Judged, bound_of, overall
from safe_eval.judging.row_evidence import Evidence
from safe_eval.judging.scope import UNJUDGED
from safe_eval.judging.unjudged import row_names
from safe_eval.judging.verdict import VERDICT_FILE, Verdict, seal_of
from safe_eval.scoring.items import ITEMS_FILE
from safe_eval.scoring.scores import SCORES_FILE, PredictionsFile, Scores, file_of


class Link(NamedTuple):
    """A file of the chain, the hash that the next one names it by, and whether the file here has it."""

    role: str
    name: str
    sha256: str
    found: str | None  # the hash of the file here; None if it is not here

    @property
    def state(self) -> str:
        """What was found, for a reader."""
        if self.found is None:
            return "not here, so not compared"
        return "as it was" if self.found == self.sha256 else "changed since"


def read_verdict(run: Path, scores: Scores) -> Verdict:
    """Read a run's verdict.json, and check that it judges these scores and that its chain is unbroken.

    Raises:
        InputError: it does not exist, is no verdict, or was edited; or it rests on other scores, predictions,
            items, criteria or expected examples than those that are here.
    """
    path = run / VERDICT_FILE
    again = f"safe-eval verdict {run} --criteria FILE.yaml"
    if not path.is_file():
        raise InputError(f"{path}: no such file; make it with: {again}")
    again += " --force"
    try:
        document = read_document(data := path.read_bytes())
        verdict = msgspec.json.decode(data, type=Verdict)
    except (msgspec.MsgspecError, DocumentError, RecursionError) as error:
        raise InputError(f"{path}: is not a verdict file: {error}; judge the scores again: {again}") from None
    if verdict.scores_sha256 != file_sha256(run / SCORES_FILE):
        raise InputError(
            f"{path}: judges other scores than the {SCORES_FILE} next to it; judge these: {again}"
        )
    fault = next(_faults(run, scores, verdict), None)
    if fault is None and not verdict.sha256:
        fault = "has no hash of itself: an earlier version wrote it, or somebody took it out"
    if fault is None and seal_of(document) != verdict.sha256:
        fault = f"was changed after it was written: it says sha256 {verdict.sha256[:12]} of itself"
    if fault is not None:
        raise InputError(f"{path}: {fault}; judge the scores again: {again}")
    return verdict


def chain_links(run: Path, scores: Scores, verdict: Verdict) -> tuple[Link, ...]:
    """The chain of a verdict, in the order in which each file rests on those before it."""
    made = scores.provenance
    inputs = [("predictions", file) for file in made.predictions]
    inputs += [("CIDEr's document frequencies", file) for file in filter(None, [made.frequencies])]
    inputs += [("SPICE values", file) for file in filter(None, [made.spice])]
    inputs += [("answers of another split", file) for file in filter(None, [made.prior])]
    expected = () if verdict.expected is None else verdict.expected.sources
    named = [Link(role, file.name, file.sha256, _hash(file_of(run, file))) for role, file in inputs]
    named.append(Link("scores", SCORES_FILE, verdict.scores_sha256, _hash(run / SCORES_FILE)))
    if verdict.items_sha256 is not None:
        named.append(Link("items", ITEMS_FILE, verdict.items_sha256, _hash(run / ITEMS_FILE)))
    file = verdict.criteria_file
    named.append(Link("criteria", file.name, file.sha256, _hash(_criteria_path(run, file))))
    if (table := verdict.labels_file) is not None:
        named.append(Link("labelled answers", table.name, table.sha256, _hash(_where(run, table))))
    named += [Link("expected answers", one.name, one.sha256, _hash(_where(run, one))) for one in expected]
    seal = seal_of(document_of(verdict))
    return (*named, Link("verdict", f"{VERDICT_FILE} (what it says)", verdict.sha256, seal))


def _faults(run: Path, scores: Scores, verdict: Verdict) -> Iterator[str]:
    """What in a verdict does not fit itself, its scores, or the files here."""
    if verdict.decision != overall(verdict.criteria):
        yield f"says {verdict.decision}, its criteria say {overall(verdict.criteria)}"
    made = scores.provenance
    if verdict.sha256:  # an earlier version named the scores alone
        if _names(verdict.predictions) != _names(made.predictions):
            yield f"names other predictions than {SCORES_FILE}"
        if verdict.items_sha256 != made.items_sha256:
            yield f"names another {ITEMS_FILE} than {SCORES_FILE}"
        if content_sha256([document_of(one) for one in verdict.asked]) != verdict.asked_sha256:
            yield "its criteria were changed after they were judged"
        yield from _of_criteria(verdict)
    for link in chain_links(run, scores, verdict)[:-1]:
        is_read = link.name == ITEMS_FILE  # and checked by who reads it
        if link.found not in (None, link.sha256) and not is_read and not _is_shipped(link, verdict):
            yield f"rests on another {link.name} than the one here, sha256 {link.sha256[:12]}"


def _of_criteria(verdict: Verdict) -> Iterator[str]:
    """Rows that are not what was asked, in its order, with what was asked of them."""
    asked = [(one.name, bound_of(one), one.use, one.severity) for one in verdict.asked]
    asked += [(name, "== 1", "value", "critical") for name in row_names(verdict.unjudged)]
    for row in verdict.criteria:
        if row.name.startswith(UNJUDGED) and row.decision == GO:
            yield f"says {GO} of {row.name!r}, which no criterion judges"
    if verdict.expected is not None:
        asked.append((EXPECTED_ANSWERS, "== 1", "value", "critical"))
        if verdict.expected.missing and verdict.criteria[-1:] and verdict.criteria[-1].decision == GO:
            yield f"says {GO} of {EXPECTED_ANSWERS!r}, and {verdict.expected.missing} are missing"
    if [(row.name, row.bound, row.use, row.severity) for row in verdict.criteria] != asked:
        yield "judges other criteria than it says were asked for"
    for criterion, row in zip(verdict.asked, verdict.criteria, strict=False):
        if row.decision == GO and not _meets(criterion, row):
            yield f"says {GO} of {row.name!r}, whose number does not meet {row.bound}"


def _meets(criterion: Criterion, row: Judged) -> bool:
    """Whether the numbers of a row meet the bound of its criterion."""
    said = Evidence(
        "",
        value=row.value,
        ci_low=row.ci_low,
        ci_high=row.ci_high,
        equivalence=(row.equivalence_low, row.equivalence_high),
    )
    bound = criterion.parsed_bound()
    numbers = said.numbers(criterion.use, bound.operator)
    return all(number is not None and bound.holds(number) for number in numbers)


def _is_shipped(link: Link, verdict: Verdict) -> bool:
    """Whether a link is to criteria that safe-eval ships; a later version may ship others by this name."""
    is_named = verdict.criteria_file.path is None and (SHIPPED / verdict.criteria_file.name).is_file()
    return link.role == "criteria" and is_named


def _names(files: tuple[PredictionsFile, ...]) -> list[tuple[str, str]]:
    return [(file.name, file.sha256) for file in files]


def _criteria_path(run: Path, file: PredictionsFile) -> Path:
    here = _where(run, file)
    return SHIPPED / file.name if file.path is None and not here.is_file() else here


def _where(run: Path, file: PredictionsFile) -> Path:
    """A file where it was when the verdict was made, or else beside the verdict."""
    beside = run / Path(file.name).name
    was = beside if file.path is None else run / file.path
    return was if was.exists() else beside


def _hash(path: Path) -> str | None:
    """The hash of a file, or the fingerprint of a dataset; None if it is not here."""
    if path.is_dir():
        from safe_data.shards.layout import read_dataset

        try:
            return read_dataset(path).fingerprint
        except InputError:
            return None
    return file_sha256(path) if path.is_file() else None
