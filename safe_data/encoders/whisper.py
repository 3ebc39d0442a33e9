"""WhisperEncoder: the encoder states of a Whisper checkpoint, averaged into a fixed number of frames."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float16, Float32
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.encoders.checkpoints import PREPROCESSOR, load_weights, open_checkpoint
from safe_data.encoders.inference import POLICY, Pipeline, device, pool_in_time, precision, to_float16

if TYPE_CHECKING:
    from torch import Tensor

FRAMES = 32


class WhisperEncoder:
    """Sounds at 16 kHz to `frames` vectors in time, stretched over the sound.

    A sound shorter than the model's 30 seconds is followed by silence, as in the reference, and only the
    states of the sound itself are averaged. A longer one is heard in windows (`window_starts`).

    **Source:** Radford et al. 2022, arXiv 2212.04356; transformers' WhisperModel.encoder.
    **Differs:** the reference hears the first 30 seconds, and its states include the silence after the sound.
    """

    name = "whisper"
    version = 1

    def __init__(self, source: str, frames: int = FRAMES) -> None:
        """Open a checkpoint: a directory, or a hub id such as openai/whisper-small.

        Raises:
            InputError: it is no usable Whisper checkpoint.
        """
        self._checkpoint = open_checkpoint(source, "whisper")
        from transformers import WhisperConfig, WhisperFeatureExtractor

        self._config = self._checkpoint.parse(WhisperConfig)
        self._extractor = self._checkpoint.parse(WhisperFeatureExtractor, PREPROCESSOR)
        self._extractor.dither = 0.0  # noise added to the features would make each run's states another's
        self._check()
        self.sample_rate_hz: int = self._extractor.sampling_rate
        self.shape = (frames, self._config.d_model)

    @cached_property
    def fingerprint(self) -> str:
        return self._checkpoint.fingerprint(
            encoder=self.name, version=self.version, frames=self.shape[0], precision=precision(), crop=POLICY
        )

    def encode(self, clips: Sequence[Float32[ndarray, " samples"]]) -> Float16[ndarray, "clips frames dims"]:
        embeddings = np.empty((len(clips), *self.shape), np.float16)
        state_samples = self._extractor.n_samples / self._config.max_source_positions
        for row, (starts, states) in enumerate(self._pipeline.run(clips)):
            heard = max(1, math.ceil(len(clips[row]) / state_samples))  # what follows is silence
            pooled = pool_in_time(states[:, :heard], starts, state_samples, self.shape[0])
            embeddings[row] = to_float16(pooled, str(self._checkpoint.directory))
        return embeddings

    @cached_property
    def _pipeline(self) -> Pipeline:
        from transformers.models.whisper.modeling_whisper import WhisperEncoder as Tower

        prefixes = {"model.encoder.": "", "encoder.": ""}
        model = load_weights(lambda: Tower(self._config), self._checkpoint.weights, prefixes).to(device())

        def states(features: "Tensor") -> "Tensor":
            output: Tensor = model(input_features=features).last_hidden_state
            return output

        return Pipeline(self._extractor.n_samples, self.sample_rate_hz, self._fill, self._features, states)

    def _fill(self, clip: Float32[ndarray, " samples"]) -> Float32[ndarray, " window"]:
        window = np.zeros(self._extractor.n_samples, np.float32)
        window[: len(clip)] = clip
        return window

    def _features(self, windows: "Tensor") -> "Tensor":
        """The reference's own log-mel: computed in torch already, and little beside the encoder."""
        extracted: Tensor = self._extractor(
            list(windows.cpu().numpy()),
            sampling_rate=self.sample_rate_hz,
            return_tensors="pt",
            device=windows.device.type,
        ).input_features
        return extracted.to(windows.device)

    def _check(self) -> None:
        """Raises InputError where the two configurations do not belong together."""
        extracted = (self._extractor.feature_size, self._extractor.nb_max_frames)
        expected = (self._config.num_mel_bins, 2 * self._config.max_source_positions)
        if extracted != expected:
            raise InputError(
                f"{self._checkpoint.directory}: {PREPROCESSOR} gives {extracted} mel bands and frames, "
                f"config.json expects {expected}; save both from the same checkpoint"
            )
