"""BLEU-1 to BLEU-4: the share of a caption's n-grams found in its references, with a brevity penalty.

Source: Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation", section 2, and
pycocoevalcap 1.2, bleu/bleu_scorer.py, with the reference closest in length, and the shorter of two that
are equally close. A corpus is scored from summed counts, which is not the mean of its items: resample counts.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from safe_eval.scorers.captions.corpus import LONGEST_NGRAM, Corpus

_ABOVE, _BELOW = 1e-15, 1e-9  # bleu_scorer.py adds them so that 0 / 0 is nearly 0; parity needs the same two


@dataclass(frozen=True)
class BleuCounts:
    """The counts that BLEU needs of each candidate. `table` holds them in one row per candidate."""

    correct: Int[ndarray, "candidates orders"]  # n-grams found, each at most as often as in one reference
    guessed: Int[ndarray, "candidates orders"]  # all n-grams
    words: Int[ndarray, " candidates"]
    reference_words: Int[ndarray, " candidates"]  # in the reference closest in length

    @property
    def table(self) -> Int[ndarray, "candidates counts"]:
        return np.column_stack([self.correct, self.guessed, self.words, self.reference_words])


def bleu_counts(corpus: Corpus) -> BleuCounts:
    """Count each candidate's n-grams, and how many of them its references hold."""
    candidates = len(corpus.candidate_example)
    correct = np.zeros((candidates, LONGEST_NGRAM), dtype=np.int64)
    for order, terms in enumerate(corpus.terms):
        found = np.flatnonzero(terms.candidate_posting >= 0)
        if len(found):
            most = np.maximum.reduceat(terms.reference_count, terms.starts[:-1])
            clipped = np.minimum(terms.candidate_count[found], most[terms.candidate_posting[found]])
            correct[:, order] = np.bincount(terms.candidate[found], weights=clipped, minlength=candidates)
    words = corpus.candidate_lengths
    return BleuCounts(
        correct=correct,
        guessed=np.maximum(0, words[:, None] - np.arange(LONGEST_NGRAM)),
        words=words,
        reference_words=_closest_lengths(corpus),
    )


def bleu(counts: Int[ndarray, "*rows counts"]) -> Float[ndarray, "*rows orders"]:
    """BLEU-1 to BLEU-4 from counts: of items from their rows, of a corpus from the sum of its rows.

    >>> from safe_eval.scorers.captions.corpus import index
    >>> counts = bleu_counts(index(["a dog runs"], [["a dog sleeps"]]))
    >>> bleu(counts.table.sum(axis=0))[:2].round(6).tolist()  # 2/3, and the root of 2/3 · 1/2
    [0.666667, 0.57735]
    """
    orders = np.arange(1, LONGEST_NGRAM + 1)
    correct, guessed = counts[..., :LONGEST_NGRAM], counts[..., LONGEST_NGRAM : 2 * LONGEST_NGRAM]
    words, reference_words = counts[..., -2], counts[..., -1]
    precisions = np.cumprod((correct + _ABOVE) / (guessed + _BELOW), axis=-1) ** (1 / orders)
    ratio = (words + _ABOVE) / (reference_words + _BELOW)
    brevity = np.exp(np.minimum(0.0, 1 - 1 / ratio))
    scores: Float[ndarray, "*rows orders"] = precisions * brevity[..., None]
    return scores


def _closest_lengths(corpus: Corpus) -> Int[ndarray, " candidates"]:
    """The length of the reference closest in length to each candidate; of two equally close, the shorter."""
    longest = int(corpus.lengths.max()) + 1
    closest = np.empty(len(corpus.candidate_example), dtype=np.int64)
    sizes = corpus.reference_counts[corpus.candidate_example]
    starts = corpus.first_references[corpus.candidate_example]
    closest[:] = longest * (longest + 1)
    for nth in range(int(sizes.max())):
        has = np.flatnonzero(sizes > nth)
        lengths = corpus.reference_lengths[starts[has] + nth]
        distance = np.abs(lengths - corpus.candidate_lengths[has])
        closest[has] = np.minimum(closest[has], distance * longest + lengths)
    return closest % longest
