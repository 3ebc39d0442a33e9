"""A sidecar: the embeddings of a shard's samples, row by row, as a .npy beside the tar."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from safe_data.clips import Heard
from safe_data.encoders import AudioEncoder
from safe_data.engines import Load, Run, Tick
from safe_data.shards import Encoding, FileFacts, ShardPaths, hash_file
from safe_data.storage import Storage


class SidecarWriter:
    """Encodes clips batch by batch; zeros for a sample without a sound.

    numpy leaves room in its header for more rows, so the number of them is filled in at the end.
    """

    def __init__(self, file: BinaryIO, encoder: AudioEncoder) -> None:
        self.encoding = Encoding.of(encoder)
        self._file, self._encoder, self._rows = file, encoder, 0
        self._write_header()

    def add(self, clips: Sequence[Heard | None]) -> None:
        embeddings = np.zeros((len(clips), *self._encoder.shape), "<f2")
        heard = [row for row, clip in enumerate(clips) if clip is not None]
        if heard:
            rate = self._encoder.sample_rate_hz
            embeddings[heard] = self._encoder.encode([clip[rate] for clip in clips if clip is not None])
        self._file.write(embeddings.tobytes())
        self._rows += len(clips)

    def close(self) -> FileFacts:
        """Complete the header; the facts of the file."""
        self._file.seek(0)
        self._write_header()
        return hash_file(self._file)

    def _write_header(self) -> None:
        header = {"descr": "<f2", "fortran_order": False, "shape": (self._rows, *self._encoder.shape)}
        np.lib.format.write_array_header_1_0(self._file, header)


@contextmanager
def writing_sidecars(
    storage: Storage, paths: ShardPaths, encoders: Sequence[AudioEncoder]
) -> Iterator[list[SidecarWriter]]:
    """A sidecar for each encoder, to be added to; they appear whole or not at all."""
    with ExitStack() as stack:
        yield [
            SidecarWriter(
                stack.enter_context(storage.committing(paths.sidecar(Encoding.of(encoder)))), encoder
            )
            for encoder in encoders
        ]


@dataclass(frozen=True)
class EncoderTask:
    """Which encoder is meant."""

    spec: str
    steps: int = 0

    @property
    def name(self) -> str:
        return f"encoder {self.spec!r}"


def encoding_of(task: EncoderTask, _: Tick, load: Load) -> Encoding:
    return Encoding.of(load(task.spec))


def encodings_of(specs: Sequence[str], run: Run) -> list[Encoding]:
    """What the encoders say of themselves where they will work.

    Raises:
        InputError: one is unknown, or cannot be loaded.
    """
    return run(encoding_of, [EncoderTask(spec) for spec in specs], lambda _: None)
