"""Info describes a dataset: completely as JSON, and on one page as text."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from folders import files_of, row, without_silence, write_media, write_rows

from safe_data.build.build import build_dataset
from safe_data.cli import main
from safe_data.core.errors import InputError
from safe_data.core.table import COLUMNS
from safe_data.shards.info import info_json, info_lines, read_info, size_of
from safe_data.shards.manifest import Rejection, count_rejections, rejection_table
from safe_data.sources.folder import read


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten clips, eight for training: one has no sound, one lacks its picture, one is not a sound."""
    folder = tmp_path_factory.mktemp("info")
    rows = [row(number, split="train" if number < 8 else "test", label="dog") for number in range(10)]
    del rows[3]["audio_file_name"]
    rows[0]["examples"][0] |= {
        "prompt": "what can\nbe seen here " + "and there " * 20,
        "references": ["a dog"],
    }
    write_media(folder / "world", rows)
    (folder / "world" / "images" / "clip-005.png").unlink()
    (folder / "world" / "sounds" / "clip-009.wav").write_text("no sound")
    build_dataset(write_rows(folder / "world", rows), folder / "shards", shard_size=4)
    return folder / "shards"


def test_the_counts_are_those_of_the_files(root: Path) -> None:
    info = read_info(root)
    assert (info.name, info.rows) == ("world", 10)
    train, test = info.splits["train"], info.splits["test"]
    assert (train.shards, train.clips, train.sounds, train.pictures) == (2, 7, 6, 7)
    assert (train.examples, train.audio_examples) == (14, 7)
    assert (test.shards, test.clips, test.sounds, test.pictures) == (1, 1, 1, 1)
    assert train.hours == round(6 / 3600, 6)
    sizes = {name: len(data) for name, data in files_of(root).items()}
    for kind, suffix in (("tars", ".tar"), ("embeddings", ".npy"), ("manifests", ".parquet")):
        assert info.bytes[kind] == sum(size for name, size in sizes.items() if name.endswith(suffix))
    (encoder,) = info.encoders
    assert (encoder.label, encoder.shape, encoder.source) == ("logmel-0f573aec", (512,), "logmel")
    assert encoder.silence_bytes == sizes["silence.logmel-0f573aec.npy"]
    assert encoder.bytes + encoder.silence_bytes == info.bytes["embeddings"]
    assert [(r.kind, r.count) for r in info.rejected] == [("not a sound", 1), ("no such file", 1)]


def test_json_is_complete(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["safe-data", "info", str(root), "--format", "json"])
    assert main() == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == json.loads("\n".join(info_json(read_info(root))))
    assert set(facts) == {
        "root",
        "name",
        "fingerprint",
        "splits",
        "rows",
        "rejected",
        "encoders",
        "bytes",
        "sample",
    }
    assert facts["fingerprint"] == json.loads((root / "dataset.json").read_bytes())["fingerprint"]
    record = next(iter(read(root.parent / "world")))
    sample = facts["sample"]
    assert sample["record"]["id"] == sample["row"]["id"]
    if sample["row"]["split"] == "train":
        assert sample["record"] == json.loads(record.model_dump_json(exclude_none=True))


PAGE = """\
ROOT
  world, fingerprint FINGERPRINT

  split      clips     shards     sounds      hours   pictures   examples
  test           1          1          1       0.00          1          2
  train          7          2          6       0.00          7         14
  all            8          3          7       0.00          8         16

  tars TARS, embeddings 9.7 kB, manifests MANIFESTS
  logmel-0f573aec: float16 512 of 8000 Hz, 8.6 kB
    silence 1.2 kB, loaded from logmel

  2 of 10 records rejected
  rejected  share  reason
         1  10.0%  not a sound
                   'clip-009': a text file
         1  10.0%  no such file
                   'clip-005': images/clip-005.png

  for example clip-008 (test): group g4, dog
    sound    clip-008.wav, 16.0 kB, 1.0 s, 8000 Hz, -20.0 dB
    picture  clip-008.png, PICTURE, 8×8
    vqa      ? → yes
    vqa      ? → yes"""


def test_text_fits_one_page(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root.parent)
    monkeypatch.setattr(sys, "argv", ["safe-data", "info", "shards"])
    assert main() == 0
    info = read_info("shards")
    expected = PAGE.replace("ROOT", "shards").replace("FINGERPRINT", info.fingerprint[:16])
    expected = expected.replace("TARS", size_of(info.bytes["tars"]))
    expected = expected.replace("MANIFESTS", size_of(info.bytes["manifests"]))
    expected = expected.replace("PICTURE", size_of(info.sample["row"]["image_size"]))
    assert capsys.readouterr().out.splitlines() == expected.splitlines()


def test_a_dataset_of_an_older_version_lacks_silence(root: Path, tmp_path: Path) -> None:
    info = read_info(without_silence(Path(shutil.copytree(root, tmp_path / "old"))))
    assert (info.encoders[0].source, info.encoders[0].silence_bytes) == (None, None)
    assert "    no silence stored; `safe-data add-encoder` adds it" in info_lines(info)


def test_no_line_is_longer_than_the_page(tmp_path: Path) -> None:
    rows = [row(0, group="g" * 90, label="l" * 90), row(1, audio_file_name="sounds/" + "x" * 90 + ".wav")]
    rows[0]["examples"][0] |= {"prompt": "what can\nbe seen " * 20, "references": ["a dog"]}
    write_media(tmp_path / "world", rows)
    (tmp_path / "world" / rows[1]["audio_file_name"]).unlink()
    build_dataset(write_rows(tmp_path / "world", rows), tmp_path / ("o" * 100))
    lines = info_lines(read_info(tmp_path / ("o" * 100)))
    assert max(map(len, lines)) == COLUMNS
    assert any(line.startswith("    vqa      what can be seen what can be seen") for line in lines)


def test_a_dataset_of_pictures_alone(tmp_path: Path) -> None:
    rows = [row(number) for number in range(2)]
    for fields in rows:
        del fields["audio_file_name"], fields["examples"]
    write_media(tmp_path / "world", rows)
    build_dataset(write_rows(tmp_path / "world", rows), tmp_path / "out", encoders=[])
    lines = info_lines(read_info(tmp_path / "out"))
    assert "  train          2          1          0       0.00          2          0" in lines
    assert "  0 of 2 records rejected" in lines
    assert "sound" not in "".join(lines[5:])


def test_what_is_no_dataset_cannot_be_described(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no dataset .* make one by `safe-data build`$"):
        read_info(tmp_path)


def test_rejections_are_counted_by_kind_the_most_frequent_first() -> None:
    import pyarrow as pa

    reasons = ["no such file: b.wav", "absurd: x", "no such file: a.wav", None]
    status = ["rejected"] * 3 + ["ok"]
    table = pa.table({"id": ["a", "b", "c", "d"], "status": status, "error": reasons})
    assert count_rejections([table, table]) == (
        Rejection("no such file", 4, "'a': no such file: b.wav"),
        Rejection("absurd", 2, "'b': absurd: x"),
    )
    assert rejection_table([], 3) == []
