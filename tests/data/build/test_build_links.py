"""Media behind links: read if they lead into the one trusted folder, and then the same bytes as copies."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from folders import files_of, row, sound_bytes, write_folder, write_media, write_rows

from safe_data.build.build import build_dataset
from safe_data.cli import main
from safe_data.core.errors import InputError
from safe_data.shards import manifest

FILES = ("plan.json", "dataset.json", "manifest.parquet")


def linked(world: Path, repo: Path) -> tuple[Path, Path]:
    """The same folder as a Hugging Face snapshot: every file is a link to a blob."""
    snapshot, blobs = repo / "snapshots" / world.name, repo / "blobs"
    blobs.mkdir(parents=True)
    for number, (name, data) in enumerate(files_of(world).items()):
        (blobs / f"{number:040x}").write_bytes(data)
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        up = "../" * (2 + name.count("/"))
        (snapshot / name).symlink_to(f"{up}blobs/{number:040x}")
    return snapshot, blobs


def test_a_snapshot_of_links_gives_the_bytes_of_its_copy(tmp_path: Path) -> None:
    world = write_folder(tmp_path / "world")
    snapshot, blobs = linked(world, tmp_path / "repo")
    with pytest.raises(InputError, match=f"0 of 6 .* into {blobs}; --trust-links {blobs} allows it"):
        build_dataset(snapshot, tmp_path / "linked", encoders=[])
    build_dataset(snapshot, tmp_path / "linked", encoders=[], trust_links=blobs)
    build_dataset(world, tmp_path / "copied", encoders=[])
    assert files_of(tmp_path / "linked") == files_of(tmp_path / "copied")
    build_dataset(snapshot, tmp_path / "linked", encoders=[], trust_links=blobs)  # goes on


def test_a_build_begun_without_trust_is_not_continued_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Records that were rejected for their links would stay so in finished shards."""
    rows = [row(number) for number in range(3)]
    write_media(tmp_path / "world", rows)
    world = write_rows(tmp_path / "world", rows)
    shutil.move(world / "sounds" / "clip-001.wav", tmp_path / "far.wav")
    (world / "sounds" / "clip-001.wav").symlink_to(tmp_path / "far.wav")
    monkeypatch.chdir(tmp_path)
    assert main(["build", "world", "out", "--max-reject-rate", "0.5"]) == 0
    (reason,) = [
        entry["error"] for entry in manifest.read(Path("out/manifest.parquet")).to_pylist() if entry["error"]
    ]
    assert reason == (
        f"unreadable file: 'sounds/clip-001.wav' leads out of the root into {tmp_path}; "
        f"--trust-links {tmp_path} allows it"
    )
    assert main(["build", "world", "out", "--trust-links", "."]) == 3
    assert (
        "was begun with another plan (other records or media in world-train-000000)"
        in capsys.readouterr().err
    )
    assert main(["build", "world", "new", "--trust-links", "."]) == 0
    assert yaml.safe_load(Path("new/options.yaml").read_text())["trust_links"] == "."
    assert main(["build", "world", "newer", "--trust-links", "gone"]) == 3
    assert "--trust-links gone: no such folder" in capsys.readouterr().err


def test_a_linked_folder_of_a_corpus(tmp_path: Path) -> None:
    corpus, sounds = tmp_path / "audiocaps", tmp_path / "disk" / "sounds"
    for folder in (corpus / "audio", sounds):
        folder.mkdir(parents=True)
    (corpus / "audio" / "train").symlink_to(sounds)
    (sounds / "abcdefghijk_30.wav").write_bytes(sound_bytes())
    (corpus / "train.csv").write_text(
        "audiocap_id,youtube_id,start_time,caption\n1,abcdefghijk,30,A bell rings\n", encoding="utf-8"
    )
    with pytest.raises(
        InputError, match=f"'audio/train/abcdefghijk_30.wav' leads out .* --trust-links {sounds} allows"
    ):
        build_dataset(corpus, tmp_path / "out", source="audiocaps", encoders=[])
    summary = build_dataset(
        corpus, tmp_path / "out", source="audiocaps", encoders=[], trust_links=tmp_path / "disk"
    )
    assert (summary.rows, summary.rejected) == (1, 0)


def test_a_linked_whole_video_is_measured_where_links_may_lead(tmp_path: Path) -> None:
    """The name of a whole sound means a clip or all of it by its length."""
    corpus, sounds = tmp_path / "audiocaps", tmp_path / "disk"
    for folder in (corpus, sounds):
        folder.mkdir()
    (corpus / "audio").symlink_to(sounds)
    (sounds / "abcdefghijk.wav").write_bytes(sound_bytes(np.full(41 * 1000, 0.1), rate=1000))
    (corpus / "train.csv").write_text(
        "audiocap_id,youtube_id,start_time,caption\n1,abcdefghijk,30,A bell rings\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match=f"unreadable file: .* --trust-links {sounds} allows it"):
        build_dataset(corpus, tmp_path / "out", source="audiocaps", encoders=[])
    build_dataset(corpus, tmp_path / "out", source="audiocaps", encoders=[], trust_links=sounds)
    (entry,) = manifest.read(tmp_path / "out" / "manifest.parquet").to_pylist()
    assert entry["duration_seconds"] == 10


def test_a_source_that_opens_media_knows_where_links_may_lead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    root, disk = tmp_path / "corpus", tmp_path / "disk"
    for folder in (root, disk):
        folder.mkdir()
    (root / "sounds").symlink_to(disk)
    (disk / "a.wav").write_bytes(sound_bytes())
    (root / "rows.jsonl").write_text('{"file": "sounds/a.wav"}\n', encoding="utf-8")
    wanted = {"path": "json", "data_files": "rows.jsonl", "columns": {"audio": "file"}}
    (root / "hub.yaml").write_text(yaml.safe_dump(wanted), encoding="utf-8")
    with pytest.raises(InputError, match=f"'sounds/a.wav' leads out .* --trust-links {disk} allows it"):
        build_dataset(root, tmp_path / "out", source="hub", encoders=[])
    summary = build_dataset(root, tmp_path / "out", source="hub", encoders=[], trust_links=disk)
    assert (summary.rows, summary.rejected) == (1, 0)
    assert not (root / "media").exists(), "a link that is trusted needs no copy"
