"""Vocabulary equals aac-metrics, and self-BLEU equals NLTK's BLEU as Texygen uses it."""

import csv

import made_captions as made
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_eval.scorers.captions.diversity import diversity, self_bleu, vocabulary
from safe_eval.scorers.captions.tokens import tokenize

CAPTIONS = [
    *("a dog barks and a dog howls", "a dog barks", "rain falls on the tin roof"),
    *("rain falls on a roof", "a dog barks", "wind"),
]


def test_self_bleu_equals_nltk() -> None:
    """NLTK 3.10.4: sentence_bleu of each caption, the others as references, with smoothing method1."""
    each = [0.16348126556655487, 0.5623413251903491, 0.21711852081087685, 0.24736929544091937]
    assert self_bleu(CAPTIONS) == pytest.approx((sum(each) + 0.5623413251903491) / 6, abs=1e-12)


def test_audio_captions_equal_aac_metrics_and_nltk() -> None:
    made.expected("aac_example_1")
    with (made.TRUTH / "audio/aac_metrics_example_1.csv").open(encoding="utf-8") as file:
        captions = tokenize([line[0] for line in list(csv.reader(file))[1:]])
    assert vocabulary(captions) == 44
    assert self_bleu(captions) == pytest.approx(0.9573498393276868, abs=1e-12)


def test_what_cannot_be_measured_has_a_reason() -> None:
    none, alone = diversity([]), diversity(["a dog"])
    assert [row.why_not for row in none] == ["no caption was given: every row is an error"] * 2
    assert [row.value for row in alone] == [2.0, None]
    assert alone[1].why_not == "one caption has no others to be compared with"


@settings(deadline=None, max_examples=40)
@given(st.lists(made.captions, min_size=2, max_size=7), st.randoms())
def test_order_does_not_matter_and_repeats_raise_self_bleu(captions: list[str], random: object) -> None:
    moved = list(captions)
    random.shuffle(moved)  # type: ignore[attr-defined]
    before = self_bleu(captions)
    assert 0 <= before <= 1
    assert self_bleu(moved) == pytest.approx(before, abs=1e-12)
    assert self_bleu([*captions, *captions]) >= before - 1e-12
    assert vocabulary([*captions, *captions]) == vocabulary(captions)
