"""Annotation files are found, read plain or packed, and refused for every kind of fault."""

import re
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from corpora import write_csv, write_json

from safe_data.core.errors import InputError
from safe_data.sources import annotations
from safe_data.sources.annotations import csv_rows, find_annotations, json_rows, json_table


class Line(msgspec.Struct):
    id: int
    text: Annotated[str, msgspec.Meta(min_length=1)]
    seconds: float = 0.0


NAMES = {"train": ("train.json", "json/train.json"), "val": ("val.json",)}


def test_the_first_name_that_is_there_is_taken(tmp_path: Path) -> None:
    write_json(tmp_path / "json/train.json.gz", [])
    assert find_annotations(tmp_path, NAMES, "x") == {"train": tmp_path / "json/train.json.gz"}
    write_json(tmp_path / "train.json", [])
    assert find_annotations(tmp_path, NAMES, "x") == {"train": tmp_path / "train.json"}


def test_no_annotations_says_what_is_expected_and_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"holds none of train\.json, val\.json; get them from https://x\.org"
    ):
        find_annotations(tmp_path, NAMES, "https://x.org")
    with pytest.raises(InputError, match="no such folder; give the one that holds the corpus"):
        find_annotations(tmp_path / "nothing", NAMES, "x")


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_rows_come_with_their_place(tmp_path: Path, name: str) -> None:
    write_json(
        tmp_path / name, {"rows": [{"id": 7, "text": "a", "more": [1]}, {"id": 8, "text": "b"}], "info": 1}
    )
    errors: list[str] = []
    rows = list(json_rows(tmp_path / name, Line, "id", errors, under="rows"))
    assert rows == [(f"{name}[0] 7", Line(7, "a")), (f"{name}[1] 8", Line(8, "b"))]
    assert not errors


def test_each_faulty_row_is_reported_and_the_others_are_read(tmp_path: Path) -> None:
    write_json(
        tmp_path / "a.json",
        [
            {"id": 1},
            {"id": 2, "text": 5},
            {"id": 3, "text": "good"},
            "x",
            {"id": 5, "text": ""},
            {"id": 3, "text": "again"},
        ],
    )
    errors: list[str] = []
    assert [row.id for _, row in json_rows(tmp_path / "a.json", Line, "id", errors, unique=True)] == [3]
    expected = "an official row has id, text"
    assert errors == [
        f"a.json[0] 1: has no 'text'; {expected}",
        f"a.json[1] 2: text: expected `str`, got `int`; {expected}",
        f"a.json[3]: expected `object`, got `str`; {expected}",
        f"a.json[4] 5: text: expected `str` of length >= 1; {expected}",
        "a.json[5] 3: id names one row each, and this one is taken by a.json[2]",
    ]


def test_a_table_has_keys_for_places(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"q1": {"id": 1, "text": "a"}, "q2": {"id": "1", "text": "a"}})
    errors: list[str] = []
    assert list(json_table(tmp_path / "a.json", Line, errors)) == [("q1", Line(1, "a"))]
    assert errors == ["a.json['q2']: id: expected `int`, got `str`; an official row has id, text"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b'[{"id": 1',
            "a.json: not the JSON of this corpus: Input data was truncated; is it the official file",
        ),
        (b"[" * 100_000, "not the JSON of this corpus: maximum recursion depth"),
        (b'{"id": 1}', "Expected `array`, got `object`"),
    ],
)
def test_what_is_no_json_of_this_corpus_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(InputError, match=re.escape(message)):
        list(json_rows(tmp_path / "a.json", Line, "id", []))


def test_a_row_that_is_not_utf8_is_reported_with_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'[{"id": 1, "text": "\xff"}]')
    errors: list[str] = []
    assert not list(json_rows(tmp_path / "a.json", Line, "id", errors))
    assert len(errors) == 1
    assert errors[0].startswith("a.json[0]: ")


def test_a_part_that_is_not_there_and_no_rows_at_all(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"images": []})
    with pytest.raises(InputError, match=r"a\.json: has no 'annotations'; is it the official file"):
        list(json_rows(tmp_path / "a.json", Line, "id", [], under="annotations"))
    errors: list[str] = []
    assert not list(json_rows(tmp_path / "a.json", Line, "id", errors, under="images"))
    write_json(tmp_path / "b.json", {})
    assert not list(json_table(tmp_path / "b.json", Line, errors))
    write_csv(tmp_path / "c.csv", ["id", "text"])
    assert not list(csv_rows(tmp_path / "c.csv", Line, "id", errors))
    assert errors == [f"{name}: has no rows; get it anew" for name in ("a.json", "b.json", "c.csv")]


def test_a_packed_file_that_is_cut_off_or_unpacks_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.json.gz"
    write_json(file, [{"id": number, "text": "a"} for number in range(1000)])
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    with pytest.raises(InputError, match=r"cannot be read to its end .*; get it anew"):
        list(json_rows(file, Line, "id", []))
    file.write_bytes(b"no gzip")
    with pytest.raises(InputError, match="cannot be read to its end"):
        list(json_rows(file, Line, "id", []))
    file.write_bytes(whole)
    monkeypatch.setattr(annotations, "LARGEST_FILE_BYTES", 1000)
    with pytest.raises(InputError, match="unpacks to more than 1000 bytes"):
        list(json_rows(file, Line, "id", []))


def test_csv_rows_with_and_without_a_header(tmp_path: Path) -> None:
    write_csv(
        tmp_path / "a.csv", ["id", "text", "seconds", "more"], [1, 'a, "b"\nc', 2.5, "x"], [2, "d", 3, "x"]
    )
    write_csv(tmp_path / "b.csv", [1, "a"])
    errors: list[str] = []
    assert list(csv_rows(tmp_path / "a.csv", Line, "id", errors)) == [
        ("a.csv:3 '1'", Line(1, 'a, "b"\nc', 2.5)),
        ("a.csv:4 '2'", Line(2, "d", 3.0)),
    ]
    assert [row for _, row in csv_rows(tmp_path / "b.csv", Line, "id", errors, columns=["id", "text"])] == [
        Line(1, "a")
    ]
    assert not errors


def test_each_faulty_csv_row_is_reported(tmp_path: Path) -> None:
    rows = [["id", "text"], ["x", "a"], [2], [3, "a", "b"], [4, "good"], [4, "again"]]
    write_csv(tmp_path / "a.csv", *rows)
    errors: list[str] = []
    assert [row.id for _, row in csv_rows(tmp_path / "a.csv", Line, "id", errors, unique=True)] == [4]
    assert errors == [
        "a.csv:2 'x': id: expected `int`, got `str`; an official row has id, text",
        "a.csv:3 '2': has no 'text'; an official row has id, text",
        "a.csv:4 '3': more cells than columns; quote cells with commas",
        "a.csv:6 '4': id names one row each, and this one is taken by a.csv:5",
    ]


def test_csv_that_is_of_another_corpus_or_encoding(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ["id", "caption"], [1, "a"])
    with pytest.raises(InputError, match=r"a\.csv:1: has no column text; an official file has id, text"):
        list(csv_rows(tmp_path / "a.csv", Line, "id", []))
    write_csv(tmp_path / "b.csv", ["id", "text"], [1, "é"], encoding="iso-8859-1")
    errors: list[str] = []
    assert not list(csv_rows(tmp_path / "b.csv", Line, "id", errors))
    assert len(errors) == 1
    assert "not CSV in utf-8-sig" in errors[0]
    assert len(list(csv_rows(tmp_path / "b.csv", Line, "id", [], encoding="iso-8859-1"))) == 1
