"""The command line of safe-data: what it prints, and its exit codes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from folders import STAMPS, needs_stamps, row, sound_bytes, write_folder, write_media, write_rows

from safe_data.cli import COMMANDS, main
from safe_data.encoders.encoder import ENCODERS, PRETRAINED, encoder_specs
from safe_data.sources.all_sources import SOURCES


def safe_data(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture
def one_clip(tmp_path: Path) -> Path:
    rows = [row(0)]
    write_media(tmp_path / "world", rows)
    return write_rows(tmp_path / "world", rows)


def test_build_verify_and_what_they_print(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world, out = write_folder(tmp_path / "world"), tmp_path / "shards"
    assert safe_data("build", world, out, "--shard-size", 2) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.splitlines() == [
        f"{out}: 6 clips ok, 0 rejected",
        "  test 2 in 1 shard, train 4 in 2 shards; embeddings: logmel-0f573aec",
    ]
    assert safe_data("verify", out) == 0
    assert capsys.readouterr().out == f"{out}: OK, 6 clips in 10 files, 0.1 MB\n"
    (out / "train" / "world-train-000000.tar").unlink()
    assert safe_data("verify", out) == 1
    assert capsys.readouterr().out.splitlines() == [
        "train/world-train-000000.tar: missing; run the build again",
        f"{out}: not as it was written, 1 fault",
    ]
    assert safe_data("verify", world) == 3
    assert (
        capsys.readouterr().err
        == f"safe-data verify: {world}: no dataset (dataset.json is missing); make one by `safe-data build`\n"
    )


def test_options_yaml_runs_the_same_again(tmp_path: Path) -> None:
    out = tmp_path / "shards"
    assert safe_data("build", write_folder(tmp_path / "world"), out, "--name", "small") == 0
    text = (out / "options.yaml").read_text()
    assert text.startswith("# safe-data build; Python ")
    assert "numpy" in text.splitlines()[0]
    assert yaml.safe_load(text) == {
        "source_root": str(tmp_path / "world"),
        "out": str(out),
        "source": "folder",
        "encoder": ["logmel"],
        "name": "small",
        "shard_size": 1000,
        "frames": 1,
        "max_reject_rate": 0.05,
    }
    assert safe_data("build", "--config", out / "options.yaml") == 0


def test_rejected_records_are_counted_by_reason_and_too_many_do_not_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row(number) for number in range(4)]
    write_media(tmp_path / "world", rows)
    (tmp_path / "world" / "sounds" / "clip-002.wav").unlink()
    world = write_rows(tmp_path / "world", rows)
    assert safe_data("build", world, tmp_path / "out") == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"{tmp_path / 'out'}: 3 clips ok, 1 rejected",
        "  train 3 in 1 shard; embeddings: logmel-0f573aec",
        "  rejected  share  reason",
        "         1  25.0%  no such file",
        "                   'clip-002': sounds/clip-002.wav",
        f"  every one of them: safe-data info {tmp_path / 'out'} --rejected",
    ]
    assert (
        printed.err
        == "safe-data build: 1 of 4 records were rejected, more than --max-reject-rate 0.05 allows\n"
    )
    assert safe_data("build", world, tmp_path / "out", "--max-reject-rate", 0.25) == 0
    capsys.readouterr()
    assert safe_data("build", world, tmp_path / "out", "--max-reject-rate", 5) == 3
    said = capsys.readouterr().err
    assert said == "safe-data build: --max-reject-rate 5 is no share; give a number from 0 to 1\n"


def test_a_share_of_rejects_that_is_the_largest_allowed_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """29 of 100 are 0.29, although 0.29 × 100 is less than 29 in floating point."""
    from safe_data.build import build

    dataset = build.Dataset(1, "mine", "", "", "", (), {})
    for rejected, code in ((29, 0), (30, 1)):
        rejections = (build.Rejection("no such file", rejected, "'a': no such file: a.wav"),)
        summary = build.Summary(dataset, 100, rejections)
        monkeypatch.setattr(build, "build_dataset", lambda *_, summary=summary, **__: summary)
        assert safe_data("build", tmp_path, tmp_path / "out", "--max-reject-rate", 0.29) == code
    assert "30 of 100 records were rejected, more than --max-reject-rate 0.29" in capsys.readouterr().err


def test_add_encoder_says_what_it_added(
    one_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safe_data.build.build import build_dataset

    out = tmp_path / "out"
    build_dataset(one_clip, out, encoders=[])
    assert safe_data("add-encoder", out, "logmel", "--workers", 1) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.splitlines() == [
        f"{out}: logmel-0f573aec, float16 512, of 1 clip",
        "  embeddings: logmel-0f573aec",
    ]
    assert safe_data("add-encoder", one_clip, "logmel") == 3
    assert capsys.readouterr().err.startswith(f"safe-data add-encoder: {one_clip}: no dataset")


def test_a_faulty_row_among_many_is_one_rejected_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row(number) for number in range(3)]
    write_media(tmp_path / "world", rows)
    (tmp_path / "world" / "metadata.jsonl").write_text(
        "".join(json.dumps(fields) + "\n" for fields in [rows[0], rows[1] | {"lable": 1}, rows[2]])
    )
    assert safe_data("build", tmp_path / "world", tmp_path / "out", "--max-reject-rate", 0.4) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "  rejected  share  reason",
        "         1  33.3%  faulty row",
        "                   'clip-001': metadata.jsonl:2: unknown field 'lable'; did you…",
        f"  every one of them: safe-data info {tmp_path / 'out'} --rejected",
    ]
    assert safe_data("build", tmp_path / "world", tmp_path / "out") == 1


def test_a_corpus_of_faulty_rows_is_said_in_several_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = write_rows(tmp_path / "world", [row(0, lable="x"), row(1, grup="x")])
    assert safe_data("build", world, tmp_path / "out") == 3
    first, *others = capsys.readouterr().err.splitlines()
    assert first == f"safe-data build: {world}: none of its 2 rows can be read"
    assert [line.strip()[:17] for line in others] == ["metadata.jsonl:1:", "metadata.jsonl:2:"]
    for name in ("train.csv", "val.csv"):
        (world / name).write_text("audiocap_id,youtube_id,start_time,caption\nx,y,z,a\n")
    assert safe_data("build", world, tmp_path / "out", "--source", "audiocaps") == 3
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("train.csv: each of its rows is faulty; is it the official file?")
    assert second.strip().startswith("train.csv:2 'x': audiocap_id")


def leaving_the_root(world: Path) -> None:
    write_rows(world, [row(0, image_file_name="../../secret.png")])


def corrupt_only_clip(world: Path) -> None:
    (world / "sounds" / "clip-000.wav").write_bytes(sound_bytes()[:700])


def gone(world: Path) -> None:
    world.rename(world.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (gone, "safe-data build: {world}: no such folder; give the one that holds metadata.jsonl"),
        (
            leaving_the_root,
            "safe-data build: {world}: metadata.jsonl:1: image_file_name '../../secret.png' leads out of "
            "the root",
        ),
        (
            corrupt_only_clip,
            "safe-data build: 0 of 1 records could be read ('clip-000': truncated sound: the header "
            "promises 16000 bytes, 656 are there); nothing was built",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_3(
    spoil: Callable[[Path], None],
    expected: str,
    one_clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(one_clip)
    assert safe_data("build", one_clip, tmp_path / "out") == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(expected.format(world=one_clip))
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "out" / "plan.json").exists()


def test_synth_to_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert safe_data("synth", tmp_path / "world", "--clips", 24, "--seed", 3) == 0
    assert safe_data("build", tmp_path / "world", tmp_path / "shards") == 0
    assert "24 clips ok, 0 rejected" in capsys.readouterr().out
    assert safe_data("verify", tmp_path / "shards") == 0


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        assert safe_data(command, "--help") == 0
        assert "OUT" in capsys.readouterr().out.upper()


def test_the_help_of_build_names_every_source_encoder_and_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert safe_data("build", "--help") == 0
    said = "".join(capsys.readouterr().out.split())  # lines may break within a name
    for name in (*SOURCES, *ENCODERS, *PRETRAINED, "local", "ray"):
        assert name in said


def test_the_help_of_build_says_what_each_source_and_encoder_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for command, names in {"build": [*SOURCES, *encoder_specs()], "add-encoder": encoder_specs()}.items():
        assert safe_data(command, "--help") == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= 80
        for name in names:
            (told,) = [line for line in lines if line.startswith(f"  {name}  ")]
            assert len(told.split(maxsplit=1)[1]) > 20
    said = " ".join(" ".join(lines).split())
    assert "whisper:SOURCE Whisper's encoder" in said
    assert "such as clap-tokens:laion/clap-htsat-unfused" in said


def _children_seconds() -> float:
    """Processor time of finished child processes: other work on the machine does not count."""
    times = os.times()
    return times.children_user + times.children_system


def test_help_answers_within_half_a_second() -> None:
    best = 9.0
    for _ in range(3):  # the machine may be busy
        began = _children_seconds()
        command = [sys.executable, "-c", "from safe_data.cli import main; main()", "--help"]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        best = min(best, _children_seconds() - began)
    assert best < 0.5


@needs_stamps
def test_the_stamps_build_verify_and_show_the_sounds_that_are_one(tmp_path: Path) -> None:
    from collections import defaultdict

    from safe_data.shards import manifest

    assert safe_data("build", STAMPS, tmp_path / "stamps") == 0
    assert safe_data("verify", tmp_path / "stamps") == 0
    rows = manifest.read(tmp_path / "stamps" / "manifest.parquet").to_pylist()
    assert len(rows) == 145
    assert sum(found["has_audio"] for found in rows) == 95
    assert all(found["status"] == "ok" for found in rows)
    files: dict[str, set[str]] = defaultdict(set)
    for found in rows:
        if found["has_audio"]:
            files[found["pcm_sha256"]].add(found["audio_sha256"])
    assert sorted(len(hashes) for hashes in files.values() if len(hashes) > 1) == [2, 2]
    (silent,) = [found["id"] for found in rows if found["rms_db"] == -120]
    assert silent == "animals-mammals-giraffe-sound"
