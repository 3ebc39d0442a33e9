"""Choice letter: what the scripts of multiple-choice benchmarks read, on real and on awkward replies."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_rows import row

from safe_eval.prediction import Prediction
from safe_eval.scorers import choice_letter, mmau

LOG = Path(__file__).resolve().parents[3].parent / "shared/truth/logs/lmms_eval"
CHOICES = ("dog bark", "cat meow", "cow", "dog howl")

FIRST, LAST, ANY = choice_letter.score_first, choice_letter.score_last_named, choice_letter.score_any_letter
SCIENCEQA, LLAVA, WORDS = choice_letter.score_scienceqa, choice_letter.score_llava, mmau.score_words
ScoreAll = Callable[[list[Prediction]], np.ndarray]
UNREAD = np.nan

# The right choice is B, cat meow.
READ: list[tuple[ScoreAll, str, float]] = [
    (FIRST, " b) cat meow", 1.0),
    (FIRST, "Because of the meow", 1.0),  # any word that begins with B
    (FIRST, "The answer is B", 0.0),
    (LAST, "(B)", 1.0),
    (LAST, "(A) sounds wrong, so (B)", 1.0),
    (LAST, "B. cat meow", 1.0),
    (LAST, "It must be the cat meow that is heard", 1.0),  # by its text, since the reply is long
    (LAST, "cat meow", UNREAD),
    (LAST, "The PUB is open", 1.0),  # "B " ends a word
    (ANY, "The answer is B.", 1.0),
    (ANY, "The correct option is: B", 1.0),
    (ANY, "I hear a Bird or A", 1.0),
    (ANY, "cat meow", UNREAD),
    (SCIENCEQA, "B", 1.0),
    (SCIENCEQA, "B. cat meow", 1.0),
    (SCIENCEQA, "(B)", 0.0),
    (SCIENCEQA, "The answer is B", 0.0),
    (SCIENCEQA, "", 0.0),
    (LLAVA, "B ", 1.0),
    (LLAVA, "B. cat meow", 1.0),
    (LLAVA, "B\ncat", 1.0),
    (LLAVA, "B.\ncat", UNREAD),  # it becomes "B.. cat"
    (LLAVA, "Think. The answer is B", 1.0),
    (LLAVA, "The answer is E.", UNREAD),  # there are four choices
    (LLAVA, "(B)", UNREAD),
    (LLAVA, "", UNREAD),
    (WORDS, "Cat meow.", 1.0),
    (WORDS, "It is not a cat meow", 1.0),  # a denied choice is read all the same
    (WORDS, "meow", 0.0),
    (WORDS, "B", 0.0),
    (WORDS, "cat meow, no dog", 0.0),
    (WORDS, "", 0.0),
]


@pytest.mark.parametrize(
    ("score_all", "reply", "score"), READ, ids=[f"{s.__name__}-{reply[:20]}" for s, reply, _ in READ]
)
def test_a_reply_by_a_script(score_all: ScoreAll, reply: str, score: float) -> None:
    as_text = row(answer=reply, references=("cat meow",), choices=CHOICES)
    as_letter = row(answer=reply, references=("B",), choices=CHOICES)
    assert np.array_equal(score_all([as_text]), [score], equal_nan=True)
    assert np.array_equal(score_all([as_letter]), [score], equal_nan=True)


@pytest.mark.parametrize("score_all", [FIRST, LAST, ANY, SCIENCEQA, LLAVA])
def test_a_letter_is_enough_of_a_reference(score_all: ScoreAll) -> None:
    assert score_all([row(answer="B", references=("B",)), row("q2", "C", references=("B",))]).tolist() == [
        1,
        0,
    ]
    assert np.isnan(score_all([row(answer="B", references=("a cat",))])).all()


def test_the_rule_of_lmms_eval_gives_its_scores_on_science_qa() -> None:
    if not LOG.is_dir():
        pytest.skip("the logs of other harnesses are not here")
    text = (LOG / "20260218_234435_samples_scienceqa_img.head60.jsonl").read_text("utf-8")
    logged = [json.loads(line) for line in text.splitlines()]
    rows = [
        row(
            str(one["doc_id"]),
            one["filtered_resps"][0],
            references=(one["target"],),
            choices=tuple(text for _, text in re.findall(r"^([A-H])\. (.*)$", one["input"], re.MULTILINE)),
        )
        for one in logged
    ]
    given = [one["exact_match"] for one in logged]
    assert SCIENCEQA(rows).tolist() == given
    assert np.nan_to_num(LLAVA(rows)).tolist() == given
    assert sum(given) == 41
