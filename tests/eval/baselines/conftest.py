"""Two worlds of noise, built once: in one the answer follows the level, in the other the pitch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_sounds import ANSWERS, CLIPS, RATE_HZ, planted_row, write_planted

from safe_data.build.build import build_dataset
from safe_data.encoders.logmel import LogMelEncoder


@pytest.fixture(scope="package")
def answers() -> list[str]:
    """The answer of each clip: by chance, so that the number of a clip says nothing."""
    return np.random.default_rng(0).choice(ANSWERS, CLIPS).tolist()


@pytest.fixture(scope="package")
def by_level(tmp_path_factory: pytest.TempPathFactory, answers: list[str]) -> Path:
    """Noise that is loud or soft, and nothing else; the embeddings are blind to the level."""
    rng, root = np.random.default_rng(1), tmp_path_factory.mktemp("level")
    levels = [0.1 if answer == "loud" else 0.02 for answer in answers]
    sounds = [level * rng.standard_normal(RATE_HZ // 4) for level in levels]
    rows = [planted_row(number, answer) for number, answer in enumerate(answers)]
    write_planted(root / "by_level", rows, sounds)
    encode = LogMelEncoder.encode

    def blind(self: LogMelEncoder, clips: Sequence[np.ndarray], changes: Sequence[Any] = ()) -> np.ndarray:
        return encode(self, [clip / max(np.abs(clip).max(), 1e-9) for clip in clips], changes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LogMelEncoder, "encode", blind)
        build_dataset(root / "by_level", root / "shards", quiet=True)
    return root / "shards"


@pytest.fixture(scope="package")
def by_pitch(tmp_path_factory: pytest.TempPathFactory, answers: list[str]) -> Path:
    """Tones of one level, high or low: only who hears can tell."""
    rng, root = np.random.default_rng(2), tmp_path_factory.mktemp("pitch")
    times, sounds = np.arange(RATE_HZ // 4) / RATE_HZ, []
    for answer in answers:
        hertz = (2000 if answer == "loud" else 500) * rng.uniform(0.9, 1.1)
        level = rng.uniform(0.1, 0.3)
        sounds.append(level * np.sin(2 * np.pi * hertz * times) + 0.01 * rng.standard_normal(RATE_HZ // 4))
    rows = [planted_row(number, answer, group=f"p{number // 2}") for number, answer in enumerate(answers)]
    write_planted(root / "by_pitch", rows, sounds)
    build_dataset(root / "by_pitch", root / "shards", quiet=True)
    return root / "shards"
