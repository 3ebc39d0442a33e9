"""Annotation files are found and read, plain or packed; a faulty row is apart, a faulty file is refused."""

import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from corpora import write_csv, write_json

from safe_data.core.errors import InputError
from safe_data.sources import annotations
from safe_data.sources.annotations import csv_rows, find_annotations, json_rows, json_table
from safe_data.sources.csv_lines import FIX, UNCLOSED
from safe_data.sources.faulty_row import Fault


class Line(msgspec.Struct):
    id: int
    text: Annotated[str, msgspec.Meta(min_length=1)]
    seconds: float = 0.0


def apart(found: Iterable[Any]) -> tuple[list[Any], list[str]]:
    """The good rows, and the faults as sentences."""
    rows = list(found)
    return [row for row in rows if not isinstance(row, Fault)], [
        str(row) for row in rows if isinstance(row, Fault)
    ]


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
    rows = list(json_rows(tmp_path / name, Line, "id", under="rows"))
    assert rows == [(f"{name}[0] 7", Line(7, "a")), (f"{name}[1] 8", Line(8, "b"))]


def test_a_byte_order_mark_is_no_part_of_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf[{"id": 1, "text": "a"}]')
    assert [row for _, row in json_rows(tmp_path / "a.json", Line, "id")] == [Line(1, "a")]


def test_a_faulty_row_stands_in_its_place_and_the_others_are_read(tmp_path: Path) -> None:
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
    found = list(json_rows(tmp_path / "a.json", Line, "id", unique=True))
    assert [isinstance(row, Fault) for row in found] == [True, True, False, True, True, True]
    expected = "an official row has id, text"
    assert apart(found)[1] == [
        f"a.json[0] 1: has no 'text'; {expected}",
        f"a.json[1] 2: text: expected `str`, got `int`; {expected}",
        f"a.json[3]: expected `object`, got `str`; {expected}",
        f"a.json[4] 5: text: expected `str` of length >= 1; {expected}",
        "a.json[5] 3: id names one row each, and this one is taken by a.json[2]",
    ]


def test_a_table_has_keys_for_places(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"q1": {"id": 1, "text": "a"}, "q2": {"id": "1", "text": "a"}})
    rows, faults = apart(json_table(tmp_path / "a.json", Line))
    assert rows == [("q1", Line(1, "a"))]
    assert faults == ["a.json['q2']: id: expected `int`, got `str`; an official row has id, text"]


def test_a_key_that_is_repeated_no_id_or_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(
        b'{"q1": {"id": 1, "text": "a"}, "q1": {"id": 2, "text": "b"}, "q 2": {"id": 3, "text": "c"},'
        b' "\xff": {"id": 4, "text": "d"}, "q5": {"id": 5, "text": "\xff"},'
        b' "q6": {"id": 6, "text": "\xc3\xa9"}}'
    )
    rows, faults = apart(json_table(tmp_path / "a.json", Line))
    assert rows == [("q1", Line(1, "a")), ("q6", Line(6, "é"))]
    assert faults == [
        "a.json['q1']: the key names one row each, and an earlier row has it",
        "a.json['q 2']: the key may hold only A-Z a-z 0-9 _ and -",
        "a.json['\ufffd']: holds bytes that are not UTF-8; save the file anew",
        "a.json['q5']: holds bytes that are not UTF-8; save the file anew",
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b'[{"id": 1',
            "a.json: not the JSON of this corpus: Input data was truncated; is it the official file",
        ),
        (b"[" * 100_000, "not the JSON of this corpus: maximum recursion depth"),
        (b'{"id": 1}', "Expected `array`, got `object`"),
        (b'{"\xff": 1}', "Expected `array`, got `object`"),
        (b"[]", "a.json: has no rows; get it anew"),
        (
            b'[{"id": 1}, 5]',
            "a.json: each of its rows is faulty; is it the official file?\na.json[0] 1: has no",
        ),
    ],
)
def test_what_is_no_json_of_this_corpus_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(InputError, match=re.escape(message)):
        list(json_rows(tmp_path / "a.json", Line, "id"))


def test_many_faulty_rows_are_refused_with_the_first_twenty(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", [{"id": number} for number in range(30)])
    with pytest.raises(InputError) as caught:
        list(json_rows(tmp_path / "a.json", Line, "id"))
    lines = str(caught.value).splitlines()
    assert lines[20].startswith("a.json[19] 19: has no 'text'")
    assert lines[21:] == ["… and 10 more"]


def test_a_row_that_is_not_utf8_is_apart(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'[{"id": 1, "text": "\xff"}, {"id": 2, "text": "b"}]')
    rows, faults = apart(json_rows(tmp_path / "a.json", Line, "id"))
    assert rows == [("a.json[1] 2", Line(2, "b"))]
    assert faults == [
        "a.json[0]: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte; "
        "an official row has id, text"
    ]


def test_a_part_that_is_not_there_and_no_rows_at_all(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"images": []})
    with pytest.raises(InputError, match=r"a\.json: has no 'annotations'; is it the official file"):
        list(json_rows(tmp_path / "a.json", Line, "id", under="annotations"))
    write_json(tmp_path / "b.json", {})
    write_csv(tmp_path / "c.csv", ["id", "text"])
    for rows in (
        json_rows(tmp_path / "a.json", Line, "id", under="images"),
        json_table(tmp_path / "b.json", Line),
        csv_rows(tmp_path / "c.csv", Line, "id"),
    ):
        with pytest.raises(InputError, match=r"[abc]\.(json|csv): has no rows; get it anew"):
            list(rows)


