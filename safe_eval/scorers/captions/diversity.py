"""Diversity: how many words the captions of one model use, and how much each repeats the others.

Both describe the captions together: they are no means over clips, and both change with the number of clips.
So compare them on the same clips only.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from safe_eval.scorers.aggregate import Aggregate, not_measured
from safe_eval.scorers.captions.corpus import LONGEST_NGRAM, Terms, index

VOCABULARY, SELF_BLEU = "vocabulary", "self_bleu_4"
_NOTHING_FOUND = 0.1  # in place of a count of 0: method 1 of NLTK's SmoothingFunction


def diversity(captions: Sequence[str]) -> list[Aggregate]:
    """The vocabulary and the self-BLEU of the tokenised captions of one model under one condition."""
    if not captions:
        reason = "no caption was given: every row is an error"
        return [not_measured(VOCABULARY, reason), not_measured(SELF_BLEU, reason)]
    found = [Aggregate(VOCABULARY, float(vocabulary(captions)), len(captions))]
    if len(captions) < 2:
        return [*found, not_measured(SELF_BLEU, "one caption has no others to be compared with")]
    return [*found, Aggregate(SELF_BLEU, self_bleu(captions), len(captions))]


def vocabulary(captions: Sequence[str]) -> int:
    """The number of different tokens.

    Source: aac-metrics 0.5.4, functional/vocab.py, `vocab.cands`.

    >>> vocabulary(["a dog barks", "a cat sleeps"])
    5
    """
    return len({token for caption in captions for token in caption.split()})


def self_bleu(captions: Sequence[str]) -> float:
    """The mean BLEU-4 of each caption with all others as its references: 1 if all say the same in four words
    or more.

    Source: Zhu et al. 2018, "Texygen: A Benchmarking Platform for Text Generation Models", section 3.1.2, and
    its utils/metrics/SelfBleu.py, which uses NLTK's sentence_bleu with its first method of smoothing.
    Differs: every caption is used, where Texygen may take the first 500. An empty caption repeats nothing.

    >>> self_bleu(["a dog barks loudly"] * 3)
    1.0
    >>> round(self_bleu(["a dog barks", "a dog sleeps", "rain falls"]), 4)  # two share "a", "dog", "a dog"
    0.1602
    """
    corpus = index(captions[:1], [captions])  # all captions as the references of one example
    lengths = corpus.reference_lengths
    logarithms = np.zeros(len(captions))
    for order, terms in enumerate(corpus.terms, 1):
        found = _found_in_others(terms, len(captions))
        if order == 1:
            repeats = found > 0  # without one common word BLEU is 0, whatever the smoothing
        guessed = np.maximum(1, lengths - order + 1)
        logarithms += np.log(np.where(found > 0, found, _NOTHING_FOUND) / guessed)
    scores = np.where(repeats, np.exp(logarithms / LONGEST_NGRAM + _brevity(lengths)), 0.0)
    return math.fsum(scores.tolist()) / len(scores)


def _found_in_others(terms: Terms, captions: int) -> Float[ndarray, " captions"]:
    """How many n-grams of each caption some other caption holds, each at most as often as there.

    The most that any other caption holds is the largest count of all, or the second largest for the caption
    that holds the largest alone.
    """
    counts, ngrams = terms.reference_count, terms.reference_ngram
    if not len(counts):
        return np.zeros(captions)
    starts = np.flatnonzero(np.diff(ngrams, prepend=-1))
    sizes = np.diff(starts, append=len(counts))
    is_largest = counts == np.repeat(np.maximum.reduceat(counts, starts), sizes)
    alone = is_largest & np.repeat(np.add.reduceat(is_largest.astype(np.int64), starts) == 1, sizes)
    second = np.repeat(np.maximum.reduceat(np.where(alone, 0, counts), starts), sizes)
    found = np.where(alone, second, counts)
    return np.bincount(terms.reference_sentence, weights=found, minlength=captions)


def _brevity(lengths: Int[ndarray, " captions"]) -> Float[ndarray, " captions"]:
    """The logarithm of each brevity penalty, by the other caption closest in length; of two, the shorter."""
    numbers = Counter(lengths.tolist())
    penalties = {
        length: 0.0 if not length or count > 1 else min(0.0, 1 - _closest(length, numbers) / length)
        for length, count in numbers.items()
    }
    return np.array([penalties[length] for length in lengths.tolist()])


def _closest(length: int, others: Iterable[int]) -> int:
    return min((abs(other - length), other) for other in others if other != length)[1]
