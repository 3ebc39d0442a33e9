"""SPIDEr-max equals aac-metrics; rows that offer no choice of captions have none, and the reason is said."""

import numpy as np
import pytest
from made_rows import row

from safe_data.core.errors import InputError
from safe_eval.prediction import Prediction
from safe_eval.scorers.captions.caption_scores import score_captions

REFERENCES = [
    *(("a dog barks loudly", "the dog barks"), ("rain falls on the roof", "rain on a tin roof")),
    ("two men talk", "men talk and laugh"),
]
CANDIDATES = [
    *(
        ["a dog barks", "a cat sleeps", "the dog barks loudly"],
        ["wind blows", "rain falls on a roof", "rain"],
    ),
    ["a man talks", "two men talk", "men"],
]
SPICE = [(0.3, 0.0, 0.5), (0.1, 0.6, 0.2), (0.25, 0.7, 0.0)]
VALUES = {f"c{i}": values for i, values in enumerate(SPICE)}


def offering(candidates: object = None, **fields: object) -> list[Prediction]:
    return [
        row(
            f"c{i}",
            **{"answer": CANDIDATES[i][1], "references": references, "task": "caption"}
            | {"metadata": {"candidates": CANDIDATES[i] if candidates is None else candidates}}
            | fields,
        )
        for i, references in enumerate(REFERENCES)
    ]


def test_spider_max_equals_aac_metrics() -> None:
    """Of aac-metrics 0.5.4: mult_cands_metric of its CIDEr-D, and these SPICE values."""
    scores = score_captions(offering(), spice_values=VALUES)
    expected = [3.0248462171769726, 2.0553965619915577, 2.832502696114265]
    assert scores.items["spider_max"].tolist() == pytest.approx(expected, abs=1e-12)
    assert scores.items["spice"].tolist() == [0.0, 0.6, 0.7]  # of the answer, the second candidate
    assert (scores.items["spider_max"] >= scores.items["spider"]).all()


def test_clips_may_offer_different_numbers() -> None:
    rows = offering()
    rows[1] = row("c1", "rain", references=REFERENCES[1], metadata={"candidates": ["rain", "wind"]})
    scores = score_captions(rows, spice_values=VALUES | {"c1": (0.5, 0.25)})
    whole = score_captions(offering(), spice_values=VALUES)
    assert scores.items["spider_max"][[0, 2]].tolist() == whole.items["spider_max"][[0, 2]].tolist()
    assert scores.items["spider_max"][1] == scores.items["spider"][1]


def test_an_error_offers_nothing() -> None:
    rows = [*offering()[:2], row("c2", None, references=REFERENCES[2], error="out of memory")]
    scores = score_captions(rows, spice_values=VALUES)
    assert scores.items["spider_max"][2] == pytest.approx(0, abs=1e-12)
    assert np.all(scores.items["spider_max"][:2] > 2)


def test_without_a_choice_of_captions_the_reason_is_said() -> None:
    one = score_captions(offering(metadata=None), spice_values=dict.fromkeys(VALUES, 0.5))
    assert one.not_measured["spider_max"] == (
        "SPIDEr-max is not measured: it needs several captions per clip, and each row has one; list them in "
        "metadata.candidates"
    )
    rows = [*offering()[:2], offering(metadata=None)[2]]
    some = score_captions(rows, spice_values=VALUES | {"c2": 0.5})
    assert "and 1 of 3 rows has one" in some.not_measured["spider_max"]
    flat = score_captions(offering(), spice_values=dict.fromkeys(VALUES, 0.5))
    assert "SPICE has one value per clip; give a list, one per candidate" in flat.not_measured["spider_max"]
    without = score_captions(offering())
    assert without.not_measured["spider_max"] == (
        "SPIDEr-max needs SPICE. SPICE is not measured: score with --metric spice, or give values made "
        "elsewhere with --spice"
    )


@pytest.mark.parametrize(
    ("candidates", "words"),
    [
        ("a dog", "'c0': metadata.candidates is no list of texts"),
        ([1, 2], "'c0': metadata.candidates is no list of texts"),
        (["a dog", "a cat"], "'c0': answer is none of its metadata.candidates; list it among them"),
    ],
)
def test_candidates_that_are_none_are_refused(candidates: object, words: str) -> None:
    with pytest.raises(InputError) as refused:
        score_captions(offering(candidates))
    assert words in str(refused.value)


def test_there_is_a_spice_value_per_candidate() -> None:
    with pytest.raises(InputError, match="'c0': has 2 SPICE values for 3 captions"):
        score_captions(offering(), spice_values=VALUES | {"c0": (0.1, 0.2)})
    with pytest.raises(InputError, match=r"'c1': SPICE value 1\.5 is outside \[0, 1\]"):
        score_captions(offering(), spice_values=VALUES | {"c1": (0.1, 1.5, 0.2)})
