"""ROUGE-L is pycocoevalcap's: on real captions, and on any captions at all."""

import made_captions as made
import pytest
from hypothesis import given, settings
from pycocoevalcap.rouge.rouge import Rouge

from safe_data.core.errors import InputError
from safe_eval.scorers.captions.rouge import rouge_l


def test_equals_the_recorded_scores_of_1_000_captions() -> None:
    captions, recorded = made.fakecaps()
    scores = rouge_l(*captions)
    assert made.largest_difference(scores, recorded["ROUGE_L"]) == 0
    assert scores.mean() == pytest.approx(0.39625269357570847, abs=1e-15)


@settings(deadline=None, max_examples=100)
@given(made.examples)
def test_equals_pycocoevalcap_on_any_captions(rows: list[tuple[str, list[str]]]) -> None:
    captions = made.unzipped(rows)
    _, theirs = Rouge().compute_score(*made.as_dicts(captions))
    assert made.largest_difference(rouge_l(*captions), theirs) == 0


def test_precision_and_recall_may_come_from_different_references() -> None:
    # "a b": precision 1 from "a b x x", recall 1 from "a"; neither reference alone gives more than 0.8
    assert rouge_l(["a b"], [["a b x x", "a"]])[0] == pytest.approx(1.0)
    assert rouge_l(["a b"], [["a b x x"]])[0] < 0.8


def test_two_captions_without_a_word_are_equal() -> None:
    assert rouge_l(["", ""], [[""], ["a dog"]]).tolist() == [1.0, 0.0]


def test_a_no_break_space_does_not_part_a_word() -> None:
    assert rouge_l(["25\u00a01/2"], [["25"]]).tolist() == [0.0]


def test_captions_longer_than_a_machine_word() -> None:
    long = " ".join(f"w{i}" for i in range(500))
    assert rouge_l([long, f"x {long}"], [[long], [long]]).tolist() == pytest.approx([1.0, 1.0], abs=2e-3)


@settings(deadline=None, max_examples=60)
@given(made.examples)
def test_bounds_and_the_perfect_caption(rows: list) -> None:
    candidates, references = made.unzipped(rows)
    scores = rouge_l(candidates, references)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert rouge_l([texts[0] for texts in references], references).tolist() == pytest.approx(
        [1.0] * len(rows)
    )
    twice = [texts * 2 for texts in references]
    assert rouge_l(candidates, twice).tolist() == scores.tolist()


def test_nothing_to_score_is_refused() -> None:
    with pytest.raises(InputError, match="an empty set has no score"):
        rouge_l([], [])
    with pytest.raises(InputError, match="example 0 has no references"):
        rouge_l(["a dog"], [[]])
    with pytest.raises(InputError, match="2 candidates for 1 examples"):
        rouge_l(["a", "b"], [["a"]])
