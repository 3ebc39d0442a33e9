"""Check MP4 and MOV: boxes and samples lie within the file, and the tables of each track agree.

A table that is damaged makes FFmpeg skip or repeat samples, without an error.
"""

import struct
from typing import BinaryIO

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from safe_data.core.errors import MediaError
from safe_data.media.checks.extents import damaged, read_at
from safe_data.media.checks.mp4_boxes import (
    BOXES_READ,
    boxes_of,
    children,
    found,
    scale_and_duration,
    table_of,
)
from safe_data.media.checks.mp4_fragments import check_fragments
from safe_data.media.checks.whole import is_zeros

INDEX_BYTES = 2**24  # of the largest moov: six hours or more
ROUNDING_SECONDS = 0.002  # some programs add up rounded times
EDIT_SECONDS = 0.1  # an edit list has coarser units than its track

Extents = Int64[ndarray, "chunks 2"]  # where each chunk starts and ends in the file


def check_mp4(file: BinaryIO, size: int) -> None:
    """Refuse a file whose boxes or samples end after it, or whose tables contradict each other.

    Source: ISO/IEC 14496-12, sections 4.2, 8.6.1.2, 8.7 and 8.8: boxes, times, chunks and fragments.

    Raises:
        MediaError: it is truncated, or its index is damaged.
    """
    boxes = list(boxes_of(file, 0, size))
    if len(boxes) == BOXES_READ:
        raise MediaError(f"damaged video: {BOXES_READ} boxes or more")
    media = [(start, end) for kind, start, end in boxes if kind == b"mdat"]
    index = [(start, end) for kind, start, end in boxes if kind == b"moov"]
    fragmented = any(kind == b"moof" for kind, _, _ in boxes)
    end = boxes[-1][2] if boxes else 0
    padded = not fragmented or (boxes[-1][0] == b"mfra" and is_zeros(file, end, size))
    if end < size and not (index and media and padded):
        raise damaged("video", "no box", end)
    if not index:
        raise MediaError("truncated video: it has no index, which some programs write last")
    start, end = index[0]
    if end - start > INDEX_BYTES:
        raise MediaError(f"damaged video: an index of {end - start} bytes")
    moov = read_at(file, start, end - start)
    scale = scale_and_duration(found(moov, b"mvhd"))[0]
    tracks = [_track(trak, scale) for kind, trak in children(moov) if kind == b"trak"]
    _check_chunks(tracks, media, size)
    if fragmented:
        check_fragments(file, moov, boxes)


def _track(trak: bytes, movie_scale: int) -> Extents:
    """Check the times of a track; where its chunks are."""
    scale, duration = scale_and_duration(found(trak, b"mdia", b"mdhd"))
    table = dict(children(found(trak, b"mdia", b"minf", b"stbl")))
    counts, steps = table_of(table.get(b"stts", b""), 2).T
    number, sizes = _sample_sizes(table)
    if counts.sum() != number:
        raise MediaError(f"damaged video: {counts.sum()} times for {number} samples")
    there = float(np.dot(counts.astype(np.float64), steps.astype(np.float64))) / scale
    longest = float(steps.max(initial=0)) / scale
    if number:  # a fragmented track has its samples elsewhere
        _check_times(duration / scale, there, longest)
        _check_edits(found(trak, b"edts", b"elst"), movie_scale, scale, there + longest)
    return _chunks(table, number, sizes)


def _check_times(promised_seconds: float, there_seconds: float, longest_seconds: float) -> None:
    """Compare the duration of a track with the sum of its samples."""
    if abs(promised_seconds - there_seconds) > longest_seconds + ROUNDING_SECONDS:
        raise MediaError(
            f"damaged video: the header promises {promised_seconds:g} s, its samples last {there_seconds:g} s"
        )


def _check_edits(data: bytes, movie_scale: int, scale: int, end_seconds: float) -> None:
    """Check that what an edit list shows lies within the track."""
    long = data[:1] == b"\1"
    (count,) = struct.unpack_from(">I", data.ljust(8, b"\0"), 4)
    layout = np.dtype(
        [("lasts", ">u8" if long else ">u4"), ("from", ">i8" if long else ">i4"), ("rate", ">u4")]
    )
    entries = np.frombuffer(data[8 : 8 + count * layout.itemsize], np.uint8)
    if len(entries) != count * layout.itemsize:
        raise MediaError("damaged video: an edit list is cut off")
    edits = entries.view(layout)
    shown = edits["from"] >= 0  # others are empty
    ends = edits["from"][shown] / scale + edits["lasts"][shown] / movie_scale
    if (ends > end_seconds + EDIT_SECONDS).any():
        raise MediaError(f"damaged video: an edit shows {ends.max():g} s of {end_seconds:g} s")


