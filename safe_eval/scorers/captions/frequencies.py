"""Frequencies: how many examples' references hold each n-gram. A JSON file lets several runs share them."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.core.overwriting import write_new
from safe_eval.scorers.captions.corpus import Corpus, Terms, index

FORMAT_VERSION = 1
FEWEST_DOCUMENTS = 2  # with one, log(documents / frequency) is 0 for every n-gram, and so is every score


class Frequencies(msgspec.Struct, frozen=True, kw_only=True):
    """Document frequencies: a document is all references of one example.

    N-grams of a single document are left out: they weigh as much as n-grams of none. The file is JSON:
    `{"format_version": 1, "documents": 40504, "frequencies": {"a dog": 812}}`.
    """

    format_version: int
    documents: int
    frequencies: dict[str, int]  # by n-gram: its words, joined by single spaces


def count_frequencies(references: Sequence[Sequence[str]]) -> Frequencies:
    """Count the examples whose tokenised references hold each n-gram of up to four words.

    Raises:
        InputError: fewer than two examples, an example without references, a caption with a line separator.

    >>> count_frequencies([["a dog", "the dog"], ["a cat"]]).frequencies
    {'a': 2}
    """
    corpus = index([""], references, example_of=[0])
    if corpus.example_count < FEWEST_DOCUMENTS:
        raise InputError(_one_document("the references"))
    frequencies = {}
    for order, terms in enumerate(corpus.terms, 1):
        counts = np.bincount(terms.posting_ngram, minlength=len(terms.first_word))
        for ngram in np.flatnonzero(counts > 1).tolist():
            frequencies[_text(corpus, terms, ngram, order)] = int(counts[ngram])
    return Frequencies(format_version=FORMAT_VERSION, documents=corpus.example_count, frequencies=frequencies)


def write_frequencies(path: str | os.PathLike[str], frequencies: Frequencies, *, force: bool = False) -> None:
    """Write a file for `read_frequencies`, completely or not at all. Equal frequencies give equal bytes.

    Raises:
        InputError: the file is there with other content, and `force` is not set.
    """
    write_new(Path(path), msgspec.json.encode(frequencies, order="sorted"), force=force)


def read_frequencies(path: str | os.PathLike[str]) -> Frequencies:
    """Read a file of document frequencies.

    Raises:
        InputError: the file does not exist, has another format, or holds a frequency that is not a count of
            its documents.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file of document frequencies")
    try:
        read = msgspec.json.decode(path.read_bytes(), type=Frequencies)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"{path}: is not a file of document frequencies: {error}; a pickle cannot be read: "
            "count the references again"
        ) from None
    if read.format_version != FORMAT_VERSION:
        raise InputError(
            f"{path}: has format_version {read.format_version}; this release reads {FORMAT_VERSION}"
        )
    if read.documents < FEWEST_DOCUMENTS:
        raise InputError(f"{path}: {_one_document('its counts')}")
    for ngram, count in read.frequencies.items():
        if not 1 <= count <= read.documents:
            raise InputError(
                f"{path}: {ngram!r} is in {count} of {read.documents} documents; count them again"
            )
    return read


def inverse_frequencies(
    corpus: Corpus, frequencies: Frequencies | None = None
) -> list[Float[ndarray, " ngrams"]]:
    """For each n-gram length, log(documents / frequency) of every n-gram.

    Without `frequencies`, they are counted in the references of the corpus.

    Raises:
        InputError: there is one example only, whose references cannot be counted.
    """
    documents = corpus.example_count if frequencies is None else frequencies.documents
    if documents < FEWEST_DOCUMENTS:
        raise InputError(_one_document("these references"))
    inverse = []
    for order, terms in enumerate(corpus.terms, 1):
        counts = _counted(terms) if frequencies is None else _given(corpus, terms, order, frequencies)
        logs = np.log(documents) - np.log(np.maximum(1, counts).astype(float))
        # exactly 0 for an n-gram of all documents: the two logarithms may differ in their last bit
        inverse.append(np.where(counts == documents, 0.0, logs))
    return inverse


def _counted(terms: Terms) -> Float[ndarray, " ngrams"]:
    return np.bincount(terms.posting_ngram, minlength=len(terms.first_word)).astype(float)


def _given(corpus: Corpus, terms: Terms, order: int, frequencies: Frequencies) -> Float[ndarray, " ngrams"]:
    known = frequencies.frequencies
    counts = (known.get(_text(corpus, terms, ngram, order), 1) for ngram in range(len(terms.first_word)))
    return np.fromiter(counts, dtype=float, count=len(terms.first_word))


def _text(corpus: Corpus, terms: Terms, ngram: int, order: int) -> str:
    first = int(terms.first_word[ngram])
    return " ".join(map(corpus.words.__getitem__, corpus.codes[first : first + order].tolist()))


def _one_document(whose: str) -> str:
    return (
        f"CIDEr needs document frequencies of at least {FEWEST_DOCUMENTS} examples, and {whose} are of one: "
        "every caption would score 0; score more examples, or give a file of document frequencies"
    )
