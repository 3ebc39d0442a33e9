"""CMM: videos, sounds and pairs, each asked about twice."""

import json
from pathlib import Path
from typing import Any

import pytest
from corpora import rejected, touch, usable, write_json

from safe_data.core.errors import InputError
from safe_data.records import Audio, Record, Rejected
from safe_data.sources.cmm import read

RAW = "reorg_raw_files/inter-modality_spurious_correlation"


def question(kind: str = "visual-language", answer: str = "yes", **fields: Any) -> dict[str, Any]:
    return {
        "category": "inter-modality_spurious_correlation",
        "sub_category": kind,
        "modality": "visual",
        "granularity": "object-level",
        "correlation_type": "global_frequency",
        "video_path": f"./{RAW}/{kind}/oxD5gs.mp4",
        "audio_path": None,
        "question": "Did you see river in the video? Answer with yes or no.",
        "answer": answer,
        **fields,
    }


HEAR = {"question": "Did you hear dog barking in the audio? Answer with yes or no.", "modality": "audio"}


def test_a_sample_is_one_record_with_its_questions(tmp_path: Path) -> None:
    sound = f"{RAW}/audio-language/7h.wav"
    pair = {
        "video_path": f"./{RAW}/visual-audio-language/a.mp4",
        "audio_path": f"./{RAW}/visual-audio-language/a.wav",
    }
    rows = [
        question(),
        question("audio-language", **HEAR, video_path="None", audio_path=f"./{sound}"),
        question(answer="no"),
        question("visual-audio-language", **pair),
    ]
    write_json(tmp_path / "all_data_final_reorg.json", rows)
    touch(tmp_path, f"{RAW}/visual-language/oxD5gs.mp4", sound, *(path[2:] for path in pair.values()))
    seen, heard, both = usable(read(tmp_path))
    assert (seen.id, seen.dataset, seen.split, seen.group) == (
        "visual-language-oxD5gs",
        "cmm",
        "test",
        "oxD5gs",
    )
    assert (seen.image, seen.audio) == (f"{RAW}/visual-language/oxD5gs.mp4", None)
    assert [(e.id, e.references, e.question_type, e.needs_audio) for e in seen.examples] == [
        ("visual-language-oxD5gs-0", ("yes",), "visual-language", False),
        ("visual-language-oxD5gs-2", ("no",), "visual-language", False),
    ]
    assert seen.metadata["questions"]["visual-language-oxD5gs-0"] == {
        "category": "inter-modality_spurious_correlation",
        "modality": "visual",
        "granularity": "object-level",
        "correlation_type": "global_frequency",
    }
    assert (heard.image, heard.audio, heard.examples[0].needs_audio) == (None, Audio(path=sound), True)
    assert (both.image, both.audio) == (pair["video_path"][2:], Audio(path=pair["audio_path"][2:]))


def test_an_object_a_line_is_read_too(tmp_path: Path) -> None:
    lines = [json.dumps(question()), "null", json.dumps(question(answer="no"))]
    (tmp_path / "all_data_final_reorg.jsonl").write_text("\n".join(lines))
    touch(tmp_path, f"{RAW}/visual-language/oxD5gs.mp4")
    record, fault = read(tmp_path)
    assert isinstance(record, Record)
    assert [example.id for example in record.examples] == [f"{record.id}-0", f"{record.id}-2"]
    assert isinstance(fault, Rejected)
    assert fault.reason.startswith("faulty row: all_data_final_reorg.jsonl:2: expected `object`, got `null`")


def test_a_missing_file_is_rejected(tmp_path: Path) -> None:
    path = f"{RAW}/visual-language/oxD5gs.wav"
    write_json(tmp_path / "all_data_final_reorg.json", [question(audio_path=f"./{path}")])
    touch(tmp_path, f"{RAW}/visual-language/oxD5gs.mp4")
    (gone,) = rejected(read(tmp_path))
    assert (gone.id, gone.path, gone.reason) == ("visual-language-oxD5gs", path, f"no such file: {path}")


@pytest.mark.parametrize("path", ["../a.mp4", "/etc/a.mp4", "./raw/../../a.mp4", "raw//a.mp4", "a" * 201, ""])
def test_a_path_that_leads_out_is_a_faulty_row(tmp_path: Path, path: str) -> None:
    write_json(tmp_path / "all_data_final_reorg.json", [question(), question(video_path=path)])
    touch(tmp_path, f"{RAW}/visual-language/oxD5gs.mp4")
    _, fault = read(tmp_path)
    assert isinstance(fault, Rejected)
    assert "video_path: expected `str` " in fault.reason


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds none of all_data_final_reorg\.json; get them from"):
        list(read(tmp_path))
    rows = [question(answer="maybe"), question(video_path="None")]
    write_json(tmp_path / "all_data_final_reorg.json", rows)
    with pytest.raises(InputError) as caught:
        list(read(tmp_path))
    message = str(caught.value)
    assert "answer: invalid enum value 'maybe'" in message
    assert "all_data_final_reorg.json[1] 'Did you see" in message
    assert "has neither video_path nor audio_path" in message
