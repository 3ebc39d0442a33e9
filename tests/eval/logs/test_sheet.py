"""Sheets: cells of every kind, escapes, and workbooks that want to do harm."""

import zipfile
from pathlib import Path

import pytest
from made_logs import write_sheet

from safe_data.core.errors import InputError
from safe_eval.logs.sheet import sheet_rows


def test_cells_of_every_kind(tmp_path: Path) -> None:
    path = write_sheet(
        tmp_path / "a.xlsx", ("a", "b", "c", "d"), [("x_x000D_y", 1.5, True, None), (None, 2, False, "z")]
    )
    assert list(sheet_rows(path)) == [
        (2, {"a": "x\ry", "b": "1.5", "c": True, "d": None}),
        (3, {"a": None, "b": "2", "c": False, "d": "z"}),
    ]


def test_entities_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE lolz [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    path = write_sheet(tmp_path / "a.xlsx", ("a",), [("x",)], prolog=bomb)
    with pytest.raises(InputError, match="holds a document type declaration"):
        list(sheet_rows(path))


def test_what_is_no_workbook(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(InputError, match="is no workbook that can be read"):
        list(sheet_rows(tmp_path / "a.xlsx"))
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as book:
        book.writestr("xl/worksheets/sheet1.xml", "<worksheet><sheetData><row>")
    with pytest.raises(InputError, match="is no workbook that can be read"):
        list(sheet_rows(tmp_path / "b.xlsx"))
    twice = write_sheet(tmp_path / "c.xlsx", ("a", "a"), [("x", "y")])
    with pytest.raises(InputError, match=r"c\.xlsx:1: two columns have one title"):
        list(sheet_rows(twice))


def test_rich_text_and_the_sheet_that_the_workbook_names(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as book:
        sheets = '<workbook xmlns:r="r"><sheets><sheet name="s" r:id="rId2"/></sheets></workbook>'
        book.writestr("xl/workbook.xml", sheets)
        related = '<Relationships><Relationship Id="rId2" Target="worksheets/other.xml"/></Relationships>'
        book.writestr("xl/_rels/workbook.xml.rels", related)
        rich = "<si><r><t>in</t></r><r><t>dex</t></r><rPh><t>no</t></rPh></si>"
        book.writestr("xl/sharedStrings.xml", f"<sst>{rich}</sst>")
        cells = '<row><c t="s"><v>0</v></c></row><row><c><v>5</v></c></row>'
        book.writestr("xl/worksheets/other.xml", f"<worksheet><sheetData>{cells}</sheetData></worksheet>")
    assert list(sheet_rows(tmp_path / "a.xlsx")) == [(2, {"index": "5"})]
