"""Corpus: tokenised captions as arrays of word numbers, and the n-grams in them.

An example is what captions are about: a clip or a picture. It has references, and any number of candidates.
"""

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
_SIGN_BIT = 63


@dataclass(frozen=True)
class Corpus:
    """The references of all examples, then all candidates, as one sequence of word numbers."""

    words: tuple[str, ...]  # by number
    codes: Int[ndarray, " words"]  # the word numbers of all sentences, one after the other
    lengths: Int[ndarray, " sentences"]  # in words
    reference_example: Int[ndarray, " references"]  # ascending
    candidate_example: Int[ndarray, " candidates"]

    @property
    def example_count(self) -> int:
        return int(self.reference_example[-1]) + 1

    @cached_property
    def reference_counts(self) -> Int[ndarray, " examples"]:
        """How many references each example has."""
        return np.bincount(self.reference_example, minlength=self.example_count)

    @cached_property
    def first_references(self) -> Int[ndarray, " examples"]:
        """The sentence number of each example's first reference."""
        firsts: Int[ndarray, " examples"] = np.cumsum(self.reference_counts) - self.reference_counts
        return firsts

    @property
    def reference_lengths(self) -> Int[ndarray, " references"]:
        return self.lengths[: len(self.reference_example)]

    @property
    def candidate_lengths(self) -> Int[ndarray, " candidates"]:
        return self.lengths[len(self.reference_example) :]

    @cached_property
    def terms(self) -> tuple["Terms", ...]:
        """The n-grams of one, two, three and four words."""
        return tuple(
            count_terms(
                self.codes, self.lengths, self.reference_example, self.candidate_example, LONGEST_NGRAM
            )
        )


@dataclass(frozen=True)
class Terms:
    """All n-grams of one length, and where they stand.

    A posting is an n-gram and an example whose references hold it. A reference term is an n-gram and one
    reference that holds it, with how often. Reference terms are sorted by n-gram, then by sentence, so the
    references of posting p are `reference_sentence[starts[p] : starts[p + 1]]`.
    """

    first_word: Int[ndarray, " ngrams"]  # a place in `codes` where the n-gram begins
    posting_ngram: Int[ndarray, " postings"]
    starts: Int[ndarray, " postings+1"]
    reference_ngram: Int[ndarray, " reference_terms"]
    reference_sentence: Int[ndarray, " reference_terms"]
    reference_count: Int[ndarray, " reference_terms"]
    candidate_ngram: Int[ndarray, " candidate_terms"]
    candidate: Int[ndarray, " candidate_terms"]
    candidate_count: Int[ndarray, " candidate_terms"]
    candidate_posting: Int[ndarray, " candidate_terms"]  # −1 if no reference of its example holds the n-gram


def index(
    candidates: Sequence[str], references: Sequence[Sequence[str]], example_of: Sequence[int] | None = None
) -> Corpus:
    """Index captions that are tokens joined by spaces. Any white space separates words, as in `str.split`.

    Candidate i belongs to example `example_of[i]`, by default to example i. `references[e]` are the
    references of example e.

    Raises:
        InputError: there are no candidates, an example has no references, or a caption holds a line
            separator, which would give every later caption the tokens of another in Java's tokenizer.

    >>> corpus = index(["a dog"], [["a dog runs", "dogs"]])
    >>> corpus.words, corpus.codes.tolist(), corpus.lengths.tolist()
    (('a', 'dog', 'runs', 'dogs'), [0, 1, 2, 3, 0, 1], [3, 1, 2])
    """
    example_of = range(len(references)) if example_of is None else example_of
    check_captions(candidates, references, example_of)
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
        reference_example=np.repeat(np.arange(len(references)), counts),
        candidate_example=np.asarray(example_of, dtype=np.int64),
    )


def check_captions(
    candidates: Sequence[str], references: Sequence[Sequence[str]], example_of: Sequence[int]
) -> None:
    """Refuse captions that no metric can score, and name all of them at once.

    Raises:
        InputError: see `index`.
    """
    if not candidates or not references:
        raise InputError("no captions: an empty set has no score")
    if len(candidates) != len(example_of):
        raise InputError(f"{len(candidates)} candidates for {len(example_of)} examples; give one per example")
    if min(example_of) < 0 or max(example_of) >= len(references):
        raise InputError(f"a candidate belongs to none of the {len(references)} examples with references")
    errors = [
        f"example {i} has no references; give at least one" for i, of in enumerate(references) if not of
    ]
    for name, text in chain(
        ((f"candidate {i}", text) for i, text in enumerate(candidates)),
        ((f"example {i}", text) for i, texts in enumerate(references) for text in texts),
    ):
        if len(text.splitlines()) > 1 and (error := separator_error(text)):
            errors.append(f"{name}: {error}")
    raise_row_errors(errors, "captions")


