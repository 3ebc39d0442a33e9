"""The commands that look at a dataset: info describes it, check judges it, verify compares its bytes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from safe_data.audit.suites import SUITES
from safe_data.core.command import DOES_NOT_HOLD, HOLDS
from safe_data.core.errors import InputError
from safe_data.core.numerals import counted
from safe_data.core.terminal import say


def info(
    root: str,
    *,
    rejected: bool = False,
    reason: str | None = None,
    format: Literal["text", "json", "csv"] = "text",
) -> None:
    """Print what a dataset holds: clips, sizes, hours, embeddings, rejected records, and one record.

    Args:
        root: directory or URL of a finished dataset
        rejected: list every rejected record instead: its id, the medium that was looked for, the reason
        reason: only records rejected for this reason, or for reasons that begin so, such as 'no such file'
        format: text (80 columns) or json; with --rejected also csv

    Examples:
        safe-data info runs/mine/shards
        safe-data info runs/mine/shards --format json
        safe-data info runs/mine/shards --rejected --reason 'no such file'
        safe-data info runs/mine/shards --rejected --format csv
    """
    from safe_data.shards.info import info_json, info_lines, read_info

    if rejected:
        from safe_data.shards.rejected import read_rejected, rejected_csv, rejected_json, rejected_lines

        write = {"text": rejected_lines, "json": rejected_json, "csv": rejected_csv}[format]
        say(write(read_rejected(root, reason)))
        return
    if reason is not None:
        raise InputError(f"--reason {reason}: chooses among the rejected records; add --rejected")
    if format == "csv":
        raise InputError("--format csv: lists rejected records, one a line; add --rejected, or take json")
    facts = read_info(root)
    say(info_json(facts) if format == "json" else info_lines(facts))


@dataclass(frozen=True)
class CheckedRoots:
    """What `check` judges."""

    roots: tuple[str, ...] = field(default=(), metadata={"positional": True})
    """directory of a finished dataset; with --sampling any number of them, each as ROOT or NAME=ROOT, where
    NAME is what the curriculum calls it (default: the name in its dataset.json)"""


def check(
    roots: CheckedRoots,
    *,
    suite: tuple[str, ...] = SUITES,
    out: Path | None = None,
    force: bool = False,
    sampling: Path | None = None,
    split: str | None = None,
    batch_size: int | None = None,
    format: Literal["text", "json"] = "text",
) -> int:
    """Judge a dataset by suites of expectations: 0 holds, 1 does not hold, 2 could not be judged.

    With --sampling, judge a curriculum instead: what its stages will draw from the datasets, and whether they
    can.

    Args:
        suite: schema, integrity, leakage, or the path of your own .json (see expectations/README.md)
        out: directory for facts.json, results.json and index.html (default: ROOT/check)
        force: replace other results that are there
        sampling: YAML file of a curriculum (see docs/data.md); without a dataset, only the file is judged
        split: split that the curriculum draws from, only with --sampling (default: train)
        batch_size: rows of a batch over all ranks, only with --sampling (default: 256)
        format: text (80 columns) or json, only with --sampling

    Examples:
        safe-data check runs/mine/shards
        safe-data check runs/mine/shards --suite leakage --suite my_rules.json --out runs/mine/checked
        safe-data check audio=runs/audiocaps vl=runs/vqav2 --sampling curriculum.yaml --batch-size 64
    """
    if sampling is not None:
        from safe_data.sampling.outlook import check_sampling

        if out is not None or force or suite != SUITES:
            raise InputError("--suite, --out and --force judge a dataset; leave them out with --sampling")
        return check_sampling(
            sampling,
            roots.roots,
            split=split or "train",
            batch_size=256 if batch_size is None else batch_size,
            as_json=format == "json",
        )
    from safe_data.audit.check import check

    if split is not None or batch_size is not None or format != "text":
        raise InputError("--split, --batch-size and --format go with --sampling; add it, or leave them out")
    if len(roots.roots) != 1:
        raise InputError(f"{len(roots.roots)} datasets given; name one, or add --sampling FILE")
    return check(Path(roots.roots[0]), suites=list(suite), out=out, force=force)


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
