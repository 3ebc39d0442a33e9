"""`safe-eval import`: 200,000 samples of inspect_ai, and a million rows of JSON Lines.

The samples are as long as real ones of a question with one answer (8 kB, most of it messages and events), and
deflated or compressed with zstd. Each import is a process of its own.
"""

import json
import random
import struct
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from benchmarks import process
from benchmarks.machine import describe
from benchmarks.timing import print_line

SAMPLES, LINES = 200_000, 1_000_000
SAMPLE_BYTES = 8000
INSPECT_SECONDS, LINES_SECONDS, MOST_MB = 120.0, 60.0, 1000.0
_ZSTD = 93  # the method's number in a zip file


def main() -> None:
    """Time each import once, and say whether its goal was met."""
    print_line(benchmark="importing", **describe())
    with tempfile.TemporaryDirectory() as folder:
        for zstd in (False, True):
            log = write_eval(Path(folder) / f"{'zstd' if zstd else 'deflate'}.eval", SAMPLES, zstd=zstd)
            what = f"{SAMPLES} samples of inspect_ai, {log.stem}"
            _measure(what, log, INSPECT_SECONDS)
            log.unlink()
        lines = write_lines(Path(folder) / "lines.jsonl", LINES)
        mapped = ("example_id=id", "references=gold", "answer=reply", "scores.judge=grade", "group=doc.video")
        _measure(f"{LINES} JSON Lines", lines, LINES_SECONDS, *(f"--map={one}" for one in mapped))


def write_eval(path: Path, samples: int, *, zstd: bool = False) -> Path:
    """Write a log of inspect_ai whose accuracy is stated and follows from its samples."""
    header = {
        "version": 2,
        "status": "success",
        "eval": {"task": "made", "model": "made/model", "dataset": {"name": "made", "samples": samples}},
        "results": {"total_samples": samples, "completed_samples": samples, "scores": [_stated(samples)]},
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _named(samples):
            _add(archive, name, content, zstd=zstd)
        _add(archive, "header.json", header, zstd=zstd)
    return path


def _named(samples: int) -> Iterator[tuple[str, object]]:
    for number in range(samples):
        yield f"samples/{number}_epoch_1.json", _sample(number)


def _stated(samples: int) -> dict[str, object]:
    right = sum(_is_right(number) for number in range(samples))
    accuracy = {"name": "accuracy", "value": right / samples}
    return {"name": "match", "scorer": "match", "metrics": {"accuracy": accuracy}}


def _is_right(number: int) -> bool:
    return number % 3 != 0


def _sample(number: int) -> dict[str, object]:
    asked, said = f"What is heard in clip {number}?", f"dog {number}" if _is_right(number) else "a cat"
    noise = random.Random(number).randbytes(SAMPLE_BYTES // 3).hex()
    message = {"role": "assistant", "content": said, "id": noise[:22]}
    return {
        "id": number,
        "epoch": 1,
        "input": asked,
        "target": f"dog {number}",
        "messages": [{"role": "user", "content": asked}, message],
        "output": {"model": "made", "choices": [{"message": message, "stop_reason": "stop"}]},
        "scores": {"match": {"value": "C" if _is_right(number) else "I", "answer": said}},
        "metadata": {"video": f"v{number // 4}"},
        "events": [{"event": "model", "timestamp": number, "data": noise}],
        "attachments": {},
    }


def _add(archive: zipfile.ZipFile, name: str, content: object, *, zstd: bool) -> None:
    """Add a member; for zstd, which zipfile writes from Python 3.14 on, relabel stored bytes."""
    data = json.dumps(content).encode()
    if not zstd:
        archive.writestr(name, data)
        return
    packed = pa.Codec("zstd").compress(data, asbytes=True)
    info = zipfile.ZipInfo(name)
    archive.writestr(info, packed)
    info.compress_type, info.file_size, info.CRC = _ZSTD, len(data), zlib.crc32(data)
    file = archive.fp
    end = file.tell()
    file.seek(info.header_offset + 8)
    file.write(struct.pack("<H", _ZSTD))
    file.seek(info.header_offset + 14)
    file.write(struct.pack("<III", info.CRC, len(packed), len(data)))
    file.seek(end)


def write_lines(path: Path, rows: int) -> Path:
    """Write JSON Lines with columns of other names, one of them inside an object."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            row = {"id": number, "gold": ["dog", "puppy"], "reply": f"a dog, number {number}"}
            row |= {"grade": 0.5, "doc": {"video": f"v{number // 4}"}, "more": "of no use here"}
            file.write(json.dumps(row) + "\n")
    return path


def _measure(what: str, log: Path, seconds: float, *more: str) -> None:
    out = log.with_suffix(".predictions")
    start = "import sys, safe_eval.cli as c; sys.exit(c.main(sys.argv[1:]))"
    command = [sys.executable, "-c", start, "import", log, "--out", out, "--quiet", *more]
    taken = process.run(command, allowed=(0,))
    out.unlink()
    print_line(
        benchmark="importing",
        what=what,
        seconds=taken.wall_seconds,
        processor_seconds=taken.processor_seconds,
        peak_mb=taken.peak_mb,
        goal=f"<= {seconds:g} s and <= {MOST_MB:g} MB",
        met=taken.wall_seconds <= seconds and taken.peak_mb <= MOST_MB,
    )
