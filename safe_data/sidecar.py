"""A shard's embeddings: the sounds of a tar, decoded and encoded, row by row, into a .npy beside it."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32
from numpy import ndarray

from safe_data.encoders import AudioEncoder
from safe_data.media import decode_audio
from safe_data.pack import Tick
from safe_data.records import Record

BATCH_CLIPS = 32
BATCH_SAMPLES = 2**24  # 64 MiB of float32: a batch of long clips is cut short

Samples = Float32[ndarray, " samples"]


def write_sidecar(file: BinaryIO, tar: Path, rows: pa.Table, encoder: AudioEncoder, tick: Tick) -> None:
    """Encode the sounds of a tar's samples; a sample without a sound gets zeros.

    The tar is read, not the source: what is embedded is what is stored.
    """
    samples = rows.filter(pc.equal(rows["status"], "ok"))
    header = {"descr": "<f2", "fortran_order": False, "shape": (len(samples), *encoder.shape)}
    np.lib.format.write_array_header_1_0(file, header)
    for batch in _batches(_sounds(tar, samples, encoder.sample_rate_hz)):
        file.write(_embed(batch, encoder).tobytes())
        for _ in batch:
            tick()


def _embed(batch: Sequence[Samples | None], encoder: AudioEncoder) -> ndarray:
    embeddings = np.zeros((len(batch), *encoder.shape), "<f2")
    heard = [row for row, clip in enumerate(batch) if clip is not None]
    if heard:
        embeddings[heard] = encoder.encode([clip for clip in batch if clip is not None])
    return embeddings


def _sounds(tar: Path, samples: pa.Table, sample_rate_hz: int) -> Iterator[Samples | None]:
    columns = ["has_audio", "json_offset", "json_size", "audio_offset", "audio_size"]
    with tar.open("rb") as file:
        for row in samples.select(columns).to_pylist():
            yield _sound(file.fileno(), row, sample_rate_hz) if row["has_audio"] else None


def _sound(tar: int, row: dict[str, Any], sample_rate_hz: int) -> Samples:
    audio = Record.model_validate_json(os.pread(tar, row["json_size"], row["json_offset"])).audio
    if audio is None:
        raise ValueError(f"the manifest has a sound at byte {row['audio_offset']}, its record has none")
    data = os.pread(tar, row["audio_size"], row["audio_offset"])
    return decode_audio(data, sample_rate_hz, audio.start_seconds, audio.duration_seconds).samples


def _batches(clips: Iterator[Samples | None]) -> Iterator[list[Samples | None]]:
    batch: list[Samples | None] = []
    held = 0
    for clip in clips:
        batch.append(clip)
        held += 0 if clip is None else len(clip)
        if len(batch) == BATCH_CLIPS or held >= BATCH_SAMPLES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
