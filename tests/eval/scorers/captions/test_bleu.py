"""BLEU is pycocoevalcap's: on real captions, and on any captions at all."""

import made_captions as made
import numpy as np
import pytest
from hypothesis import given, settings
from pycocoevalcap.bleu.bleu import Bleu

from safe_eval.scorers.captions.bleu import bleu, bleu_counts
from safe_eval.scorers.captions.corpus import index


def test_equals_the_recorded_scores_of_1_000_captions() -> None:
    captions, recorded = made.fakecaps()
    counts = bleu_counts(index(*captions))
    assert made.largest_difference(bleu(counts.table).T, recorded["Bleu"]) < 1e-12
    corpus = bleu(counts.table.sum(axis=0))
    assert corpus.round(8).tolist() == [0.57939958, 0.40439130, 0.27853639, 0.19082904]
    # the counts themselves, as the published notebook prints them
    assert counts.reference_words.sum() == 9855
    assert counts.correct.sum(axis=0).tolist() == [5732, 2510, 1043, 423]


@settings(deadline=None, max_examples=60)
@given(made.examples)
def test_equals_pycocoevalcap_on_any_captions(rows: list[tuple[str, list[str]]]) -> None:
    captions = made.unzipped(rows)
    try:
        corpus, items = Bleu(4).compute_score(*made.as_dicts(captions), verbose=0)
    except ZeroDivisionError:  # candidates and references without any word
        return
    table = bleu_counts(index(*captions)).table
    assert made.largest_difference(bleu(table).T, items) < 1e-12
    assert made.largest_difference(bleu(table.sum(axis=0)), corpus) < 1e-12


def test_of_two_references_equally_close_in_length_the_shorter_counts() -> None:
    counts = bleu_counts(index(["a b c"], [["a b c d", "a b"]]))
    assert counts.reference_words.tolist() == [2]
    assert bleu(counts.table)[0, 0] == pytest.approx(1.0)


def test_a_word_counts_no_more_often_than_in_one_reference() -> None:
    counts = bleu_counts(index(["the the the the"], [["the cat", "the dog and the cat"]]))
    assert counts.correct[0].tolist() == [2, 0, 0, 0]
    assert counts.guessed[0].tolist() == [4, 3, 2, 1]


@settings(deadline=None, max_examples=40)
@given(made.examples)
def test_bounds_and_the_perfect_caption(rows: list) -> None:
    candidates, references = made.unzipped(rows)
    scores = bleu(bleu_counts(index(candidates, references)).table)
    assert ((scores >= 0) & (scores <= 1)).all()
    only = [texts[:1] for texts in references]
    perfect = bleu(bleu_counts(index([texts[0] for texts in only], only)).table)
    assert (perfect >= bleu(bleu_counts(index(candidates, only)).table) - 1e-7).all()


@settings(deadline=None, max_examples=40)
@given(made.examples)
def test_saying_every_reference_twice_changes_nothing(rows: list) -> None:
    candidates, references = made.unzipped(rows)
    twice = bleu_counts(index(candidates, [texts * 2 for texts in references])).table
    assert (twice == bleu_counts(index(candidates, references)).table).all()


def test_resamples_are_scored_by_their_sums_at_once() -> None:
    captions, _ = made.fakecaps()
    drawn = np.random.default_rng(0).integers(0, 1000, size=(5, 1000))
    sums = bleu_counts(index(*captions)).table[drawn].sum(axis=1)
    for number, places in enumerate(drawn):
        resample = index([captions[0][i] for i in places], [captions[1][i] for i in places])
        again = bleu(bleu_counts(resample).table.sum(axis=0))
        assert made.largest_difference(bleu(sums)[number], again) < 1e-15
