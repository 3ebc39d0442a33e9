"""Near-identical texts: captions and answers of two records that have the same words, or all but one.

A short text is no evidence: "a dog barks" says what many clips are about, and "a crow" is no "a cow". So
texts of fewer than five words are left out, those of fewer than ten must be equal, and longer ones may differ
in one word that is other, missing or more. Case, punctuation and the order of words in longer texts do not
count.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int, UInt64
from numpy import ndarray

from safe_data.audit.alike.likeness import Likeness, from_keys, joined
from safe_data.audit.corpus import Corpus
from safe_data.audit.examples import column, examples
from safe_data.core.cores import cores

KIND, EVIDENCE = "near_text", "the same words, or all but one of ten or more"
LEAST_WORDS, LEAST_WORDS_BUT_ONE = 5, 10

_AT_ONCE = 50_000  # texts, or keys, of which copies are made
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def near_texts(corpus: Corpus) -> Likeness:
    """Pairs of records with a reference that is nearly the same."""
    asked = corpus.once(examples)
    references = column(asked, "references")
    rows = np.asarray(asked["row"])[np.asarray(pc.list_parent_indices(references))]
    coded = _each(pc.list_flatten(references), _plain).dictionary_encode()
    texts, codes = coded.dictionary, np.asarray(coded.indices)
    del coded  # of a million captions, any copy is large
    counts = _word_counts(texts)
    long = counts[codes] >= LEAST_WORDS
    equal = from_keys(KIND, rows[long], pa.array(codes[long]).cast(pa.string()), EVIDENCE)
    first_row = np.full(len(counts), np.iinfo(np.int64).max)
    np.minimum.at(first_row, codes, rows)
    texts = texts.filter(pa.array(counts >= LEAST_WORDS_BUT_ONE))
    pa.default_memory_pool().release_unused()
    left, right, score = but_one_word(texts)
    of_text = first_row[counts >= LEAST_WORDS_BUT_ONE]
    left, right = of_text[left], of_text[right]
    near = Likeness(KIND, np.minimum(left, right), np.maximum(left, right), score, EVIDENCE)
    return joined(KIND, [_of_two_records(one) for one in (equal, near)])


def plain_texts(texts: pa.Array) -> pa.Array:
    """Texts in lower case without punctuation; one that consists of nothing else stays as it is.

    >>> plain_texts(pa.array(["A dog  barks.", "C#", "?"])).to_pylist()
    ['a dog barks', 'c', '?']
    """
    coded = texts.dictionary_encode()
    return _each(coded.dictionary, _plain).take(coded.indices)


def _plain(texts: pa.StringArray) -> pa.StringArray:
    words = pc.replace_substring_regex(pc.utf8_lower(texts), r"[^\p{L}\p{M}\p{N}]+", " ")
    words = pc.utf8_trim_whitespace(words)
    return pc.if_else(pc.equal(words, ""), texts, words)


def plain_answers(answers: pa.Array) -> pa.Array:
    """Plain texts without articles, and with small numbers as digits.

    >>> plain_answers(pa.array(["The dog", "two", "a"])).to_pylist()
    ['dog', '2', 'a']
    """
    coded = plain_texts(answers).dictionary_encode()
    return _each(coded.dictionary, _plain_answers).take(coded.indices)


def _plain_answers(words: pa.StringArray) -> pa.StringArray:
    has_number = pc.match_substring_regex(words, rf"\b({'|'.join(_NUMBERS)})\b")  # most have none
    numbered = words.filter(has_number)
    for number, name in enumerate(_NUMBERS):
        numbered = pc.replace_substring_regex(numbered, rf"\b{name}\b", str(number))
    words = pc.replace_with_mask(words, has_number, numbered)
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(words, r"\b(a|an|the) ", ""))


def _each(texts: pa.StringArray, change: Callable[[pa.StringArray], pa.StringArray]) -> pa.StringArray:
    """Texts that were changed, a few at once, so that there are not two more copies of a million."""
    parts = (texts.slice(first, _AT_ONCE) for first in range(0, len(texts), _AT_ONCE))
    with ThreadPoolExecutor(cores()) as pool:  # Arrow lets other threads work
        changed = pa.chunked_array(pool.map(change, parts), pa.string()).combine_chunks()
    pa.default_memory_pool().release_unused()
    return changed


def but_one_word(
    texts: pa.StringArray,
) -> tuple[Int[ndarray, " pairs"], Int[ndarray, " pairs"], ndarray]:
    """Pairs of texts whose sets of words differ in one word; and the share they have.

    The sum of the hashes of a set's words stands for the set. Two sets differ in one word if they are equal
    once a word is left out of one of them or of each. Pairs are of each text with the first of its kind, and
    one that is found twice has its share the higher time.

    >>> but_one_word(pa.array(["a b c", "x", "c d a"]))
    (array([0]), array([2]), array([0.5]))
    """
    keys, whose, sizes = _keys(texts)
    twice = _twice(keys)
    chosen = np.flatnonzero(_among(keys, twice))
    keys = keys[chosen]
    of_text = np.where(chosen < len(texts), chosen, whose[chosen - len(texts)])
    left_out = (chosen >= len(texts)).astype(np.int64)
    order = np.argsort(keys, kind="stable")  # whole sets stay before those that lack a word
    keys, of_text, left_out = keys[order], of_text[order], left_out[order]
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    first = np.repeat(starts, np.diff(np.append(starts, len(keys))))
    other = of_text != of_text[first]
    one, two = first[other], np.flatnonzero(other)
    common = sizes[of_text[one]] - left_out[one]
    return of_text[one], of_text[two], common / (common + left_out[one] + left_out[two])


def _keys(
    texts: pa.StringArray,
) -> tuple[UInt64[ndarray, " keys"], Int[ndarray, " words"], Int[ndarray, " texts"]]:
    """The sum of each text's set of words, then those that lack a word, whose they are, and sizes of sets."""
    whose, hashes = _sets(texts)
    sums = np.zeros(len(texts), np.uint64)
    np.add.at(sums, whose, hashes)
    keys = np.concatenate([sums, hashes])
    np.subtract(sums[whose], hashes, out=keys[len(sums) :])
    return keys, whose, np.bincount(whose, minlength=len(texts))


