"""Numbers of media: equal for records that have the same sound, or the same picture.

Facts that ask whether two records have one sound and one picture compare these numbers.
"""

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from safe_data.audit.alike.clusters import numbers_by
from safe_data.audit.alike.exact import audible_rows, loaded_rows, same_value
from safe_data.audit.corpus import Corpus

NONE = -1  # of a record without such a medium, or whose sound is digital silence

Numbers = Int[ndarray, " records"]


def sound_numbers(corpus: Corpus) -> Numbers:
    """The number of each record's sound: one for all disguises of it, -1 where nothing is heard.

    Raises:
        ValueError: sounds could not be compared.
    """
    return _numbers(corpus, "has_audio", "sound", "near_sound")


def picture_numbers(corpus: Corpus) -> Numbers:
    """The number of each record's picture: one for all copies of it, however encoded; -1 without a picture.

    Raises:
        ValueError: pictures could not be compared.
    """
    return _numbers(corpus, "has_image", "picture", "near_picture")


def exact_picture_numbers(corpus: Corpus) -> Numbers:
    """The number of each record's decoded picture, -1 without a picture."""
    return _numbers(corpus, "has_image", "picture")


def together(one: Numbers, other: Numbers) -> Numbers:
    """One number for two: equal where both are equal, and -1 where both are.

    >>> together(np.array([0, 0, -1]), np.array([1, 2, -1])).tolist()
    [6, 7, -1]
    """
    most = int(other.max(initial=NONE)) + 2
    both: Numbers = (one + 1) * most + other + 1 - (one + other == 2 * NONE)
    return both


def _numbers(corpus: Corpus, medium: str, *kinds: str) -> Numbers:
    """The number of each record's medium: of annotations alone, that of the path that they name."""
    if corpus.described:
        return same_value(corpus, "source_path", across=False)
    rows = audible_rows(corpus) if medium == "has_audio" else loaded_rows(corpus, medium)
    numbers = np.full(corpus.manifest.num_rows, NONE, np.int64)
    numbers[rows] = numbers_by(corpus, *kinds)[rows]
    return numbers
