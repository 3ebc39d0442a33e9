"""Captions are scored together by dataset: their order does not matter, and errors count as wrong."""

import csv
import json

import made_captions as made
import numpy as np
import pytest
from made_rows import row, shuffled

from safe_data.core.errors import InputError
from safe_eval.prediction import Prediction
from safe_eval.scorers.captions.caption_scores import MAXIMA, reference_frequencies, score_captions
from safe_eval.scorers.captions.corpus import count_terms, index
from safe_eval.scorers.captions.frequencies import count_frequencies

DOGS = ("A dog barks.", "The dog is barking!")
CATS = ("Two cats sleep.", "A cat's asleep")
RAIN = ("Rain falls on a roof.",)


def captions(model: str = "safe", condition: str = "full", **answers: str | None) -> list[Prediction]:
    """One model's captions of three sounds."""
    truths = {"dogs": DOGS, "cats": CATS, "rain": RAIN}
    return [
        row(
            name,
            answers.get(name),
            references=references,
            task="caption",
            model=model,
            condition=condition,
            error=None if answers.get(name) is not None else "out of memory",
        )
        for name, references in truths.items()
    ]


GOOD = captions(dogs="A dog barks!", cats="Two cats sleep", rain="rain falls on a roof")


def test_equals_the_recorded_scores_of_audio_captions() -> None:
    recorded = made.expected("aac_example_1")
    with (made.TRUTH / "audio/aac_metrics_example_1.csv").open(encoding="utf-8") as file:
        rows = [
            row(f"{i:03}", line[0], references=tuple(line[1:6]))
            for i, line in enumerate(list(csv.reader(file))[1:])
        ]
    scores = score_captions(rows)
    assert made.largest_difference(scores.items["cider_d"], recorded["CIDEr"]) < 1e-12
    assert made.largest_difference(scores.items["rouge_l"], recorded["ROUGE_L"]) < 1e-12
    assert scores.corpus("cider_d") == pytest.approx(recorded["corpus"]["CIDEr"], abs=1e-12)
    for order, value in enumerate(recorded["corpus"]["Bleu"], 1):
        assert scores.corpus(f"bleu_{order}") == pytest.approx(value, abs=1e-12)


def test_1_000_captions_from_their_text_to_the_published_scores() -> None:
    made.expected("coco_fakecap")
    results = json.loads((made.TRUTH / "coco/captions_val2014_fakecap_results.json").read_text("utf-8"))
    _, recorded = made.fakecaps()
    rows = [
        row(f"{r['image_id']:06}", r["caption"], references=tuple(recorded["gts"][str(r["image_id"])]))
        for r in results
    ]
    scores = score_captions(rows)
    published = {"bleu_1": 0.579, "bleu_2": 0.404, "bleu_3": 0.279, "bleu_4": 0.191, "rouge_l": 0.396}
    for metric, value in ({"cider_d": 0.6} | published).items():
        assert round(scores.corpus(metric), 3) == value


def test_perfect_captions_score_the_maximum() -> None:
    scores = score_captions(GOOD)
    assert scores.corpus("rouge_l") == pytest.approx(1.0)
    assert scores.items["cider_d"][2] == pytest.approx(MAXIMA["cider_d"])
    assert scores.corpus("bleu_1") == pytest.approx(1.0)


def test_every_metric_has_a_value_or_a_reason() -> None:
    scores = score_captions(GOOD)
    assert scores.items.keys() | scores.not_measured.keys() == MAXIMA.keys()
    assert not scores.items.keys() & scores.not_measured.keys()
    assert all(len(values) == len(GOOD) for values in scores.items.values())
    with pytest.raises(InputError, match="METEOR is not measured"):
        scores.corpus("meteor")
    with pytest.raises(InputError, match="'cidre' is not one of cider_d"):
        scores.corpus("cidre")


def test_the_order_of_the_rows_does_not_matter() -> None:
    # The tokenizer looks ahead: what becomes of "K." depends on the caption after it.
    rows = [*GOOD, *captions("base", dogs="K.", cats="The T.V.", rain="A roof"), row("x", "reads K.")]
    before = score_captions(rows).items
    by_row = {id(r): i for i, r in enumerate(rows)}
    for seed in range(5):
        moved = shuffled(rows, seed)
        after = score_captions(moved).items
        places = [by_row[id(r)] for r in moved]
        for metric, values in before.items():
            assert np.allclose(after[metric], values[places], atol=1e-12), metric


def test_other_models_and_conditions_do_not_change_a_score() -> None:
    alone = score_captions(GOOD).items
    others = [*captions("base", dogs="dogs", cats="dogs"), *captions("safe", "mute_audio", dogs="rain")]
    together = score_captions([*others, *GOOD]).items
    for metric, values in alone.items():
        assert np.allclose(together[metric][-3:], values, atol=1e-12), metric


