"""Auditing: audit datasets, or annotations alone, and write what is found.

audit.json       everything that was found, with versions and the fingerprints of what was read
findings.parquet a row for each record that is behind a finding
audit.html       the same to look at, with sounds to play; needs the extra `report`
spot_check.html  with --spot-check, pairs to listen to and to mark
"""

from pathlib import Path

import msgspec

from safe_data.audit.annotated import annotated_corpus
from safe_data.audit.audit import About, Audit, about_corpus, audit_corpus
from safe_data.audit.audit_lines import audit_lines
from safe_data.audit.audit_page import audit_page
from safe_data.audit.corpus import Corpus, Given, named_root, open_corpus
from safe_data.audit.facts.alignment import given_annotations
from safe_data.audit.findings_table import findings_parquet
from safe_data.audit.spot_check import SpotCheck, write_spot_check
from safe_data.core.errors import InputError, install_extra
from safe_data.core.files import json_bytes
from safe_data.core.numerals import counted
from safe_data.core.overwriting import write_all_new
from safe_data.core.phases import Phases
from safe_data.core.terminal import say

JSON, TABLE, PAGE = "audit.json", "findings.parquet", "audit.html"


def audit_datasets(
    *roots: str | Path,
    source: str | None = None,
    out: Path | None = None,
    annotations: Path | None = None,
    sampling: Path | None = None,
    spot_check: int | None = None,
    force: bool = False,
    quiet: bool = True,
) -> Audit:
    """Audit built datasets together, or the annotations of a corpus; print and write what is found.

    Args:
        roots: the datasets, each as ROOT or NAME=ROOT; with a source, the folder of its corpus
        source: a key of `SOURCES`, such as music_avqa: audit the annotations alone, before media are there
        out: where to write the results (default: ROOT/audit of one dataset; otherwise audit in this folder)
        annotations: pairs of sound and picture that a person marked
        sampling: a curriculum, whose batches are compared with its shares
        spot_check: pairs of a page on which a person marks what belongs together (default: no page)
        force: replace other results that are there
        quiet: show no progress

    Raises:
        InputError: there is no dataset, it has no rows, or other results are there.
    """
    corpus = _corpus(roots, source, Given(annotations, sampling))
    out = out or (named_root(str(roots[0]))[1] / "audit" if len(roots) == 1 and not source else Path("audit"))
    if not force:
        _check_same_audited(out / JSON, corpus)
    if annotations is not None:
        corpus.once(given_annotations)
    check = None
    with Phases("audit", quiet=quiet) as at:
        audit = audit_corpus(corpus, at)
        at("findings.parquet")
        contents = {out / JSON: json_bytes(audit), out / TABLE: findings_parquet(corpus, audit)}
        if spot_check is not None:
            at("spot check")
            check = write_spot_check(corpus, out, spot_check, force=force)
        at("page")
        try:
            contents[out / PAGE] = audit_page(corpus, audit).encode()
        except ImportError:
            hint = f" (for a page to look at, {install_extra('report')})"
        else:
            hint = ""
    write_all_new(contents, force=force)
    first = out / (PAGE if out / PAGE in contents else JSON)
    say([*audit_lines(audit), "", f"written to {first}{hint}; every record that leaks is in {TABLE} there"])
    if check is not None:
        say(_spot_check_lines(check))
    return audit


def _spot_check_lines(check: SpotCheck) -> list[str]:
    """Where the page of a spot check is, what is on it, and which suspicions were not looked for."""
    pairs = f"{counted(check.random, 'random pair')} and {counted(check.suspicious, 'suspicious one')}"
    missed = [f"  not looked for: {one}" for one in check.not_looked_for]
    return [f"{check.path}: {pairs} to listen to; read what you save by --annotations", *missed]


def _corpus(roots: tuple[str | Path, ...], source: str | None, given: Given) -> Corpus:
    if source is None:
        return open_corpus([str(root) for root in roots], given)
    if len(roots) != 1:
        raise InputError(f"--source {source}: reads one corpus, and {len(roots)} are named")
    return annotated_corpus(Path(roots[0]), source, given)


class _Before(msgspec.Struct):
    """What an earlier audit.json says that it is about."""

    about: About


def _check_same_audited(path: Path, corpus: Corpus) -> None:
    """Refuse, before any work, to replace an audit of something else.

    Raises:
        InputError: the file is there, and is about other datasets, files or versions.
    """
    if not path.exists():
        return
    try:
        same = msgspec.json.decode(path.read_bytes(), type=_Before).about == about_corpus(corpus)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        same = False
    if not same:
        raise InputError(
            f"{path}: is there already, about other datasets, files or versions; name another --out, or add "
            "--force to replace it"
        )
