"""How long a sound or a video is, by its header; nothing is decoded."""

from typing import BinaryIO

from safe_data.core.errors import MediaError
from safe_data.media.containers import container_of
from safe_data.media.paths import MediaRoot, open_file

BYTES_PER_SAMPLE = {"PCM_U8": 1, "PCM_S8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
LONGEST_SECONDS = 1e6
ESTIMATED = frozenset({"aac", "ac3", "eac3"})  # without a length; FFmpeg guesses one from the bit rate


def length_seconds(root: MediaRoot, relative: str) -> float | None:
    """The length of a file below the root; None if it does not say.

    A header is trusted no further than the file is long, so it may be wrong about a damaged file.

    Raises:
        MediaError: the file cannot be opened.
    """
    with open_file(root, relative) as file:
        container = container_of(file)
        if container is None:
            file.seek(0)
            seconds = _of_sound(file)
        elif container in ESTIMATED:
            return None
        else:
            from safe_data.media.video_streams import opened

            with opened(file, container) as video:
                seconds = (video.duration or 0) / 1e6
    return seconds if 0 < seconds < LONGEST_SECONDS else None


def _of_sound(file: BinaryIO) -> float:
    import soundfile

    try:
        with soundfile.SoundFile(file) as sound:
            rate, channels, frames, subtype = sound.samplerate, sound.channels, sound.frames, sound.subtype
    except soundfile.LibsndfileError as error:
        raise MediaError(f"undecodable sound: {error.error_string.rstrip('.')}") from None
    if frames <= 0 and subtype in BYTES_PER_SAMPLE:  # written to a pipe: all of the file is samples
        frames = file.seek(0, 2) // (channels * BYTES_PER_SAMPLE[subtype])
    return float(frames / rate)
