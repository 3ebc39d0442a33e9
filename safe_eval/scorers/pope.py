"""POPE: is there such an object in the picture? Its script's rule, and its three splits.

Source: Li et al. 2023, and AoiDragon/POPE, evaluate.py. VLMEvalKit's file holds a question that several
splits share once, with the splits in one field ("adversarial,random,popular"): 5,127 rows stand for 9,000.
Its own figures count such a row once per split (vlmeval/dataset/utils/yorn.py, POPE_rating), and so do the
aggregates here. The mean over rows does not.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_eval.prediction import Prediction
from safe_eval.scorers import yes_no
from safe_eval.scorers.aggregate import Aggregate, check_one_arm

SPLITS = ("random", "popular", "adversarial")
_DENIALS = frozenset(("No", "not", "no"))


def score_first_sentences(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """No if the first sentence holds the word No, no or not, and otherwise yes.

    Source: AoiDragon/POPE, evaluate.py. Everything else is a yes, even "I cannot tell", "NO" or nothing.

    >>> from msgspec.structs import replace
    >>> row = Prediction(example_id="q", references=("yes",), answer="")
    >>> replies = ("Unsure.", "It is not.", "NO")
    >>> score_first_sentences([replace(row, answer=text) for text in replies]).tolist()
    [1.0, 0.0, 1.0]
    """
    return yes_no.scored_by(_first_sentence, predictions)


def splits_of(row: Prediction) -> tuple[str, ...]:
    """The splits that a row stands for: named in its question type or split, separated by commas.

    >>> splits_of(Prediction(example_id="q", references=("yes",), answer="", question_type="random,popular"))
    ('random', 'popular')
    """
    for field in (row.question_type, row.split):
        named = tuple(part.strip() for part in (field or "").split(","))
        if all(name in SPLITS for name in named):
            return tuple(dict.fromkeys(named))
    return ()


def slices(rows: Sequence[Prediction]) -> dict[str, Bool[ndarray, " items"]]:
    """The rows of each split, such as `type:adversarial`, and of each right answer."""
    named = [splits_of(row) for row in rows]
    of_splits = {f"type:{split}": np.array([split in of for of in named]) for split in SPLITS}
    return yes_no.slices(rows) | of_splits


def aggregates(predictions: Sequence[Prediction]) -> list[Aggregate]:
    """Accuracy, precision, recall, F1 and yes-ratio, over all splits and for each.

    Raises:
        InputError: no predictions, or predictions of more than one model, condition or seed.
    """
    check_one_arm(predictions)
    named = [splits_of(row) for row in predictions]
    times = np.array([max(1, len(of)) for of in named])
    found = yes_no.counted(predictions, np.repeat(np.arange(len(predictions)), times))
    for split in SPLITS:
        inside = np.flatnonzero([split in of for of in named])
        if len(inside):
            found += yes_no.counted(predictions, inside, f":{split}")
    return found


def split_notes(predictions: Sequence[Prediction]) -> Iterator[str]:
    """A line on rows that stand for several splits, because the mean over rows counts them once."""
    several = sum(len(splits_of(row)) > 1 for row in predictions)
    if several:
        yield (
            f"{several} rows of POPE stand for 2 or 3 splits: the aggregates count them once per split, as "
            "published figures do, and the mean over rows counts them once"
        )


def _first_sentence(reply: str) -> str:
    words = reply.partition(".")[0].replace(",", "").split(" ")
    return yes_no.YES if _DENIALS.isdisjoint(words) else yes_no.NO
