"""Damage media in every way that disks, downloads and hands do, and judge what decoders make of it.

Run as a script, it decodes damaged copies in a process with little memory, and prints what became of them.
"""

import json
import re
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from effort import peak_bytes
from formats import Medium, media
from hostile import ROOM_BYTES
from videos import video_bytes

SLOWEST_SECONDS = 20
REASON = re.compile(r"[a-z][a-z ]+: \S")
Generator = np.random.Generator


def flip_a_bit(data: bytearray, rng: Generator) -> None:
    data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))


def change_bytes(data: bytearray, rng: Generator) -> None:
    for place in rng.integers(0, len(data), rng.integers(1, 8)):
        data[place] = rng.choice([0, 255, rng.integers(256)])


def change_the_header(data: bytearray, rng: Generator) -> None:
    index = max(0, data.find(b"moov"))
    data[rng.integers(index, min(index + 400, len(data)))] = rng.choice([0, 1, 127, 255, rng.integers(256)])


def cut_the_end(data: bytearray, rng: Generator) -> None:
    del data[rng.integers(1, len(data)) :]


def lose_a_block(data: bytearray, rng: Generator) -> None:
    start = int(rng.integers(len(data)))
    del data[start : start + int(rng.integers(1, 1 + len(data) // 4))]


def zero_a_block(data: bytearray, rng: Generator) -> None:
    start = int(rng.integers(len(data)))
    stop = min(len(data), start + int(rng.integers(1, 1 + len(data) // 4)))
    data[start:stop] = bytes(stop - start)


def insert_a_block(data: bytearray, rng: Generator) -> None:
    start = int(rng.integers(len(data)))
    data[start:start] = rng.bytes(int(rng.integers(1, 64)))


def repeat_a_block(data: bytearray, rng: Generator) -> None:
    start = int(rng.integers(len(data)))
    data[start:start] = data[start : start + int(rng.integers(1, 600))]


FAULTS: tuple[Callable[[bytearray, Generator], None], ...] = (
    flip_a_bit,
    change_bytes,
    change_the_header,
    cut_the_end,
    lose_a_block,
    zero_a_block,
    insert_a_block,
    repeat_a_block,
)


def damaged(data: bytes, seed: int) -> tuple[str, bytes]:
    """The name of a fault, and a copy that has it; seeds take the faults in turn."""
    fault = FAULTS[seed % len(FAULTS)]
    changed = bytearray(data)
    fault(changed, np.random.default_rng(seed))
    return fault.__name__.replace("_", " "), bytes(changed)


def decoded(medium: Medium, data: bytes) -> dict[str, Any]:
    """What a build would store of it, whole and cut."""
    from safe_data.media.decode import decode_pcm
    from safe_data.media.picture import decode_image
    from safe_data.media.video_frames import video_frames

    if medium.kind == "picture":
        return {"picture": np.asarray(decode_image(data))}
    whole, clip = decode_pcm(data), decode_pcm(data, 0.2, 0.1)
    found = {"rate": whole.sample_rate_hz, "sound": whole.samples, "clip": clip.samples}
    if medium.kind == "video":
        found |= {f"frame {number}": np.asarray(shown) for number, shown in enumerate(video_frames(data, 2))}
    return found


def difference(found: dict[str, Any], original: dict[str, Any]) -> str:
    """`equal`, or what differs first: rate, length or values."""
    if found.get("rate") != original.get("rate"):
        return "rate"
    if any(np.shape(found[name]) != np.shape(original[name]) for name in original):
        return "length"
    same = all(np.array_equal(found[name], original[name]) for name in original)
    return "equal" if same else "values"


def judge(medium: Medium, seeds: range) -> dict[str, Any]:
    """Count what became of the damaged copies by fault; list those that must not be."""
    from safe_data.core.errors import MediaError

    original = decoded(medium, medium.data)
    outcomes: dict[str, Counter[str]] = {}
    wrong: list[str] = []
    reasons: set[str] = set()
    slowest = 0.0
    for seed in seeds:
        fault, data = damaged(medium.data, seed)
        count = outcomes.setdefault(fault, Counter())
        if data == medium.data:
            continue
        signal.alarm(SLOWEST_SECONDS)
        start = time.perf_counter()
        try:
            outcome = difference(decoded(medium, data), original)
        except MediaError as error:
            outcome = "rejected"
            reasons.add(str(error).partition(":")[0])
            if not REASON.match(str(error)):
                wrong.append(f"seed {seed}, {fault}: no reason: {error!r}")
        signal.alarm(0)
        slowest = max(slowest, time.perf_counter() - start)
        if outcome not in ("equal", "rejected"):
            if outcome not in medium.untold:
                wrong.append(f"seed {seed}, {fault}: accepted with another {outcome}")
            outcome = "undetectable"
        count[outcome] += 1
    return {"outcomes": outcomes, "wrong": wrong, "reasons": sorted(reasons), "slowest_seconds": slowest}


def main(first: int, stop: int, names: list[str]) -> None:
    """Print one line of JSON per format: outcomes by fault, wrong ones, the growth of the process."""
    every = media()
    decoded(every["mp4"], video_bytes(seconds=0.4))  # everything is loaded now
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM_BYTES, size + ROOM_BYTES))
    before = peak_bytes()
    for name in names or every:
        said = judge(every[name], range(first, stop))
        print(json.dumps({"format": name, **said, "grown_bytes": peak_bytes() - before}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
