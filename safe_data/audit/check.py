"""Check datasets: Great Expectations judges the manifests' rows and the facts computed from them.

Warnings alone leave the exit code at 0; what could not be judged does not.

Differs: Great Expectations fails the whole result for a warning.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safe_data.audit.check_files import FILES, Format, check_same_judged, formatted, write_files
from safe_data.audit.corpus import Corpus, Given, named_root, open_corpus
from safe_data.audit.data_docs import write_data_docs
from safe_data.audit.facts.alignment import given_annotations
from safe_data.audit.facts.all_facts import compute_facts
from safe_data.audit.facts.fact import Fact
from safe_data.audit.judge import facts_named, judge
from safe_data.audit.judged import Judged
from safe_data.audit.suites import Suite, load_suites, narrowed
from safe_data.core.errors import require_extra
from safe_data.core.files import file_sha256
from safe_data.core.options_file import installed_versions
from safe_data.core.progress import Progress
from safe_data.core.terminal import complain, say
from safe_data.sampling.outlook import Outlook, read_outlook

FORMAT_VERSION = 2
PACKAGES = ("safe-hearing", "great_expectations", "pandas", "pyarrow")


def check(
    *roots: str | Path,
    suites: Sequence[str] = (),
    suites_folder: Path | None = None,
    only: Sequence[str] = (),
    given: Given = Given(),  # noqa: B008 - it is frozen
    out: Path | None = None,
    data_docs: Path | None = None,
    format: Format = "text",
    force: bool = False,
    quiet: bool = True,
) -> int:
    """Judge built datasets, together, by suites of rules; print and write the results, return the exit code.

    Args:
        roots: the datasets, each as ROOT or NAME=ROOT
        suites: names of suites that come with SAFE, or paths of your own .json (default: all that come)
        suites_folder: a folder of suites
        only: names of suites, facts or columns; only their rules are judged
        given: annotations, and a curriculum with what it draws from
        out: where to write the results (default: ROOT/check, if there is one dataset)
        data_docs: an empty or new folder for Great Expectations' own pages as well
        format: what is printed
        force: replace other results that are there
        quiet: show no progress

    Returns:
        0 if all critical rules hold, 1 if one does not, 2 if any could not be judged, or nothing was.

    Raises:
        InputError: there is no dataset, it has no rows, a suite cannot be read, or other results are there.
    """
    if out is None and len(roots) == 1:
        out = named_root(str(roots[0]))[1] / "check"
    if out is not None and force:
        for name in FILES:
            (out / name).unlink(missing_ok=True)  # an older verdict must not outlive a check that fails
    judged, corpus = judge_datasets(
        *roots, suites=suites, suites_folder=suites_folder, only=only, given=given, out=out, quiet=quiet
    )
    say(formatted(judged, format))
    tell = say if format == "text" else complain
    if data_docs is not None:
        tell([f"Data Docs written to {write_data_docs(judged, data_docs, force=force)}"])
    if out is not None:
        tell([f"written to {write_files(judged, corpus, out, force=force)}"])
    return judged.exit_code


def judge_datasets(
    *roots: str | Path,
    suites: Sequence[str] = (),
    suites_folder: Path | None = None,
    only: Sequence[str] = (),
    given: Given = Given(),  # noqa: B008 - it is frozen
    out: Path | None = None,
    quiet: bool = True,
) -> tuple[Judged, Corpus]:
    """What `check` finds, and the datasets as one corpus; nothing is printed, and nothing written.

    Raises:
        InputError: see `check`; with `out`, other results are there.
    """
    chosen = narrowed(load_suites(suites, suites_folder), only)
    require_extra("the check", "gx", "great_expectations", "pandas")
    corpus = open_corpus([str(root) for root in roots], given)
    if given.annotations is not None:
        corpus.once(given_annotations)  # refused before any work
    about = _provenance(corpus, chosen, only)
    if out is not None:
        check_same_judged(out / "results.json", about)
    outlook = _outlook(given, roots)
    facts = _facts(corpus, facts_named(chosen), quiet=quiet)
    asked = tuple(only) or tuple(suite.name for suite in chosen if suites)
    judged = Judged(
        title=", ".join(corpus.names),
        records=corpus.manifest.num_rows,
        results=judge(chosen, corpus, facts),
        facts=facts,
        asked=asked,
        about=about,
        outlook=outlook,
    )
    return judged, corpus


def _facts(corpus: Corpus, names: Sequence[str], *, quiet: bool) -> dict[str, Fact]:
    found: dict[str, Fact] = {}
    with Progress("computing facts", len(names), unit="fact", labels=["now"], quiet=quiet) as progress:
        for name in names:
            progress.update(0, shown={"now": name})
            found |= compute_facts(corpus, [name])
            progress.update()
    return found


def _outlook(given: Given, roots: Sequence[str | Path]) -> Outlook | None:
    if given.sampling is None:
        return None
    names = [str(root) for root in roots]
    return read_outlook(given.sampling, names, split=given.split, batch_size=given.batch_size)


def _provenance(corpus: Corpus, suites: Sequence[Suite], only: Sequence[str]) -> dict[str, Any]:
    """The datasets, the suites, what else was given, and the versions that a result depends on."""
    given = corpus.given
    beside: dict[str, Any] = {}
    if given.annotations is not None:
        beside["annotations"] = file_sha256(given.annotations)
    if given.sampling is not None:
        beside |= {"sampling": file_sha256(given.sampling), "split": given.split}
        beside["batch_size"] = given.batch_size
    return {
        "format_version": FORMAT_VERSION,
        "datasets": {
            name: {"fingerprint": dataset.fingerprint, "manifest_sha256": dataset.manifest_sha256}
            for name, dataset in zip(corpus.names, corpus.datasets, strict=True)
        },
        "suites": {suite.name: suite.sha256 for suite in suites},
        "only": list(only),
        "given": beside,
        "versions": installed_versions(PACKAGES),
    }
