"""The same question: asked in the same words about the same media, and whether it has the same answer."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int
from numpy import ndarray

from safe_data.audit.alike.all_alike import KINDS, PICTURES, SOUNDS, alike
from safe_data.audit.alike.clusters import components
from safe_data.audit.alike.likeness import require_all_read
from safe_data.audit.corpus import Corpus
from safe_data.audit.examples import examples

Numbers = Int[ndarray, " examples"]


class Asked(NamedTuple):
    """Questions, the row of the record of each, and a number that is the same for what is asked the same."""

    questions: pa.Table
    rows: Numbers
    numbers: Numbers


def asked_the_same(corpus: Corpus) -> Asked:
    """Questions with the same words about the same media, whatever their answers.

    The sound must be the same for questions that need it, the picture for the others, and both where it is
    not known what is needed. Of annotations alone, what they name as the medium must be the same.

    Raises:
        ValueError: media could not be compared.
    """
    asked = corpus.once(examples)
    asked = asked.filter(pc.equal(asked["task"], "vqa"))
    rows = np.asarray(asked["row"])
    prompts = codes_of(asked["prompt"])
    if corpus.described:
        paths = corpus.manifest["source_path"]
        named = np.where(np.asarray(pc.is_valid(paths)), codes_of(pc.fill_null(paths, "")), -1)
        media = np.where(named < 0, np.arange(len(named)) + len(named), named)[rows][None]
    else:
        needs = np.asarray(pc.fill_null(asked["needs_audio"].cast(pa.int8()), 2))
        sounds, pictures = (_compared(corpus, kinds)[rows] for kinds in (SOUNDS, PICTURES))
        media = np.stack([np.where(needs == 1, -1, pictures), np.where(needs == 0, -1, sounds)])
    _, numbers = np.unique(np.concatenate([prompts[None], media]), axis=1, return_inverse=True)
    return Asked(asked, rows, numbers.reshape(-1).astype(np.int64))


def asked_and_answered_the_same(corpus: Corpus) -> Asked:
    """Questions with the same words and the same references about the same media.

    Raises:
        ValueError: media could not be compared.
    """
    asked = corpus.once(asked_the_same)
    answers = codes_of(pc.binary_join(asked.questions["references"], "\x1f"))
    _, numbers = np.unique(np.stack([asked.numbers, answers]), axis=1, return_inverse=True)
    return asked._replace(numbers=numbers.reshape(-1).astype(np.int64))


def codes_of(words: pa.ChunkedArray) -> Numbers:
    """A number for each text."""
    return np.asarray(pc.dictionary_encode(words).combine_chunks().indices).astype(np.int64)


def _compared(corpus: Corpus, kinds: tuple[str, ...]) -> Int[ndarray, " records"]:
    found = [alike(corpus, kind) for kind in kinds if kind in KINDS]
    for one in found:
        require_all_read(one)
    return components(corpus.manifest.num_rows, found)
