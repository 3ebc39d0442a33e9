"""A second encoder, and a split that has the embeddings of both."""

from pathlib import Path

import numpy as np
import pytest
from folders import row, sound_bytes, write_media, write_rows
from numpy import ndarray

from safe_data.build.build import build_dataset
from safe_data.encoders.encoder import ENCODERS
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.shards.dataset import ShardDataset


class LoudEncoder(LogMelEncoder):
    """Twice what the other says, in another shape."""

    name = "loud"
    shape = (8, 64)

    def encode(self, clips: list[ndarray]) -> ndarray:
        return 2 * super().encode(clips)

    def _embed(self, clip: ndarray) -> ndarray:
        return super()._embed(clip).reshape(8, 64)


def two_encoder_split(root: Path) -> ShardDataset:
    """Five clips: number 1 has no sound, number 2 has two channels."""
    rows = [row(number) for number in range(5)]
    write_media(root / "world", rows)
    stereo = 0.1 * np.random.default_rng(9).standard_normal((7000, 2))
    (root / "world" / rows[2]["audio_file_name"]).write_bytes(sound_bytes(stereo, rate=16_000))
    del rows[1]["audio_file_name"]
    write_rows(root / "world", rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENCODERS, "loud", LoudEncoder)
        build_dataset(root / "world", root / "shards", encoders=("logmel", "loud"))
    return ShardDataset(root / "shards", "train")
