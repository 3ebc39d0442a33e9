"""Info: what a dataset holds, in short: counts, sizes, hours, embeddings, rejections and one record."""

from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from safe_data.core.files import Root
from safe_data.core.numerals import cut
from safe_data.core.table import COLUMNS, render
from safe_data.shards import manifest
from safe_data.shards.layout import (
    MANIFEST,
    REJECTED,
    Done,
    EncoderFacts,
    Encoding,
    ShardPaths,
    read_dataset,
    read_json,
    shards_of,
)
from safe_data.shards.manifest import Rejection, count_rejections, rejection_table
from safe_data.shards.storage import Storage, open_storage


class SplitInfo(msgspec.Struct, frozen=True):
    """Counts of the clips in the shards of a split; `hours` is the total length of their sounds."""

    shards: int
    clips: int
    sounds: int
    pictures: int
    examples: int
    audio_examples: int
    hours: float


class EncoderInfo(msgspec.Struct, frozen=True):
    """One encoder's embeddings; `shape` is per clip, `bytes` the size of all sidecars.

    `source` loads the encoder, and `silence_bytes` is the size of its embedding of silence; None in a dataset
    of an older version.
    """

    label: str
    fingerprint: str
    shape: tuple[int, ...]
    dtype: str
    sample_rate_hz: int
    bytes: int
    source: str | None
    silence_bytes: int | None


class Info(msgspec.Struct, frozen=True):
    """What a dataset holds; `bytes` maps each kind of file to its size, `sample` is the first clip."""

    root: str
    name: str
    fingerprint: str
    splits: dict[str, SplitInfo]
    rows: int
    rejected: tuple[Rejection, ...]
    encoders: tuple[EncoderInfo, ...]
    bytes: dict[str, int]
    sample: dict[str, Any]


def read_info(root: Root) -> Info:
    """Read what a dataset holds from its manifest and done.json files, without reading its shards.

    Raises:
        InputError: there is no finished dataset.
    """
    storage = open_storage(root)
    dataset = read_dataset(storage)
    rows = manifest.read_stored(storage, MANIFEST)
    ok = rows.filter(pc.equal(rows["status"], "ok"))
    done = [read_json(storage, paths.done, Done) for paths in shards_of(dataset)]
    return Info(
        root=str(root).encode("utf-8", "backslashreplace").decode(),
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        splits={
            split: _split_info(ok.filter(pc.equal(ok["split"], split)), len(facts.shards))
            for split, facts in dataset.splits.items()
        },
        rows=len(rows),
        rejected=count_rejections([rows]),
        encoders=tuple(
            _encoder_info(encoding, done, dataset.encoder_facts.get(encoding.label))
            for encoding in dataset.encoders
        ),
        bytes={
            "tars": _bytes(done, ".tar"),
            "embeddings": _bytes(done, ".npy")
            + sum(facts.silence.bytes for facts in dataset.encoder_facts.values()),
            "manifests": _bytes(done, ".parquet")
            + sum(storage.size(name) or 0 for name in (MANIFEST, REJECTED)),
        },
        sample=_sample(storage, ok.slice(0, 1).to_pylist()[0]),
    )


def _split_info(ok: pa.Table, shards: int) -> SplitInfo:
    sums = {
        name: pc.sum(ok[name]).as_py() or 0
        for name in ("has_audio", "has_image", "examples", "audio_examples", "duration_seconds")
    }
    return SplitInfo(
        shards=shards,
        clips=len(ok),
        sounds=sums["has_audio"],
        pictures=sums["has_image"],
        examples=sums["examples"],
        audio_examples=sums["audio_examples"],
        hours=round(sums["duration_seconds"] / 3600, 6),
    )


def _encoder_info(encoding: Encoding, done: list[Done], facts: EncoderFacts | None) -> EncoderInfo:
    return EncoderInfo(
        label=encoding.label,
        fingerprint=encoding.fingerprint,
        shape=encoding.shape,
        dtype=encoding.dtype,
        sample_rate_hz=encoding.sample_rate_hz,
        bytes=_bytes(done, f".{encoding.label}.npy"),
        source=facts.source if facts else None,
        silence_bytes=facts.silence.bytes if facts else None,
    )


