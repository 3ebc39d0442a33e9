"""Questions: which of them ask the same on the same media, and which of these have an answer in common.

A leak needs the same question with the same answer; a conflict is the same question with another answer.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int
from numpy import ndarray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from safe_data.audit.alike.media import (
    NONE,
    Numbers,
    exact_picture_numbers,
    picture_numbers,
    sound_numbers,
    together,
)
from safe_data.audit.alike.texts import plain_answers, plain_texts
from safe_data.audit.corpus import Corpus
from safe_data.audit.examples import column, examples


class Questions(NamedTuple):
    """For each example its row, and two numbers; examples without media or without a reference are left out.

    `question` is equal for the same question, with the same choices, on the same media; `answer` for those
    of them that have an answer in common, directly or through others. `prompts` and `tasks` say
    what is asked.
    """

    rows: Int[ndarray, " examples"]
    question: Int[ndarray, " examples"]
    answer: Int[ndarray, " examples"]
    prompts: pa.Array
    tasks: pa.Array
    references: pa.ListArray

    def says(self, place: int) -> str:
        """The question and its first answer: `what is heard? bell`."""
        return f"{self.prompts[place]} {self.references[place][0]}"


class Media(NamedTuple):
    """The medium that a question is about, as a number for each record: -1 where it is missing."""

    sound: Numbers
    picture: Numbers
    both: Numbers
    """for questions of which nobody said whether they need the sound"""


def leaking_questions(corpus: Corpus) -> Questions:
    """Questions on media that are alike: the same sound, for those that need it, or the same picture."""
    return _questions(corpus, _any_likeness)


def repeated_questions(corpus: Corpus) -> Questions:
    """Questions on the same sound, for those that need it, or the same pixels; on both where nobody said.

    Two pictures that are nearly the same may differ in just what is asked for.
    """
    return _questions(corpus, _certain_likeness)


def _any_likeness(corpus: Corpus) -> Media:
    sounds, pictures = corpus.once(sound_numbers), corpus.once(picture_numbers)
    seen = _first_known(pictures, sounds)
    return Media(sounds, seen, _first_known(sounds, pictures))


def _certain_likeness(corpus: Corpus) -> Media:
    sounds, pixels = corpus.once(sound_numbers), corpus.once(exact_picture_numbers)
    return Media(sounds, _first_known(pixels, sounds), together(sounds, pixels))


def _first_known(one: Numbers, other: Numbers) -> Numbers:
    """The first number if there is one, else the second; numbers of the two are never equal."""
    return np.where(one != NONE, 2 * one, np.where(other != NONE, 2 * other + 1, NONE))


def _questions(corpus: Corpus, find: Callable[[Corpus], Media]) -> Questions:
    asked = corpus.once(examples)
    media = find(corpus)
    needs = asked["needs_audio"]
    rows = np.asarray(asked["row"])
    about = [np.asarray(pc.fill_null(pc.equal(needs, value), False)) for value in (True, False)]
    number = np.select(about, [3 * media.sound[rows], 3 * media.picture[rows] + 1], 3 * media.both[rows] + 2)
    chosen = (number >= 0) & (np.asarray(pc.list_value_length(asked["references"])) > 0)
    words = corpus.once(_words)
    if not chosen.all():  # else a million texts would be copied
        asked = asked.filter(pa.array(chosen))
        number, rows, words = number[chosen], rows[chosen], words[chosen]
    question = np.unique(number, return_inverse=True)[1] * (int(words.max(initial=0)) + 1) + words
    question = np.unique(question, return_inverse=True)[1].astype(np.int64)
    references = column(asked, "references")
    answer = _with_common_answer(question, references)
    prompts, tasks = (column(asked, name) for name in ("prompt", "task"))
    return Questions(rows, question, answer, prompts, tasks, references)


def _words(corpus: Corpus) -> Int[ndarray, " examples"]:
    """A number for what each example asks in words, with its choices."""
    asked = corpus.once(examples)
    prompts = pc.dictionary_encode(plain_texts(column(asked, "prompt")))
    number = np.asarray(prompts.indices, np.int64)
    choices = column(asked, "choices")
    if choices.null_count < len(choices):
        coded = pc.dictionary_encode(pc.utf8_lower(pc.binary_join(pc.fill_null(choices, []), "\n")))
        number = number * len(coded.dictionary) + np.asarray(coded.indices)
        number = np.unique(number, return_inverse=True)[1].astype(np.int64)
    return number


def _with_common_answer(
    question: Int[ndarray, " examples"], references: pa.ListArray
) -> Int[ndarray, " examples"]:
    """A number for each example, equal for those of one question that an answer connects.

    Only questions that are asked more than once are looked at, as the others have a number of their own.
    """
    numbers = np.arange(len(question))
    places = np.flatnonzero(np.bincount(question)[question] > 1)
    question, references = question[places], references.take(pa.array(places))
    whose = np.asarray(pc.list_parent_indices(references), np.int64)
    coded = plain_answers(pc.list_flatten(references)).dictionary_encode()
    answers = question[whose] * (len(coded.dictionary) + 1) + np.asarray(coded.indices)
    found, answer_of = np.unique(answers, return_inverse=True)
    size = len(places) + len(found)
    links = coo_array((np.ones(len(whose), np.int8), (whose, len(places) + answer_of)), shape=(size, size))
    connected = connected_components(links, directed=False)[1][: len(places)]
    _, firsts, inverse = np.unique(connected, return_index=True, return_inverse=True)
    numbers[places] = places[firsts][inverse]
    return numbers
