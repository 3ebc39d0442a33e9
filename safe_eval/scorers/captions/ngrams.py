"""Terms: how often each n-gram of one order stands in each sentence, found by sorting all of them at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped
from numpy import ndarray

_SIGN_BIT = 63


@dataclass(frozen=True)
class Terms:
    """The n-grams of one order. A document is an n-gram that stands in the references of a clip.

    Reference terms (an n-gram in a reference, and how often) are sorted by n-gram, then by sentence, so those
    of document d are `reference_sentence[starts[d] : starts[d + 1]]`.
    """

    first_word: Int[ndarray, " ngrams"]  # where in the corpus the n-gram is found
    document_ngram: Int[ndarray, " documents"]
    starts: Int[ndarray, " documents+1"]
    reference_ngram: Int[ndarray, " reference_terms"]
    reference_sentence: Int[ndarray, " reference_terms"]
    reference_count: Int[ndarray, " reference_terms"]
    candidate_ngram: Int[ndarray, " candidate_terms"]
    candidate: Int[ndarray, " candidate_terms"]
    candidate_count: Int[ndarray, " candidate_terms"]
    candidate_document: Int[ndarray, " candidate_terms"]  # −1 if it is in none of its clip's references


def count_terms(
    codes: Int[ndarray, " words"],
    lengths: Int[ndarray, " sentences"],
    reference_clip: Int[ndarray, " references"],
    candidate_clip: Int[ndarray, " candidates"],
    longest: int,
) -> Iterator[Terms]:
    """The terms of order 1, 2, … up to the longest; references come before candidates.

    An n-gram is the pair of the shorter one it begins with and its last word, so one sort of pairs an order
    numbers the n-grams, and leaves the places of each in the order of the sentences.
    """
    sentence_of = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    places = np.arange(len(codes), dtype=np.int32)
    words_left = np.repeat(np.cumsum(lengths, dtype=np.int32), lengths) - places
    vocabulary = int(codes.max(initial=0)) + 1
    prefixes = np.zeros(len(codes), dtype=np.int64)  # the number of the shorter n-gram at each place
    for order in range(1, longest + 1):
        fitting = words_left[places] >= order
        places, prefixes = places[fitting], prefixes[fitting]
        pairs = prefixes * vocabulary + codes[places + order - 1]
        pairs, by_pair = _sorted_with_order(pairs)
        ngrams = np.cumsum(_is_new(pairs)) - 1
        yield _terms(ngrams, places[by_pair], sentence_of, reference_clip, candidate_clip)
        prefixes = np.empty_like(ngrams)
        prefixes[by_pair] = ngrams


def _terms(
    ngrams: Int[ndarray, " occurrences"],
    places: Int[ndarray, " occurrences"],
    sentence_of: Int[ndarray, " words"],
    reference_clip: Int[ndarray, " references"],
    candidate_clip: Int[ndarray, " candidates"],
) -> Terms:
    sentences = sentence_of[places]
    starts = np.flatnonzero(_is_new(ngrams) | _is_new(sentences))
    counts = np.diff(starts, append=len(ngrams))
    first_word = places[np.flatnonzero(_is_new(ngrams))]
    ngrams, sentences = ngrams[starts], sentences[starts]
    in_reference = sentences < len(reference_clip)

    reference_ngram, reference_sentence = ngrams[in_reference], sentences[in_reference]
    clips = int(reference_clip[-1]) + 1
    reference_keys = reference_ngram * clips + reference_clip[reference_sentence]
    document_starts = np.flatnonzero(_is_new(reference_keys))
    documents = reference_keys[document_starts]

    candidate_ngram, candidate = ngrams[~in_reference], sentences[~in_reference] - len(reference_clip)
    return Terms(
        first_word=first_word,
        document_ngram=reference_ngram[document_starts],
        starts=np.append(document_starts, len(reference_keys)),
        reference_ngram=reference_ngram,
        reference_sentence=reference_sentence,
        reference_count=counts[in_reference],
        candidate_ngram=candidate_ngram,
        candidate=candidate,
        candidate_count=counts[~in_reference],
        candidate_document=_places_in(documents, candidate_ngram * clips + candidate_clip[candidate]),
    )


def _places_in(
    ascending: Int[ndarray, " documents"], wanted: Int[ndarray, " terms"]
) -> Int[ndarray, " terms"]:
    """Where each wanted key is; −1 where it is not."""
    if not len(ascending):
        return np.full(len(wanted), -1)
    places = np.searchsorted(ascending, wanted)
    places[places == len(ascending)] = 0
    return np.where(ascending[places] == wanted, places, -1)


def _is_new(keys: Shaped[ndarray, " items"]) -> Shaped[ndarray, " items"]:
    """Where a run of equal keys begins."""
    return np.append(np.ones(min(1, len(keys)), dtype=bool), keys[1:] != keys[:-1])


def _sorted_with_order(
    keys: Int[ndarray, " items"],
) -> tuple[Int[ndarray, " items"], Int[ndarray, " items"]]:
    """The keys sorted, and from where each came; equal ones keep their order.

    A key and its place are sorted as one integer where both fit into 63 bits: several times faster than
    sorting places by key.
    """
    bits = len(keys).bit_length()
    if int(keys.max(initial=0)).bit_length() + bits > _SIGN_BIT:
        order = np.argsort(keys, kind="stable")
        return keys[order], order
    packed = np.sort((keys << bits) | np.arange(len(keys)))
    return packed >> bits, packed & ((1 << bits) - 1)