def _bytes(done: list[Done], suffix: str) -> int:
    return sum(facts.bytes for shard in done for name, facts in shard.files.items() if name.endswith(suffix))


def _sample(storage: Storage, row: dict[str, Any]) -> dict[str, Any]:
    tar = ShardPaths(Path(), row["split"], row["shard"]).tar
    with storage.open(tar) as file:
        file.seek(row["json_offset"])
        record = msgspec.json.decode(file.read(row["json_size"]))
    facts = {name: value for name, value in row.items() if value is not None}
    return {"row": facts, "record": record}


def info_json(info: Info) -> list[str]:
    """The whole of it as lines of JSON."""
    return render((), "json", info)


def info_lines(info: Info) -> list[str]:
    """A summary of at most 80 columns."""
    lines = [
        f"{info.root}",
        f"  {info.name}, fingerprint {info.fingerprint[:16]}",
        "",
        *_split_table(info.splits),
        "",
        "  " + ", ".join(f"{kind} {size_of(size)}" for kind, size in info.bytes.items()),
        *(line for encoder in info.encoders for line in _encoder_lines(encoder)),
        "",
        f"  {sum(r.count for r in info.rejected)} of {info.rows} records rejected",
        *rejection_table(info.rejected, info.rows),
        "",
        *_sample_lines(info.sample),
    ]
    return [cut(line, COLUMNS) for line in lines]


def _split_table(splits: dict[str, SplitInfo]) -> list[str]:
    names = ("clips", "shards", "sounds", "hours", "pictures", "examples")
    rows = {
        split: [info.clips, info.shards, info.sounds, info.hours, info.pictures, info.examples]
        for split, info in splits.items()
    }
    if len(rows) > 1:
        rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    first = max(len(split) for split in ("split", *rows))
    return [
        "  " + "split".ljust(first) + "".join(name.rjust(11) for name in names),
        *(
            "  "
            + split.ljust(first)
            + "".join((f"{n:,.2f}" if isinstance(n, float) else f"{n:,}").rjust(11) for n in row)
            for split, row in rows.items()
        ),
    ]


def _encoder_lines(encoder: EncoderInfo) -> list[str]:
    shape = "×".join(map(str, encoder.shape))
    what = f"{encoder.dtype} {shape} of {encoder.sample_rate_hz} Hz"
    silence = "no silence stored; `safe-data add-encoder` adds it"
    if encoder.silence_bytes is not None:
        silence = f"silence {size_of(encoder.silence_bytes)}, loaded from {encoder.source}"
    return [f"  {encoder.label}: {what}, {size_of(encoder.bytes)}", f"    {silence}"]


def _sample_lines(sample: dict[str, Any]) -> list[str]:
    row, record = sample["row"], sample["record"]
    about = [f"group {row['group']}", row.get("label"), row.get("difficulty")]
    lines = [f"  for example {row['id']} ({row['split']}): {', '.join(filter(None, about))}"]
    if row["has_audio"]:
        facts = f"{row['duration_seconds']:.1f} s, {row['sample_rate_hz']} Hz, {row['rms_db']:.1f} dB"
        lines.append(f"    sound    {row['audio_name']}, {size_of(row['audio_size'])}, {facts}")
    if row["has_image"]:
        facts = f"{row['image_width']}×{row['image_height']}"
        lines.append(f"    picture  {row['image_name']}, {size_of(row['image_size'])}, {facts}")
    for example in record.get("examples", [])[:2]:
        answer = f" → {example['references'][0]}" if example["references"] else ""
        lines.append(f"    {example['task']:8} {' '.join(example['prompt'].split())}{answer}")
    return lines


def size_of(size: int) -> str:
    """A number of bytes in a suitable unit.

    >>> size_of(512), size_of(81_920), size_of(3_400_000_000)
    ('512 B', '81.9 kB', '3.4 GB')
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"