def test_a_packed_file_that_is_cut_off_or_unpacks_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.json.gz"
    write_json(file, [{"id": number, "text": "a"} for number in range(1000)])
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    with pytest.raises(InputError, match=r"cannot be read to its end .*; get it anew"):
        list(json_rows(file, Line, "id"))
    file.write_bytes(b"no gzip")
    with pytest.raises(InputError, match="cannot be read to its end"):
        list(json_rows(file, Line, "id"))
    file.write_bytes(whole)
    monkeypatch.setattr(annotations, "LARGEST_FILE_BYTES", 1000)
    with pytest.raises(InputError, match="unpacks to more than 1000 bytes"):
        list(json_rows(file, Line, "id"))


def test_csv_rows_with_and_without_a_header(tmp_path: Path) -> None:
    write_csv(
        tmp_path / "a.csv", ["id", "text", "seconds", "more"], [1, 'a, "b"\nc', 2.5, "x"], [2, "d", 3, "x"]
    )
    write_csv(tmp_path / "b.csv", [1, "a"])
    assert list(csv_rows(tmp_path / "a.csv", Line, "id")) == [
        ("a.csv:2 '1'", Line(1, 'a, "b"\nc', 2.5)),
        ("a.csv:4 '2'", Line(2, "d", 3.0)),
    ]
    assert [row for _, row in csv_rows(tmp_path / "b.csv", Line, "id", columns=["id", "text"])] == [
        Line(1, "a")
    ]


def test_each_faulty_csv_row_is_apart(tmp_path: Path) -> None:
    rows = [["id", "text", "more"], ["x", "a", ""], [2], [3, "a", "", "b"], [4, "good", ""], [4, "again", ""]]
    write_csv(tmp_path / "a.csv", *rows, [5, "short"], ["y" * 200, "a", ""])
    good, faults = apart(csv_rows(tmp_path / "a.csv", Line, "id", unique=True))
    assert [row.id for _, row in good] == [4]
    assert faults == [
        "a.csv:2 'x': id: expected `int`, got `str`; an official row has id, text",
        "a.csv:3 '2': has no 'text'; an official row has id, text",
        "a.csv:4 '3': more cells than columns; quote cells with commas",
        "a.csv:6 '4': id names one row each, and this one is taken by a.csv:5",
        "a.csv:7 '5': fewer cells than columns; is a line broken?",
        f"a.csv:8 '{'y' * 58}…: id: expected `int`, got `str`; an official row has id, text",
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_faulty_csv_line_costs_that_line_alone(tmp_path: Path, end: str) -> None:
    lines = [
        "id,text",
        "1,a",
        '2,"open',
        '3,"b"',
        "4,\xe9t\xe9",
        "5,c",
        "",
        '6,"d" e',
        '7,"f',
        "8,g",
        '9,h"',
        "10,i",
    ]
    (tmp_path / "a.csv").write_bytes(end.join(lines).encode("latin-1"))
    good, faults = apart(csv_rows(tmp_path / "a.csv", Line, "id"))
    assert [(row.id, row.text) for _, row in good] == [
        *[(1, "a"), (3, "b"), (5, "c"), (8, "g"), (9, 'h"'), (10, "i")]
    ]
    assert [place for place, _ in good] == [
        f"a.csv:{line} '{number}'" for line, number in [(2, 1), (4, 3), (6, 5), (10, 8), (11, 9), (12, 10)]
    ]
    assert faults == [
        f"a.csv:3: {UNCLOSED}",
        "a.csv:5: byte 0xe9 is not UTF-8; save it as UTF-8",
        f"a.csv:8: not CSV: ',' expected after '\"'; {FIX}",
        f"a.csv:9: {UNCLOSED}",
    ]


def test_a_quote_that_is_not_closed_up_to_the_end(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,text\n1,"a\n2,b\n3,c', encoding="utf-8")
    good, faults = apart(csv_rows(tmp_path / "a.csv", Line, "id"))
    assert [row.id for _, row in good] == [2, 3]
    assert faults == [f"a.csv:2: {UNCLOSED}"]


def test_quotes_that_are_never_closed_take_bounded_time(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n0,a\n" + '1,"x ""\n' * 3000, encoding="utf-8")
    start = time.process_time()
    good, faults = apart(csv_rows(tmp_path / "a.csv", Line, "id"))
    assert (len(good), len(faults)) == (1, 3000)
    assert time.process_time() - start < 2


def test_csv_that_is_of_another_corpus_or_encoding(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ["id", "caption"], [1, "a"])
    with pytest.raises(InputError, match=r"a\.csv:1: has no column text; an official file has id, text"):
        list(csv_rows(tmp_path / "a.csv", Line, "id"))
    write_csv(tmp_path / "b.csv", ["id", "text"], [1, "é"], encoding="iso-8859-1")
    with pytest.raises(InputError, match=r"each of its rows is faulty.*\nb\.csv:2: byte 0xe9 is not UTF-8"):
        list(csv_rows(tmp_path / "b.csv", Line, "id"))
    assert len(list(csv_rows(tmp_path / "b.csv", Line, "id", encoding="iso-8859-1"))) == 1
    write_csv(tmp_path / "c.csv", ["id", "té"], [1, "é"], encoding="iso-8859-1")
    with pytest.raises(InputError, match=r"c\.csv:1: byte 0xe9 is not UTF-8"):
        list(csv_rows(tmp_path / "c.csv", Line, "id"))
