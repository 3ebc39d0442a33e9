"""MMAU: a sound a question, with its choices."""

from pathlib import Path
from typing import Any

import pytest
from corpora import rejected, touch, usable, write_json

from safe_data.core.errors import InputError
from safe_data.records import Audio, Record, Rejected
from safe_data.sources.mmau import read

MAN = "3fe64f3d-282c-4bc8-a753-68f8f6c35652"


def question(name: str = MAN, **fields: Any) -> dict[str, Any]:
    return {
        "id": name,
        "audio_id": f"./test-mini-audios/{name}.wav",
        "question": "Who speaks?",
        "choices": ["Man", "Woman", "Child", "Robot"],
        "answer": "Man",
        "dataset": "AudioSet",
        "task": "sound",
        "split": "test-mini",
        "category": "Reasoning",
        "sub-category": "Acoustic Source Inference",
        "difficulty": "medium",
        **fields,
    }


def test_a_question_is_one_record(tmp_path: Path) -> None:
    spoken = question("b", task="speech", category=["Reasoning"], choices=["one", "two", "two", "six"])
    write_json(tmp_path / "mmau-test-mini.json", [question(), spoken | {"answer": "six"}])
    touch(tmp_path, f"test-mini-audios/{MAN}.wav", "test-mini-audios/b.mp3")
    man, number = usable(read(tmp_path))
    assert (man.id, man.group, man.dataset, man.split, man.difficulty) == (
        MAN,
        MAN,
        "mmau",
        "test-mini",
        "medium",
    )
    assert (man.image, man.audio) == (None, Audio(path=f"test-mini-audios/{MAN}.wav"))
    (example,) = man.examples
    assert (example.id, example.task, example.prompt) == (MAN, "vqa", "Who speaks?")
    assert (example.references, example.choices) == (("Man",), ("Man", "Woman", "Child", "Robot"))
    assert (example.question_type, example.needs_audio) == ("sound", True)
    assert man.metadata["questions"][MAN] == {
        "category": "Reasoning",
        "sub-category": "Acoustic Source Inference",
        "dataset": "AudioSet",
    }
    assert number.examples[0].choices == ("one", "two", "two", "six")
    assert number.audio == Audio(path="test-mini-audios/b.mp3")


def test_a_missing_sound_is_rejected(tmp_path: Path) -> None:
    write_json(tmp_path / "mmau-test-mini.json", [question()])
    (gone,) = rejected(read(tmp_path))
    assert (gone.id, gone.path) == (MAN, f"test-mini-audios/{MAN}.wav")
    assert gone.reason.startswith(f"no such file: {MAN}.wav in test-mini-audios or ")


def test_a_faulty_question_leaves_the_others(tmp_path: Path) -> None:
    rows = [
        question("a"),
        question("b", answer="Dog"),
        question("c", choices=["Man"]),
        question("a"),
        question("../d"),
    ]
    write_json(tmp_path / "mmau-test-mini.json", rows)
    touch(tmp_path, "test-mini-audios/a.wav")
    record, *faulty = read(tmp_path)
    assert isinstance(record, Record)
    assert [entry.reason.partition(";")[0] for entry in faulty if isinstance(entry, Rejected)] == [
        "faulty row: mmau-test-mini.json[1] 'b': answer 'Dog' is none of its 4 choices",
        "faulty row: mmau-test-mini.json[2] 'c': choices: expected `array` of length >= 2",
        "faulty row: mmau-test-mini.json[3] 'a': id names one row each, and this one is taken by "
        "mmau-test-mini.json[0]",
        "faulty row: mmau-test-mini.json[4] '../d': id: expected `str` matching regex "
        r"'\\A[A-Za-z0-9_-]+\\Z'",
    ]


def test_questions_without_answers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds none of mmau-test-mini\.json; get them from"):
        list(read(tmp_path))
    row = question()
    del row["answer"]
    write_json(tmp_path / "mmau-test-mini.json", [row])
    with pytest.raises(InputError, match="each of its rows is faulty"):
        list(read(tmp_path))
