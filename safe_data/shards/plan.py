"""Plan: which record goes to which shard, fixed and hashed before any work starts.

Shards are filled in the order of the source, split by split. The hash covers every record and the sizes of
its media files, so that a build never continues with different data.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from safe_data.core.errors import InputError
from safe_data.core.numerals import cut
from safe_data.core.terminal import escaped
from safe_data.media.paths import MediaRoot, sizes_below
from safe_data.records import LONGEST_ID, Record, Rejected
from safe_data.sources.checked_rows import medium_of
from safe_data.sources.ids import own_ids, too_long

FORMAT_VERSION = 1

Entry = tuple[int, Record | Rejected]  # a record with its index in the source
SizeOf = Callable[[str], int | None]


@dataclass(frozen=True)
class PlannedShard:
    """The records of one shard."""

    name: str
    split: str
    entries: tuple[Entry, ...]
    sha256: str


@dataclass(frozen=True)
class Plan:
    """The shards of a dataset, the options that decide them, and a hash of it all."""

    name: str
    shard_size: int
    frames: int
    shards: tuple[PlannedShard, ...]
    sha256: str

    def to_json(self) -> bytes:
        """plan.json: a build writes it first, and compares it when it continues."""
        shards = {
            shard.name: {"records": len(shard.entries), "sha256": shard.sha256} for shard in self.shards
        }
        plan = {
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "shard_size": self.shard_size,
            "frames": self.frames,
            "sha256": self.sha256,
            "shards": shards,
        }
        return (json.dumps(plan, indent=1) + "\n").encode()


def make_plan(
    records: Iterable[Record | Rejected], root: MediaRoot, *, name: str, shard_size: int, frames: int = 1
) -> Plan:
    """Assign every record to a shard of its split; one whose id is taken or too long is rejected.

    Raises:
        InputError: there are no records, or `shard_size` or `frames` is below 1.
    """
    if frames < 1:
        raise InputError(f"{frames} frames: a video gives one picture or more")
    if shard_size < 1:
        raise InputError(f"shard size {shard_size}: a shard holds one record or more")
    by_split: dict[str, list[Entry]] = {}
    for index, record in enumerate(with_own_ids(list(records))):
        by_split.setdefault(record.split, []).append((index, record))
    if not by_split:
        raise InputError(f"{root}: holds no records; there is nothing to build")
    size_of = sizes_below(root)
    shards = tuple(
        _shard(f"{name}-{split}-{number:06d}", split, part, size_of)
        for split, entries in sorted(by_split.items())
        for number, part in enumerate(_even_parts(entries, shard_size))
    )
    hashes = [(shard.name, shard.sha256) for shard in shards]
    return Plan(name, shard_size, frames, shards, plan_sha256(name, shard_size, frames, hashes))


def plan_sha256(name: str, shard_size: int, frames: int, shards: Iterable[tuple[str, str]]) -> str:
    """Hash a plan from the names and hashes of its shards."""
    facts = [FORMAT_VERSION, name, shard_size, frames, list(shards)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def record_json(record: Record | Rejected) -> bytes:
    """Encode a record as JSON such that equal records have equal bytes."""
    fields = record.model_dump(mode="json", exclude_none=True)
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _shard(name: str, split: str, entries: list[Entry], size_of: SizeOf) -> PlannedShard:
    digest = hashlib.sha256()
    planned: list[Entry] = []
    for index, given in entries:
        record = given
        try:
            encoded = record_json(record)
        except UnicodeEncodeError:
            encoded = record_json(record := _not_unicode(given))
        digest.update(b"%d %s %s\n" % (index, encoded, _media_sizes(size_of, record)))
        planned.append((index, record))
    return PlannedShard(name, split, tuple(planned), digest.hexdigest())


def _not_unicode(record: Record | Rejected) -> Rejected:
    """The row for a record with text that no file can hold, such as a file name in another encoding."""
    if isinstance(record, Rejected):
        paths, reason = [record.path], record.reason
    else:
        paths = [record.audio.path if record.audio else None, record.image]
        reason = "faulty row: a file name or another text is not Unicode; rename it, in UTF-8"
    path = next((escaped(path) for path in paths if path and escaped(path) != path), None)
    return Rejected(
        id=record.id,
        dataset=record.dataset,
        split=record.split,
        reason=escaped(reason),
        group=escaped(record.group),
        path=path,
    )


def _even_parts(entries: list[Entry], at_most: int) -> Iterator[list[Entry]]:
    """Split into as few parts as possible, whose sizes differ by one at most."""
    parts = -(-len(entries) // at_most)
    for part in range(parts):
        yield entries[part * len(entries) // parts : (part + 1) * len(entries) // parts]


def _media_sizes(size_of: SizeOf, record: Record | Rejected) -> bytes:
    if isinstance(record, Rejected):
        return b""
    paths = (record.image, record.audio.path if record.audio else None)
    return json.dumps([size_of(path) if path else None for path in paths]).encode()


def with_own_ids(records: Sequence[Record | Rejected]) -> Iterator[Record | Rejected]:
    """The records, each with an id that no other has; the first that has it keeps it, others are rejected."""
    first: dict[str, int] = {}
    for index, (record, own) in enumerate(zip(records, own_ids([one.id for one in records]), strict=True)):
        taken = first.setdefault(record.id, index)
        yield record if own == record.id else _rejected(record, own, None if taken == index else taken)


def _rejected(record: Record | Rejected, own_id: str, taken_by: int | None) -> Rejected:
    """The record under an id that is free; one that was rejected before keeps its reason."""
    if isinstance(record, Rejected):
        return record.model_copy(update={"id": own_id})
    if taken_by is None:
        reason = f"id too long: {too_long(record.id)}"
    else:
        shown = cut(record.id, LONGEST_ID)
        reason = f"id taken: {shown!r} is the id of record {taken_by}; give each record its own"
    return Rejected(
        id=own_id,
        dataset=record.dataset,
        split=record.split,
        group=record.group,
        reason=reason,
        path=medium_of(record),
    )
