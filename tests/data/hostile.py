"""Files that promise more than they hold, and what decoders do with them in a process with little memory.

Run as a script, it decodes the files of a folder, one after the other, and prints what happened.
"""

import json
import resource
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from effort import peak_bytes
from folders import picture_bytes, sound_bytes
from videos import video_bytes

ROOM_BYTES = 2**29


def hostile_files() -> dict[str, bytes]:
    return {
        "wav": _with(sound_bytes(), 40, struct.pack("<I", 0xF0000000)),
        "wav-no-channels": _with(sound_bytes(), 22, struct.pack("<H", 0)),
        "wav-many-channels": _with(sound_bytes(), 22, struct.pack("<HIIH", 1024, 8000, 8000 * 2048, 2048)),
        "flac": _with(sound_bytes(kind="FLAC"), 21, b"\xff" * 5),
        "ogg": ogg_of_a_thousand_years(),
        "mp3": _after(sound_bytes(kind="MP3"), b"Xing", 8, struct.pack(">I", 2**31 - 1)),
        "mp4-index": mp4_with_an_endless_index(),
        "mp4-hours": mp4_of_some_hours(),
        "mkv-hours": _after(
            video_bytes("matroska", seconds=0.5), b"\x44\x89\x88", 3, struct.pack(">d", 1e12)
        ),
        "mp4-moov": _with(video_bytes(seconds=0.5), -300, bytes(200)),
        "text": b"this is no medium\n" * 1000,
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
        "png": png(60_000, 60_000),
        "png-large": png(30_000, 30_000),
        "png-text": png(8, 8, zlib.compress(bytes(2**28), 9)),
        "jpeg": _after(picture_bytes(kind="JPEG"), b"\xff\xc0", 5, struct.pack(">HH", 65_500, 65_500)),
    }


def ogg_of_a_thousand_years() -> bytes:
    """The last page says that it ends at sample 2**60, and its checksum is right."""
    data = bytearray(sound_bytes(kind="OGG"))
    page = data.rfind(b"OggS")
    struct.pack_into("<q", data, page + 6, 2**60)
    struct.pack_into("<I", data, page + 22, 0)
    checksum = 0
    for byte in data[page:]:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1) ^ (0x104C11DB7 if checksum & 0x80000000 else 0)
    struct.pack_into("<I", data, page + 22, checksum)
    return bytes(data)


def mp4_of_some_hours() -> bytes:
    """Each packet of half a second of sound is said to last for hours, and the whole for as long."""
    longer = _after(video_bytes(picture=None, seconds=0.5), b"mdhd", 20, b"\x7f\xff\xff\xff")
    return _after(longer, b"stts", 16, b"\x0f\xff\xff\xff")


def mp4_with_an_endless_index(samples: int = 80_000_000) -> bytes:
    """Eighty million frames of one byte in one chunk: a few kilobytes that FFmpeg makes 2.9 GB of."""
    data = bytearray(video_bytes(seconds=2))
    tables = {b"stsz": (1, samples), b"stsc": (1, 1, samples, 1), b"stts": (1, samples, 1)}
    for name, values in tables.items():
        struct.pack_into(f">{len(values)}I", data, data.index(name) + 8, *values)
    return bytes(data)


def png(width: int, height: int, text: bytes | None = None) -> bytes:
    """A PNG of a few hundred bytes that promises any number of pixels, or a text of any length."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    comment = b"" if text is None else chunk(b"zTXt", b"Comment\0\0" + text)
    pixels = chunk(b"IDAT", zlib.compress(bytes(4096)))
    return b"\x89PNG\r\n\x1a\n" + head + comment + pixels + chunk(b"IEND", b"")


def _with(data: bytes, offset: int, new: bytes) -> bytes:
    start = offset % len(data)
    return data[:start] + new + data[start + len(new) :]


def _after(data: bytes, name: bytes, offset: int, new: bytes) -> bytes:
    return _with(data, data.index(name) + offset, new)


def decode_all(folder: Path) -> None:
    """Print one line of JSON per file: what each decoder said, and the growth of the process in bytes."""
    from safe_data.core.errors import MediaError
    from safe_data.media.decode import decode_audio
    from safe_data.media.picture import decode_image
    from safe_data.media.video_frames import video_frames

    decode_audio(video_bytes(seconds=0.2), 8_000)  # everything is loaded now
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM_BYTES, size + ROOM_BYTES))
    before = peak_bytes()
    for file in sorted(folder.iterdir()):
        said = {"file": file.name}
        for name, decode in {"sound": decode_audio, "video": video_frames, "picture": decode_image}.items():
            try:
                decode(file.read_bytes())
                said[name] = "decoded"
            except MediaError as error:
                said[name] = str(error)
        print(json.dumps({**said, "grown_bytes": peak_bytes() - before}), flush=True)


def damaged(data: bytes, seed: int) -> bytes:
    """Damage data: cut it off, or change a few bytes, half of the time in the likely header."""
    rng = np.random.default_rng(seed)
    changed = bytearray(data)
    if rng.integers(3) == 0:
        return bytes(changed[: rng.integers(1, len(data))])
    index = max(0, data.find(b"moov"))
    start, stop = (0, len(data)) if rng.integers(2) else (index, min(index + 2_000, len(data)))
    for place in rng.integers(start, stop, rng.integers(1, 8)):
        changed[place] = rng.choice([0, 255, rng.integers(256)])
    return bytes(changed)


def damage_all(folder: Path, cases: int) -> None:
    """Print one line of JSON per file: how many damaged copies were decoded, and how many were refused."""
    from safe_data.core.errors import MediaError
    from safe_data.media.decode import decode_audio
    from safe_data.media.picture import decode_image
    from safe_data.media.video_frames import video_frames

    decoders = {
        "sound": (lambda data: decode_audio(data, 16_000, 0.2, 0.5), decode_audio),
        "video": (
            lambda data: decode_audio(data, 16_000, 0.2, 0.5),
            decode_audio,
            lambda data: video_frames(data, 2),
        ),
        "picture": (decode_image,),
    }
    for file in sorted(folder.iterdir()):
        counts = {"decoded": 0, "refused": 0}
        for seed in range(cases):
            data = damaged(file.read_bytes(), seed)
            for decode in decoders[file.name.partition("-")[0]]:
                try:
                    decode(data)
                    counts["decoded"] += 1
                except MediaError:
                    counts["refused"] += 1
        print(json.dumps({"file": file.name, **counts}), flush=True)


if __name__ == "__main__":
    task, folder = sys.argv[1], Path(sys.argv[2])
    if task == "decode":
        decode_all(folder)
    else:
        damage_all(folder, int(sys.argv[3]))
