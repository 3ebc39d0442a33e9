"""An audit says what is wrong and how much of it, names every record that leaks, and overwrites nothing."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from manifests import rejected, row, rows, write_dataset

from safe_data import cli
from safe_data.core.command import run
from safe_data.shards import manifest


def audit(*words: str | Path) -> int:
    """`safe-data audit`, as the command line runs it: bad input is exit code 3."""
    return run("safe-data", "", {"audit": cli.audit}, ["audit", *map(str, words)])


def leaking() -> list[manifest.Row]:
    """Ten records of train and ten of test; three of test have a sound of train, and one a picture of it."""
    built = [row(index, "test" if index >= 10 else "train", examples=1 + index % 3) for index in range(20)]
    sound = {"audio_sha256": "s", "pcm_sha256": "s"}
    for index in (0, 11, 12, 13):
        built[index] = row(index, built[index].split, examples=2, **sound)
    built[14] = row(14, "test", image_sha256=built[1].image_sha256, pixel_sha256=built[1].pixel_sha256)
    return built


def found(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "audit.json").read_text())
    return content


def test_a_leak_is_found_named_and_measured_in_records_and_questions(tmp_path: Path) -> None:
    built = leaking()
    assert audit(write_dataset(tmp_path / "set", built)) == 0
    (leak,) = [one for one in found(tmp_path / "set/audit")["findings"] if one["kind"] == "leakage"]
    of_test = [one.examples for one in built if one.split == "test"]
    assert (leak["severity"], leak["dataset"], leak["split"], leak["seen_in"]) == (
        "critical",
        "world",
        "test",
        "world/train",
    )
    assert (leak["records"], leak["share"]) == (4, 0.4)
    assert leak["questions"] == 2 + 2 + 2 + 4
    assert leak["question_share"] == pytest.approx(10 / sum(of_test))
    assert leak["offenders"][0]["records"] == ["test/clip-11", "train/clip-0"]
    table = pq.read_table(tmp_path / "set/audit/findings.parquet").to_pylist()
    leaks = {one["ids"][0]: one for one in table if one["kind"] == "leakage"}
    assert {name: one["ids"][1] for name, one in leaks.items()} == {
        "test/clip-11": "train/clip-0",
        "test/clip-12": "train/clip-0",
        "test/clip-13": "train/clip-0",
        "test/clip-14": "train/clip-1",
    }
    assert {name: one["evidence"] for name, one in leaks.items()} == {
        "test/clip-11": "sound_file",  # and so the sound, which goes without saying
        "test/clip-12": "sound_file",
        "test/clip-13": "sound_file",
        "test/clip-14": "picture_file",
    }
    assert {one["score"] for one in leaks.values()} == {1.0}
    (cluster,) = [one for one in table if one["kind"] == "cluster"]  # a picture with two sounds joins nothing
    assert cluster["ids"] == ["train/clip-0", "test/clip-11", "test/clip-12", "test/clip-13"]


def test_a_picture_alone_and_another_datasets_test_are_warnings(tmp_path: Path) -> None:
    shared = {"image_sha256": "same", "pixel_sha256": "same"}
    write_dataset(tmp_path / "one", [row(0, **shared), row(1, "test", **shared)])
    assert audit(tmp_path / "one") == 0
    (leak,) = [one for one in found(tmp_path / "one/audit")["findings"] if one["kind"] == "leakage"]
    assert leak["severity"] == "warning"
    sound = {"audio_sha256": "same", "pcm_sha256": "same"}
    write_dataset(tmp_path / "a", [row(0), row(1, "test", **sound)])
    write_dataset(tmp_path / "b", [row(2), row(3, "test", **sound)])
    assert audit(f"A={tmp_path / 'a'}", f"B={tmp_path / 'b'}", "--out", tmp_path / "both") == 0
    leaks = [one for one in found(tmp_path / "both")["findings"] if one["kind"] == "leakage"]
    leaks.sort(key=lambda one: str(one["dataset"]))
    assert [(one["dataset"], one["seen_in"], one["severity"]) for one in leaks] == [
        ("A", "B/test", "warning"),
        ("B", "A/test", "warning"),
    ]
    assert leaks[0]["offenders"][0]["records"] == ["A:test/clip-1", "B:test/clip-3"]


def test_a_clean_dataset_has_no_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(write_dataset(tmp_path / "set", rows(8))) == 0
    assert [one["kind"] for one in found(tmp_path / "set/audit")["findings"]] == []
    assert "nothing wrong was found" in capsys.readouterr().out


def test_what_could_not_be_looked_for_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    built = [*rows(3), row(3, "test", pcm_sha256=None), rejected(4)]
    assert audit(write_dataset(tmp_path / "set", built)) == 0
    missed = {one["kind"]: one["why"] for one in found(tmp_path / "set/audit")["not_looked_for"]}
    assert missed["sound"] == "1 record without pcm_sha256, compared with none"
    assert "Not looked for" in (printed := capsys.readouterr().out)
    assert max(map(len, printed.splitlines()[:-1])) <= 80


def test_the_same_audit_can_be_run_again_and_another_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = write_dataset(tmp_path / "set", rows(4)), tmp_path / "out"
    assert audit(root, "--out", out) == 0
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    assert audit(root, "--out", out) == 0
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    other = write_dataset(tmp_path / "other", leaking())
    assert audit(other, "--out", out) == 3
    assert "is there already, about other datasets" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert audit(other, "--out", out, "--force") == 0
    assert found(out)["findings"]


@pytest.mark.parametrize("words", [[], ["nowhere"], ["a", "b", "--source", "music_avqa"]])
def test_bad_input_is_told(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert audit(*words) == 3


def test_the_page_shows_the_worst_first_escapes_what_it_shows_and_loads_nothing(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    built = [
        one if index else row(0, group="<script>alert(1)</script>") for index, one in enumerate(leaking())
    ]
    built[15] = row(15, "test", group="<script>alert(1)</script>", peak=0.0, rms_db=-120.0)
    assert audit(write_dataset(tmp_path / "set", built)) == 0
    page = (tmp_path / "set/audit/audit.html").read_text()
    assert page.index("records of test are in train too") < page.index("<code>silent_sounds</code>")
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "data:image/jpeg" in page
    assert "data:audio" in page


def test_rejected_records_are_told_even_where_they_are_few(tmp_path: Path) -> None:
    built = [*(row(index, "test" if index % 2 else "train") for index in range(60)), rejected(60)]
    assert audit(write_dataset(tmp_path / "set", built)) == 0
    kinds = {one["kind"]: one["severity"] for one in found(tmp_path / "set/audit")["findings"]}
    assert kinds == {"load_rate": "info"}
