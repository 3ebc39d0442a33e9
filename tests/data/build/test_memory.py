"""--memory: sizes as people write them, a limit that can be met, and builds that stay below it."""

import json
import struct
import subprocess
import time
import zlib
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from builds import COMMAND
from folders import picture_bytes

from safe_data.build import memory
from safe_data.build.memory import Needs, Share, bytes_in, exact_needs, needs_of, share_of
from safe_data.core.errors import InputError
from safe_data.records import Audio, Record, Rejected

ABOUT = {"dataset": "d", "split": "train", "group": "g"}
NEEDS = Needs(sound=40_000_000, largest=260_000_000)


@pytest.mark.parametrize(
    ("text", "size"), [("800MB", 800_000_000), ("2 gb", 2_000_000_000), ("1GiB", 2**30), ("0.5GiB", 2**29)]
)
def test_sizes_have_units(text: str, size: int) -> None:
    assert bytes_in(text) == size


@pytest.mark.parametrize("text", ["800", "MB", "-1GB", "1TB", "1e9", "٣GB", ""])
def test_anything_else_is_refused(text: str) -> None:
    message = rf"^--memory '{text}' is no size; write a number and a unit, such as 800MB or 1GiB$"
    with pytest.raises(InputError, match=message):
        bytes_in(text)


def share(text: str | None, workers: int = 1, here: bool = False, plan: int = 0) -> Share:
    return share_of(text, NEEDS, workers=workers, here=here, plan_bytes=plan)


def test_workers_share_what_is_left() -> None:
    assert share("1GB", here=True) == Share(1_000_000_000 - memory.OWN_BYTES)
    assert share("1GB", here=True, plan=10**8) == Share(900_000_000 - memory.OWN_BYTES)
    alone = share("1GB")
    assert alone == Share(1_000_000_000 - memory.OWN_BYTES - memory.MAIN_BYTES)
    for workers in (2, 3, 8):
        part = share("4GB", workers)
        taken = memory.MAIN_BYTES + workers * (memory.OWN_BYTES + part.room) + part.reserve
        assert 4_000_000_000 - workers < taken <= 4_000_000_000
        assert part.room + part.reserve >= NEEDS.largest
    roomy = share("40GB", 2)
    assert roomy.reserve == 0  # the largest record fits into each room


def test_too_little_is_refused_with_what_would_do() -> None:
    with pytest.raises(InputError) as refused:
        share("300MB", here=True)
    assert str(refused.value) == (
        "--memory 300MB is too little for 1 worker and the largest record that may come; give 420MB or more"
    )
    assert share("420MB", here=True).room == NEEDS.largest
    with pytest.raises(
        InputError, match=r"for 2 workers .*; give (\d+)MB or more, or fewer workers$"
    ) as refused:
        share("500MB", 2)
    least = str(refused.value).partition("give ")[2].partition(" or")[0]
    assert share(least, 2).room >= NEEDS.sound
    with pytest.raises(InputError):
        share(f"{int(least[:-2]) - 1}MB", 2)


def test_the_default_is_never_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "machine_bytes", lambda: 8 * 10**9)
    assert share(None, here=True) == share("1GB", here=True)
    monkeypatch.setattr(memory, "machine_bytes", lambda: 2 * 10**9)
    assert share(None, here=True) == share("500MB", here=True)
    monkeypatch.setattr(memory, "machine_bytes", lambda: 10**9)
    assert share(None, here=True).room == NEEDS.largest
    assert share(None, 8).room >= NEEDS.sound


def test_800_mb_are_enough_for_one_worker_whatever_the_media() -> None:
    record = Record(id="a", **ABOUT, image="a.png", audio=Audio(path="a.wav"))
    for rates in ([8_000], [16_000], [48_000]):
        assert share_of("800MB", needs_of([record], rates), workers=1, here=True, plan_bytes=0).room > 0


def test_the_files_are_looked_at_before_a_memory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture_bytes())
    record = Record(id="a", **ABOUT, image="a.png")
    most = needs_of([record], [8_000])

    def of_the_file() -> Needs:
        return exact_needs([record], tmp_path, 1, [8_000])

    assert of_the_file().largest < most.largest / 50
    with pytest.raises(InputError):
        share_of("300MB", most, workers=1, here=True, plan_bytes=0)
    assert share_of("300MB", most, of_the_file, workers=1, here=True, plan_bytes=0).room > 0
    with pytest.raises(InputError, match=r"; give 16\dMB or more$"):
        share_of("100MB", most, of_the_file, workers=1, here=True, plan_bytes=0)


def test_what_the_records_may_take() -> None:
    lost = Rejected(id="lost", **ABOUT, reason="no such file: x")
    silent = Record(id="silent", **ABOUT, image="a.png")
    short = Record(id="short", **ABOUT, audio=Audio(path="a.wav", duration_seconds=10))
    whole = Record(id="whole", **ABOUT, audio=Audio(path="a.wav"))
    assert needs_of([lost], [8_000]) == (0, 0)
    assert needs_of([silent], [8_000]).sound == 0 < needs_of([silent], [8_000]).largest
    assert needs_of([short], [8_000]).sound < needs_of([whole], [8_000]).sound < 50_000_000
    assert needs_of([short, silent], [8_000]).largest == needs_of([silent], [8_000]).largest


def peak_of_build(world: Path, out: Path, *options: object) -> int:
    """The most that the processes of a build held together, in bytes."""
    command = [*COMMAND, "build", str(world), str(out), "--quiet", *map(str, options)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        peak, root = 0, psutil.Process(running.pid)
        while running.poll() is None:
            peak = max(peak, sum(map(resident, [root, *root.children(recursive=True)])))
            time.sleep(0.005)
        assert running.stderr is not None
        assert (running.returncode, running.stderr.read()) == (0, "")
    return peak


def resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def write_rows(world: Path, name: str, suffix: str, count: int) -> Path:
    rows = [
        {"id": f"c{n}", "split": "train", "group": f"g{n}", f"{name}_file_name": f"{n}.{suffix}"}
        for n in range(count)
    ]
    (world / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return world


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_six_long_sounds_stay_below_the_limit(tmp_path: Path, workers: int) -> None:
    samples = np.zeros(595 * 96_000, np.int32)
    for number in range(6):
        samples[:: 100_000 + number] = 2**24
        soundfile.write(tmp_path / f"{number}.flac", samples, 96_000, subtype="PCM_24")
        samples[:] = 0
    del samples
    world = write_rows(tmp_path, "audio", "flac", 6)
    options = ["--memory", "800MB", "--workers", workers, "--shard-size", 3]
    assert peak_of_build(world, tmp_path / "out", *options) < 800_000_000


def write_png(path: Path, side: int, seed: int) -> None:
    """A picture of 16 bits a channel, which Pillow cannot write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + (np.arange(3 * side) * (seed + 7)).astype(">u2").tobytes()
    packer = zlib.compressobj(1)
    pixels = b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()])
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_six_large_pictures_stay_below_the_limit(tmp_path: Path, workers: int) -> None:
    for number in range(6):
        write_png(tmp_path / f"{number}.png", 5_792, number)
    world = write_rows(tmp_path, "image", "png", 6)
    options = ["--memory", "800MB", "--workers", workers, "--shard-size", 3]
    assert peak_of_build(world, tmp_path / "out", *options) < 800_000_000
