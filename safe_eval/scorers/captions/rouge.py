"""ROUGE-L: the longest common subsequence of a caption and each of its references.

Source: Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries", section 3, and pycocoevalcap 1.2,
rouge/rouge.py: β = 1.2, and the best precision and the best recall may come from different references.
Like there, words are split at single spaces: a no-break space stays within a word, and two captions without
any word are equal and score 1.0. The score of a corpus is the mean of its items.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.scorers.captions.corpus import check_captions

BETA = 1.2


def rouge_l(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> Float[ndarray, " candidates"]:
    """ROUGE-L of each candidate against its references, in [0, 1]. Captions are tokens joined by spaces.

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
        common = _subsequence_length(places, len(candidate), words)
        precision = max(precision, common / len(candidate))
        recall = max(recall, common / len(words))
    if not precision or not recall:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def _subsequence_length(places: dict[str, int], length: int, words: Sequence[str]) -> int:
    """Its length. `places[word]` has a bit set for each place of the word in the candidate.

    Source: Hyyrö 2004, "Bit-parallel LCS-length computation revisited", section 3: one integer is a
    row of the table of lengths, with a 0 wherever the length grows.
    """
    every = (1 << length) - 1
    row = every
    for word in words:
        matches = row & places[word]
        if matches:
            row = ((row + matches) | (row - matches)) & every
    return length - row.bit_count()
