"""WhisperEncoder: the encoder states of a Whisper checkpoint, averaged to a fixed number of frames."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float16, Float32
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.encoders.checkpoints import PREPROCESSOR, load_weights, open_checkpoint
from safe_data.encoders.inference import (
    POLICY,
    MelChange,
    Pipeline,
    device,
    pool_in_time,
    precision,
    to_float16,
)

if TYPE_CHECKING:
    from torch import Tensor

FRAMES = 32


class WhisperEncoder:
    """Encode sounds at 16 kHz as `frames` vectors, evenly spread over the sound.

    A sound shorter than the model's 30 seconds is followed by silence, as in the reference, but only the
    states of the sound itself are averaged. A longer sound is cut into windows (`window_starts`).

    **Source:** Radford et al. 2022, arXiv 2212.04356; transformers' WhisperModel.encoder.
    **Differs:** the reference uses only the first 30 seconds, and its states include the silence at the end.
    """

    name = "whisper"
    version = 1

    def __init__(self, source: str, frames: int = FRAMES) -> None:
        """Open a checkpoint: a directory, or a hub id such as openai/whisper-small.

        Raises:
            InputError: it is not a usable Whisper checkpoint.
        """
        self._checkpoint = open_checkpoint(source, "whisper")
        from transformers import WhisperConfig, WhisperFeatureExtractor

        self._config = self._checkpoint.parse(WhisperConfig)
        self._extractor = self._checkpoint.parse(WhisperFeatureExtractor, PREPROCESSOR)
        self._extractor.dither = 0.0  # noise in the features would make every run different
        self._check()
        self.sample_rate_hz: int = self._extractor.sampling_rate
        self.shape = (frames, self._config.d_model)

    @cached_property
    def fingerprint(self) -> str:
        return self._checkpoint.fingerprint(
            encoder=self.name, version=self.version, frames=self.shape[0], precision=precision(), crop=POLICY
        )

    def encode(
        self, clips: Sequence[Float32[ndarray, " samples"]], changes: Sequence[MelChange | None] = ()
    ) -> Float16[ndarray, "clips frames dims"]:
        embeddings = np.empty((len(clips), *self.shape), np.float16)
        state_samples = self._extractor.n_samples / self._config.max_source_positions
        for row, (starts, states) in enumerate(self.pipeline.run(clips, changes)):
            heard = max(1, math.ceil(len(clips[row]) / state_samples))  # the rest is silence
            pooled = pool_in_time(states[:, :heard], starts, state_samples, self.shape[0])
            embeddings[row] = to_float16(pooled, str(self._checkpoint.directory))
        return embeddings

    @cached_property
    def pipeline(self) -> Pipeline:
        """The model, loaded on first use."""
        from transformers.models.whisper.modeling_whisper import WhisperEncoder as Tower

        prefixes = {"model.encoder.": "", "encoder.": ""}
        model = load_weights(lambda: Tower(self._config), self._checkpoint.weights, prefixes).to(device())

        def states(features: "Tensor") -> "Tensor":
            output: Tensor = model(input_features=features).last_hidden_state
            return output

        extractor = self._extractor
        hop: int = extractor.hop_length

        def heard(row: "Tensor", samples: int) -> "Tensor":
            return row[:, : max(1, math.ceil(samples / hop))].T  # the rest is silence

        return Pipeline(extractor.n_samples, self.sample_rate_hz, self._fill, self._features, states, heard)

    def _fill(self, clip: Float32[ndarray, " samples"]) -> Float32[ndarray, " window"]:
        window = np.zeros(self._extractor.n_samples, np.float32)
        window[: len(clip)] = clip
        return window

    def _features(self, windows: "Tensor") -> "Tensor":
        """The log-mel features of the reference: they run in torch, and cost little next to the encoder."""
        extracted: Tensor = self._extractor(
            list(windows.cpu().numpy()),
            sampling_rate=self.sample_rate_hz,
            return_tensors="pt",
            device=windows.device.type,
        ).input_features
        return extracted.to(windows.device)

    def _check(self) -> None:
        """Check that the two configurations belong together.

        Raises:
            InputError: they do not.
        """
        extracted = (self._extractor.feature_size, self._extractor.nb_max_frames)
        expected = (self._config.num_mel_bins, 2 * self._config.max_source_positions)
        if extracted != expected:
            raise InputError(
                f"{self._checkpoint.directory}: {PREPROCESSOR} gives {extracted} mel bands and frames, "
                f"config.json expects {expected}; save both from the same checkpoint"
            )
