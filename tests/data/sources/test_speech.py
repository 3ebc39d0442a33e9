"""The speech world: short speech and other sounds in noise, alike in everything else, by either speaker."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from safe_data.cli import main
from safe_data.core.errors import InputError
from safe_data.records import Record
from safe_data.sources.all_sources import SOURCES
from safe_data.sources.synthetic.non_speech import NON_SPEECH, draw_non_speech
from safe_data.sources.synthetic.speakers import SAMPLE_RATE_HZ, draw_utterance, find_speaker
from safe_data.sources.synthetic.speech import DURATIONS_MS, SNRS_DB
from safe_data.sources.synthetic.world import write_world

CLIPS = 192
Rows = list[dict[str, Any]]
needs_espeak_ng = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")


def files_of(root: Path) -> dict[str, bytes]:
    return {
        file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speech") / "world"
    write_world(folder, clips=CLIPS, seed=3, world="speech", speaker="formants")
    return folder


@pytest.fixture(scope="module")
def rows(root: Path) -> Rows:
    return [json.loads(line) for line in (root / "metadata.jsonl").read_text("utf-8").splitlines()]


def test_every_row_is_a_record_with_one_classification(root: Path) -> None:
    records = list(SOURCES["folder"](root))
    assert len(records) == CLIPS
    for record in records:
        assert isinstance(record, Record)
        (example,) = record.examples
        assert (example.task, example.choices, example.needs_audio) == (
            "classify",
            ("SPEECH", "NONSPEECH"),
            True,
        )
        assert example.references == (record.label,)
        assert record.image is None


def test_the_classes_differ_in_nothing_but_the_sound(rows: Rows) -> None:
    facts = {
        label: Counter(
            (row["metadata"]["snr_db"], row["metadata"]["duration_ms"], row["split"])
            for row in rows
            if row["label"] == label
        )
        for label in ("SPEECH", "NONSPEECH")
    }
    assert facts["SPEECH"] == facts["NONSPEECH"]
    cells = Counter((row["metadata"]["snr_db"], row["metadata"]["duration_ms"]) for row in rows)
    assert cells == {(snr, ms): CLIPS // 48 for snr in SNRS_DB for ms in DURATIONS_MS}


def test_no_group_is_in_two_splits_and_each_has_one_source(rows: Rows) -> None:
    splits: dict[str, set[str]] = {}
    kinds: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row["group"], set()).add(row["split"])
        kinds.setdefault(row["group"], set()).add(row["metadata"]["kind"])
    assert all(len(found) == 1 for found in [*splits.values(), *kinds.values()])
    assert len(splits) == CLIPS // len(DURATIONS_MS)
    assert {"train", "dev", "test"} == set().union(*splits.values())


def test_the_ratio_and_the_place_are_what_the_sound_shows(root: Path, rows: Rows) -> None:
    checked = 0
    for row in rows:
        snr_db, (event,) = row["metadata"]["snr_db"], row["events"]
        samples, rate = soundfile.read(root / row["audio_file_name"])
        assert (rate, len(samples)) == (SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)
        assert np.abs(samples).max() < 1
        inside = slice(round(event["start"] * rate), round(event["end"] * rate))
        assert inside.stop - inside.start == row["metadata"]["duration_ms"] * rate / 1000
        if snr_db < 0 or row["metadata"]["duration_ms"] not in (200, 500):
            continue
        rest = np.delete(samples, np.arange(inside.start, inside.stop))
        shown = 10 * np.log10(np.mean(samples[inside] ** 2) / np.mean(rest**2) - 1)
        assert shown == pytest.approx(snr_db, abs=1.0), row["id"]
        checked += 1
    assert checked > 20


@pytest.mark.parametrize("speaker", ["formants", pytest.param("espeak-ng", marks=needs_espeak_ng)])
def test_the_same_seed_and_speaker_give_the_same_bytes(tmp_path: Path, speaker: str) -> None:
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        write_world(tmp_path / name, clips=48, seed=seed, world="speech", speaker=speaker)
    one, same, other = (files_of(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same
    assert one["metadata.jsonl"] != other["metadata.jsonl"]
    assert json.loads(one["world.json"])["speaker"].startswith(speaker)
    write_world(tmp_path / "one", clips=48, seed=0, world="speech", speaker=speaker)
    assert files_of(tmp_path / "one") == one


@needs_espeak_ng
def test_espeak_ng_says_sentences_by_several_voices(tmp_path: Path) -> None:
    write_world(tmp_path / "world", clips=96, seed=0, world="speech", speaker="auto")
    about = json.loads((tmp_path / "world/world.json").read_text())
    assert about["speaker"] == find_speaker("espeak-ng") != "espeak-ng "
    lines = (tmp_path / "world/metadata.jsonl").read_text("utf-8").splitlines()
    said = {
        (facts["voice"], facts["sentence"], facts["words_per_minute"])
        for facts in (json.loads(line)["metadata"] for line in lines)
        if facts["kind"] == "voice"
    }
    assert len(said) == 6
    assert len({voice for voice, _, _ in said}) > 2
    spoken = draw_utterance(about["speaker"], np.random.default_rng(0))
    assert 1 < len(spoken.samples) / SAMPLE_RATE_HZ < 10
    assert 0.01 < np.sqrt(np.mean(spoken.samples**2)) < 0.5


def without_programs(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setenv("PATH", str(folder))


def test_without_espeak_ng_a_made_voice_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_programs(monkeypatch, tmp_path)
    assert find_speaker("auto") == "formants"
    with pytest.raises(InputError) as caught:
        find_speaker("espeak-ng")
    assert str(caught.value) == (
        "speaker=espeak-ng: espeak-ng is not installed; install it (`apt-get install espeak-ng`), or choose "
        "formants, a made voice"
    )


def test_an_espeak_ng_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "espeak-ng"
    program.write_text('#!/bin/sh\necho "no voice" >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(InputError, match="--version` failed: no voice; choose speaker formants"):
        find_speaker("auto")


def test_another_speaker_is_another_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_world(tmp_path / "world", clips=48, seed=0, world="speech", speaker="formants")
    program = tmp_path / "espeak-ng"
    program.write_text('#!/bin/sh\necho "eSpeak NG text-to-speech: 9.9  Data at: nowhere"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(InputError, match=r'"speaker": "espeak-ng 9\.9"'):
        write_world(tmp_path / "world", clips=48, seed=0, world="speech")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--clips", "40"), "clips=40: fewer than 48 do not fill three splits of speech and other sounds"),
        (("--faults", "silent=2"), "faults: the speech world has no pictures to plant them in"),
        (("--speaker", "espeek-ng"), "speaker='espeek-ng': no such speaker; did you mean 'espeak-ng'?"),
        (("--world", "plain", "--speaker", "formants"), "speaker=formants: nobody speaks in synthetic"),
    ],
)
def test_what_cannot_be_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert main(["synth", str(tmp_path / "world"), "--world", "speech", *words]) == 3
    assert said in capsys.readouterr().err
    assert not (tmp_path / "world").exists()


@pytest.mark.parametrize("kind", NON_SPEECH)
def test_every_other_sound_is_heard_all_the_time_somewhere(kind: str) -> None:
    found = draw_non_speech(kind, np.random.default_rng(1))
    assert len(found) == 2 * SAMPLE_RATE_HZ
    assert np.isfinite(found).all()
    assert np.sqrt(np.mean(found**2)) > 1e-3
    assert not np.array_equal(found, draw_non_speech(kind, np.random.default_rng(2)))


def test_there_is_no_other_kind() -> None:

    with pytest.raises(InputError, match="'gong' is none of the sounds noise, band"):
        draw_non_speech("gong", np.random.default_rng(0))
