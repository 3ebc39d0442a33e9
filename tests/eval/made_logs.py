"""Logs of other harnesses made for tests, as small as they can be, and where the real ones lie."""

import json
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pytest

from safe_eval.import_options import ImportOptions
from safe_eval.logs.all_logs import open_log
from safe_eval.logs.log import LeftOut, Log
from safe_eval.prediction import Prediction

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "truth" / "logs"
needs_real = pytest.mark.skipif(
    not REAL.is_dir(), reason="real logs lie outside the repository, in ../shared/truth"
)

LMMS = "20260218_234435_samples_made.jsonl"
LM = "samples_made_2026-01-21T03-44-18.458309.jsonl"
_ZSTD = 93
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def read(path: Path, **options: Any) -> tuple[Log, list[Prediction], list[LeftOut]]:
    """What a reader makes of a log."""
    log = open_log(path, ImportOptions(**options))
    rows = list(log.read(log))
    kept = [row for row in rows if isinstance(row, Prediction)]
    return log, kept, [row for row in rows if isinstance(row, LeftOut)]


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_zip(path: Path, members: Iterable[tuple[str, Any]], *, zstd: bool = False) -> Path:
    """A zip file of JSON members, in which a name may stand twice."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            data = json.dumps(content).encode()
            if not zstd:
                archive.writestr(name, data)
                continue
            packed = pa.Codec("zstd").compress(data, asbytes=True)
            info = zipfile.ZipInfo(name)
            archive.writestr(info, packed)
            info.compress_type, info.file_size, info.CRC = _ZSTD, len(data), zlib.crc32(data)
            file = archive.fp
            assert file is not None
            end = file.tell()
            file.seek(info.header_offset + 8)
            file.write(struct.pack("<H", _ZSTD))
            file.seek(end)
    return path


def sample(number: int, **fields: Any) -> dict[str, Any]:
    """A sample of inspect_ai that was answered right."""
    message = {"role": "assistant", "content": "Yes"}
    return {
        "id": number,
        "epoch": 1,
        "input": "Is it a dog?",
        "target": " Yes",
        "output": {"choices": [{"message": message}], "completion": "Yes"},
        "scores": {"match": {"value": "C", "answer": "Yes"}},
        "messages": [message],
        "metadata": {"video": "v1"},
    } | fields


def header(samples: int, accuracy: float, **fields: Any) -> dict[str, Any]:
    """The header of inspect_ai's log of these samples."""
    metrics = {"accuracy": {"name": "accuracy", "value": accuracy}}
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "task": "made",
            "model": "made/model",
            "dataset": {"name": "clips"},
            "packages": {"inspect_ai": "0.3.200"},
        },
        "results": {
            "total_samples": samples,
            "completed_samples": samples,
            "scores": [{"name": "match", "scorer": "match", "metrics": metrics}],
        },
    } | fields


def write_eval(
    path: Path, samples: Sequence[Mapping[str, Any]], head: Any = None, *, zstd: bool = False
) -> Path:
    """A log of inspect_ai; without a head it has none, as that of a run that crashed."""
    members = [(f"samples/{one['id']}_epoch_{one['epoch']}.json", one) for one in samples]
    begun = {key: header(0, 0.0)[key] for key in ("version", "eval")}
    start = [("_journal/start.json", begun)]
    return write_zip(path, [*start, *members, *([("header.json", head)] if head else [])], zstd=zstd)


def write_sheet(
    path: Path,
    titles: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    prolog: str = "",
    inline: bool = False,
) -> Path:
    """A workbook: texts are shared or inline, numbers and truth values are what they are, None is no cell."""
    shared: list[str] = []

    def cell(value: Any, at: str) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return f'<c r="{at}" t="b"><v>{int(value)}</v></c>'
        if isinstance(value, int | float):
            return f'<c r="{at}"><v>{value}</v></c>'
        if inline:
            return f'<c r="{at}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        shared.append(value)
        return f'<c r="{at}" t="s"><v>{len(shared) - 1}</v></c>'

    lines = [
        f'<row r="{n}">' + "".join(cell(v, f"{chr(65 + c)}{n}") for c, v in enumerate(line)) + "</row>"
        for n, line in enumerate([titles, *rows], 1)
    ]
    texts = "".join(f"<si><t>{escape(text)}</t></si>" for text in shared)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        body = f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'
        book.writestr("xl/worksheets/sheet1.xml", f'<?xml version="1.0"?>{prolog}{body}')
        book.writestr("xl/sharedStrings.xml", f'<sst xmlns="{_MAIN}">{texts}</sst>')
    return path
