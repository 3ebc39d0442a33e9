"""What of a clip a model with a fixed input length hears, and its states as a fixed number of frames."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

LONGEST_SECONDS = 60
IGNORED_SECONDS = 0.5
POLICY = {"windows": "evenly spaced", "longest_seconds": LONGEST_SECONDS, "ignored_seconds": IGNORED_SECONDS}


def window_starts(samples: int, window: int, sample_rate_hz: int) -> list[int]:
    """Where the windows of a clip begin: the first at its start, the last at its end, evenly spaced.

    There are as many as it takes to cover the clip, but no more than fill a minute; of a longer clip each
    window is heard and what lies between is not. A remainder under half a second (a video's sound is rarely
    cut to the sample) adds no window; a single window then lies in the middle.

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
    """The mean of each of `frames` equal stretches of the states of all windows, in order of time.

    Where windows overlap, the states of both are averaged. With fewer states than frames, states repeat.

    >>> pool_in_time(np.float32([[[0], [2], [4], [6]]]), [0], 1.0, 2).ravel().tolist()
    [1.0, 5.0]
    """
    windows, steps, dims = states.shape
    times = np.add.outer(np.asarray(starts), np.arange(steps) * step_samples)
    ordered = states.reshape(-1, dims)[np.argsort(times.ravel(), kind="stable")]
    edges = np.arange(frames + 1) * (windows * steps) // frames
    counts = np.maximum(np.diff(edges), 1)  # reduceat gives the state itself where a stretch is empty
    pooled: Float32[ndarray, "frames dims"] = np.add.reduceat(ordered, edges[:-1], axis=0) / np.float32(
        counts[:, None]
    )
    return pooled
