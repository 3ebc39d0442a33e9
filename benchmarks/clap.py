"""CLAP on one CPU thread: its features against the reference's, and the time per batch size."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.random_clap import write_random_clap
from benchmarks.timing import in_turns, print_line, seconds
from safe_data.encoders.clap import ClapEncoder
from safe_data.encoders.clap_mel import ClapMel

RATE = 48_000
REPEATS = 15


def main() -> None:
    """Print one line per result."""
    for line in measure():
        print_line(benchmark="clap", **line)


def measure() -> Iterator[dict[str, object]]:
    """Median milliseconds per clip; both sides run in turns, so that a busy machine slows both."""
    import torch

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    clips = [0.1 * rng.standard_normal(10 * RATE).astype("f4") for _ in range(8)]
    yield from _features(clips)
    with tempfile.TemporaryDirectory() as directory:
        encoder = ClapEncoder(str(write_random_clap(Path(directory))))
        yield from _model(encoder)
        yield {"what": "encode", "ms_a_clip": _in_turns([lambda: encoder.encode(clips)], 3)[0] / len(clips)}


def _features(clips: list[np.ndarray]) -> Iterator[dict[str, object]]:
    """Features: the reference takes all clips as a list, ours one by one, as the encoder does."""
    import torch
    from transformers import ClapFeatureExtractor

    for truncation in ("rand_trunc", "fusion"):
        extractor = ClapFeatureExtractor(truncation=truncation)
        mel = ClapMel.read(extractor.to_dict())

        def reference(extractor: ClapFeatureExtractor = extractor) -> np.ndarray:
            return np.asarray(extractor(clips, sampling_rate=RATE, return_tensors="np")["input_features"])

        def ours(mel: ClapMel = mel) -> np.ndarray:
            with torch.inference_mode():
                windows = [torch.from_numpy(mel.fill(clip))[None] for clip in clips]
                return torch.cat([mel.features(window) for window in windows]).numpy()

        difference = float(np.abs(reference()[:, :1] - ours()).max())
        slow, fast = (ms / len(clips) for ms in _in_turns([reference, ours], REPEATS))
        yield {
            "what": f"features, {truncation}",
            "reference_ms": slow,
            "ours_ms": fast,
            "ratio": slow / fast,
            "largest_difference_db": difference,
        }


def _model(encoder: ClapEncoder) -> Iterator[dict[str, object]]:
    """The tower alone: shows why the encoder takes one window at a time on a CPU."""
    import torch

    states = encoder.pipeline.states
    features = torch.randn(32, 1, 1001, 64) * 10 - 40
    sizes = (1, 2, 8, 32)

    def batches(size: int) -> Callable[[], object]:
        return lambda: [states(features[first : first + size]) for first in range(0, 32, size)]

    with torch.inference_mode():
        for size, ms in zip(sizes, _in_turns([batches(size) for size in sizes], 3), strict=True):
            yield {"what": "tower", "batch": size, "ms_a_clip": ms / 32}


def _in_turns(calls: list[Callable[[], object]], repeats: int) -> list[float]:
    """Median milliseconds of each call."""
    runs = [partial(seconds, call) for call in calls]
    return [1000 * median(times) for times in in_turns(repeats, *runs)]
