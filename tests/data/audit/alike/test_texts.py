"""Texts that have the same words but for one are alike; short texts are no evidence."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import row, write_dataset

from safe_data.audit.alike.all_alike import alike
from safe_data.audit.alike.texts import but_one_word, plain_answers
from safe_data.audit.corpus import Corpus, open_corpus
from safe_data.audit.facts.all_facts import FACTS
from safe_data.records import Example

LONG = "A man in a green coat walks over the bridge while birds sing"


def captioned(root: Path, *texts: str, split: str = "train") -> Corpus:
    rows = [row(number, split) for number in range(len(texts))]
    asked = {
        one.id: [Example(id=one.id, task="caption", prompt="Describe.", references=(text,))]
        for one, text in zip(rows, texts, strict=True)
    }
    return open_corpus([str(write_dataset(root, rows, asked))])


@pytest.mark.parametrize(
    ("one", "other", "are_alike"),
    [
        ("a crow", "a crow", False),  # too short to say which clip is meant
        ("a crow", "a cow", False),
        ("A dog barks at cars.", "a dog  barks at cars", True),
        ("A dog barks at cars.", "A dog barks at cats.", False),
        ("cars bark at a dog", "a dog barks at cars", False),
        (LONG, LONG.replace("green", "red"), True),
        (LONG, LONG.replace("green ", ""), True),
        (LONG, LONG.replace("green", "red").replace("sing", "fly"), False),
        (LONG, LONG.upper() + "!", True),
    ],
)
def test_texts_are_alike_only_where_their_words_are(
    tmp_path: Path, one: str, other: str, are_alike: bool
) -> None:
    found = alike(captioned(tmp_path, one, other), "near_text")
    assert (found.why_not, found.pairs.tolist()) == (None, [[0, 1]] if are_alike else [])
    assert all(0.8 < score <= 1 for score in found.score)


def test_two_captions_of_one_record_are_no_pair_and_many_copies_are_a_star(tmp_path: Path) -> None:
    rows = [row(0), row(1), row(2)]
    asked = {one.id: [Example(id="e", task="caption", prompt="?", references=(LONG, LONG))] for one in rows}
    corpus = open_corpus([str(write_dataset(tmp_path, rows, asked))])
    assert alike(corpus, "near_text").pairs.tolist() == [[0, 1], [0, 2]]
    found = FACTS["near_duplicate_texts"].compute(corpus)
    assert (found.value, found.among, found.detail) == (2, 3, "66.7 % of train")


def test_what_cannot_be_read_is_not_measured(tmp_path: Path) -> None:
    corpus = captioned(tmp_path, LONG, LONG)
    corpus.tar(0).unlink()
    assert "cannot be read" in (alike(corpus, "near_text").why_not or "")
    with pytest.raises(ValueError, match="cannot be read"):
        FACTS["near_duplicate_texts"].compute(corpus)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6), max_size=8))
def test_sets_that_differ_in_one_word_are_connected_and_no_others(texts: list[list[str]]) -> None:
    left, right, score = but_one_word(pa.array([" ".join(words) for words in texts], pa.string()))
    best: dict[tuple[int, int], float] = {}  # a pair may be found by several words
    for one, other, share in zip(left.tolist(), right.tolist(), score.tolist(), strict=True):
        best[one, other] = max(share, best.get((one, other), 0))
    for (one, other), share in best.items():
        first, second = set(texts[one]), set(texts[other])
        assert max(len(first - second), len(second - first)) <= 1
        assert share == pytest.approx(len(first & second) / len(first | second))
    linked = {frozenset(pair) for pair in zip(left.tolist(), right.tolist(), strict=True)}
    for other in range(len(texts)):
        for one in range(other):
            first, second = set(texts[one]), set(texts[other])
            if max(len(first - second), len(second - first)) <= 1 and (len(first) > 1 or first & second):
                meet = {one, other}
                assert any(meet & pair for pair in linked)


def test_answers_are_compared_without_articles_and_with_digits() -> None:
    answers = pa.array(["Two dogs.", "2 dogs", "the 2 dogs", "a", "C++", "+"])
    assert plain_answers(answers).to_pylist() == ["2 dogs"] * 3 + ["a", "c", "+"]