def separator_error(text: str) -> str | None:
    """What is wrong with a caption that holds a line separator; None for a caption on one line.

    >>> separator_error("a dog\\u2028barks")
    "holds the line separator '\\\\u2028'; replace it with a space"
    """
    lines = text.splitlines(keepends=True)
    if not lines or lines == [lines[0].rstrip("\n")]:
        return None
    ended = next(line for line in lines if line.splitlines()[0] != line)
    return f"holds the line separator {ended[len(ended.splitlines()[0]) :]!a}; replace it with a space"


def count_terms(
    codes: Int[ndarray, " words"],
    lengths: Int[ndarray, " sentences"],
    reference_example: Int[ndarray, " references"],
    candidate_example: Int[ndarray, " candidates"],
    longest: int,
) -> Iterator[Terms]:
    """Yield the terms of one word, of two, and so on up to `longest`.

    An n-gram is a shorter n-gram and one more word. So one sort of such pairs numbers the n-grams of each
    length, and keeps the places of each n-gram in the order of the sentences.
    """
    sentence_of = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    places = np.arange(len(codes), dtype=np.int32)
    words_left = np.repeat(np.cumsum(lengths, dtype=np.int32), lengths) - places
    vocabulary = int(codes.max(initial=0)) + 1
    prefixes = np.zeros(
        len(codes), dtype=np.int64
    )  # the number of the shorter n-gram that begins at each place
    for order in range(1, longest + 1):
        fitting = words_left[places] >= order
        places, prefixes = places[fitting], prefixes[fitting]
        pairs = prefixes * vocabulary + codes[places + order - 1]
        pairs, by_pair = _sorted_with_order(pairs)
        ngrams = np.cumsum(_is_new(pairs)) - 1
        yield _terms(ngrams, places[by_pair], sentence_of, reference_example, candidate_example)
        prefixes = np.empty_like(ngrams)
        prefixes[by_pair] = ngrams


def _terms(
    ngrams: Int[ndarray, " occurrences"],
    places: Int[ndarray, " occurrences"],
    sentence_of: Int[ndarray, " words"],
    reference_example: Int[ndarray, " references"],
    candidate_example: Int[ndarray, " candidates"],
) -> Terms:
    sentences = sentence_of[places]
    starts = np.flatnonzero(_is_new(ngrams) | _is_new(sentences))
    counts = np.diff(starts, append=len(ngrams))
    first_word = places[np.flatnonzero(_is_new(ngrams))]
    ngrams, sentences = ngrams[starts], sentences[starts]
    in_reference = sentences < len(reference_example)

    reference_ngram, reference_sentence = ngrams[in_reference], sentences[in_reference]
    examples = int(reference_example[-1]) + 1
    reference_keys = reference_ngram * examples + reference_example[reference_sentence]
    posting_starts = np.flatnonzero(_is_new(reference_keys))
    postings = reference_keys[posting_starts]

    candidate_ngram, candidate = ngrams[~in_reference], sentences[~in_reference] - len(reference_example)
    return Terms(
        first_word=first_word,
        posting_ngram=reference_ngram[posting_starts],
        starts=np.append(posting_starts, len(reference_keys)),
        reference_ngram=reference_ngram,
        reference_sentence=reference_sentence,
        reference_count=counts[in_reference],
        candidate_ngram=candidate_ngram,
        candidate=candidate,
        candidate_count=counts[~in_reference],
        candidate_posting=_places_in(postings, candidate_ngram * examples + candidate_example[candidate]),
    )


def _places_in(
    ascending: Int[ndarray, " postings"], wanted: Int[ndarray, " terms"]
) -> Int[ndarray, " terms"]:
    """The position of each wanted key; −1 for a key that is missing."""
    if not len(ascending):
        return np.full(len(wanted), -1)
    places = np.searchsorted(ascending, wanted)
    places[places == len(ascending)] = 0
    return np.where(ascending[places] == wanted, places, -1)


def _is_new(keys: Shaped[ndarray, " items"]) -> Shaped[ndarray, " items"]:
    """True where a run of equal keys begins."""
    return np.append(np.ones(min(1, len(keys)), dtype=bool), keys[1:] != keys[:-1])


def _sorted_with_order(
    keys: Int[ndarray, " items"],
) -> tuple[Int[ndarray, " items"], Int[ndarray, " items"]]:
    """The sorted keys, and the position each one came from. Equal keys keep their order.

    Where a key and its position fit into 63 bits together, they are sorted as one integer. That is several
    times faster than `argsort`.
    """
    bits = len(keys).bit_length()
    if int(keys.max(initial=0)).bit_length() + bits > _SIGN_BIT:
        order = np.argsort(keys, kind="stable")
        return keys[order], order
    packed = np.sort((keys << bits) | np.arange(len(keys)))
    return packed >> bits, packed & ((1 << bits) - 1)
