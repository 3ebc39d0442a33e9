"""Unusable records become rows with their reasons; without a usable record there is no dataset."""

from pathlib import Path

import pytest
from corpora import write_csv
from folders import files_of, row, sound_bytes, write_folder, write_media, write_rows

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.records import Records, Rejected
from safe_data.shards import manifest
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.verify import verify_dataset
from safe_data.sources.all_sources import SOURCES
from safe_data.sources.folder import read


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "world")


def test_a_record_that_cannot_be_used_keeps_its_row_and_its_reason(tmp_path: Path) -> None:
    rows = [row(number) for number in range(6)]
    write_media(tmp_path / "world", rows)
    (tmp_path / "world" / "sounds" / "clip-001.wav").write_text("no sound")
    (tmp_path / "world" / "sounds" / "clip-002.wav").unlink()
    (tmp_path / "world" / "images" / "clip-004.png").unlink()
    summary = build_dataset(write_rows(tmp_path / "world", rows), tmp_path / "out")
    assert (summary.rows, summary.rejected) == (6, 3)
    assert [(r.kind, r.count) for r in summary.rejections] == [("no such file", 2), ("not a sound", 1)]
    assert summary.rejections[0].first == "'clip-002': no such file: sounds/clip-002.wav"
    rows_written = manifest.read(tmp_path / "out" / "manifest.parquet").to_pylist()
    assert [r["index"] for r in rows_written] == list(range(6))
    assert [r["status"] for r in rows_written] == ["ok", "rejected", "rejected", "ok", "rejected", "ok"]
    assert rows_written[1]["error"] == "not a sound: a text file"
    assert rows_written[1]["group"] == "g0"
    assert [r["row"] for r in rows_written] == [0, None, None, 1, None, 2]
    dataset = ShardDataset(tmp_path / "out", "train")
    assert [dataset.record(index).id for index in range(3)] == ["clip-000", "clip-003", "clip-005"]
    assert dataset.embeddings([0, 1, 2]).any(axis=1).all()
    assert verify_dataset(tmp_path / "out").findings == ()


def test_a_source_may_reject_rows_itself(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def corpus(root: Path) -> Records:
        yield from read(root)
        yield Rejected(id="gone", dataset="world", split="train", reason="video unavailable: 404")

    monkeypatch.setitem(SOURCES, "corpus", corpus)
    summary = build_dataset(world, tmp_path / "out", source="corpus")
    assert [(r.kind, r.first) for r in summary.rejections] == [
        ("video unavailable", "'gone': video unavailable: 404")
    ]
    assert (summary.rows, summary.rejected) == (7, 1)


def test_no_usable_record_is_no_dataset(tmp_path: Path) -> None:
    rows = [row(0), row(1)]
    write_media(tmp_path / "world", rows)
    for number in (0, 1):
        (tmp_path / "world" / "sounds" / f"clip-00{number}.wav").write_bytes(sound_bytes()[:900])
    source = write_rows(tmp_path / "world", rows)
    with pytest.raises(InputError) as caught:
        build_dataset(source, tmp_path / "out")
    assert str(caught.value) == (
        "0 of 2 records could be read ('clip-000': truncated sound: the header promises 16000 bytes, "
        "856 are there); nothing was built"
    )
    assert files_of(tmp_path / "out") == {}
    write_media(tmp_path / "world", rows)
    assert build_dataset(source, tmp_path / "out").rejected == 0


def test_a_faulty_row_and_a_taken_id_of_a_corpus_count_as_rejected(tmp_path: Path) -> None:
    header = ["audiocap_id", "youtube_id", "start_time", "caption"]
    ids = [f"abcdefghij{number}" for number in range(4)]
    rows = [[number, name, 30, "a dog"] for number, name in enumerate(ids)]
    write_csv(tmp_path / "corpus" / "train.csv", header, rows[0], ["and barks"], *rows[1:3])
    write_csv(tmp_path / "corpus" / "val.csv", header, rows[0], rows[3])
    (tmp_path / "corpus" / "audio").mkdir()
    for name in ids[:3]:
        (tmp_path / "corpus" / "audio" / f"Y{name}_30.000_40.000.wav").write_bytes(sound_bytes())
    summary = build_dataset(tmp_path / "corpus", tmp_path / "out", source="audiocaps")
    assert (summary.rows, summary.rejected) == (6, 3)
    written = manifest.read(tmp_path / "out" / "manifest.parquet").to_pylist()
    assert [(row["split"], row["id"], row["error"]) for row in written if row["status"] == "rejected"] == [
        (
            "train",
            "train-csv-3-and-barks-9aaf3768584e",
            "faulty row: train.csv:3 'and barks': audiocap_id: expected `int`, got `str`; an official row "
            "has audiocap_id, youtube_id, start_time, caption",
        ),
        (
            "val",
            "abcdefghij0_30-4",
            "id taken: 'abcdefghij0_30' is the id of record 0; give each record its own",
        ),
        (
            "val",
            "abcdefghij3_30",
            "no such file: abcdefghij3_30.wav in audio/val or val or audio",
        ),
    ]
