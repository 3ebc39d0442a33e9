"""The folder source: its rows, its defaults, and every kind of faulty row."""

import csv
import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from folders import STAMPS, needs_stamps, row, write_folder, write_rows
from hypothesis import given
from hypothesis import strategies as st

from safe_data.core.errors import InputError
from safe_data.records import Record, Rejected
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


def test_no_folder_no_metadata_no_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone: no such folder; give the one that holds metadata.jsonl$"):
        list(read(tmp_path / "gone"))
    with pytest.raises(
        InputError,
        match=r"holds no metadata.jsonl, metadata.csv or metadata.parquet; write one, with one",
    ):
        list(read(tmp_path))
    (tmp_path / "dataset_dict.json").write_text("{}")
    with pytest.raises(InputError, match=r"was saved by `save_to_disk`; write a hub.yaml, and read it with"):
        list(read(tmp_path))
    (tmp_path / "metadata.jsonl").write_text("\n")
    with pytest.raises(InputError, match=r"its metadata has no rows; there is nothing to read$"):
        list(read(tmp_path))


def test_file_name_is_a_sound_a_picture_or_a_video_by_its_suffix(tmp_path: Path) -> None:
    rows = [
        {"file_name": "a/bell.WAV", "label": "bell"},
        {"file_name": "cat.jpeg"},
        {"file_name": "clip.mp4", "start_seconds": 2.5},
        {"id": "d", "video_file_name": "clip.webm", "audio_file_name": "cut.mp4"},
        {"id": "e", "speech_file_name": "speech.opus", "photo_file_name": "photo.webp"},
        {"id": "f", "file_name": "same.wav", "audio_file_name": "same.wav"},
    ]
    records = [record for record in read(write_rows(tmp_path, rows)) if isinstance(record, Record)]
    assert [(record.audio and record.audio.path, record.image) for record in records] == [
        ("a/bell.WAV", None),
        (None, "cat.jpeg"),
        ("clip.mp4", "clip.mp4"),
        ("cut.mp4", "clip.webm"),
        ("speech.opus", "photo.webp"),
        ("same.wav", None),
    ]
    assert [record.id for record in records] == [
        "a-bell-WAV-" + hashlib.sha256(b"a/bell.WAV").hexdigest()[:12],
        "cat-jpeg-" + hashlib.sha256(b"cat.jpeg").hexdigest()[:12],
        "clip-mp4-2-5-" + hashlib.sha256(b"clip.mp4 2.5").hexdigest()[:12],
        *"def",
    ]


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (
            {"file_name": "a.xyz"},
            "file_name 'a.xyz' has no suffix of a sound, picture or video; call the column",
        ),
        ({"file_name": "a.wav", "b_file_name": "b.mp3"}, "file_name and b_file_name each name a sound"),
        (
            {"file_name": "a.mp4", "audio_file_name": "a.wav", "image_file_name": "a.png"},
            "file_name names a video beside a sound and a picture; leave one out",
        ),
        ({"file_names": ["a.wav"]}, "unknown field 'file_names'; did you mean 'file_name'?"),
    ],
)
def test_a_row_names_at_most_one_sound_and_one_picture(
    names: dict[str, object], fault: str, tmp_path: Path
) -> None:
    _, entry = read(write_rows(tmp_path, [row(0), {"id": "x", **names}]))
    assert isinstance(entry, Rejected)
    assert fault in entry.reason


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_folder_as_datasets_writes_it(form: str, tmp_path: Path) -> None:
    """Columns as of `audiofolder`, with examples as JSON text."""
    examples = [{"id": "q", "task": "caption", "prompt": "Describe.", "references": ["a bell"]}]
    fields = {"file_name": ["a.wav", "b.wav"], "examples": [json.dumps(examples), None], "label": ["x", None]}
    table = pa.table(fields)
    (tmp_path / "train").mkdir()
    if form == "csv":
        pacsv.write_csv(table, tmp_path / "train" / "metadata.csv")
    else:
        pq.write_table(table, tmp_path / "train" / "metadata.parquet")
    first, second = read(tmp_path)
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert first.examples[0].references == ("a bell",)
    assert (first.split, first.label, second.label) == ("train", "x", None)
    assert first.audio is not None
    assert first.audio.path == "train/a.wav"


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
