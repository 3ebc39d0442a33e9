"""LogMelEncoder: log power in mel bands; an encoder that needs no weights."""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from itertools import zip_longest

import numpy as np
from jaxtyping import Float16, Float32, Float64
from numpy import ndarray

from safe_data.encoders.inference import MelChange


class LogMelEncoder:
    """The mean power in 64 mel bands and 8 equal parts of a clip, in dB; -80 to 0 dBFS is scaled to -1 to 1.

    `embedding.reshape(8, 64)` has the axes (part, band). A clip shorter than one second is filled up with
    silence; of a clip longer than 30 seconds only the first 30 are used. Silence is -1 everywhere.
    """

    name = "logmel"
    sample_rate_hz = 8_000
    stretches, bands = 8, 64
    shape = (stretches * bands,)
    window_samples, hop_samples = 256, 128
    lowest_hz, highest_hz = 50.0, 4_000.0
    floor_db = -80.0
    min_seconds, max_seconds = 1, 30
    version = 1

    @cached_property
    def fingerprint(self) -> str:
        names = (
            "name sample_rate_hz stretches bands window_samples hop_samples lowest_hz highest_hz "
            "floor_db min_seconds max_seconds version"
        )
        parameters = {name: getattr(self, name) for name in names.split()}
        return hashlib.sha256(json.dumps(parameters).encode()).hexdigest()[:16]

    def encode(
        self, clips: Sequence[Float32[ndarray, " samples"]], changes: Sequence[MelChange | None] = ()
    ) -> Float16[ndarray, "clips 512"]:
        embeddings = np.empty((len(clips), *self.shape), np.float16)
        for embedding, clip, change in zip_longest(embeddings, clips, changes):
            embedding[:] = self._embed(clip) if change is None else self._embed_changed(clip, change)
        return embeddings

    def _embed(self, clip: Float32[ndarray, " samples"]) -> Float64[ndarray, " 512"]:
        # einsum does not call BLAS, whose sums depend on the number of threads and the machine's kernels
        return self._scaled(np.einsum("sf,bf->sb", self._per_stretch(self._power(clip)), self._filters))

    def _embed_changed(
        self, clip: Float32[ndarray, " samples"], change: MelChange
    ) -> Float64[ndarray, " 512"]:
        """The embedding after a change of the log-mel features of each frame, in dB not below the floor."""
        bands = np.einsum("tf,bf->tb", self._power(clip), self._filters)
        before = self._decibels(bands).astype(np.float32)
        after = change(before)
        changed = after != before  # what stays is not rounded
        bands[changed] = 10 ** (after[changed].astype(np.float64) / 10)
        return self._scaled(self._per_stretch(bands))

    def _per_stretch(self, power: Float64[ndarray, "frames any"]) -> Float64[ndarray, "stretches any"]:
        edges = np.arange(self.stretches + 1) * len(power) // self.stretches
        means: Float64[ndarray, "stretches any"] = np.add.reduceat(power, edges[:-1], axis=0)
        return means / np.diff(edges)[:, None]

    def _decibels(self, bands: Float64[ndarray, "any bands"]) -> Float64[ndarray, "any bands"]:
        floor = 10 ** (self.floor_db / 10)
        decibels: Float64[ndarray, "any bands"] = 10 * np.log10(np.maximum(bands, floor))
        return decibels

    def _scaled(self, bands: Float64[ndarray, "stretches bands"]) -> Float64[ndarray, " 512"]:
        scaled: Float64[ndarray, " 512"] = (1 - 2 * self._decibels(bands) / self.floor_db).ravel()
        return scaled

    def _power(self, clip: Float32[ndarray, " samples"]) -> Float64[ndarray, "frames bins"]:
        """The power spectrum of overlapping windows; a full-scale sine has power 1 in its bin."""
        half = self.window_samples // 2
        heard = clip[: self.max_seconds * self.sample_rate_hz].astype(np.float64)
        missing = max(0, self.min_seconds * self.sample_rate_hz - len(heard))
        padded = np.pad(heard, (half, half + missing))
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.window_samples)[:: self.hop_samples]
        parts = np.fft.rfft(frames * self._window).view(np.float64)  # real and imaginary in turn
        np.square(parts, out=parts)
        power: Float64[ndarray, "frames bins"] = parts[:, ::2] + parts[:, 1::2]
        return power

    @cached_property
    def _window(self) -> Float64[ndarray, " window"]:
        hann: Float64[ndarray, " window"] = 0.5 - 0.5 * np.cos(
            2 * np.pi * np.arange(self.window_samples) / self.window_samples
        )
        scale: float = hann.sum() / 2
        return hann / scale

    @cached_property
    def _filters(self) -> Float64[ndarray, "bands bins"]:
        bins = np.arange(self.window_samples // 2 + 1) * (self.sample_rate_hz / self.window_samples)
        return mel_triangles(bins, self.bands, self.lowest_hz, self.highest_hz)


def mel_triangles(
    bins_hz: Float64[ndarray, " bins"], bands: int, lowest_hz: float, highest_hz: float
) -> Float64[ndarray, "bands bins"]:
    """The weight of each frequency in each band: a triangle two steps of the mel scale wide, 1 in its middle.

    Source: Slaney 1998, "Auditory Toolbox": linear up to 1 kHz, then 27 steps up to 6.4 kHz. The values equal
    `librosa.filters.mel(norm=None)`; importing librosa would take each worker a second.
    """
    lowest, highest = _mel(np.array([lowest_hz, highest_hz])).tolist()
    mels = np.linspace(lowest, highest, bands + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins_hz - left) / (middle - left), (right - bins_hz) / (right - middle)
    triangles: Float64[ndarray, "bands bins"] = np.maximum(0, np.minimum(rising, falling))
    return triangles


def _mel(hz: Float64[ndarray, " n"]) -> Float64[ndarray, " n"]:
    mel: Float64[ndarray, " n"] = np.where(hz < 1000, hz * 3 / 200, 15 + 27 * np.log(hz / 1000) / np.log(6.4))
    return mel
