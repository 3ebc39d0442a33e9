"""Corpus: tokenised references and candidates as one array of word numbers, and the n-grams in it."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from safe_data.errors import InputError, raise_row_errors
from safe_eval.scorers.captions.ngrams import Terms, count_terms

LONGEST_NGRAM = 4


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
