"""CIDEr-D and CIDEr: how similar a caption is to its references, in n-grams weighted by their rarity.

Source: Vedantam et al. 2015, "CIDEr: Consensus-based Image Description Evaluation", section 4 (CIDEr) and
section 5.3 (CIDEr-D), and pycocoevalcap 1.2, cider/cider_scorer.py, which says CIDEr and computes CIDEr-D.
Both are 10 times a mean cosine, so they lie in [0, 10]. The score of an item depends only on its candidate,
its references and the document frequencies. So a corpus scores the mean of its items, and a bootstrap
resamples items and holds the frequencies fixed.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from safe_eval.scorers.captions.corpus import LONGEST_NGRAM, Corpus, Terms
from safe_eval.scorers.captions.frequencies import Frequencies, inverse_frequencies

MAXIMUM = 10.0
LENGTH_SIGMA = 6.0  # bigrams: how much a caption may differ in length before CIDEr-D penalises it much

_Overlap = Callable[[Int[ndarray, " terms"], Int[ndarray, " terms"]], Float[ndarray, " terms"]]


def cider_d(corpus: Corpus, frequencies: Frequencies | None = None) -> Float[ndarray, " candidates"]:
    """CIDEr-D of each candidate: repeated n-grams are clipped, and a different length is penalised.

    Raises:
        InputError: there is one example only, and no document frequencies are given.

    >>> from safe_eval.scorers.captions.corpus import index
    >>> corpus = index(["a dog runs fast", "a cat"], [["a dog runs fast"], ["two cats sleep"]])
    >>> cider_d(corpus).round(6).tolist()
    [10.0, 0.0]
    """
    differences = _length_differences(corpus)
    penalties = np.exp(-(differences**2) / (2 * LENGTH_SIGMA**2))
    cosines = _cosines(corpus, frequencies, np.minimum)
    return _mean_over_references(corpus, cosines * penalties)


def cider(corpus: Corpus, frequencies: Frequencies | None = None) -> Float[ndarray, " candidates"]:
    """Plain CIDEr of each candidate: no clipping and no length penalty, so repeated words raise the score.

    Raises:
        InputError: there is one example only, and no document frequencies are given.

    >>> from safe_eval.scorers.captions.corpus import index
    >>> cider(index(["dog dog", "a cat"], [["dog"], ["two cats sleep"]])).tolist()
    [2.5, 0.0]
    """
    cosines = _cosines(corpus, frequencies, _unclipped)
    return _mean_over_references(corpus, cosines)


def _unclipped(
    candidate: Int[ndarray, " terms"],
    reference: Int[ndarray, " terms"],  # noqa: ARG001 - the clipped overlap needs it
) -> Int[ndarray, " terms"]:
    return candidate


def _cosines(corpus: Corpus, frequencies: Frequencies | None, overlap: _Overlap) -> Float[ndarray, " pairs"]:
    """The cosine of each candidate with each of its references: the mean over n-gram lengths."""
    candidate_of, reference_of, first_pairs = _pairs(corpus)
    total = np.zeros(len(candidate_of))
    for terms, inverse in zip(corpus.terms, inverse_frequencies(corpus, frequencies), strict=True):
        candidate_norm = _norms(
            terms.candidate,
            terms.candidate_count * inverse[terms.candidate_ngram],
            len(corpus.candidate_example),
        )
        reference_norm = _norms(
            terms.reference_sentence,
            terms.reference_count * inverse[terms.reference_ngram],
            len(corpus.reference_example),
        )
        products = _products(corpus, terms, inverse, overlap, first_pairs, len(candidate_of))
        norms = candidate_norm[candidate_of] * reference_norm[reference_of]
        total += np.divide(products, norms, out=np.zeros_like(products), where=norms != 0)
    return total / LONGEST_NGRAM


def _products(
    corpus: Corpus,
    terms: Terms,
    inverse: Float[ndarray, " ngrams"],
    overlap: _Overlap,
    first_pairs: Int[ndarray, " candidates"],
    pairs: int,
) -> Float[ndarray, " pairs"]:
    """For each pair, the sum of overlap × reference count × weight² over the n-grams that both sides hold."""
    shared = np.flatnonzero(terms.candidate_posting >= 0)
    postings = terms.candidate_posting[shared]
    starts, sizes = terms.starts[postings], np.diff(terms.starts)[postings]
    here, there = np.repeat(shared, sizes), _ranges(starts, sizes)
    candidate, reference = terms.candidate[here], terms.reference_sentence[there]
    nth = reference - corpus.first_references[corpus.candidate_example[candidate]]
    counts = terms.reference_count[there]
    values = overlap(terms.candidate_count[here], counts) * counts * inverse[terms.candidate_ngram[here]] ** 2
    sums = np.bincount(first_pairs[candidate] + nth, weights=values, minlength=pairs)
    return sums.astype(float)  # bincount of nothing returns integers


def _pairs(
    corpus: Corpus,
) -> tuple[Int[ndarray, " pairs"], Int[ndarray, " pairs"], Int[ndarray, " candidates"]]:
    """The candidate and the reference of each pair, and the first pair of each candidate."""
    sizes = corpus.reference_counts[corpus.candidate_example]
    candidate_of = np.repeat(np.arange(len(sizes)), sizes)
    reference_of = _ranges(corpus.first_references[corpus.candidate_example], sizes)
    return candidate_of, reference_of, np.cumsum(sizes) - sizes


def _length_differences(corpus: Corpus) -> Float[ndarray, " pairs"]:
    """In bigrams, as cider_scorer.py counts length: one word is as long as none."""
    bigrams = np.maximum(corpus.lengths - 1, 0).astype(float)
    candidate_of, reference_of, _ = _pairs(corpus)
    reference_bigrams, candidate_bigrams = np.split(bigrams, [len(corpus.reference_example)])
    differences: Float[ndarray, " pairs"] = candidate_bigrams[candidate_of] - reference_bigrams[reference_of]
    return differences


def _mean_over_references(corpus: Corpus, values: Float[ndarray, " pairs"]) -> Float[ndarray, " candidates"]:
    candidate_of, _, _ = _pairs(corpus)
    means: Float[ndarray, " candidates"] = (
        MAXIMUM * np.bincount(candidate_of, weights=values) / np.bincount(candidate_of)
    )
    return means


def _norms(
    sentences: Int[ndarray, " terms"], weights: Float[ndarray, " terms"], count: int
) -> Float[ndarray, " sentences"]:
    return np.sqrt(np.bincount(sentences, weights=weights**2, minlength=count))


def _ranges(starts: Int[ndarray, " runs"], sizes: Int[ndarray, " runs"]) -> Int[ndarray, " items"]:
    """The numbers start, start + 1, … of each run, one run after the other."""
    ends = np.cumsum(sizes)
    within = np.arange(ends[-1] if len(ends) else 0)
    ranges: Int[ndarray, " items"] = within + np.repeat(starts - ends + sizes, sizes)
    return ranges
