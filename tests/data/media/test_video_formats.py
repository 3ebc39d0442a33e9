"""Every format that PyAV reads: whole files give their sound and pictures, those cut off a reason."""

import numpy as np
import pytest
from videos import FORMATS, FPS, chirp, number_on, sample

from safe_data.core.errors import MediaError
from safe_data.media.decode import decode_pcm
from safe_data.media.video_frames import video_frames

SECONDS = 1.2
EXACT = ("mp4-flac", "m4a-alac", "mov-pcm", "mov-pcm24", "mkv-flac", "mkv-pcm", "avi-mjpeg")


@pytest.mark.parametrize("name", FORMATS)
def test_a_whole_file_gives_its_sound(name: str) -> None:
    whole = decode_pcm(sample(name))
    rate = whole.sample_rate_hz
    expected = chirp(SECONDS, rate)
    assert (
        0 <= len(whole.samples) - len(expected) < 6_000
    )  # filling of the encoder, and the delay of B-frames
    if name in EXACT:
        np.testing.assert_allclose(whole.samples, expected, atol=2**-15)
    places = np.correlate(whole.samples[:, 0], expected[20_000:25_000, 0], "valid")
    sound = whole.samples[int(np.argmax(places)) :][:5_000]
    assert np.sqrt(np.square(sound - expected[20_000:25_000]).mean()) < 0.03
    for start, duration in ((0.3, 0.4), (1.05, 0.1)):
        first = round(start * rate)
        part = decode_pcm(sample(name), start, duration).samples
        same = whole.samples[first : first + round(duration * rate)]
        np.testing.assert_allclose(part, same, atol=1e-3 if "webm" in name else 0)


@pytest.mark.parametrize("name", [name for name, parts in FORMATS.items() if parts[1]])
def test_a_whole_file_gives_its_pictures(name: str) -> None:
    shown = [number_on(picture) for picture in video_frames(sample(name), 4)]
    middles = [SECONDS * FPS * (part + 0.5) / 4 for part in range(4)]
    assert np.abs(np.subtract(shown, middles)).max() < 3


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_cut_off_is_refused(name: str) -> None:
    data = sample(name)
    for end in (int(0.3 * len(data)), int(0.7 * len(data)), int(0.97 * len(data)), len(data) - 1):
        with pytest.raises(MediaError, match=r"^(truncated|damaged) (sound|video): "):
            decode_pcm(data[:end])
