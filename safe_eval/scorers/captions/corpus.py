"""Corpus: tokenised references and candidates as one array of word numbers, and the n-grams in it."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from jaxtyping import Int, Shaped
from numpy import ndarray

from safe_data.core.errors import InputError, raise_row_errors

LONGEST_NGRAM = 4


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


@dataclass(frozen=True)
class Corpus:
    """The references of each clip, then the candidates; a clip is one document, however often captioned."""

    words: tuple[str, ...]  # a word by its number
    codes: Int[ndarray, " words"]  # of all sentences, one after the other: references first
    lengths: Int[ndarray, " sentences"]  # in words
    reference_clip: Int[ndarray, " references"]  # ascending
    candidate_clip: Int[ndarray, " candidates"]

    @property
    def clips(self) -> int:
        return int(self.reference_clip[-1]) + 1

    @cached_property
    def reference_counts(self) -> Int[ndarray, " clips"]:
        """How many references each clip has."""
        return np.bincount(self.reference_clip, minlength=self.clips)

    @cached_property
    def first_references(self) -> Int[ndarray, " clips"]:
        """The sentence number of each clip's first reference."""
        firsts: Int[ndarray, " clips"] = np.cumsum(self.reference_counts) - self.reference_counts
        return firsts

    @property
    def reference_lengths(self) -> Int[ndarray, " references"]:
        return self.lengths[: len(self.reference_clip)]

    @property
    def candidate_lengths(self) -> Int[ndarray, " candidates"]:
        return self.lengths[len(self.reference_clip) :]

    @cached_property
    def terms(self) -> tuple[Terms, ...]:
        """The n-grams of one, two, three and four words."""
        return tuple(
            count_terms(self.codes, self.lengths, self.reference_clip, self.candidate_clip, LONGEST_NGRAM)
        )


def index(
    candidates: Sequence[str], references: Sequence[Sequence[str]], clips: Sequence[int] | None = None
) -> Corpus:
    """Index captions that are tokens joined by spaces; any white space splits words, as in `str.split`.

    Candidate i is of clip i; where clips have several candidates, or none, `clips` says whose each is.

    Raises:
        InputError: no candidate, a clip without references, or a caption with a line separator, which makes
            Java's tokenizer give every later caption the tokens of another.

    >>> corpus = index(["a dog"], [["a dog runs", "dogs"]])
    >>> corpus.words, corpus.codes.tolist(), corpus.lengths.tolist()
    (('a', 'dog', 'runs', 'dogs'), [0, 1, 2, 3, 0, 1], [3, 1, 2])
    """
    clips = range(len(references)) if clips is None else clips
    check_captions(candidates, references, clips)
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    number: Callable[[str], int] = numbers.__getitem__
    codes, lengths = array("q"), array("q")
    for text in chain(chain.from_iterable(references), candidates):
        words = text.split()
        codes.extend(map(number, words))
        lengths.append(len(words))
    counts = np.fromiter(map(len, references), dtype=np.int64, count=len(references))
    return Corpus(
        words=tuple(numbers),
        codes=np.asarray(codes),
        lengths=np.asarray(lengths),
        reference_clip=np.repeat(np.arange(len(references)), counts),
        candidate_clip=np.asarray(clips, dtype=np.int64),
    )


def separator_error(text: str) -> str | None:
    """What is wrong with a caption of several lines; None for one of a single line.

    >>> separator_error("a dog\\u2028barks")
    "holds the line separator '\\\\u2028'; replace it with a space"
    """
    lines = text.splitlines(keepends=True)
    if not lines or lines == [lines[0].rstrip("\n")]:
        return None
    ended = next(line for line in lines if line.splitlines()[0] != line)
    return f"holds the line separator {ended[len(ended.splitlines()[0]) :]!a}; replace it with a space"


def check_captions(
    candidates: Sequence[str], references: Sequence[Sequence[str]], clips: Sequence[int]
) -> None:
    """Refuse captions that no metric can score, all at once.

    Raises:
        InputError: see `index`.
    """
    if not candidates or not references:
        raise InputError("no captions: an empty set has no score")
    if len(candidates) != len(clips):
        raise InputError(f"{len(candidates)} candidates for {len(clips)} clips; give one candidate a clip")
    if min(clips) < 0 or max(clips) >= len(references):
        raise InputError(f"a candidate is of a clip that is none of the {len(references)} with references")
    errors = [
        f"clip {clip} has no references; give at least one" for clip, of in enumerate(references) if not of
    ]
    for name, text in chain(
        ((f"candidate {i}", text) for i, text in enumerate(candidates)),
        ((f"clip {clip}", text) for clip, texts in enumerate(references) for text in texts),
    ):
        if len(text.splitlines()) > 1 and (error := separator_error(text)):
            errors.append(f"{name}: {error}")
    raise_row_errors(errors, "captions")


_SIGN_BIT = 63


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
