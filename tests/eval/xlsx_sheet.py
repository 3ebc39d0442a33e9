"""Read the first sheet of an .xlsx file, as VLMEvalKit writes them, with the standard library."""

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

_NAMES = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def sheet_rows(path: Path) -> list[dict[str, str]]:
    """The rows of the sheet by the titles in its first row; cells without a value are left out."""
    with zipfile.ZipFile(path) as archive:
        strings = ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    shared = ["".join(text.text or "" for text in one.iter(f"{_NAMES}t")) for one in strings]
    rows = []
    for line in sheet.iter(f"{_NAMES}row"):
        cells = {}
        for cell in line:
            value = cell.find(f"{_NAMES}v")
            if value is not None and value.text is not None:
                text = shared[int(value.text)] if cell.get("t") == "s" else value.text
                cells[re.match("[A-Z]+", cell.get("r", ""))[0]] = text
        rows.append(cells)
    titles = rows[0]
    return [{titles[column]: text for column, text in cells.items()} for cells in rows[1:]]