def _sample_sizes(table: dict[bytes, bytes]) -> tuple[int, Int64[ndarray, " samples"] | int]:
    """The number of samples, and the size of each, or the one size that all have."""
    data = table.get(b"stsz", b"")
    if b"stz2" in table:  # sizes of 4, 8 or 16 bits
        data = table[b"stz2"]
        width, number = struct.unpack_from(">II", data.ljust(12, b"\0"), 4)
        if width == 4:
            halves = np.frombuffer(data, np.uint8, offset=12)
            sizes = np.stack([halves >> 4, halves & 15], axis=1).ravel()[:number]
        else:
            sizes = np.frombuffer(data, ">u1" if width == 8 else ">u2", offset=12)[:number]
    else:
        size, number = struct.unpack_from(">II", data.ljust(12, b"\0"), 4)
        if size:
            return number, size
        sizes = np.frombuffer(data[12 : 12 + 4 * number][: len(data) // 4 * 4], ">u4")
    if len(sizes) != number:
        raise MediaError(f"damaged video: {len(sizes)} sizes for {number} samples")
    return number, sizes.astype(np.int64)


def _chunks(table: dict[bytes, bytes], number: int, sizes: Int64[ndarray, " samples"] | int) -> Extents:
    """Where each chunk starts and ends; a row of `stsc` holds up to the first chunk of the next row."""
    wide = b"co64" in table
    data = table.get(b"co64" if wide else b"stco", b"")
    (count,) = struct.unpack_from(">I", data.ljust(8, b"\0"), 4)
    starts = np.frombuffer(data[8 : 8 + count * (8 if wide else 4)], ">u8" if wide else ">u4").astype(
        np.int64
    )
    rows = table_of(table.get(b"stsc", b""), 3)
    if len(starts) != count or (count and not len(rows)):
        raise MediaError("damaged video: its table of chunks is cut off")
    if not count:
        if number:
            raise MediaError(f"damaged video: no chunks for {number} samples")
        return np.zeros((0, 2), np.int64)
    firsts = np.append(rows[:, 0], count + 1)
    if firsts[0] != 1 or (np.diff(firsts) < 0).any():
        raise MediaError("damaged video: its table of chunks is not in order")
    per_chunk = np.repeat(rows[:, 1], np.diff(firsts))
    if per_chunk.sum() != number:
        raise MediaError(f"damaged video: chunks of {per_chunk.sum()} samples for {number} samples")
    if isinstance(sizes, int):
        lengths = per_chunk * sizes
    else:
        before = np.concatenate([[0], np.cumsum(sizes)])
        bounds = np.concatenate([[0], np.cumsum(per_chunk)])
        lengths = np.diff(before[bounds])
    return np.stack([starts, starts + lengths], axis=1)


def _check_chunks(tracks: list[Extents], media: list[tuple[int, int]], size: int) -> None:
    """Check that all chunks lie in the media data, and that no two overlap; two tracks may share one."""
    chunks = np.unique(np.concatenate([np.zeros((0, 2), np.int64), *tracks]), axis=0)
    chunks = chunks[chunks[:, 1] > chunks[:, 0]]
    if not len(chunks):
        return
    starts, ends = chunks.T
    if (ends > size).any():
        raise MediaError(f"truncated video: a sample ends at byte {ends.max()} of {size}")
    boxes = np.array(sorted(media) or [(size, size)])
    box = np.searchsorted(boxes[:, 0], starts, side="right") - 1
    outside = (box < 0) | (ends > boxes[box, 1])
    if outside.any():
        raise damaged("video", "a sample outside of the media data", int(starts[outside][0]))
    if (starts[1:] < ends[:-1]).any():
        raise damaged("video", "two samples overlap", int(starts[1:][starts[1:] < ends[:-1]][0]))
