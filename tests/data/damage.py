"""Damage media in every way that disks, downloads and hands do, and judge what decoders make of it.

Run as a script with the first and the last seed, it decodes damaged copies in a process with little memory,
and prints what became of them; with `--table`, as Markdown, a row per format.
"""

import argparse
import json
import re
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from effort import peak_bytes
from formats import Medium, media
from hostile import ROOM_BYTES
from videos import video_bytes

SLOWEST_SECONDS = 20
REASON = re.compile(r"[a-z][a-z ]+: \S")
HEADER_BYTES = (64, 200, 1500)  # headers end within one of these
CLIP_SECONDS = (0.2, 0.2)
Generator = np.random.Generator


def place(data: bytes | bytearray, rng: Generator) -> int:
    """A place in the file; of two, one is near its beginning."""
    near = int(rng.choice(HEADER_BYTES)) if rng.integers(2) else len(data)
    return int(rng.integers(min(near, len(data))))


def length(data: bytes | bytearray, rng: Generator) -> int:
    """A few bytes, a sector, or up to a quarter of the file."""
    return int(rng.choice([1, 16, 512, rng.integers(1, 3000), rng.integers(1, 2 + len(data) // 4)]))


def flip_a_bit(data: bytearray, rng: Generator) -> None:
    data[place(data, rng)] ^= 1 << int(rng.integers(8))


def change_bytes(data: bytearray, rng: Generator) -> None:
    stop = place(data, rng) + 1
    for at in rng.integers(0, stop, rng.integers(1, 8)):
        data[at] = rng.choice([0, 1, 127, 255, rng.integers(256)])


def change_the_index(data: bytearray, rng: Generator) -> None:
    """Change a byte near the tables of an MP4, or at the end of a file, where others have theirs."""
    start = data.find(b"moov") if b"moov" in data else max(0, len(data) - 400)
    data[rng.integers(start, min(start + 400, len(data)))] = rng.choice([0, 1, 127, 255, rng.integers(256)])


def cut_the_end(data: bytearray, rng: Generator) -> None:
    del data[max(1, place(data, rng)) :]


def lose_a_block(data: bytearray, rng: Generator) -> None:
    start = place(data, rng)
    del data[start : start + length(data, rng)]


def zero_a_block(data: bytearray, rng: Generator) -> None:
    start = place(data, rng)
    stop = min(len(data), start + length(data, rng))
    data[start:stop] = bytes(stop - start)


def insert_a_block(data: bytearray, rng: Generator) -> None:
    start = place(data, rng)
    data[start:start] = rng.bytes(length(data, rng))


def repeat_a_block(data: bytearray, rng: Generator) -> None:
    start = place(data, rng)
    data[start:start] = data[start : start + length(data, rng)]


FAULTS: tuple[Callable[[bytearray, Generator], None], ...] = (
    flip_a_bit,
    change_bytes,
    change_the_index,
    cut_the_end,
    lose_a_block,
    zero_a_block,
    insert_a_block,
    repeat_a_block,
)


def damaged(data: bytes, seed: int) -> tuple[str, bytes]:
    """The name of a fault, and a copy that has it."""
    rng = np.random.default_rng(seed)
    fault = FAULTS[rng.integers(len(FAULTS))]
    changed = bytearray(data)
    fault(changed, rng)
    return fault.__name__.replace("_", " "), bytes(changed)


def decoded(medium: Medium, data: bytes) -> dict[str, Any]:
    """What a build would store of it, each part as it is or as the error that refuses it."""
    from safe_data.core.errors import MediaError
    from safe_data.media.decode import decode_pcm
    from safe_data.media.picture import decode_image
    from safe_data.media.video_frames import video_frames

    readers: dict[str, Callable[[bytes], Any]] = {
        "whole": decode_pcm,
        "clip": lambda data: decode_pcm(data, *CLIP_SECONDS),
    }
    if medium.kind == "picture":
        readers = {"picture": lambda data: np.asarray(decode_image(data))}
    elif medium.kind == "video":
        readers["frames"] = lambda data: [np.asarray(shown) for shown in video_frames(data, 2)]
    found: dict[str, Any] = {}
    for part, read in readers.items():
        try:
            found[part] = read(data)
        except MediaError as error:
            found[part] = error
    return found


def differences(medium: Medium, data: bytes, found: dict[str, Any], original: dict[str, Any]) -> set[str]:
    """The names of what differs from the original, of all that is not refused.

    Pixels and size of a picture; frames of a video; of a sound rate, channels, length and values. The names
    of the last two say whether the size of the file changed, as most formats tell when it does:

    | file | fewer samples | more samples | other samples |
    | --- | --- | --- | --- |
    | as long as before | lost | gained | values |
    | shorter or longer | shorter | longer | moved |

    `end`: samples are only missing at the end, as bytes are; `late`: silence comes before the sound.
    """
    told: set[str] = set()
    for part, what in found.items():
        if isinstance(what, Exception) or (part == "clip" and told):  # a part of what differs already
            continue
        if part == "picture":
            same = np.array_equal(what, original[part])
            told |= set() if same else {"pixels" if what.shape == original[part].shape else "size"}
        elif part == "frames":
            told |= set() if all(map(np.array_equal, what, original[part])) else {"frames"}
        else:
            told |= _of_sounds(medium, data, what, original[part])
    return told


def _of_sounds(medium: Medium, data: bytes, found: Any, original: Any) -> set[str]:
    resized = len(data) != len(medium.data)
    there, whole = found.samples, original.samples
    told = {"rate"} if found.sample_rate_hz != original.sample_rate_hz else set()
    if there.shape[1] != whole.shape[1]:
        return told | {"channels"}
    more, slack = len(there) - len(whole), round(medium.slack_seconds * original.sample_rate_hz)
    if more == 0:
        told |= set() if np.array_equal(there, whole) else {"moved" if resized else "values"}
    elif abs(more) <= slack:
        told.add("length")
    elif more > 0 and slack and not there[: more - slack].any():
        told.add("late")
    elif more < 0:
        cut = resized and medium.data.startswith(data) and np.array_equal(there, whole[: len(there)])
        told.add("end" if cut else "shorter" if resized else "lost")
    else:
        told.add("longer" if resized else "gained")
    return told


def judge(medium: Medium, seeds: range) -> dict[str, Any]:
    """Count what became of the damaged copies, and why; list those that must not be."""
    original = decoded(medium, medium.data)
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    slowest = 0.0
    for seed in seeds:
        fault, data = damaged(medium.data, seed)
        if data == medium.data:
            continue
        signal.alarm(SLOWEST_SECONDS)
        start = time.perf_counter()
        found = decoded(medium, data)
        slowest = max(slowest, time.perf_counter() - start)
        signal.alarm(0)
        faults = [f"no reason: {what!r}" for what in found.values() if not _has_reason(what)]
        told = differences(medium, data, found, original)
        faults += [f"accepted with other {name}" for name in sorted(told - medium.untold.keys())]
        wrong += [f"seed {seed}, {fault}: {what}" for what in faults]
        refused = isinstance(next(iter(found.values())), Exception)
        whys = sorted({medium.untold[name] for name in told & medium.untold.keys()})
        outcomes["wrong" if faults else "; ".join(whys) or ("rejected" if refused else "equal")] += 1
    return {"outcomes": outcomes, "wrong": wrong, "slowest_seconds": slowest}


def _has_reason(what: Any) -> bool:
    return not isinstance(what, Exception) or REASON.match(str(what)) is not None


def judged(seeds: range, names: list[str]) -> Iterator[dict[str, Any]]:
    """Judge the formats in this process, which may grow only a little from now on."""
    every = media()
    first = Medium("video", video_bytes(seconds=0.6), {})
    decoded(first, first.data)  # everything is loaded now
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM_BYTES, size + ROOM_BYTES))
    before = peak_bytes()
    for name in names or every:
        yield {"format": name, **judge(every[name], seeds), "grown_bytes": peak_bytes() - before}


def row(said: dict[str, Any]) -> str:
    """A row of the table: what became of the copies of a format."""
    outcomes = Counter(said["outcomes"])
    counts = {name: outcomes.pop(name, 0) for name in ("equal", "rejected", "wrong")}
    why = "; ".join(f"{count} ({reason})" for reason, count in outcomes.most_common())
    return f"| {said['format']} | {counts['equal']} | {why or 0} | {counts['rejected']} | {counts['wrong']} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Damage files of every format; print what became of them.")
    parser.add_argument("first", type=int)
    parser.add_argument("stop", type=int)
    parser.add_argument("formats", nargs="*")
    parser.add_argument("--table", action="store_true", help="print Markdown instead of JSON")
    asked = parser.parse_args()
    show = partial(print, flush=True)
    if asked.table:
        show("| Format | Equal | Undetectable (why) | Rejected | Wrong |\n| --- | --- | --- | --- | --- |")
    for said in judged(range(asked.first, asked.stop), asked.formats):
        show(row(said) if asked.table else json.dumps(said))


if __name__ == "__main__":
    main()
