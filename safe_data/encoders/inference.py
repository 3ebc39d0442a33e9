"""Run clips through a model with a fixed input length; no clip's states depend on the rest of the batch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float16, Float32
from numpy import ndarray

from safe_data.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

GPU_WINDOWS = 32  # per batch
LONGEST_SECONDS = 60  # a longer clip is covered by this many seconds of windows
IGNORED_SECONDS = 0.5  # a shorter remainder gets no window
POLICY = {"windows": "evenly spaced", "longest_seconds": LONGEST_SECONDS, "ignored_seconds": IGNORED_SECONDS}

Samples = Float32[ndarray, " samples"]
States = Float32[ndarray, "windows ..."]
# Takes and gives the log-mel features of a window, only the frames that hold sound.
MelChange = Callable[[Float32[ndarray, "frames bands"]], Float32[ndarray, "frames bands"]]


@dataclass(frozen=True)
class Pipeline:
    """The steps of a model: cut windows of `samples` and fill them up, compute features, compute states.

    `mel` gives the part of one window's features that holds its sound, of so many samples, as a view with the
    axes (frames, bands). `starts` gives where the windows of a clip of so many samples begin, in samples; by
    default as `window_starts` does.
    """

    samples: int
    sample_rate_hz: int
    fill: Callable[[Samples], Samples]
    features: Callable[["Tensor"], "Tensor"]
    states: Callable[["Tensor"], "Tensor"]
    mel: Callable[["Tensor", int], "Tensor"]
    starts: Callable[[int], list[int]] | None = None

    def run(
        self, clips: Sequence[Samples], changes: Sequence[MelChange | None] = ()
    ) -> Iterator[tuple[list[int], States]]:
        """For each clip, the start of each window in samples, and the states of its windows.

        All windows have the same length, so sorting the clips would gain nothing. A change of a clip is made
        to each of its windows.
        """
        starts = [self._starts(len(clip)) for clip in clips]
        windows = (
            _Window(self.fill(clip[start : start + self.samples]), len(clip) - start, change)
            for clip, clip_starts, change in zip_longest(clips, starts, changes)
            for start in clip_starts
        )
        states = self._batches(windows)
        for clip_starts in starts:
            yield clip_starts, np.stack(list(islice(states, len(clip_starts))))

    def _starts(self, samples: int) -> list[int]:
        if self.starts:
            return self.starts(samples)
        return window_starts(samples, self.samples, self.sample_rate_hz)

    def _batches(self, windows: Iterable["_Window"]) -> Iterator[Float32[ndarray, "..."]]:
        """One output per window, always computed with the same batch shape and number of threads.

        Both decide which matrix kernel runs, and each kernel sums in its own order. On a CPU a batch is one
        window in one thread, which is also the fastest as measured; on a GPU it is a full batch, the last one
        filled up with silence.
        """
        size = GPU_WINDOWS if device() == "cuda" else 1
        batch: list[_Window] = []
        for window in windows:
            batch.append(window)
            if len(batch) == size:
                yield from self._forward(batch)
                batch = []
        if batch:
            silence = _Window(np.zeros(self.samples, np.float32), self.samples, None)
            yield from self._forward(batch + [silence] * (size - len(batch)))[: len(batch)]

    def _forward(self, batch: list["_Window"]) -> States:
        import torch

        where = device()
        with one_thread(), torch.inference_mode():
            samples = np.stack([window.samples for window in batch])
            features = self.features(torch.from_numpy(samples).to(where))
            for row, window in zip(features, batch, strict=True):
                if window.change:
                    mel = self.mel(row, window.heard)
                    mel.copy_(torch.from_numpy(window.change(mel.cpu().numpy())))
            with torch.autocast("cuda", torch.bfloat16, enabled=where == "cuda"):
                states = self.states(features)
            return states.float().cpu().numpy()


class _Window(NamedTuple):
    """The input of a model, how many samples of sound it holds, and how to change its features."""

    samples: Samples
    heard: int
    change: MelChange | None


def window_starts(samples: int, window: int, sample_rate_hz: int) -> list[int]:
    """Where the windows of a clip begin, in samples: evenly spaced from its start to its end.

    There are as many windows as cover the clip, but at most one minute of them; a longer clip has gaps
    between its windows. A remainder under half a second adds no window, as the sound of a video is rarely cut
    to the sample; a single window then lies in the middle.

    >>> window_starts(10 * 48_000, 10 * 48_000, 48_000)
    [0]
    >>> [start / 48_000 for start in window_starts(25 * 48_000, 10 * 48_000, 48_000)]
    [0.0, 7.5, 15.0]
    """
    surplus = samples - window
    if surplus <= 0:
        return [0]
    needed = -(-(samples - int(IGNORED_SECONDS * sample_rate_hz)) // window)
    count = min(max(1, needed), max(1, LONGEST_SECONDS * sample_rate_hz // window))
    if count == 1:
        return [surplus // 2]
    return [surplus * i // (count - 1) for i in range(count)]


def pool_in_time(
    states: Float32[ndarray, "windows steps dims"], starts: Sequence[int], step_samples: float, frames: int
) -> Float32[ndarray, "frames dims"]:
    """Order the states of all windows by time, cut them into `frames` equal parts, and average each part.

    Where windows overlap, the states of both are averaged. With fewer states than frames, states repeat.

    >>> pool_in_time(np.float32([[[0], [2], [4], [6]]]), [0], 1.0, 2).ravel().tolist()
    [1.0, 5.0]
    """
    windows, steps, dims = states.shape
    times = np.add.outer(np.asarray(starts), np.arange(steps) * step_samples)
    ordered = states.reshape(-1, dims)[np.argsort(times.ravel(), kind="stable")]
    edges = np.arange(frames + 1) * (windows * steps) // frames
    counts = np.maximum(np.diff(edges), 1)  # reduceat gives the state itself where a part is empty
    pooled: Float32[ndarray, "frames dims"] = np.add.reduceat(ordered, edges[:-1], axis=0) / np.float32(
        counts[:, None]
    )
    return pooled


def to_float16(embedding: Float32[ndarray, "..."], source: str) -> Float16[ndarray, "..."]:
    """Round an embedding to float16.

    Raises:
        InputError: it is not finite in float16.
    """
    with np.errstate(over="ignore"):
        rounded = embedding.astype(np.float16)
    if not np.isfinite(rounded).all():
        raise InputError(
            f"{source}: an embedding is not finite in float16 (largest value {np.abs(embedding).max()}); "
            "check the checkpoint's weights, and the sound for NaN"
        )
    return rounded


def precision() -> str:
    """The number format models compute in; part of each fingerprint, as it changes embeddings a little."""
    return "bfloat16" if device() == "cuda" else "float32"


def device() -> str:
    """Where models run: `cuda` if there is a GPU, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: sums keep one order, and shared cores do not wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
