"""CIDEr-D and CIDEr are pycocoevalcap's, and vrama91's: on real captions, and on any captions at all."""

import json
from pathlib import Path

import made_captions as made
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocoevalcap.cider.cider import Cider

from safe_data.core.errors import InputError
from safe_eval.scorers.captions.cider import cider, cider_d
from safe_eval.scorers.captions.corpus import index
from safe_eval.scorers.captions.frequencies import count_frequencies, read_frequencies, write_frequencies

REAL = (["a dog runs", "a cat"], [["a dog runs fast", "the dog ran"], ["two cats", "a cat sleeps"]])


def test_equals_the_recorded_scores_of_1_000_captions() -> None:
    captions, recorded = made.fakecaps()
    corpus = index(*captions)
    clipped, plain = cider_d(corpus), cider(corpus)
    assert made.largest_difference(clipped, recorded["CIDEr"]) < 1e-12
    assert clipped.mean() == pytest.approx(0.5997905185184199, abs=1e-12)
    both = made.expected("cider_vs_ciderd")["coco_fakecap"]
    assert made.largest_difference(plain, both["CIDEr"][1]) < 1e-12
    assert plain.mean() == pytest.approx(0.7110599515335216, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(made.examples)
def test_equals_pycocoevalcap_on_any_captions(rows: list[tuple[str, list[str]]]) -> None:
    captions = made.unzipped(rows)
    if not any(text.split() for references in captions[1] for text in references):
        return  # the reference has no document frequency to check, and fails
    _, theirs = Cider().compute_score(*made.as_dicts(captions))
    assert made.largest_difference(cider_d(index(*captions)), theirs) < 1e-12


def test_a_perfect_caption_of_one_word_scores_a_quarter() -> None:
    scores = cider_d(index(["dog", "a black cat sleeps"], [["dog"], ["a black cat sleeps"]]))
    assert scores.tolist() == pytest.approx([2.5, 10.0])


def test_what_every_reference_says_weighs_nothing() -> None:
    # Seven examples: log 7 − log 7 must be 0, and not a rounding error that a cosine would blow up to 1.
    assert cider_d(index(["a dog"] * 7, [["a dog"]] * 7)).tolist() == [0.0] * 7


def test_repeating_words_pays_in_cider_and_not_in_cider_d() -> None:
    references = [["dog"], ["cat"]]
    once, often = index(["dog", "x"], references), index(["dog " * 20, "x"], references)
    assert cider(once)[0] == pytest.approx(cider(often)[0])
    assert cider_d(often)[0] < cider_d(once)[0] / 20


def test_length_is_counted_in_bigrams() -> None:
    # No word and one word are both 0 bigrams long: the penalty is that of a length equal to the reference's.
    scores = cider_d(index(["dog", "dog bird"], [["dog"], ["cat"]]))
    assert scores[0] == pytest.approx(2.5)


@settings(deadline=None, max_examples=40)
@given(made.examples, st.randoms())
def test_neither_the_order_of_examples_nor_of_references_matters(rows: list, random: object) -> None:
    scores = cider_d(index(*made.unzipped(rows)))
    order = list(range(len(rows)))
    random.shuffle(order)
    moved = [(rows[i][0], random.sample(rows[i][1], len(rows[i][1]))) for i in order]
    assert np.allclose(cider_d(index(*made.unzipped(moved))), scores[order], atol=1e-12)
    assert (scores >= 0).all()
    assert (scores <= 10 + 1e-12).all()


@settings(deadline=None, max_examples=40)
@given(made.examples, made.captions)
def test_no_caption_beats_the_only_reference(rows: list, other: str) -> None:
    references = [references[:1] for _, references in rows]
    best = cider_d(index([texts[0] for texts in references], references))
    candidates = [other, *(candidate for candidate, _ in rows[1:])]
    assert (cider_d(index(candidates, references)) <= best + 1e-12).all()


@settings(deadline=None, max_examples=40)
@given(made.examples)
def test_saying_every_reference_twice_changes_nothing(rows: list) -> None:
    candidates, references = made.unzipped(rows)
    twice = index(candidates, [texts * 2 for texts in references])
    for score in (cider_d, cider):
        assert np.allclose(score(twice), score(index(candidates, references)), atol=1e-12)


def test_several_candidates_of_an_example_score_as_each_alone() -> None:
    first, references = REAL
    second = ["the dog ran fast", "nothing"]
    together = cider_d(index([*second, *first], references, example_of=[0, 1, 0, 1]))
    apart = [cider_d(index(candidates, references)) for candidates in (second, first)]
    assert together.tolist() == np.concatenate(apart).tolist()


def test_the_mean_over_resampled_examples_needs_only_the_items() -> None:
    candidates, references = REAL
    fixed = count_frequencies(references)
    items = cider_d(index(candidates, references))
    drawn = [1, 1, 0]
    again = cider_d(index([candidates[i] for i in drawn], [references[i] for i in drawn]), fixed)
    assert again.mean() == pytest.approx(items[drawn].mean(), abs=1e-12)


def test_a_file_of_frequencies_scores_as_the_references_it_counts(tmp_path: Path) -> None:
    captions, _ = made.fakecaps()
    file = tmp_path / "df.json"
    write_frequencies(file, count_frequencies(captions[1]))
    corpus = index(*captions)
    assert cider_d(corpus, read_frequencies(file)).tolist() == cider_d(corpus).tolist()
    one = index(captions[0][:1], captions[1][:1])
    assert cider_d(one, read_frequencies(file))[0] == pytest.approx(cider_d(corpus)[0], abs=1e-12)


def test_the_same_frequencies_make_the_same_bytes(tmp_path: Path) -> None:
    _, references = REAL
    for name, order in (("a", references), ("b", references[::-1])):
        write_frequencies(tmp_path / name, count_frequencies(order))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert json.loads((tmp_path / "a").read_text())["documents"] == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x04}\x94.", "is not a file of document frequencies"),
        (b'{"documents": 5}', "is not a file of document frequencies"),
        (b'{"format_version": 2, "documents": 5, "frequencies": {}}', "this release reads 1"),
        (b'{"format_version": 1, "documents": 1, "frequencies": {}}', "every caption would score 0"),
        (b'{"format_version": 1, "documents": 5, "frequencies": {"a dog": 6}}', "'a dog' is in 6 of 5"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "df.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_frequencies(file)
    with pytest.raises(InputError, match="no such file"):
        read_frequencies(tmp_path / "absent.json")


def test_one_example_is_refused_as_it_would_score_0() -> None:
    for score in (cider_d, cider):
        with pytest.raises(InputError, match="of one: every caption would score 0; score more examples"):
            score(index(["a dog"], [["a dog"]]))
    with pytest.raises(InputError, match="of one"):
        count_frequencies([["a dog"]])
