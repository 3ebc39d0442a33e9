"""A change of the mel that an encoder hears: what it is given, and that nothing else moves."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from tensor_bundles import save_yamnet
from tiny_encoders import WHISPER_SECONDS, save_clap, save_whisper, sound

from safe_data.encoders.clap import ClapEncoder
from safe_data.encoders.encoder import AudioEncoder
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.encoders.whisper import WhisperEncoder
from safe_data.encoders.yamnet import YamnetEncoder

# Of a sound of 2 seconds: frames and bands. CLAP repeats it to 10 s of hops of 480 samples; Whisper's hop is
# 160 samples at 16 kHz, and the silence after the sound is left out; logmel's is 128 samples at 8 kHz.
# YAMNet's is Whisper's: patches of 96 frames begin every 48, and the last one is filled with silence.
SECONDS = 2
MELS = {
    "clap": [(1001, 64)],
    "clap-tokens": [(1001, 64)],
    "whisper": [(200, 20)],
    "logmel": [(126, 64)],
    "yamnet": [(96, 64), (96, 64), (96, 64), (56, 64)],
}


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, AudioEncoder]:
    root = tmp_path_factory.mktemp("encoders")
    clap, whisper = str(save_clap(root / "clap")), str(save_whisper(root / "whisper"))
    return {
        "clap": ClapEncoder(clap),
        "clap-tokens": ClapEncoder(clap, "tokens"),
        "whisper": WhisperEncoder(whisper),
        "logmel": LogMelEncoder(),
        "yamnet": YamnetEncoder(save_yamnet(root / "yamnet")),
    }


def same(mel: ndarray) -> ndarray:
    return mel


def quiet(mel: ndarray) -> ndarray:
    changed = mel.copy()
    changed[:, :8] = mel.min()
    return changed


@pytest.mark.parametrize("name", MELS)
def test_a_change_gets_frames_and_bands_and_moves_its_own_clip_alone(
    encoders: dict[str, AudioEncoder], name: str
) -> None:
    encoder = encoders[name]
    clips = [sound(SECONDS, encoder.sample_rate_hz, seed) for seed in range(3)]
    plain, fingerprint = encoder.encode(clips), encoder.fingerprint
    shapes: list[tuple[int, ...]] = []

    def seen(change: Callable[[ndarray], ndarray]) -> Callable[[ndarray], ndarray]:
        def noting(mel: ndarray) -> ndarray:
            shapes.append(mel.shape)
            assert mel.dtype == np.float32
            return change(mel)

        return noting

    assert encoder.encode(clips, [seen(same)] * 3).tobytes() == plain.tobytes()
    assert shapes == MELS[name] * 3
    found = encoder.encode(clips, [None, seen(quiet), None])
    assert found[[0, 2]].tobytes() == plain[[0, 2]].tobytes()
    assert found[1].tobytes() != plain[1].tobytes()
    assert found[1].tobytes() == encoder.encode(clips[1:2], [quiet])[0].tobytes()  # in any batch
    assert encoder.encode(clips).tobytes() == plain.tobytes()
    assert encoder.fingerprint == fingerprint


def test_a_long_sound_is_changed_in_each_window(tmp_path: Path) -> None:
    encoder = WhisperEncoder(str(save_whisper(tmp_path)))
    frames: list[int] = []

    def noting(mel: ndarray) -> ndarray:
        frames.append(len(mel))
        return mel

    encoder.encode([sound(2 * WHISPER_SECONDS, encoder.sample_rate_hz)], [noting])
    assert frames == [100 * WHISPER_SECONDS] * 2
