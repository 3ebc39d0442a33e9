"""Sonic Pi: kinds and instruments by the names of samples, and splits that no instrument crosses."""

from pathlib import Path

import pytest
from corpora import touch, usable
from folders import sound_bytes

from safe_data.cli import main
from safe_data.core.errors import InputError
from safe_data.records import Audio
from safe_data.sources.sonic_pi import EVERY, FOLDERS, group_of, kind_of, read, splits_of
from safe_data.sources.sound_kinds import KINDS

PLACE = "usr/share/sonic-pi/samples"
SAMPLES = (
    "bd_808",
    "tabla_ke1",
    "tabla_ke2",
    "misc_crow",
    "guit_em9",
    "vinyl_hiss",
    "elec_snare",
    "perc_door",
)
OTHERS = ("loop_amen", "perc_bell", "glitch_perc1", "mehackit_robot1", "ambi_choir", "my_song")


@pytest.mark.parametrize("place", FOLDERS)
def test_a_sample_whose_name_tells_its_kind_is_a_record(tmp_path: Path, place: str) -> None:
    touch(tmp_path, *(f"{place}/{name}.flac" for name in (*SAMPLES, *OTHERS)), f"{place}/README.md")
    touch(tmp_path, f"{place}/bd_boom.wav", f"{place}/.flac")
    records = usable(read(tmp_path))
    assert [record.id for record in records] == sorted(SAMPLES)
    drum = records[0]
    assert (drum.dataset, drum.group, drum.label) == ("sonic_pi", "bd_808", "drum")
    assert drum.audio == Audio(path=f"{place}/bd_808.flac".removeprefix("./"))
    assert drum.image is None
    assert drum.metadata == {"file_name": "bd_808.flac", "license": "CC0-1.0"}
    (asked,) = drum.examples
    assert (asked.task, asked.question_type, asked.needs_audio) == ("vqa", "kind", True)
    assert (asked.references, asked.choices) == (("drum",), None)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("drum_roll", "drum"),
        ("elec_hollow_kick", "drum"),
        ("bass_drop_c", "instrument"),
        ("bass_hard_c", "instrument"),
        ("bass_hit_c", None),
        ("ambi_piano", "instrument"),
        ("misc_crow", "animal"),
        ("loop_3d_printer", "noise"),
        ("loop_3d_printers", None),
        ("elec_bell", None),
        ("xbd_808", None),
    ],
)
def test_kinds(name: str, kind: str | None) -> None:
    assert kind_of(f"{name}.flac") == kind


def test_the_ways_of_playing_one_instrument_are_one_group() -> None:
    groups = {
        "drum_cymbal": ("drum_cymbal_open", "drum_cymbal_pedal", "drum_cymbal_hard"),
        "drum_tom_hi": ("drum_tom_hi_hard", "drum_tom_hi_soft"),
        "tabla_te": ("tabla_te1", "tabla_te_m", "tabla_te_ne"),
        "elec_blip": ("elec_blip", "elec_blip2"),
        "bass_voxy": ("bass_voxy_c", "bass_voxy_hit_c"),
        "bd_808": ("bd_808",),
        "bd_909": ("bd_909",),
    }
    for group, names in groups.items():
        assert {group_of(name) for name in names} == {group}


def test_every_fifth_instrument_of_a_kind_is_in_val() -> None:
    kinds = {f"{kind}-{number}": kind for kind in KINDS for number in range(3 * EVERY)}
    splits = splits_of(kinds)
    for kind in KINDS:
        same = [splits[group] for group in kinds if kinds[group] == kind]
        assert (same.count("val"), same.count("train")) == (3, 3 * EVERY - 3)
    assert splits == splits_of(dict(reversed(kinds.items())))


def test_no_instrument_crosses_splits(tmp_path: Path) -> None:
    names = [f"tabla_{stroke}{number}" for stroke in "abcdefghij" for number in range(1, 4)]
    touch(tmp_path, *(f"{name}.flac" for name in names))
    splits: dict[str, set[str]] = {}
    for record in usable(read(tmp_path)):
        splits.setdefault(record.group, set()).add(record.split)
    assert len(splits) == 10
    assert all(len(found) == 1 for found in splits.values())
    assert set.union(*splits.values()) == {"train", "val"}


def test_a_corpus_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: no such folder"):
        list(read(tmp_path / "none"))
    touch(tmp_path, f"{PLACE}/loop_amen.flac")
    with pytest.raises(InputError, match=r"holds no bd_808\.flac or other sample; get them from the Debian"):
        list(read(tmp_path))


def test_the_samples_are_built(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = tmp_path / "corpus"
    touch(corpus, *(f"{PLACE}/{name}.flac" for name in SAMPLES))
    for number, name in enumerate(SAMPLES):
        (corpus / PLACE / f"{name}.flac").write_bytes(sound_bytes(kind="FLAC", seed=number))
    assert main(["build", str(corpus), str(tmp_path / "out"), "--source", "sonic_pi"]) == 0
    assert f"{len(SAMPLES)} clips ok, 0 rejected" in capsys.readouterr().out