def _sets(texts: pa.StringArray) -> tuple[Int[ndarray, " words"], UInt64[ndarray, " words"]]:
    """The number of the text, and the hash, of each different word of each text."""
    parts, most = [], 0
    for words in _split(texts):
        parts.append(pc.list_flatten(words).unique())
        most += len(words.values)
    known = pa.chunked_array(parts, pa.string()).unique()
    whose, hashes, count = np.zeros(most, np.int32), np.zeros(most, np.uint64), 0
    for number, words in enumerate(_split(texts)):
        places = np.asarray(pc.index_in(pc.list_flatten(words), known), np.int64)
        of_text = np.asarray(pc.list_parent_indices(words), np.int64)
        pairs = _different(of_text * len(known) + places)
        filled = slice(count, count := count + len(pairs))
        whose[filled] = pairs // len(known) + number * _AT_ONCE
        hashes[filled] = _hashes(pairs % len(known))
    return whose[:count], hashes[:count]


def _word_counts(texts: pa.StringArray) -> Int[ndarray, " texts"]:
    counts = [np.asarray(pc.list_value_length(words), np.int64) for words in _split(texts)]
    return np.concatenate([np.zeros(0, np.int64), *counts])


def _split(texts: pa.StringArray) -> Iterator[pa.ListArray]:
    """The words of the texts, of so many at once as memory hardly notices."""
    for first in range(0, len(texts), _AT_ONCE):
        yield pc.utf8_split_whitespace(texts.slice(first, _AT_ONCE))


def _twice(values: UInt64[ndarray, " values"]) -> UInt64[ndarray, " some"]:
    """The values that occur more than once, in ascending order."""
    ordered = np.sort(values)
    return _different(ordered[1:][ordered[1:] == ordered[:-1]])


def _different(values: ndarray) -> ndarray:
    """The different values in ascending order; of millions, several times as fast as np.unique."""
    ordered = np.sort(values)
    found: ndarray = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return found


def _among(keys: UInt64[ndarray, " keys"], wanted: UInt64[ndarray, " wanted"]) -> Bool[ndarray, " keys"]:
    """Which keys are among those that are wanted, which are sorted."""
    found = np.zeros(len(keys), bool)
    for first in range(0, len(keys) if len(wanted) else 0, _AT_ONCE):
        some = keys[first : first + _AT_ONCE]
        places = np.minimum(np.searchsorted(wanted, some), len(wanted) - 1)
        found[first : first + _AT_ONCE] = wanted[places] == some
    return found


def _of_two_records(likeness: Likeness) -> Likeness:
    two = likeness.left != likeness.right
    return Likeness(KIND, likeness.left[two], likeness.right[two], likeness.score[two], likeness.evidence)


def _hashes(numbers: Int[ndarray, " words"]) -> UInt64[ndarray, " words"]:
    """Numbers of 64 bits that look like chance, by splitmix64."""
    mixed = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
