"""The commands that look at a dataset: info describes it, audit finds its faults, check judges it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from safe_data.core.command import DOES_NOT_HOLD, HOLDS
from safe_data.core.errors import InputError
from safe_data.core.numerals import counted
from safe_data.core.terminal import say


def info(
    root: str,
    *,
    rejected: bool = False,
    reason: str | None = None,
    croissant: bool = False,
    format: Literal["text", "json", "csv"] = "text",
) -> None:
    """Print what a dataset holds: clips, sizes, hours, embeddings, rejected records, and one record.

    Args:
        root: directory or URL of a finished dataset
        rejected: list every rejected record instead: its id, the medium that was looked for, the reason
        reason: only records rejected for this reason, or for reasons that begin so, such as 'no such file'
        croissant: print Croissant metadata instead, for dataset search and other loaders; keep them in ROOT
            (see docs/data.md)
        format: text (80 columns) or json; with --rejected also csv

    Examples:
        safe-data info runs/mine/shards
        safe-data info runs/mine/shards --format json
        safe-data info runs/mine/shards --rejected --reason 'no such file'
        safe-data info runs/mine/shards --rejected --format csv
        safe-data info runs/mine/shards --croissant
    """
    from safe_data.shards.info import info_json, info_lines, read_info

    if croissant and (rejected or format == "csv"):
        raise InputError(
            "--croissant: is one JSON document about all records; leave out --rejected and --format csv"
        )
    if rejected:
        from safe_data.shards.rejected import read_rejected, rejected_csv, rejected_json, rejected_lines

        write = {"text": rejected_lines, "json": rejected_json, "csv": rejected_csv}[format]
        say(write(read_rejected(root, reason)))
        return
    if reason is not None:
        raise InputError(f"--reason {reason}: chooses among the rejected records; add --rejected")
    if format == "csv":
        raise InputError("--format csv: lists rejected records, one a line; add --rejected, or take json")
    if croissant:
        from safe_data.shards.croissant import croissant_lines

        say(croissant_lines(root))
        return
    facts = read_info(root)
    say(info_json(facts) if format == "json" else info_lines(facts))


@dataclass(frozen=True)
class CheckedRoots:
    """What `check` judges."""

    roots: tuple[str, ...] = field(default=(), metadata={"positional": True})
    """directories of finished datasets, judged together, each as ROOT or NAME=ROOT, where NAME is what the
    results and a curriculum call it (default: the name in its dataset.json)"""


@dataclass(frozen=True)
class CheckedRules:
    """By which rules `check` judges."""

    suites: Path | None = None
    """folder of suites, each a .json file"""
    suite: tuple[str, ...] = ()
    """suite that comes with SAFE, or the path of your own .json (see expectations/README.md; without --suites
    and --suite: all that come with SAFE)"""
    only: tuple[str, ...] = ()
    """suite, fact or column: judge only the rules of this name"""
    list: bool = False
    """print the facts and columns that a rule may be about, and the suites; judge nothing"""


@dataclass(frozen=True)
class CheckedBy:
    """What `check` is given beside datasets."""

    annotations: Path | None = None
    """JSON of pairs of sound and picture that a person marked as aligned or mismatched"""
    sampling: Path | None = None
    """YAML file of a curriculum (see docs/data.md); without a dataset, only the file is judged"""
    split: str | None = None
    """split that the curriculum draws from, only with --sampling (default: train)"""
    batch_size: int | None = None
    """rows of a batch over all ranks, only with --sampling (default: 256)"""


def check(
    roots: CheckedRoots,
    rules: CheckedRules = CheckedRules(),
    by: CheckedBy = CheckedBy(),
    *,
    out: Path | None = None,
    format: Literal["text", "json", "markdown", "junit"] = "text",
    data_docs: Path | None = None,
    force: bool = False,
    quiet: bool = False,
) -> int:
    """Judge datasets by suites of rules: 0 holds, 1 does not hold, 2 could not be judged.

    With --sampling, judge a curriculum as well: what its stages will draw from the datasets, and whether they
    can.

    Args:
        out: directory for facts.json, results.json, junit.xml, summary.md and index.html (default: of one
            dataset ROOT/check, of several none)
        format: what is printed: text, json, markdown (for a summary in CI) or junit (XML)
        data_docs: new directory for Great Expectations' own pages, Data Docs
        force: replace other results that are there
        quiet: show no progress

    Examples:
        safe-data check runs/mine/shards
        safe-data check runs/mine/shards --suite leakage --suite my_rules.json --out runs/mine/checked
        safe-data check runs/mine/shards --only duplicates --only load_rate --format markdown
        safe-data check audio=runs/audiocaps vl=runs/vqav2 --sampling curriculum.yaml --batch-size 64
        safe-data check --list
    """
    if rules.list:
        return _list(format)
    if by.sampling is None and (by.split is not None or by.batch_size is not None):
        raise InputError("--split and --batch-size go with --sampling; add it, or leave them out")
    split, batch_size = by.split or "train", 256 if by.batch_size is None else by.batch_size
    if by.sampling is not None and not roots.roots:
        from safe_data.sampling.outlook import check_sampling

        if rules != CheckedRules() or by.annotations is not None or out is not None or force:
            options = "--suites, --suite, --only, --annotations, --out and --force"
            raise InputError(f"{options} judge a dataset; name one, or leave them out")
        if format not in ("text", "json"):
            raise InputError(f"--format {format}: judges a dataset; name one, or take text or json")
        return check_sampling(by.sampling, split=split, batch_size=batch_size, as_json=format == "json")
    if not roots.roots:
        raise InputError("no dataset is given; name the directory of a finished one")
    from safe_data.audit.check import check
    from safe_data.audit.corpus import Given

    return check(
        *roots.roots,
        suites=rules.suite,
        suites_folder=rules.suites,
        only=rules.only,
        given=Given(by.annotations, by.sampling, split, batch_size),
        out=out,
        data_docs=data_docs,
        format=format,
        force=force,
        quiet=quiet,
    )


def _list(format: str) -> int:
    from safe_data.audit.check_list import check_list, check_list_lines

    if format not in ("text", "json"):
        raise InputError(f"--format {format}: does not go with --list; take text or json")
    found = check_list()
    say(found.json_lines() if format == "json" else check_list_lines(found))
    return HOLDS


@dataclass(frozen=True)
class AuditedRoots:
    """What `audit` looks at."""

    roots: tuple[str, ...] = field(default=(), metadata={"positional": True})
    """directories of finished datasets, compared with each other too, each as ROOT or NAME=ROOT; with
    --source the folder of a corpus"""


def audit(
    roots: AuditedRoots,
    *,
    source: str | None = None,
    out: Path | None = None,
    annotations: Path | None = None,
    sampling: Path | None = None,
    spot_check: int | None = None,
    force: bool = False,
    quiet: bool = False,
) -> None:
    """Find what is wrong with datasets: leaks between splits, duplicates, silence, imbalance and more.

    It judges nothing, so the exit code is 0 whatever it finds; `safe-data check` judges.

    Args:
        source: audit the annotations of a corpus alone, as this source reads them, before its media are there
        out: directory for audit.json, audit.html and findings.parquet (default: ROOT/audit of one dataset;
            otherwise audit in the current directory)
        annotations: JSON of pairs of sound and picture that a person marked as aligned or mismatched
        sampling: YAML file of a curriculum (see docs/data.md), whose batches are compared with its shares
        spot_check: number of pairs on a page, spot_check.html, to be marked as aligned or mismatched
        force: replace other results that are there
        quiet: show no progress

    Examples:
        safe-data audit runs/mine/shards
        safe-data audit runs/audiocaps runs/vggsound --out runs/audited
        safe-data audit runs/mine/shards --spot-check 100
        safe-data audit corpora/MUSIC-AVQA/data --source music_avqa
    """
    from safe_data.audit.auditing import audit_datasets

    if not roots.roots:
        raise InputError("no dataset is given; name the directory of a finished one")
    audit_datasets(
        *roots.roots,
        source=source,
        out=out,
        annotations=annotations,
        sampling=sampling,
        spot_check=spot_check,
        force=force,
        quiet=quiet,
    )


def verify(root: str) -> int:
    """Compare every file of a dataset with its recorded hash and counts: 0 all agree, 1 some do not.

    Args:
        root: directory or URL of a finished dataset

    Examples:
        safe-data verify runs/mine/shards
    """
    from safe_data.shards.verify import verify_dataset

    found = verify_dataset(root)
    if not found.findings:
        size = f"{found.files} files, {found.bytes / 1e6:.1f} MB"
        say([f"{root}: OK, {counted(found.samples, 'clip')} in {size}"])
        return HOLDS
    say([*found.findings, f"{root}: not as it was written, {counted(len(found.findings), 'fault')}"])
    return DOES_NOT_HOLD
