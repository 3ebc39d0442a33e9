"""Questions are the same where the media that they need are, and agree if they share an answer."""

from pathlib import Path

import pyarrow as pa
import pytest
from manifests import row, write_dataset

from safe_data.audit.corpus import Corpus, open_corpus
from safe_data.audit.facts.all_facts import FACTS
from safe_data.records import Example
from safe_data.shards import manifest

SAME_SOUND, SAME_PICTURE = {"pcm_sha256": "p"}, {"pixel_sha256": "x", "image_dhash": "8d" * 8}
SILENT = {"pcm_sha256": "s", "peak": 0.0}


def question(*answers: str, **changes: object) -> Example:
    fields = {"id": "e", "task": "vqa", "prompt": "Who is heard?", "needs_audio": True}
    return Example.model_validate({**fields, "references": answers, **changes})


def corpus(root: Path, *pairs: tuple[manifest.Row, Example]) -> Corpus:
    asked = {one.id: [example] for one, example in pairs}
    return open_corpus([str(write_dataset(root, [one for one, _ in pairs], asked))])


def leaks(found: Corpus) -> float | None:
    return FACTS["questions_in_two_splits"].compute(found).value


def conflicts(found: Corpus) -> float | None:
    return FACTS["conflicting_answers"].compute(found).value


def test_the_same_question_with_the_same_answer_is_a_leak(tmp_path: Path) -> None:
    found = corpus(
        tmp_path,
        (row(0, **SAME_SOUND), question("dog")),
        (row(1, "test", **SAME_SOUND), question("A dog.", prompt="who is heard")),
        (row(2, "test"), question("dog")),
        (row(3, "val", **SAME_SOUND), question("cat")),
    )
    fact = FACTS["questions_in_two_splits"].compute(found)
    assert (fact.value, fact.among, fact.detail) == (1, 3, "50.0 % of test and 50.0 % of its questions")
    assert [(one.what, one.records) for one in fact.offenders] == [
        ("Who is heard? dog", ("test/clip-1", "train/clip-0"))
    ]
    assert conflicts(found) == 3


@pytest.mark.parametrize(
    ("needs_audio", "shared", "are_same"),
    [
        (True, SAME_SOUND, True),
        (True, SAME_PICTURE, False),
        (False, SAME_PICTURE, True),
        (False, SAME_SOUND, False),
        (None, SAME_SOUND, True),
        (None, {**SAME_PICTURE, **SILENT}, True),
        (True, {**SAME_PICTURE, **SILENT}, False),
    ],
)
def test_a_leak_needs_the_medium_that_is_asked_about(
    tmp_path: Path, needs_audio: bool | None, shared: dict[str, object], are_same: bool
) -> None:
    asked = question("dog", needs_audio=needs_audio)
    found = corpus(tmp_path, (row(0, **shared), asked), (row(1, "test", **shared), asked))
    assert bool(leaks(found)) == are_same
    assert not conflicts(found)


def test_where_nobody_said_what_is_needed_a_conflict_needs_both_media(tmp_path: Path) -> None:
    dog, cat = question("dog", needs_audio=None), question("cat", needs_audio=None)
    one_medium = corpus(tmp_path / "one", (row(0, **SAME_SOUND), dog), (row(1, **SAME_SOUND), cat))
    both = {**SAME_SOUND, **SAME_PICTURE}
    two_media = corpus(tmp_path / "two", (row(0, **both), dog), (row(1, **both), cat))
    assert (conflicts(one_medium), conflicts(two_media)) == (0, 2)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (question("2"), question("two")),
        (question("dog", "puppy"), question("hound", "puppy")),
        (question("dog", choices=("dog", "cat")), question("cat", choices=("cat", "cow"))),
        (question("A dog.", task="caption"), question("It barks.", task="caption")),
        (question("dog"), question()),
    ],
)
def test_answers_that_may_both_be_right_are_no_conflict(tmp_path: Path, one: Example, other: Example) -> None:
    found = corpus(tmp_path, (row(0, **SAME_SOUND), one), (row(1, **SAME_SOUND), other))
    if one.task == "caption":
        assert (
            FACTS["conflicting_answers"].compute(found).why_not
            == "no question is asked about media that are there"
        )
    else:
        assert conflicts(found) == 0


def test_a_record_may_contradict_itself(tmp_path: Path) -> None:
    asked = {"clip-0": [question("dog", id="a"), question("cat", id="b")]}
    found = open_corpus([str(write_dataset(tmp_path, [row(0)], asked))])
    fact = FACTS["conflicting_answers"].compute(found)
    assert (fact.value, fact.offenders[0].records) == (1, ("train/clip-0",))


def test_questions_on_media_that_were_not_compared_are_not_measured(tmp_path: Path) -> None:
    asked = question("dog")
    found = corpus(tmp_path, (row(0, image_dhash=None), asked), (row(1, "test"), asked))
    table = found.manifest
    place = table.schema.get_field_index("image_dhash")
    nulls = table.set_column(place, "image_dhash", pa.nulls(table.num_rows, pa.string()))
    blank = Corpus(found.names, found.roots, found.datasets, nulls, found.dataset_of)
    with pytest.raises(ValueError, match="2 of 2 pictures have no image_dhash"):
        leaks(blank)
