"""Every kind of faulty row in a folder's metadata is one rejected row; without a good row, it is refused."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from folders import row, write_rows

from safe_data.core.errors import InputError
from safe_data.records import Record, Rejected
from safe_data.sources.folder import read

BAD_ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown field": (
        {"lable": "x"},
        "metadata.jsonl:2: unknown field 'lable'; did you mean 'label'?",
    ),
    "unknown, near nothing": ({"zzz": 1}, "unknown field 'zzz'; put facts of your own under 'metadata'"),
    "unknown nested": (
        {"examples": [{"id": "q", "task": "vqa", "promt": "?", "prompt": "?", "references": ["a"]}]},
        "unknown field 'promt' in examples[0]; did you mean 'prompt'?",
    ),
    "missing nested": (
        {"examples": [{"id": "q", "task": "vqa", "references": ["a"]}]},
        "metadata.jsonl:2: has no 'examples[0].prompt'; add it",
    ),
    "dotted id": (
        {"id": "Y1.0_30"},
        "metadata.jsonl:2: id 'Y1.0_30' may hold only A-Z a-z 0-9 _ and -; WebDataset splits names",
    ),
    "dotted split": ({"split": "train.1"}, "metadata.jsonl:2: split 'train.1' may hold only"),
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
        "metadata.jsonl:2: image_file_name '../x.png' leads out of the root; put media below",
    ),
    "absolute": ({"audio_file_name": "/etc/passwd"}, "audio_file_name '/etc/passwd' is an absolute path"),
    "path of another type": (
        {"image_file_name": 7},
        "image_file_name is 7; write a path relative to the metadata file",
    ),
}


def rejected(root: Path) -> list[Rejected]:
    return [entry for entry in read(root) if isinstance(entry, Rejected)]


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_faulty_row_is_one_rejected_row_with_its_line(name: str, tmp_path: Path) -> None:
    change, expected = BAD_ROWS[name]
    first, second, third = read(write_rows(tmp_path, [row(9), row(0) | change, row(8)]))
    assert isinstance(first, Record)
    assert isinstance(second, Rejected)
    assert isinstance(third, Record)
    assert second.reason.startswith("faulty row: metadata.jsonl:2: ")
    assert expected in second.reason
    assert second.reason.count("; ") + second.reason.count(", and ") <= 2, "one fault is said once"
    assert (second.split, second.group) == ("train", "g0")
    assert (second.id == "clip-000") is (name != "dotted id")


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ("x,,1", "a record needs an image, an audio, or both"),
        (
            "x,noext,",
            "file_name 'noext' has no suffix of a sound, picture or video; call the column "
            "image_file_name or audio_file_name",
        ),
        (
            "x,../a.wav,",
            "file_name '../a.wav' leads out of the root; put media below the folder, and name "
            "them relative to it",
        ),
    ],
)
def test_a_row_without_a_medium_is_not_asked_for_the_id_that_it_would_give(
    cells: str, fault: str, tmp_path: Path
) -> None:
    (tmp_path / "metadata.csv").write_text(f"label,file_name,start_seconds\nx,a.wav,\n{cells}\n")
    _, found = read(tmp_path)
    assert isinstance(found, Rejected)
    assert (found.id[:15], found.reason) == ("metadata-csv-3-", f"faulty row: metadata.csv:3: {fault}")


def test_a_faulty_row_keeps_what_is_sound_in_it(tmp_path: Path) -> None:
    rows = [
        row(0, split="val"),
        row(1, lable=1, split="val", dataset="d"),
        row(2, split="trian", zzz=1),
        row(3, id="a.b"),
        row(4),
        row(5, id="clip-004", group=7),
    ]
    _, split, misspelt, dotted, _, taken = read(write_rows(tmp_path / "corpus", rows))
    assert isinstance(split, Rejected)
    assert (split.id, split.split, split.group, split.dataset, split.path) == (
        "clip-001",
        "val",
        "g0",
        "d",
        "sounds/clip-001.wav",
    )
    assert misspelt.split == "val", "of two equally near rows, the earlier; no split 'trian'"
    assert (dotted.id[:17], dotted.split, dotted.dataset) == ("metadata-jsonl-4-", "train", "corpus")
    assert taken.id.startswith("metadata-jsonl-6-")
    assert taken.group == ""


def test_the_split_of_a_row_that_cannot_be_read_is_its_folder_or_the_nearest(tmp_path: Path) -> None:
    for name in ("a", "b", "odd.folder"):
        fields = [row(ord(name[0]))]
        del fields[0]["split"]
        write_rows(tmp_path / name, fields)
        with (tmp_path / name / "metadata.jsonl").open("a") as file:
            file.write("no json\n")
    assert [(entry.split, isinstance(entry, Record)) for entry in read(tmp_path)] == [
        ("a", True),
        ("a", False),
        ("b", True),
        ("b", False),
        ("b", False),
        ("b", False),
    ]


def test_several_faults_of_a_row_are_one_reason_of_bounded_length(tmp_path: Path) -> None:
    odd = {f"field{number}" * 100: 1 for number in range(9)}
    (entry,) = rejected(write_rows(tmp_path, [row(0), row(1, label=3, **odd)]))
    assert "and 7 more faults" in entry.reason
    assert len(entry.reason) < 900


def test_the_second_row_with_an_id_names_the_first(tmp_path: Path) -> None:
    again = row(1, id="clip-000")
    again["examples"] = row(0)["examples"][:1]
    free = row(1)  # the ids of a rejected row are free
    free["examples"][0]["id"] = free["examples"][1]["id"]
    first, second, third, fourth = read(write_rows(tmp_path, [row(0), again, free, row(1)]))
    assert isinstance(second, Rejected)
    assert second.reason == (
        "faulty row: metadata.jsonl:2: id 'clip-000' is on metadata.jsonl:1 already; give each its own, and "
        "example id 'clip-000-see' is on metadata.jsonl:1 already; give each its own"
    )
    assert isinstance(third, Rejected)
    assert "example id 'clip-001-hear' is on metadata.jsonl:3 already" in third.reason
    assert isinstance(fourth, Record)
    assert len({first.id, second.id, third.id, fourth.id}) == 4


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"not json", "not a JSON object: JSON is malformed"),
        (b"[1, 2]", "not a JSON object: it is a list; write one object per line"),
        (b'{"id": NaN}', "not a JSON object: NaN is not JSON; write null for a missing number"),
        (
            b'{"id": [-Infinity]}',
            "not a JSON object: -Infinity is not JSON; write null for a missing number",
        ),
        (b'{"id": "\xff"}', "not a JSON object: byte 0xff is not UTF-8; save it as UTF-8"),
        (b"[" * 100_000, "not a JSON object: it is nested too deeply"),
    ],
)
def test_a_line_that_is_no_object_is_rejected_alone(line: bytes, expected: str, tmp_path: Path) -> None:
    lines = [json.dumps(row(number)).encode() for number in range(2)]
    (tmp_path / "metadata.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\n".join([lines[0], line, b"", lines[1]]))
    first, second, third = read(tmp_path)
    assert isinstance(first, Record)
    assert isinstance(second, Rejected)
    assert isinstance(third, Record)
    assert second.reason.startswith(f"faulty row: metadata.jsonl:2: {expected}")
    assert second.id.startswith("metadata-jsonl-2-")


def test_a_file_that_was_cut_off_says_so(tmp_path: Path) -> None:
    root = write_rows(tmp_path, [row(0), row(1)])
    whole = (root / "metadata.jsonl").read_bytes()
    (root / "metadata.jsonl").write_bytes(whole[:-30])
    (entry,) = rejected(root)
    assert "metadata.jsonl:2: not a JSON object" in entry.reason
    assert "(the file was cut off here?)" in entry.reason


def test_a_folder_without_a_good_row_is_refused_with_each_fault_once(tmp_path: Path) -> None:
    rows = [row(number, lable="x") for number in range(1000)] + [row(1000, id="a b", lable="x")]
    with pytest.raises(InputError) as caught:
        list(read(write_rows(tmp_path, rows)))
    first, second, third = caught.value.lines
    assert first == f"{tmp_path}: none of its 1001 rows can be read"
    assert second == "metadata.jsonl:1: unknown field 'lable'; did you mean 'label'? (and 999 more rows)"
    assert third.startswith("metadata.jsonl:1001: unknown field 'lable'; did you mean 'label'?, and id 'a b'")


@pytest.mark.parametrize(
    ("encoding", "fault"),
    [
        ("utf-16", "starts with a UTF-16 byte order mark; save it as UTF-8 without one"),
        ("utf-16-le", "holds NUL bytes, as UTF-16 does; save it as UTF-8"),
    ],
)
@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_utf_16_is_named(name: str, encoding: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text('{"id": "a"}\n', encoding=encoding)
    with pytest.raises(InputError, match=rf"{name}: {fault}$"):
        list(read(tmp_path))


def test_faults_in_parquet(tmp_path: Path) -> None:
    file = tmp_path / "metadata.parquet"
    table = pa.table(
        {
            "id": ["a", "b", None, "d"],
            "audio_file_name": ["a.wav", "b.wav", "c.wav", "d.wav"],
            "start_seconds": [0.5, float("nan"), None, None],
            "metadata": [{"x": 1.0}, {"x": 2.0}, {"x": 3.0}, {"x": float("inf")}],
        }
    )
    pq.write_table(table, file)
    first, *others = read(tmp_path)
    assert isinstance(first, Record)
    assert [entry.reason[12:].partition(": Out")[0] for entry in others if isinstance(entry, Rejected)] == [
        "metadata.parquet[1]: audio.start_seconds is nan: input should be a finite number",
        "metadata.parquet[2]: has no 'id'; add it",
        "metadata.parquet[3]: metadata cannot be written as JSON",
    ]
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"metadata.parquet: cannot be read as Parquet \("):
        list(read(tmp_path))
