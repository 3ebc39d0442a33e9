"""safe-data: the command line; make a synthetic world, and build, describe, check and verify shards."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from safe_data.audit.suites import SUITES
from safe_data.core.command import DOES_NOT_HOLD, HOLDS, Command, run
from safe_data.core.command_help import Topics, lists
from safe_data.core.errors import InputError
from safe_data.core.terminal import complain, say

if TYPE_CHECKING:
    from safe_data.build.build import Summary


def synth(out: Path, *, clips: int = 2000, seed: int = 0) -> None:
    """Write a synthetic world of pictures and sounds as a folder dataset.

    Args:
        out: new directory; one that already holds the same world is left as it is, any other is refused
        clips: number of clips, 24 or more
        seed: seed of the random numbers, 0 or more; the same seed gives the same bytes

    Examples:
        safe-data synth runs/world --clips 200 --seed 0
    """
    from safe_data.sources.synthetic.world import write_world

    write_world(out, clips=clips, seed=seed)
    say([f"{out}: {clips} clips of seed {seed}"])


def _encoders() -> Topics:
    from safe_data.encoders.encoder import encoder_specs

    return {"Encoders, where SOURCE is a directory or a hub id:": encoder_specs()}


def _sources_and_encoders() -> Topics:
    from safe_data.sources.all_sources import source_lines

    return {"Sources (docs/data.md shows their files):": source_lines(), **_encoders()}


@lists(_sources_and_encoders)
def build(
    source_root: Path,
    out: str,
    *,
    source: str = "folder",
    encoder: tuple[str, ...] = ("logmel",),
    name: str | None = None,
    shard_size: int = 1000,
    frames: int = 1,
    trust_links: Path | None = None,
    max_reject_rate: float = 0.05,
    workers: int = 1,
    memory: str | None = None,
    engine: str = "local",
    ray_address: str | None = None,
    quiet: bool = False,
) -> int:
    """Build shards with cached embeddings, or continue a build that was stopped.

    Args:
        source_root: folder of the corpus, laid out as its source expects (see docs/data.md)
        out: directory or URL of the dataset; new, or begun with the same records and options
        source: how the corpus is laid out, one of the names below
        encoder: encoder of the embeddings, as listed below
        name: name of the dataset, the first part of the shards' names (default: the name of the folder)
        shard_size: largest number of records per shard, 1 or more
        frames: pictures to store per video, 1 or more, evenly spaced over the clip
        trust_links: folder into which links below the corpus may lead, such as the blobs/ of a Hugging Face
            snapshot (default: a link that leads out of the corpus is refused)
        max_reject_rate: largest share of rejected records, from 0 to 1; with more the exit code is 1
        workers: shards to process at the same time, 1 or more
        memory: limit on the memory of all processes together, such as 800MB or 2GiB, without what a
            pretrained encoder takes (default: the smaller of 1 GB and a quarter of the machine's memory, or
            what the workers need at least)
        engine: what runs the workers: local (processes on this machine) or ray
        ray_address: address of a Ray cluster, only with engine ray (default: start Ray on this machine)
        quiet: show no progress

    Examples:
        safe-data build my_folder runs/mine/shards
        safe-data build corpora/audiocaps runs/heard --source audiocaps --workers 8
    """
    from safe_data.build.build import build_dataset
    from safe_data.core.options_file import CORE, OPTIONS, options_yaml
    from safe_data.shards.storage import open_storage

    if not 0 <= max_reject_rate <= 1:
        raise InputError(f"--max-reject-rate {max_reject_rate:g} is no share; give a number from 0 to 1")
    summary = build_dataset(
        source_root,
        out,
        source=source,
        encoders=encoder,
        name=name,
        shard_size=shard_size,
        frames=frames,
        trust_links=trust_links,
        workers=workers,
        memory=memory,
        engine=engine,
        ray_address=ray_address,
        quiet=quiet,
    )
    options = {
        "source_root": str(source_root),
        "out": out,
        "source": source,
        "encoder": list(encoder),
        "name": name,
        "shard_size": shard_size,
        "frames": frames,
        "trust_links": trust_links,
        "max_reject_rate": max_reject_rate,
    }  # workers, memory and engine are left out: they change no byte
    with open_storage(out).committing(OPTIONS) as file:
        file.write(options_yaml("safe-data build", options, CORE))
    _print_summary(out, summary)
    if summary.rejected <= max_reject_rate * summary.rows:
        return HOLDS
    share = f"{summary.rejected / summary.rows:.1%} of the records were rejected"
    complain([f"safe-data build: {share}, more than --max-reject-rate {max_reject_rate:.1%}"])
    return DOES_NOT_HOLD


@lists(_encoders)
def add_encoder(
    root: str,
    encoder: str,
    *,
    workers: int = 1,
    memory: str | None = None,
    engine: str = "local",
    ray_address: str | None = None,
    quiet: bool = False,
) -> None:
    """Add the embeddings of one more encoder to a dataset, from the sounds in its shards.

    Args:
        root: directory or URL of a finished dataset
        encoder: encoder of the embeddings, as listed below
        workers: shards to process at the same time, 1 or more
        memory: limit on the memory of all processes together, such as 800MB or 2GiB, without what a
            pretrained encoder takes (default: the smaller of 1 GB and a quarter of the machine's memory, or
            what the workers need at least)
        engine: what runs the workers: local (processes on this machine) or ray
        ray_address: address of a Ray cluster, only with engine ray (default: start Ray on this machine)
        quiet: show no progress

    Examples:
        safe-data add-encoder runs/mine/shards clap:laion/clap-htsat-unfused
    """
    from safe_data.build.add_encoder import add_encoder

    added, dataset = add_encoder(
        root,
        encoder,
        workers=workers,
        memory=memory,
        engine=engine,
        ray_address=ray_address,
        quiet=quiet,
    )
    samples = sum(split.samples for split in dataset.splits.values())
    shape = "×".join(map(str, added.shape))
    embeddings = ", ".join(encoding.label for encoding in dataset.encoders)
    what = f"{added.label}, {added.dtype} {shape}, of {_count(samples, 'clip')}"
    say([f"{root}: {what}", f"  embeddings: {embeddings}"])


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
        say([f"{root}: OK, {_count(found.samples, 'clip')} in {size}"])
        return HOLDS
    say([*found.findings, f"{root}: not as it was written, {_count(len(found.findings), 'fault')}"])
    return DOES_NOT_HOLD


def sample(out: Path) -> None:
    """Write the small sample of shards that comes with SAFE in shards/sample.

    Args:
        out: directory of the sample; new, or begun by the same command

    Examples:
        safe-data sample shards/sample
    """
    from safe_data.build.sample import write_sample
    from safe_data.core.options_file import write_options

    summary = write_sample(out)
    write_options(out, "safe-data sample", {"out": out})
    _print_summary(str(out), summary)


def _print_summary(out: str, summary: "Summary") -> None:
    from safe_data.shards.manifest import rejection_table

    splits = [
        f"{split} {facts.samples} in {_count(len(facts.shards), 'shard')}"
        for split, facts in summary.dataset.splits.items()
    ]
    encodings = ", ".join(encoding.label for encoding in summary.dataset.encoders) or "none"
    lines = [
        f"{out}: {_count(summary.rows - summary.rejected, 'clip')} ok, {summary.rejected} rejected",
        f"  {', '.join(splits)}; embeddings: {encodings}",
        *rejection_table(summary.rejections, summary.rows),
    ]
    if summary.repaired:
        lines.append(f"  damaged, and made again: {', '.join(summary.repaired)}")
    if summary.rejected:
        lines.append(f"  every one of them: safe-data info {shlex.quote(out)} --rejected")
    say(lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


COMMANDS: dict[str, Command] = {
    "synth": synth,
    "build": build,
    "add-encoder": add_encoder,
    "info": info,
    "check": check,
    "verify": verify,
    "sample": sample,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `safe-data` with these arguments (default: the ones on the command line); return the exit code."""
    return run("safe-data", "Turn raw corpora into shards with cached audio embeddings.", COMMANDS, argv)


if __name__ == "__main__":
    sys.exit(main())
