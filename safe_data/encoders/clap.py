"""ClapEncoder: the audio tower of a CLAP checkpoint, without the randomness of the reference."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float16, Float32
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.encoders.checkpoints import Checkpoint, load_weights, open_checkpoint
from safe_data.encoders.clap_mel import ClapMel
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

_VERSION = 1  # of what is done with a clip


class ClapEncoder:
    """Encode sounds at 48 kHz as unit vectors (pooled), or as the last states of the tower (tokens).

    A sound shorter than the model's 10 seconds is repeated as its checkpoint says. A longer sound is cut into
    windows (`window_starts`): pooled, their unit vectors are averaged and scaled to length 1 again; as
    tokens, their states are averaged over equal parts of the sound, so that the shape does not change. Tokens
    are ordered by time, and at equal times by frequency.

    **Source:** Wu et al. 2023, arXiv 2211.06687; transformers' ClapModel.get_audio_features.
    **Differs:** the reference takes a random 10 seconds of a longer sound; the mean over windows is the
    expectation of that. If no sound in a batch is long, a fused model of the reference still runs a random
    one through its fusion layers, so that a vector depends on its batch (LAION-AI/CLAP#90); we do not use
    them.
    """

    def __init__(self, source: str, pooling: Literal["pooled", "tokens"] = "pooled") -> None:
        """Open a checkpoint: a directory, or a hub id such as laion/clap-htsat-unfused.

        Raises:
            InputError: it is not a usable CLAP checkpoint.
        """
        self.name = "clap" if pooling == "pooled" else "clap-tokens"
        self._pooled = pooling == "pooled"
        self._checkpoint = open_checkpoint(source, "clap")
        from transformers import ClapConfig

        self._mel = ClapMel.read(self._checkpoint.preprocessing)
        self._config = self._checkpoint.parse(ClapConfig).audio_config
        self._check()
        self.sample_rate_hz = self._mel.sample_rate_hz

    @cached_property
    def fingerprint(self) -> str:
        return clap_fingerprint(self._checkpoint, self.name, precision())

    @property
    def shape(self) -> tuple[int, ...]:
        if self._pooled:
            return (self._config.projection_dim,)
        steps, bands, dims = self._grid
        return (steps * bands, dims)

    def encode(
        self, clips: Sequence[Float32[ndarray, " samples"]], changes: Sequence[MelChange | None] = ()
    ) -> Float16[ndarray, "clips ..."]:
        embeddings = np.empty((len(clips), *self.shape), np.float16)
        for row, (starts, states) in enumerate(self.pipeline.run(clips, changes)):
            embedding = _mean_direction(states) if self._pooled else self._tokens(starts, states)
            embeddings[row] = to_float16(embedding, str(self._checkpoint.directory))
        return embeddings

    def _tokens(
        self, starts: list[int], states: Float32[ndarray, "windows dims bands steps"]
    ) -> Float32[ndarray, "tokens dims"]:
        steps, bands, dims = self._grid
        by_time = states.transpose(0, 3, 2, 1).reshape(len(starts), steps, bands * dims)
        return pool_in_time(by_time, starts, self._mel.samples / steps, steps).reshape(steps * bands, dims)

    @cached_property
    def pipeline(self) -> Pipeline:
        """The model, loaded on first use."""
        import torch
        from transformers import ClapAudioModelWithProjection

        model = load_weights(
            lambda: ClapAudioModelWithProjection(self._config),
            self._checkpoint.weights,
            {"audio_model.": "audio_model.", "audio_projection.": "audio_projection."},
        ).to(device())

        def states(features: "Tensor") -> "Tensor":
            not_longer = torch.zeros(len(features), 1, dtype=torch.bool, device=features.device)
            output = model(input_features=features, is_longer=not_longer)
            if self._pooled:
                return torch.nn.functional.normalize(output.audio_embeds.float(), dim=-1)
            tokens: Tensor = output.last_hidden_state
            return tokens

        mel = self._mel
        return Pipeline(
            mel.samples, mel.sample_rate_hz, mel.fill, mel.features, states, lambda row, _: row[0]
        )  # a clip that was repeated fills all frames

    @property
    def _grid(self) -> tuple[int, int, int]:
        """The shape of the tower's last states: (steps in time, bands of frequency, dims).

        The tower folds the spectrogram in time into a square picture, and halves its sides at each stage but
        one.
        """
        shrinking = 2 ** (len(self._config.depths) - 1)
        stride = self._config.patch_stride
        side = self._config.spec_size // shrinking // (stride if isinstance(stride, int) else stride[0])
        bands = max(1, side // self._folds)
        return side * side // bands, bands, self._config.patch_embeds_hidden_size * shrinking

    @property
    def _folds(self) -> int:
        folds: int = self._config.spec_size // self._config.num_mel_bins
        return max(1, folds)

    def _check(self) -> None:
        """Check that the two configurations belong together.

        Raises:
            InputError: they do not.
        """
        mel, config, wrong = self._mel, self._config, []
        if mel.bands != config.num_mel_bins:
            wrong.append(f"{mel.bands} mel bands are extracted, {config.num_mel_bins} are expected")
        if mel.frames > config.spec_size * self._folds:
            wrong.append(f"{mel.frames} frames are extracted, at most {config.spec_size * self._folds} fit")
        if mel.truncation == "fusion" and not config.enable_fusion:
            wrong.append("truncation is 'fusion', but the model has no fusion layers (expected 'rand_trunc')")
        if wrong:
            raise InputError(
                f"{self._checkpoint.directory}: preprocessor_config.json is not this model's: "
                f"{'; '.join(wrong)}; save both from the same checkpoint"
            )


def clap_fingerprint(checkpoint: Checkpoint, name: str, number_format: str) -> str:
    """The fingerprint of the embeddings that an encoder of this checkpoint computes in a number format."""
    return checkpoint.fingerprint(encoder=name, version=_VERSION, precision=number_format, crop=POLICY)


def _mean_direction(vectors: Float32[ndarray, "windows dims"]) -> Float32[ndarray, " dims"]:
    mean: Float32[ndarray, " dims"] = vectors.mean(axis=0)
    return mean if len(vectors) == 1 else np.divide(mean, np.linalg.norm(mean))
