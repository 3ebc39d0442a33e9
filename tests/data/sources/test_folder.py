"""The folder source: its rows, its defaults, and every kind of faulty row."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from folders import STAMPS, needs_stamps, row, write_folder, write_rows
from hypothesis import given
from hypothesis import strategies as st

from safe_data.core.errors import InputError
from safe_data.records import Record
from safe_data.sources.folder import read, split_of
from safe_data.sources.ids import as_id


def test_a_row_becomes_a_record(tmp_path: Path) -> None:
    fields = row(
        0,
        label="bell",
        difficulty="easy",
        transcript="ding",
        metadata={"take": 3},
        start_seconds=0.25,
        duration_seconds=0.5,
    )
    events = [{"label": "bell", "start": 0.1, "end": 0.2}]
    root = write_rows(tmp_path / "my corpus", [fields | {"events": events}])
    (record,) = read(root)
    assert isinstance(record, Record)
    assert (record.id, record.dataset, record.split, record.group) == ("clip-000", "my-corpus", "train", "g0")
    assert record.image == "images/clip-000.png"
    assert record.audio is not None
    assert (record.audio.path, record.audio.start_seconds, record.audio.duration_seconds) == (
        "sounds/clip-000.wav",
        0.25,
        0.5,
    )
    assert record.events[0].label == "bell"
    assert [example.needs_audio for example in record.examples] == [False, True]
    assert record.metadata == {"take": 3}


def test_csv_gives_the_same_records(tmp_path: Path) -> None:
    rows = [row(0, metadata={"a": [1, 2]}), row(1, start_seconds=0.5, label="a, b")]
    lines = write_rows(tmp_path / "jsonl" / "corpus", rows)
    sheet = tmp_path / "csv" / "corpus"
    sheet.mkdir(parents=True)
    columns = [
        "id",
        "split",
        "group",
        "label",
        "image_file_name",
        "audio_file_name",
        "start_seconds",
        "metadata",
        "examples",
    ]
    with (sheet / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for fields in rows:
            cells = {
                key: json.dumps(value) if isinstance(value, list | dict) else value
                for key, value in fields.items()
            }
            writer.writerow(cells)
    assert list(read(sheet)) == list(read(lines))


def test_subfolders_name_the_split(tmp_path: Path) -> None:
    for number, split in enumerate(["train", "val"]):
        fields = row(number)
        del fields["split"]
        write_rows(tmp_path / split, [fields])
    records = list(read(tmp_path))
    assert [(record.split, record.image) for record in records] == [
        ("train", "train/images/clip-000.png"),
        ("val", "val/images/clip-001.png"),
    ]


def test_what_a_row_leaves_out_is_filled_in(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "audio_file_name": "s/x.wav", "image_file_name": "i/x.png"},
        {"id": "b", "audio_file_name": "s/x.wav", "start_seconds": 5, "label": None},
        {"id": "c", "image_file_name": "i/x.png"},
    ]
    first, second, third = read(write_rows(tmp_path, rows))
    assert first.group == second.group == "s/x.wav"  # two clips of one file never cross splits
    assert third.group == "i/x.png"
    assert first.split == second.split == split_of("s/x.wav")


@given(st.text(max_size=30))
def test_the_split_depends_on_the_group_alone(group: str) -> None:
    assert split_of(group) == split_of(group)
    assert split_of(group) in ("train", "val", "test")


def test_splits_have_the_shares_that_are_documented_and_never_move() -> None:
    splits = [split_of(f"group {number}") for number in range(10_000)]
    shares = [splits.count(name) / len(splits) for name in ("train", "val", "test")]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.01)
    assert {group: split_of(group) for group in "abcdefgh"} == dict.fromkeys("abcdefh", "train") | {
        "g": "val"
    }


@given(st.text(max_size=20))
def test_any_folder_name_becomes_an_id(name: str) -> None:
    Record(id=as_id(name), dataset="d", split="s", group="", image="x")


BAD_ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown field": (
        {"lable": "x"},
        "metadata.jsonl:1 'clip-000': unknown field 'lable'; did you mean 'label'?",
    ),
    "unknown, near nothing": ({"zzz": 1}, "unknown field 'zzz'; put facts of your own under 'metadata'"),
    "file_name": ({"file_name": "x.wav"}, "unknown field 'file_name'; did you mean 'image_file_name'?"),
    "unknown nested": (
        {"examples": [{"id": "q", "task": "vqa", "promt": "?", "prompt": "?", "references": ["a"]}]},
        "unknown field 'promt' in examples[0]; did you mean 'prompt'?",
    ),
    "missing nested": (
        {"examples": [{"id": "q", "task": "vqa", "references": ["a"]}]},
        "metadata.jsonl:1 'clip-000': has no 'examples[0].prompt'; add it",
    ),
    "dotted id": (
        {"id": "Y1.0_30"},
        "metadata.jsonl:1 'Y1.0_30': id 'Y1.0_30' may hold only A-Z a-z 0-9 _ and -; WebDataset splits names",
    ),
    "dotted split": ({"split": "train.1"}, "'train.1' may hold only"),
    "no media": (
        {"image_file_name": None, "audio_file_name": None},
        "a record needs an image, an audio, or both",
    ),
    "wrong task": (
        {"examples": [{"id": "q", "task": "sing", "prompt": "?", "references": ["a"]}]},
        "examples[0].task is 'sing': input should be 'vqa', 'caption' or 'classify'",
    ),
    "wrong type": ({"label": 3}, "label is 3: input should be a valid string"),
    "event backwards": (
        {"events": [{"label": "x", "start": 2, "end": 1}]},
        "events[0]: event 'x' ends at 1.0 s, before its start at 2.0 s",
    ),
    "negative start": (
        {"start_seconds": -1},
        "audio.start_seconds is -1: input should be greater than or equal to 0",
    ),
    "start without sound": (
        {"audio_file_name": None, "start_seconds": 1},
        "start_seconds without audio_file_name; name the sound or leave them out",
    ),
    "parent": (
        {"image_file_name": "../x.png"},
        "metadata.jsonl:1 'clip-000': image_file_name '../x.png' leads out of the root; put media below",
    ),
    "absolute": ({"audio_file_name": "/etc/passwd"}, "audio_file_name '/etc/passwd' is an absolute path"),
    "link": ({"audio_file_name": "link.wav"}, "audio_file_name 'link.wav' leads out of the root"),
    "path of another type": (
        {"image_file_name": 7},
        "image_file_name is 7; write a path relative to the metadata file",
    ),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_named_with_its_line(name: str, tmp_path: Path) -> None:
    change, expected = BAD_ROWS[name]
    (tmp_path / "secret.wav").write_bytes(b"")
    root = write_rows(tmp_path / "root", [row(0) | change])
    (root / "link.wav").symlink_to(tmp_path / "secret.wav")
    with pytest.raises(InputError) as caught:
        list(read(root))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_bad_rows_are_named_at_once(tmp_path: Path) -> None:
    rows = [row(0), row(1, lable=1), row(2), row(3, id="x.y", zzz=2)]
    with pytest.raises(InputError) as caught:
        list(read(write_rows(tmp_path, rows)))
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{tmp_path}: 3 rows cannot be read"
    assert [line.partition(" ")[0] for line in lines[1:]] == [
        "metadata.jsonl:2",
        "metadata.jsonl:4",
        "metadata.jsonl:4",
    ]


def test_an_id_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    again = row(1, id="clip-000")
    again["examples"] = row(0)["examples"][:1]
    with pytest.raises(InputError) as caught:
        list(read(write_rows(tmp_path, [row(0), again])))
    assert (
        "metadata.jsonl:2 'clip-000': id 'clip-000' is on metadata.jsonl:1 already; give each its own"
        in str(caught.value)
    )
    assert "example id 'clip-000-see' is on metadata.jsonl:1 already" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("not json", "metadata.jsonl:2: not a JSON object: JSON is malformed"),
        ("[1, 2]", "metadata.jsonl:2: not a JSON object: it is a list; write one object per line"),
        ('{"id": NaN}', "metadata.jsonl:2: not a JSON object"),
        ("[" * 100_000, "metadata.jsonl:2: not a JSON object"),
    ],
)
def test_a_line_that_is_no_object_is_named(line: str, expected: str, tmp_path: Path) -> None:
    root = write_rows(tmp_path, [row(0)])
    with (root / "metadata.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InputError) as caught:
        list(read(root))
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_file_that_was_cut_off_says_so(tmp_path: Path) -> None:
    root = write_rows(tmp_path, [row(0), row(1)])
    whole = (root / "metadata.jsonl").read_bytes()
    (root / "metadata.jsonl").write_bytes(whole[:-30])
    with pytest.raises(
        InputError, match=r"metadata.jsonl:2: not a JSON object: .* \(the file was cut off here\?\)"
    ):
        list(read(root))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "id,image_file_name\na,x.png,more\n",
            "metadata.csv:2 has more cells than the header has columns, from 'more' on",
        ),
        ("id,image_file_name,examples\na,x.png,[{\n", "metadata.csv:2 examples is not JSON"),
        ("id,image_file_name\na,\xff.png\n", "metadata.csv:1 not CSV in UTF-8"),
        ('id,image_file_name\na,"x.png\n', "metadata.csv:2 not CSV in UTF-8"),
    ],
)
def test_a_bad_line_of_csv_is_named(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError) as caught:
        list(read(tmp_path))
    assert expected.replace(" ", ": ", 1) in str(caught.value)


def test_no_folder_no_metadata_no_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone: no such folder; give the one that holds metadata.jsonl$"):
        list(read(tmp_path / "gone"))
    with pytest.raises(
        InputError, match=r"holds no metadata.jsonl or metadata.csv; write one, with one row per clip$"
    ):
        list(read(tmp_path))
    (tmp_path / "metadata.jsonl").write_text("\n")
    with pytest.raises(InputError, match=r"its metadata has no rows; there is nothing to read$"):
        list(read(tmp_path))


def test_missing_media_do_not_make_a_row_faulty(tmp_path: Path) -> None:
    assert len(list(read(write_rows(tmp_path, [row(0)])))) == 1


def test_a_file_of_its_own_writing_is_read_in_order(tmp_path: Path) -> None:
    assert [record.id for record in read(write_folder(tmp_path))] == [
        f"clip-{number:03d}" for number in range(6)
    ]


@needs_stamps
def test_the_stamps_are_145_records() -> None:
    records = [record for record in read(STAMPS) if isinstance(record, Record)]
    assert len(records) == 145
    assert sum(record.audio is not None for record in records) == 95
    splits = {record.group: record.split for record in records}
    assert all(splits[record.group] == record.split for record in records)
