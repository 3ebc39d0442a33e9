"""Sheet: the rows of the first sheet of an .xlsx file, read as a stream by the standard library.

Cells keep their text. Truth values are bool, empty cells and errors None. A document type declaration, with
which entities would begin, is refused.

Source: ECMA-376 part 1, 18.3.1.4 (cells), 18.4.8 (shared strings) and 22.9.2.19 (escapes in texts).
"""

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any
from xml.parsers import expat

from safe_data.core.errors import InputError

Cell = str | bool | None

CUT_CHARACTERS = 32_767  # the most that a cell holds; writers cut longer texts

_MOST_BYTES = 4 << 30  # of one part, unpacked
_MOST_COLUMNS = 16_384
_BLOCK_BYTES = 1 << 16
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_LETTERS = re.compile(r"[A-Z]{1,3}")
_FIRST_SHEET = "xl/worksheets/sheet1.xml"
_REFUSED = "holds a document type declaration, which no spreadsheet needs"


def sheet_rows(path: Path) -> Iterator[tuple[int, dict[str, Cell]]]:
    """Each row below the first by the titles in the first, with its number in the sheet.

    Raises:
        InputError: the file is no workbook, is damaged, or two columns have one title.
    """
    try:
        with zipfile.ZipFile(path) as book:
            shared = _shared_strings(book)
            titles: dict[int, str] = {}
            with book.open(_first_sheet(book)) as part:
                for number, cells in _rows(part, shared):
                    if titles:
                        yield number, {title: cells.get(column) for column, title in titles.items()}
                        continue
                    titles = {column: str(text) for column, text in cells.items() if text is not None}
                    if len(set(titles.values())) < len(titles):
                        raise InputError(f"{path.name}:{number}: two columns have one title")
    except (zipfile.BadZipFile, KeyError, expat.ExpatError, NotImplementedError, EOFError, OSError) as error:
        raise InputError(f"{path}: is no workbook that can be read: {error}") from None


def _first_sheet(book: zipfile.ZipFile) -> str:
    """The part of the first sheet that the workbook lists."""
    names = book.namelist()
    try:
        wanted = next(_tags(book, "xl/workbook.xml", "sheet"), {})
        relation = next((value for key, value in wanted.items() if key.rpartition(":")[2] == "id"), None)
        for found in _tags(book, "xl/_rels/workbook.xml.rels", "Relationship"):
            if found.get("Id") == relation and relation is not None:
                target = found.get("Target", "").lstrip("/")
                part = target if target.startswith("xl/") else str(PurePosixPath("xl") / target)
                return part if part in names else _FIRST_SHEET
    except KeyError:
        pass
    return _FIRST_SHEET


def _tags(book: zipfile.ZipFile, part: str, wanted: str) -> Iterator[dict[str, str]]:
    found: list[dict[str, str]] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition(":")[2] == wanted:
            found.append(attributes)

    with book.open(part) as file:
        for _ in _parsed(file, start, lambda _: None, lambda _: None):
            yield from found
            found.clear()


def _shared_strings(book: zipfile.ZipFile) -> list[str]:
    """The texts that cells share; those that say how to pronounce another are left out."""
    if "xl/sharedStrings.xml" not in book.namelist():
        return []
    texts: list[str] = []
    parts: list[str] = []
    state = {"text": False, "phonetic": False}

    def start(tag: str, _: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "rPh":
            state["phonetic"] = True
        state["text"] = name == "t" and not state["phonetic"]

    def end(tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name == "si":
            texts.append(_unescaped("".join(parts)))
            parts.clear()
        elif name == "rPh":
            state["phonetic"] = False
        state["text"] = False

    def data(text: str) -> None:
        if state["text"]:
            parts.append(text)

    with book.open("xl/sharedStrings.xml") as file:
        for _ in _parsed(file, start, end, data):
            pass
    return texts


def _rows(part: IO[bytes], shared: list[str]) -> Iterator[tuple[int, dict[int, Cell]]]:
    """Each row of a sheet by the numbers of its columns, from 0."""
    done: list[tuple[int, dict[int, Cell]]] = []
    at: dict[str, Any] = {"row": 0, "column": -1, "kind": "n", "reads": False}
    cells: dict[int, Cell] = {}
    parts: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal cells
        name = tag.rpartition(":")[2]
        if name == "row":
            at["row"] = int(attributes.get("r", at["row"] + 1))
            at["column"] = -1
            cells = {}
        elif name == "c":
            letters = _LETTERS.match(attributes.get("r", ""))
            at["column"] = _column(letters[0]) if letters else at["column"] + 1
            at["kind"] = attributes.get("t", "n")
            parts.clear()
        elif name in ("v", "t"):
            at["reads"] = True

    def end(tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name in ("v", "t"):
            at["reads"] = False
        elif name == "c" and parts and at["column"] < _MOST_COLUMNS:
            cells[at["column"]] = _cell("".join(parts), at["kind"], shared)
        elif name == "row":
            done.append((at["row"], cells))

    def data(text: str) -> None:
        if at["reads"]:
            parts.append(text)

    for _ in _parsed(part, start, end, data):
        yield from done
        done.clear()


def _cell(text: str, kind: str, shared: list[str]) -> Cell:
    if kind == "s":
        place = int(text)
        return shared[place] if 0 <= place < len(shared) else None
    if kind == "b":
        return text.strip() == "1"
    if kind == "e":
        return None
    return text if kind == "n" else _unescaped(text)


def _parsed(
    file: IO[bytes],
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    data: Callable[[str], None],
) -> Iterator[None]:
    """Parse a part block by block; after each block what was found may be taken."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = data

    def refuse(*_: object) -> None:
        raise InputError(f"{file.name}: {_REFUSED}")

    parser.StartDoctypeDeclHandler = refuse
    read = 0
    while block := file.read(_BLOCK_BYTES):
        read += len(block)
        if read > _MOST_BYTES:
            raise InputError(f"{file.name}: unpacks to more than {_MOST_BYTES} bytes")
        parser.Parse(block, False)
        yield
    parser.Parse(b"", True)
    yield


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _unescaped(text: str) -> str:
    """Characters that XML cannot hold are written as _x000D_."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text
