"""YamnetMel: the log-mel features of YAMNet, one patch of 0.96 seconds at a time."""

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE_RATE_HZ = 16_000
WINDOW_SAMPLES, HOP_SAMPLES, FFT_SAMPLES = 400, 160, 512
BANDS, LOWEST_HZ, HIGHEST_HZ = 64, 125.0, 7_500.0
LOG_OFFSET = 0.001
PATCH_FRAMES, PATCH_HOP_FRAMES = 96, 48
PATCH_SAMPLES = (PATCH_FRAMES - 1) * HOP_SAMPLES + WINDOW_SAMPLES  # 0.975 s
PATCH_HOP_SAMPLES = PATCH_HOP_FRAMES * HOP_SAMPLES
MOST_PATCHES = 124  # of a clip; they cover 60 seconds

# What a fingerprint covers; the others follow from these.
PARAMETERS = (
    *("SAMPLE_RATE_HZ", "WINDOW_SAMPLES", "HOP_SAMPLES", "FFT_SAMPLES"),
    *("BANDS", "LOWEST_HZ", "HIGHEST_HZ", "LOG_OFFSET"),
    *("PATCH_FRAMES", "PATCH_HOP_FRAMES", "MOST_PATCHES"),
)


def patch_starts(samples: int) -> list[int]:
    """Where the patches of a clip begin, in samples: every 0.48 seconds, the last one filled with silence.

    A clip longer than a minute has as many patches as one of a minute, evenly spaced from its start to its
    end, as `window_starts` has it.

    >>> patch_starts(0), patch_starts(15_600), patch_starts(15_601)
    ([0], [0], [0, 7680])
    >>> starts = patch_starts(3600 * SAMPLE_RATE_HZ)
    >>> len(starts), starts[-1] + PATCH_SAMPLES == 3600 * SAMPLE_RATE_HZ
    (124, True)
    """
    surplus = max(0, samples - PATCH_SAMPLES)
    count = 1 + math.ceil(surplus / PATCH_HOP_SAMPLES)
    if count > MOST_PATCHES:
        return [surplus * i // (MOST_PATCHES - 1) for i in range(MOST_PATCHES)]
    return [i * PATCH_HOP_SAMPLES for i in range(count)]


def yamnet_mel(patches: "Tensor") -> "Tensor":
    """The logarithm of magnitudes in mel bands: (patches, samples) to (patches, 1, frames, bands), float32.

    **Source:** tensorflow/models, research/audioset/yamnet/features.py.
    **Differs:** it is computed in double precision, as in single precision rounding errors of loud bands
    drown quiet ones.
    """
    import torch

    hann, filters = (torch.from_numpy(part).to(patches.device) for part in (_hann(), mel_filters()))
    frames = patches.double().unfold(-1, WINDOW_SAMPLES, HOP_SAMPLES) * hann
    magnitudes: Tensor = torch.fft.rfft(frames, n=FFT_SAMPLES).abs()
    return (magnitudes @ filters).add_(LOG_OFFSET).log_().float().unsqueeze(1)


def heard_frames(samples: int) -> int:
    """How many frames of a patch begin in its first samples; the rest is silence."""
    return min(PATCH_FRAMES, max(1, math.ceil(samples / HOP_SAMPLES)))


@cache
def mel_filters() -> Float64[ndarray, "bins bands"]:
    """The weight of each frequency in each band: triangles in HTK's mel, two steps wide, 1 in the middle.

    **Source:** tf.signal.linear_to_mel_weight_matrix.
    """
    lowest, highest = _htk_mel(np.array([LOWEST_HZ, HIGHEST_HZ])).tolist()
    edges = np.linspace(lowest, highest, BANDS + 2)
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    bins = _htk_mel(np.arange(FFT_SAMPLES // 2 + 1) * (SAMPLE_RATE_HZ / FFT_SAMPLES))[:, None]
    rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
    triangles: Float64[ndarray, "bins bands"] = np.maximum(0, np.minimum(rising, falling))
    return triangles


@cache
def _hann() -> Float64[ndarray, " window"]:
    hann: Float64[ndarray, " window"] = 0.5 - 0.5 * np.cos(
        2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES
    )
    return hann


def _htk_mel(hz: Float64[ndarray, "..."]) -> Float64[ndarray, "..."]:
    mel: Float64[ndarray, ...] = 1127 * np.log1p(hz / 700)
    return mel
