"""Clotho: five captions per row, Freesound ids from the metadata, and file names that are not ids."""

from pathlib import Path

import pytest
from corpora import rejected, touch, usable, write_csv

from safe_data.core.errors import InputError
from safe_data.records import Audio, Rejected
from safe_data.sources.clotho import read

HEADER = ["file_name", *(f"caption_{number}" for number in range(1, 6))]
META = ["file_name", "keywords", "sound_id", "sound_link", "start_end_samples", "manufacturer", "license"]
RAIN = "Rain, 10.5 s & wind.wav"


def captions(name: str) -> list[str]:
    return [name, *(f"{name} {number}" for number in range(1, 6))]


def test_a_row_is_a_record_and_splits_have_our_names(tmp_path: Path) -> None:
    write_csv(tmp_path / "clotho_captions_development.csv", HEADER, captions(RAIN))
    write_csv(tmp_path / "clotho_captions_validation.csv", HEADER, captions("b.wav"))
    write_csv(tmp_path / "clotho_csv_files/clotho_captions_evaluation.csv", HEADER, captions("c.wav"))
    write_csv(
        tmp_path / "clotho_metadata_development.csv",
        META,
        [RAIN, "rain", "4711", "https://freesound.org/x", "[0, 9]", "Zoé", "CC0"],
        encoding="iso-8859-1",
    )
    touch(tmp_path, f"development/{RAIN}", "validation/b.flac", "clotho_audio_files/evaluation/c.wav")
    rain, b, c = usable(read(tmp_path))
    assert [record.split for record in (rain, b, c)] == ["train", "val", "test"]
    assert rain.audio == Audio(path=f"development/{RAIN}")
    assert rain.id.startswith("train-Rain-10-5-s-wind-")
    assert rain.examples[0].id == rain.id
    assert (rain.group, rain.metadata) == (
        "freesound-4711",
        {"file_name": RAIN, "manufacturer": "Zoé", "license": "CC0"},
    )
    assert rain.examples[0].references == tuple(f"{RAIN} {number}" for number in range(1, 6))
    assert (rain.examples[0].task, rain.examples[0].needs_audio) == ("caption", True)
    assert (b.id, b.group, b.metadata) == ("val-b", "b.wav", {"file_name": "b.wav"})
    assert c.audio == Audio(path="clotho_audio_files/evaluation/c.wav")


def test_a_sound_id_that_was_not_found_is_no_group(tmp_path: Path) -> None:
    write_csv(tmp_path / "clotho_captions_validation.csv", HEADER, captions("a.wav"), captions("b.wav"))
    rows = [[name, "", "Not found", "NA", "", "", ""] for name in ("a.wav", "b.wav")]
    write_csv(tmp_path / "clotho_metadata_validation.csv", META, *rows)
    a, b = rejected(read(tmp_path))
    assert [(entry.id, entry.group) for entry in (a, b)] == [("val-a", "a.wav"), ("val-b", "b.wav")]
    assert a.reason == "no such file: a.wav in validation or clotho_audio_files/validation"
    assert a.path == "validation/a.wav"


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds none of clotho_captions_development\.csv, .*zenodo"):
        list(read(tmp_path))
    file = tmp_path / "clotho_captions_evaluation.csv"
    write_csv(
        file, HEADER, captions("a.wav"), captions("a.wav"), captions("b.wav")[:4], [*captions("c.wav"), "d"]
    )
    touch(tmp_path, "evaluation/a.wav")
    a, again, b, c = list(read(tmp_path))
    assert (a.id, again.split) == ("test-a", "test")
    reasons = [entry.reason for entry in (again, b, c) if isinstance(entry, Rejected)]
    place = "faulty row: clotho_captions_evaluation.csv"
    assert reasons == [
        f"{place}:3 'a.wav': file_name names one row each, and this one is taken by "
        "clotho_captions_evaluation.csv:2",
        f"{place}:4 'b.wav': has no 'caption_4'; an official row has {', '.join(HEADER)}",
        f"{place}:5 'c.wav': more cells than columns; quote cells with commas",
    ]


def test_a_file_name_in_two_splits_is_two_records_of_one_group(tmp_path: Path) -> None:
    for part in ("development", "evaluation"):
        write_csv(tmp_path / f"clotho_captions_{part}.csv", HEADER, captions(RAIN))
        touch(tmp_path, f"clotho_audio_{part}/{RAIN}")
    first, second = usable(read(tmp_path))
    assert first.id.removeprefix("train-") == second.id.removeprefix("test-")
    assert first.group == second.group == RAIN
    assert {entry.audio.path for entry in (first, second) if entry.audio} == {
        f"clotho_audio_development/{RAIN}",
        f"clotho_audio_evaluation/{RAIN}",
    }
    (tmp_path / "clotho_captions_evaluation.csv").unlink()
    assert [record.id for record in usable(read(tmp_path))] == [first.id]


def test_a_sound_without_its_metadata_is_rejected_for_its_group_is_not_known(tmp_path: Path) -> None:
    write_csv(tmp_path / "clotho_captions_validation.csv", HEADER, captions("a.wav"), captions("b.wav"))
    b = ["b.wav", "", "12", "", "", "", ""]
    write_csv(tmp_path / "clotho_metadata_validation.csv", META, b, ["a.wav", ""], ["", *b[1:], "more"])
    touch(tmp_path, "validation/a.wav", "validation/b.wav")
    a, good, more = read(tmp_path)
    assert isinstance(a, Rejected)
    assert a.reason == (
        "faulty row: clotho_metadata_validation.csv:3 'a.wav': fewer cells than columns; is a line broken?"
    )
    assert (good.id, good.group) == ("val-b", "freesound-12")
    assert more.id.startswith("clotho-metadata-validation-csv-4-")
