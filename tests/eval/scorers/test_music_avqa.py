"""MUSIC-AVQA and AVQA: free text becomes an answer or is unparsed, and averages by modality and type."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from made_rows import row

from safe_data.sources import music_avqa as source
from safe_eval.arms.all_arms import all_arms
from safe_eval.arms.coverage import coverage_of
from safe_eval.prediction import Prediction
from safe_eval.scorers import avqa, music_avqa

TRUTH = Path(__file__).resolve().parents[3].parent / "shared" / "truth" / "music_avqa"
COUNTING, EXISTENTIAL, TEMPORAL = "Visual/Counting", "Audio-Visual/Existential", "Audio-Visual/Temporal"

MAPPED = [
    ("two", COUNTING, "two"),
    ("There are 2 violins.", COUNTING, "two"),
    ("Two violins and, I think, that is all", COUNTING, "two"),
    ("14", COUNTING, "more than ten"),
    ("more than 10", COUNTING, "more than ten"),
    ("one or two", COUNTING, None),
    ("several", COUNTING, None),
    ("Yes, there is no other instrument.", EXISTENTIAL, "yes"),
    ("No, the violin stops.", EXISTENTIAL, "no"),
    ("The violin is not always playing.", EXISTENTIAL, None),
    ("acoustic guitar", TEMPORAL, "acoustic_guitar"),
    ("The electric bass guitar comes in first.", TEMPORAL, "electric_bass"),
    ("a guitar", TEMPORAL, None),  # acoustic_guitar or electric_bass
    ("At the same time", TEMPORAL, "simultaneously"),
    ("in the centre", TEMPORAL, "middle"),
    ("left, then right", TEMPORAL, "left"),
    ("left or right", TEMPORAL, None),
    ("a fiddle", TEMPORAL, "violin"),
    ("The trumpet and the tuba start together.", TEMPORAL, "simultaneously"),
    ("twenty-two people", COUNTING, "more than ten"),
    ("The banjo has 5 strings.", COUNTING, None),
    ("the drums", TEMPORAL, "drum"),
    ("outdoors", "Visual/Location", "outdoor"),
    ("B", TEMPORAL, None),
    ("harp", TEMPORAL, None),
    ("violin", None, "violin"),
    ("two violins", None, None),  # without a type both are answers
]


@pytest.mark.parametrize(
    ("text", "question_type", "expected"), MAPPED, ids=[repr(case[0]) for case in MAPPED]
)
def test_the_mapping(text: str, question_type: str | None, expected: str | None) -> None:
    assert music_avqa.parse(text, question_type) == expected


def test_the_answers_are_the_42_of_the_benchmark() -> None:
    assert sorted(music_avqa.ANSWERS) == sorted(source.ANSWERS)
    assert len(set(music_avqa.ANSWERS)) == 42
    assert all(music_avqa.parse(answer) == answer for answer in music_avqa.ANSWERS)


def question(example_id: str, answer: str | None, reference: str, kind: str, **fields: object) -> Prediction:
    about = {"dataset": "music_avqa", "task": "vqa", "question_type": kind, "references": (reference,)}
    return row(example_id, answer, **about | fields)


MADE = [
    question("1", "two", "two", COUNTING),
    question("2", "a few", "two", COUNTING),
    question("3", "three", "two", COUNTING),
    question("4", None, "two", COUNTING, error="out of memory"),
    question("5", "left", "left", TEMPORAL),
    question("6", "yes", "yes", EXISTENTIAL),
    question("7", "no", "yes", "Audio/Comparative"),
]


def test_trap_unparsed_is_wrong_and_counted_and_never_option_a() -> None:
    arms = all_arms(MADE)
    (arm,) = arms.judged["music_avqa_accuracy"]
    assert arm.scores.tolist() == [1, 0, 0, 0, 1, 1, 0]
    assert arm.unparsed.tolist() == [False, True, False, False, False, False, False]
    (coverage,) = coverage_of(arms.arms, arms.outcomes)
    counts = (coverage.expected, coverage.answered, coverage.errored, coverage.unparsed, coverage.excluded)
    assert counts == (7, 5, 1, 1, 0)


def test_micro_averages_by_modality_and_type() -> None:
    (arm,) = all_arms(MADE).judged["music_avqa_accuracy"]
    means = {name: arm.scores[inside].mean() for name, inside in arm.slices.items()}
    assert means == pytest.approx(
        {
            "all": 3 / 7,
            "type:Visual": 1 / 4,
            "type:Audio": 0.0,
            "type:Audio-Visual": 1.0,
            "type:Visual/Counting": 1 / 4,
            "type:Audio-Visual/Temporal": 1.0,
            "type:Audio-Visual/Existential": 1.0,
            "type:Audio/Comparative": 0.0,
        }
    )


def test_every_real_answer_is_its_own_and_possible_for_its_type() -> None:
    if not TRUTH.is_dir():
        pytest.skip("the real MUSIC-AVQA annotations lie outside the repository, in ../shared/truth")
    rows = []
    for split in ("test", "val"):
        asked = json.loads(gzip.decompress((TRUTH / f"json_avqa-{split}.json.gz").read_bytes()))
        for place, found in enumerate(asked):
            kind = "/".join(json.loads(found["type"]))
            answer = found["anser"]
            rows.append(question(f"{split}-{place}", f"The answer is {answer}.", answer, kind))
    assert len(rows) == 9185 + 4595
    assert music_avqa.score_all(rows).min() == 1.0
    sizes = {name: int(members.sum()) for name, members in music_avqa.slices(rows[:9185]).items()}
    assert sizes == {"type:Audio": 1623, "type:Visual": 2427, "type:Audio-Visual": 5135}


def test_avqa_names_one_of_its_choices() -> None:
    choices = ("cat meowing", "dog barking", "null", "car")
    replies = ("B", "dog barking.", "A) cat meowing", "The answer is (B).", "a cat or a dog", "")
    rows = [
        row(str(i), reply, references=("dog barking",), choices=choices) for i, reply in enumerate(replies)
    ]
    np.testing.assert_array_equal(avqa.score_all(rows), [1, 1, 0, 1, np.nan, np.nan])


def test_avqa_by_what_the_question_is_about() -> None:
    rows = [row(str(i), metadata={"question_relation": r}) for i, r in enumerate(("View", "Sound", "Both"))]
    found = {name: members.tolist() for name, members in avqa.slices([*rows, row("9")]).items()}
    assert found == {
        "type:Both": [False, False, True, False],
        "type:Sound": [False, True, False, False],
        "type:View": [True, False, False, False],
    }


def test_a_question_with_choices_of_its_own_has_letters_for_them() -> None:
    fewer = {
        "choices": ("piano", "violin"),
        "references": ("violin",),
        "question_type": "Audio-Visual/Temporal",
    }
    rows = [row(answer=said, **fewer) for said in ("B", "(B) violin", "a fiddle", "A", "left")]
    found = music_avqa.score_all(rows)
    assert found[:4].tolist() == [1, 1, 1, 0]
    assert np.isnan(found[4])
    whole = {"choices": music_avqa.ANSWERS, "references": ("no",)}
    assert np.isnan(music_avqa.score_all([row(answer="B", **whole)])).all()  # the 42 answers have no letters
