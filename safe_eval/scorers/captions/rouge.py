"""ROUGE-L: the longest common subsequence of a caption and its references.

Source: Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries", section 3, and pycocoevalcap 1.2,
rouge/rouge.py: β = 1.2, and the best precision and the best recall may come from different references.
Words are split at single spaces, as there, so a no-break space stays within a word, and two captions
without any word are equal: 1.0. The mean of the items is the score of a corpus.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.scorers.captions.corpus import check_captions

BETA = 1.2


def rouge_l(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> Float[ndarray, " candidates"]:
    """ROUGE-L of each candidate, which is tokens joined by spaces, against its references.

    Raises:
        InputError: see `index`.

    >>> rouge_l(["a dog runs", "a cat"], [["a dog sleeps"], ["a cat", "cats"]]).round(6).tolist()
    [0.666667, 1.0]
    """
    check_captions(candidates, references, range(len(references)))
    pairs = zip(candidates, references, strict=True)
    return np.array([_score(candidate.split(" "), texts) for candidate, texts in pairs])


def _score(candidate: list[str], references: Sequence[str]) -> float:
    sentences = [reference.split(" ") for reference in references]
    places = dict.fromkeys(chain.from_iterable(sentences), 0)
    for place, word in enumerate(candidate):
        if word in places:
            places[word] |= 1 << place
    precision = recall = 0.0
    for words in sentences:
        common = _longest_common_subsequence(places, len(candidate), words)
        precision = max(precision, common / len(candidate))
        recall = max(recall, common / len(words))
    if not precision or not recall:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def _longest_common_subsequence(places: dict[str, int], length: int, words: Sequence[str]) -> int:
    """Its length; `places` holds a bit for each place of a word in the other caption.

    Source: Hyyrö 2004, "Bit-parallel LCS-length computation revisited", section 3: a row of the table of
    lengths is one integer, whose zeros are where the length grows.
    """
    every = (1 << length) - 1
    row = every
    for word in words:
        matches = row & places[word]
        if matches:
            row = ((row + matches) | (row - matches)) & every
    return length - row.bit_count()
