"""GCompris: its table of sounds, what the resource files hold, and what is missing or damaged in them."""

from collections import Counter
from pathlib import Path

import pytest
from corpora import rejected, usable
from folders import sound_bytes
from resource_files import resource_file

from safe_data.cli import main
from safe_data.core.errors import InputError
from safe_data.sources.gcompris import FOLDERS, SOUNDS, read
from safe_data.sources.sound_kinds import KINDS

PLACE = "usr/share/gcompris-qt/rcc"
FARM = SOUNDS[0].names.split()


def path_of(activity: str, name: str) -> str:
    return f"gcompris/src/activities/{activity}/resource/{name}"


def write_activity(root: Path, activity: str, sounds: dict[str, bytes], place: str = PLACE) -> Path:
    """A resource file with these sounds, and what a source must not take for one."""
    file = root / place / f"{activity}.rcc"
    file.parent.mkdir(parents=True, exist_ok=True)
    others = {path_of(activity, "cat.svg"): b"<svg/>", "qmldir": b"", path_of(activity, "intro.ogg"): b"x"}
    inside = {path_of(activity, f"sounds/{name}"): data for name, data in sounds.items()}
    file.write_bytes(resource_file(others | inside, compressed=True))
    return file


def farm(first: int = 0) -> dict[str, bytes]:
    return {f"{name}.ogg": sound_bytes(seed=first + number) for number, name in enumerate(FARM)}


@pytest.mark.parametrize("place", FOLDERS)
def test_a_sound_is_a_record_with_one_question(tmp_path: Path, place: str) -> None:
    sounds = farm()
    write_activity(tmp_path, "explore_farm_animals", sounds, place)
    write_activity(tmp_path, "algebra_by", {"cow.ogg": b"of no interest"}, place)
    records = usable(read(tmp_path))
    assert [record.metadata["file_name"] for record in records] == [f"{name}.ogg" for name in FARM]
    cow = records[FARM.index("cow")]
    assert (cow.id, cow.dataset, cow.split) == ("explore_farm_animals-cow", "gcompris", "test")
    assert cow.metadata == {"activity": "explore_farm_animals", "file_name": "cow.ogg", "license": "GPL-3"}
    assert cow.audio is not None
    assert cow.image is None
    assert (tmp_path / cow.audio.path).read_bytes() == sounds["cow.ogg"]
    assert cow.audio.path.startswith("media/")
    assert cow.audio.path.endswith(".ogg")
    (asked,) = cow.examples
    assert (asked.task, asked.question_type, asked.needs_audio) == ("vqa", "kind", True)
    assert (asked.references, asked.choices, cow.label) == (("animal",), None, "animal")


def test_a_sound_that_is_there_twice_is_one_record(tmp_path: Path) -> None:
    same, other = sound_bytes(seed=1), sound_bytes(seed=2)
    names = ["bleep", "brick", "crash", "smudge", "water"]
    core = {f"{name}.wav": sound_bytes(seed=number + 10) for number, name in enumerate(names)}
    write_activity(tmp_path, "core", core | {"smudge.wav": same})
    write_activity(tmp_path, "tic_tac_toe", {"click.wav": same})
    write_activity(tmp_path, "play_rhythm", {"click.wav": other})
    records = usable(read(tmp_path))
    assert [record.id for record in records[-3:]] == ["core-smudge", "core-water", "play_rhythm-click"]
    assert len({record.group for record in records}) == len(records) == 6


def test_what_is_missing_or_damaged_is_rejected(tmp_path: Path) -> None:
    sounds = farm()
    del sounds["cow.ogg"]
    file = write_activity(tmp_path, "explore_farm_animals", sounds)
    (cow,) = [entry for entry in read(tmp_path) if entry.id == "explore_farm_animals-cow"]
    assert rejected([cow])[0].reason == "no such file: cow in explore_farm_animals.rcc"
    data = bytearray(file.read_bytes())
    data[data.index(b"\x78\x9c", 200) + 40] ^= 255  # in the data of one sound
    file.write_bytes(bytes(data))
    damaged = [entry for entry in rejected(read(tmp_path)) if entry.id != cow.id]
    assert [entry.reason.partition(": ")[0] for entry in damaged] == ["unreadable file"]
    file.write_bytes(bytes(data[:-1]))
    with pytest.raises(InputError, match=r"explore_farm_animals\.rcc: .* lies outside the file"):
        list(read(tmp_path))


def test_a_corpus_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: no such folder"):
        list(read(tmp_path / "none"))
    write_activity(tmp_path, "algebra_by", {})
    with pytest.raises(InputError, match=r"explore_farm_animals\.rcc .*; get it from the Debian package"):
        list(read(tmp_path))


def test_a_root_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    write_activity(tmp_path, "explore_farm_animals", farm())
    (tmp_path / "media").write_text("a file in the way, as a protected folder would be", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written") as refused:
        list(read(tmp_path))
    assert refused.value.lines[-1].endswith("copy the corpus to where you may write")


def test_the_table_of_sounds() -> None:
    named = [(sounds.activity, name) for sounds in SOUNDS for name in sounds.names.split()]
    assert len(named) == len(set(named)) == 96  # two are click.wav, the same sound as smudge.wav
    kinds = Counter(sounds.kind for sounds in SOUNDS for _ in sounds.names.split())
    assert kinds == {"animal": 11, "drum": 10, "instrument": 29, "noise": 46}
    assert all(sounds.licence for sounds in SOUNDS)
    assert set(kinds) < set(KINDS)


def test_the_sounds_are_built(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_activity(tmp_path / "corpus", "explore_farm_animals", farm())
    out = tmp_path / "out"
    assert main(["build", str(tmp_path / "corpus"), str(out), "--source", "gcompris"]) == 0
    assert "9 clips ok, 0 rejected" in capsys.readouterr().out
    before = sorted(path.name for path in (tmp_path / "corpus" / "media").iterdir())
    assert main(["build", str(tmp_path / "corpus"), str(out), "--source", "gcompris"]) == 0
    assert sorted(path.name for path in (tmp_path / "corpus" / "media").iterdir()) == before
