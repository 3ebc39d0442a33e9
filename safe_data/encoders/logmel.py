"""LogMelEncoder: log power in mel bands, the encoder that needs no weights."""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from jaxtyping import Float16, Float32, Float64
from numpy import ndarray


class LogMelEncoder:
    """Mean power in 64 mel bands of 8 equal stretches of the clip, in dB, scaled so that -80…0 dBFS is -1…1.

    `embedding.reshape(8, 64)` is (stretch, band). A clip shorter than one second is filled up with
    silence; of one longer than 30 seconds the first 30 are heard. Silence is -1 everywhere.
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

    def encode(self, clips: Sequence[Float32[ndarray, " samples"]]) -> Float16[ndarray, "clips 512"]:
        embeddings = np.empty((len(clips), *self.shape), np.float16)
        for embedding, clip in zip(embeddings, clips, strict=True):
            embedding[:] = self._embed(clip)
        return embeddings

    def _embed(self, clip: Float32[ndarray, " samples"]) -> Float64[ndarray, " 512"]:
        power = self._power(clip)
        edges = np.arange(self.stretches + 1) * len(power) // self.stretches
        per_stretch = np.add.reduceat(power, edges[:-1], axis=0) / np.diff(edges)[:, None]
        # einsum without BLAS: its sums do not depend on how many threads or which kernel a machine has
        bands = np.einsum("sf,bf->sb", per_stretch, self._filters)
        floor = 10 ** (self.floor_db / 10)
        decibels: Float64[ndarray, "stretches bands"] = 10 * np.log10(np.maximum(bands, floor))
        scaled: Float64[ndarray, " 512"] = (1 - 2 * decibels / self.floor_db).ravel()
        return scaled

    def _power(self, clip: Float32[ndarray, " samples"]) -> Float64[ndarray, "frames bins"]:
        """Power spectrum of overlapping windows; a full-scale sine has power 1 in its bin."""
        half = self.window_samples // 2
        heard = clip[: self.max_seconds * self.sample_rate_hz].astype(np.float64)
        missing = max(0, self.min_seconds * self.sample_rate_hz - len(heard))
        padded = np.pad(heard, (half, half + missing))
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.window_samples)[:: self.hop_samples]
        spectrum = np.fft.rfft(frames * self._window)
        power: Float64[ndarray, "frames bins"] = np.square(spectrum.real) + np.square(spectrum.imag)
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
        import librosa

        filters: Float64[ndarray, "bands bins"] = librosa.filters.mel(
            sr=self.sample_rate_hz,
            n_fft=self.window_samples,
            n_mels=self.bands,
            fmin=self.lowest_hz,
            fmax=self.highest_hz,
            norm=None,
            dtype=np.float64,
        )
        return filters
