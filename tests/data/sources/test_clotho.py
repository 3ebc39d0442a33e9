"""Clotho: five captions per row, Freesound ids from the metadata, and file names that are not ids."""

from pathlib import Path

import pytest
from corpora import rejected, touch, usable, write_csv

from safe_data.core.errors import InputError
from safe_data.records import Audio
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
    assert rain.id.startswith("Rain-10-5-s-wind-")
    assert (rain.group, rain.metadata) == (
        "freesound-4711",
        {"file_name": RAIN, "manufacturer": "Zoé", "license": "CC0"},
    )
    assert rain.examples[0].references == tuple(f"{RAIN} {number}" for number in range(1, 6))
    assert (rain.examples[0].task, rain.examples[0].needs_audio) == ("caption", True)
    assert (b.id, b.group, b.metadata) == ("b", "b.wav", {"file_name": "b.wav"})
    assert c.audio == Audio(path="clotho_audio_files/evaluation/c.wav")


def test_a_sound_id_that_was_not_found_is_no_group(tmp_path: Path) -> None:
    write_csv(tmp_path / "clotho_captions_validation.csv", HEADER, captions("a.wav"), captions("b.wav"))
    rows = [[name, "", "Not found", "NA", "", "", ""] for name in ("a.wav", "b.wav")]
    write_csv(tmp_path / "clotho_metadata_validation.csv", META, *rows)
    a, b = rejected(read(tmp_path))
    assert [(entry.id, entry.group) for entry in (a, b)] == [("a", "a.wav"), ("b", "b.wav")]
    assert a.reason == "no such file: a.wav in validation or clotho_audio_files/validation"


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds none of clotho_captions_development\.csv, .*zenodo"):
        list(read(tmp_path))
    file = tmp_path / "clotho_captions_evaluation.csv"
    write_csv(file, HEADER, captions("a.wav"), captions("a.wav"), captions("b.wav")[:4])
    with pytest.raises(InputError) as caught:
        list(read(tmp_path))
    message = str(caught.value)
    assert "clotho_captions_evaluation.csv:3 'a.wav': file_name names one row each" in message
    assert "clotho_captions_evaluation.csv:4 'b.wav': has no 'caption_4'" in message