def test_an_error_is_wrong_and_its_references_still_count() -> None:
    failed = captions(dogs="A dog barks!", cats="Two cats sleep", rain=None)
    scores = score_captions(failed)
    assert all(values[2] == pytest.approx(0, abs=1e-12) for values in scores.items.values())
    whole = score_captions(GOOD)
    assert scores.items["cider_d"][:2].tolist() == whole.items["cider_d"][:2].tolist()


def test_an_error_without_references_is_wrong() -> None:
    lost = row("lost", None, references=(), error="unreadable")
    scores = score_captions([lost, *GOOD])
    assert all(values[0] == 0 for values in scores.items.values())
    assert scores.items["cider_d"][1:].tolist() == score_captions(GOOD).items["cider_d"].tolist()
    with pytest.raises(InputError, match="no caption has references"):
        score_captions([lost])


def test_one_example_has_no_cider_and_says_so() -> None:
    scores = score_captions(GOOD[:1], spice_values={"dogs": 0.5})
    assert "every caption would score 0" in scores.not_measured["cider_d"]
    assert "every caption would score 0" in scores.not_measured["spider"]
    assert scores.corpus("bleu_1") == pytest.approx(1.0)
    given = score_captions(GOOD[:1], frequencies=count_frequencies([["a dog"], ["a cat"]]))
    assert given.corpus("cider_d") > 1


def test_the_references_frequencies_score_as_the_references_do() -> None:
    rows = [*GOOD, *captions("base", dogs="dogs", cats="dogs")]
    frequencies = reference_frequencies(rows)
    assert frequencies.documents == 3
    own, given = score_captions(rows), score_captions(rows, frequencies=frequencies)
    assert given.items["cider_d"].tolist() == own.items["cider_d"].tolist()


def test_spice_values_made_elsewhere() -> None:
    values = {"dogs": 0.5, "cats": 0.25, "rain": 0.0, "another": 1.0}
    scores = score_captions(GOOD, spice_values=values)
    assert scores.items["spice"].tolist() == [0.5, 0.25, 0.0]
    assert scores.items["spider"].tolist() == ((scores.items["cider_d"] + scores.items["spice"]) / 2).tolist()
    with pytest.raises(InputError, match="'cats': has no SPICE value"):
        score_captions(GOOD, spice_values={"dogs": 0.5, "rain": 0.5})
    with pytest.raises(InputError, match=r"'dogs': SPICE value nan is outside \[0, 1\]"):
        score_captions(GOOD, spice_values=values | {"dogs": float("nan")})
    with pytest.raises(InputError, match="select one model, condition and seed"):
        score_captions([*GOOD, *captions("base", dogs="x")], spice_values=values)


@pytest.mark.parametrize("separator", ["\r", "\u2028", "\u2029", "\x85", "\x0b", "\x0c"])
def test_a_line_separator_in_a_caption_is_refused_by_name(separator: str) -> None:
    broken = captions(dogs=f"a dog{separator}barks", cats="x", rain="a\nroof\n")
    broken[1] = row("cats", "x", references=(f"two{separator}cats",))
    with pytest.raises(InputError) as caught:
        score_captions(broken)
    assert str(caught.value).splitlines()[0] == "captions: 2 rows cannot be read"
    assert f"'dogs': answer holds the line separator {separator!a}; replace it with a space" in str(
        caught.value
    )
    assert "'cats': reference holds" in str(caught.value)
    with pytest.raises(InputError, match="candidate 0: holds the line separator"):
        index([f"a{separator}b"], [["a"]])


def test_a_line_feed_is_a_space() -> None:
    broken = captions(dogs="A dog\nbarks!\n", cats="Two cats sleep", rain="rain falls on a roof")
    for metric, values in score_captions(broken).items.items():
        assert values.tolist() == score_captions(GOOD).items[metric].tolist()


def test_nothing_and_mixtures_are_refused() -> None:
    with pytest.raises(InputError, match="no captions"):
        score_captions([])
    with pytest.raises(InputError, match="captions of 2 datasets at once"):
        score_captions([*GOOD, row("other", dataset="clotho")])
    with pytest.raises(InputError, match="'q1': references is empty"):
        score_captions([row(references=())])
    with pytest.raises(InputError, match="a candidate belongs to none of the 1 examples with references"):
        index(["a"], [["a"]], example_of=[1])


def test_word_numbers_too_large_to_sort_with_their_places_give_the_same_terms() -> None:
    """They are sorted with `argsort` instead of as one integer with their places."""
    lengths = np.full(100, 10)
    codes = np.random.default_rng(0).integers(0, 40, lengths.sum())
    examples = np.arange(50)
    small, large = (next(count_terms(c, lengths, examples, examples, 1)) for c in (codes, codes << 52))
    for name, expected in vars(small).items():
        assert vars(large)[name].tolist() == expected.tolist(), name
