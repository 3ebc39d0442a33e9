"""A file of splits is read strictly, and a build follows it."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from folders import files_of, write_folder

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.records import Record, Rejected
from safe_data.shards import manifest
from safe_data.shards.splits_file import read_splits, splits_csv, with_splits

NOT_IN_CORPUS = "split the same corpus again"


def entry(name: str, split: str = "train") -> Record:
    return Record(id=name, dataset="d", split=split, group="g", image="a.png")


def test_csv_and_parquet_read_as_they_were_written(tmp_path: Path) -> None:
    table = pa.table(
        {"id": ["001", "a-b"], "group": ['x, "y"', "z"], "split": ["train", "1"], "fold": [0, None]}
    )
    (tmp_path / "splits.csv").write_bytes(splits_csv(table))
    pq.write_table(table, tmp_path / "splits.parquet")
    for name in ("splits.csv", "splits.parquet"):
        assert read_splits(tmp_path / name) == {"001": "train", "a-b": "1"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,split\na,train\n", "{file}: has no column id, only name, split"),
        ("id,split\na,train\na,test\n", "{file}: 'a' is there 2 times; give each id one split"),
        (
            "id,split\na,\nb,../x\n",
            "{file}: '' cannot be the name of a split; it may hold only A-Z a-z 0-9 _ and -\n"
            "{file}: '../x' cannot be the name of a split; it may hold only A-Z a-z 0-9 _ and -",
        ),
    ],
)
def test_a_faulty_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "splits.csv"
    file.write_text(text)
    with pytest.raises(InputError) as refused:
        read_splits(file)
    assert str(refused.value) == message.format(file=file)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'id,split\n"a'])
def test_a_file_that_is_no_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "splits.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"splits\.csv: "):
        read_splits(tmp_path / "splits.csv")
    with pytest.raises(InputError, match="no such file"):
        read_splits(tmp_path / "gone.csv")


def test_every_row_follows_the_file_and_none_may_be_missing() -> None:
    rejected = Rejected(id="c", dataset="d", split="test", reason="no such file")
    rows = [entry("a"), entry("b"), rejected]
    splits = {"a": "val", "b": "train", "c": "val"}
    assert [row.split for row in with_splits(rows, splits, Path("s.csv"))] == ["val", "train", "val"]
    with pytest.raises(InputError) as refused:
        list(with_splits(rows, {"a": "val", "x": "val"}, Path("s.csv")))
    assert refused.value.lines == [
        "s.csv: 2 records of the corpus without a split, and 1 id that the corpus does not have; "
        "split the same corpus again",
        "'b' has no split",
        "'c' has no split",
        "'x' is no record of the corpus",
    ]


def test_a_build_follows_the_file_and_goes_on_only_with_the_same_splits(tmp_path: Path) -> None:
    world = write_folder(tmp_path / "world", 4)
    ids = [json.loads(line)["id"] for line in (world / "metadata.jsonl").read_text().splitlines()]
    file = tmp_path / "splits.csv"
    file.write_text("id,split\n" + "".join(f"{name},{'ab'[place % 2]}\n" for place, name in enumerate(ids)))
    summary = build_dataset(world, tmp_path / "out", encoders=(), splits=file, quiet=True)
    assert {name: split.samples for name, split in summary.dataset.splits.items()} == {"a": 2, "b": 2}
    rows = manifest.read(tmp_path / "out/manifest.parquet").select(["id", "split"]).to_pylist()
    assert {row["id"]: row["split"] for row in rows} == read_splits(file)
    before = files_of(tmp_path / "out")
    build_dataset(world, tmp_path / "out", encoders=(), splits=file, quiet=True)
    assert files_of(tmp_path / "out") == before
    with pytest.raises(InputError, match="was begun with another plan"):
        build_dataset(world, tmp_path / "out", encoders=(), quiet=True)
