"""safe-data: the command line; the commands here make datasets, those of `inspecting` look at them."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safe_data.core.command import DOES_NOT_HOLD, HOLDS, Command, run
from safe_data.core.command_help import Topics, lists
from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.numerals import counted
from safe_data.core.terminal import complain, say
from safe_data.inspecting import audit, check, info, verify
from safe_data.splitting.command import split

if TYPE_CHECKING:
    from safe_data.build.build import Summary


def _worlds() -> Topics:
    from safe_data.sources.synthetic.worlds import WORLDS

    return {"Worlds (docs/worlds.md says what each can show):": {n: one.about for n, one in WORLDS.items()}}


@lists(_worlds)
def synth(
    out: Path,
    *,
    clips: int = 2000,
    seed: int = 0,
    world: str = "plain",
    faults: str | None = None,
    speaker: str = "auto",
) -> None:
    """Write a synthetic world of pictures and sounds as a folder dataset.

    Args:
        out: new directory; one that already holds the same world is left as it is, any other is refused
        clips: number of clips, 24 or more, or 48 of the speech world
        seed: seed of the random numbers, 0 or more; the same seed gives the same bytes
        world: what the clips are like, one of the worlds below
        faults: faults to plant, as KIND=NUMBER,…, where KIND is leakage, near_leakage, duplicate,
            near_duplicate, label_conflict, answer_conflict, mismatch, silent, corrupt, ungrouped,
            shared_group, or imbalance, whose NUMBER is the ratio of the most frequent label to the rarest;
            OUT/faults.json tells where they are
        speaker: who speaks in the speech world: espeak-ng; formants, a made voice without words; or auto,
            espeak-ng where it is installed; its version is a part of what the same bytes need

    Examples:
        safe-data synth runs/world --clips 200 --seed 0
        safe-data synth runs/hard --clips 2400 --world hard
        safe-data synth runs/faulty --clips 400 --faults leakage=3,near_duplicate=5,silent=2
        safe-data synth runs/speech --clips 1280 --world speech --speaker formants
    """
    from safe_data.sources.synthetic.faults import parse_faults
    from safe_data.sources.synthetic.faults_key import FAULTS_JSON
    from safe_data.sources.synthetic.world import write_world

    wanted = parse_faults(faults) if faults is not None else None
    write_world(out, clips=clips, seed=seed, world=world, faults=wanted, speaker=speaker)
    planted = f", with {faults}; the key is {out / FAULTS_JSON}" if wanted else ""
    say([f"{out}: {clips} clips of the {world} world, seed {seed}{planted}"])


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
    splits: Path | None = None,
    max_reject_rate: float = 0.05,
    workers: int = 1,
    memory: str | None = None,
    engine: str = "local",
    ray_address: str | None = None,
    declare: tuple[str, ...] = (),
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
        splits: file with the split of each record, as `safe-data split` writes it (default: the splits of the
            source)
        max_reject_rate: largest share of rejected records, from 0 to 1; with more the exit code is 1
        workers: shards to process at the same time, 1 or more
        memory: limit on the memory of all processes together, such as 800MB or 2GiB, without what a
            pretrained encoder takes (default: the smaller of 1 GB and a quarter of the machine's memory, or
            what the workers need at least)
        engine: what runs the workers: local (processes on this machine) or ray
        ray_address: address of a Ray cluster, only with engine ray (default: start Ray on this machine)
        declare: what is on purpose and no fault, and why, as imbalance=WHY for unequal numbers of labels;
            dataset.json keeps it, and audits repeat it
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
        splits=splits,
        workers=workers,
        memory=memory,
        engine=engine,
        ray_address=ray_address,
        declared=_declared(declare),
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
        "splits": splits,
        "max_reject_rate": max_reject_rate,
        "declare": list(declare) or None,
    }  # workers, memory and engine are left out: they change no byte
    with open_storage(out).committing(OPTIONS) as file:
        file.write(options_yaml("safe-data build", options, CORE))
    _print_summary(out, summary)
    if summary.rejected / summary.rows <= max_reject_rate:
        return HOLDS
    share = f"{summary.rejected} of {summary.rows} records were rejected"
    complain([f"safe-data build: {share}, more than --max-reject-rate {max_reject_rate:g} allows"])
    return DOES_NOT_HOLD


def _declared(words: Sequence[str]) -> dict[str, str]:
    """Read what KEY=WHY declares.

    Raises:
        InputError: a key is unknown or given twice, or there is no reason.
    """
    from safe_data.shards.layout import DECLARABLE

    declared: dict[str, str] = {}
    for word in words:
        key, _, why = (part.strip() for part in word.partition("="))
        if key not in DECLARABLE:
            hint = did_you_mean(key, DECLARABLE, f"a dataset may declare {', '.join(DECLARABLE)}")
            raise InputError(f"--declare {word!r}: nothing is called {key!r}; {hint}")
        if not why or key in declared:
            fault = "says twice what is on purpose" if key in declared else "gives no reason"
            raise InputError(f"--declare {word!r}: {fault}; write {key}=WHY, once")
        declared[key] = why
    return declared


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
    what = f"{added.label}, {added.dtype} {shape}, of {counted(samples, 'clip')}"
    say([f"{root}: {what}", f"  embeddings: {embeddings}"])


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
        f"{split} {facts.samples} in {counted(len(facts.shards), 'shard')}"
        for split, facts in summary.dataset.splits.items()
    ]
    encodings = ", ".join(encoding.label for encoding in summary.dataset.encoders) or "none"
    lines = [
        f"{out}: {counted(summary.rows - summary.rejected, 'clip')} ok, {summary.rejected} rejected",
        f"  {', '.join(splits)}; embeddings: {encodings}",
        *rejection_table(summary.rejections, summary.rows),
    ]
    if summary.repaired:
        lines.append(f"  damaged, and made again: {', '.join(summary.repaired)}")
    if summary.rejected:
        lines.append(f"  every one of them: safe-data info {shlex.quote(out)} --rejected")
    say(lines)


COMMANDS: dict[str, Command] = {
    "synth": synth,
    "build": build,
    "split": split,
    "add-encoder": add_encoder,
    "info": info,
    "audit": audit,
    "check": check,
    "verify": verify,
    "sample": sample,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `safe-data` with these arguments (default: the ones on the command line); return the exit code."""
    return run("safe-data", "Turn raw corpora into shards with cached audio embeddings.", COMMANDS, argv)


if __name__ == "__main__":
    sys.exit(main())
