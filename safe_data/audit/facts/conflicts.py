"""Conflicts: records that are one and the same, and say different things about it.

One recording with two labels, or one question about the same media with two answers: one of the two is wrong,
whatever the split of each is.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int
from numpy import ndarray

from safe_data.audit.alike.media import NONE, exact_picture_numbers, sound_numbers, together
from safe_data.audit.alike.questions import repeated_questions
from safe_data.audit.alike.texts import plain_texts
from safe_data.audit.corpus import Corpus
from safe_data.audit.facts.duplicates import shares_by_split
from safe_data.audit.facts.fact import MOST_OFFENDERS, Fact, FactKind, Offender, not_applicable

_CAPTION = "caption"

Numbers = Int[ndarray, " some"]


def conflicting_labels(corpus: Corpus) -> Fact:
    """Records of one recording whose labels differ; a record without label is in no conflict.

    Of a record without a sound, or with a silent one, the pixels are compared. Labels of two datasets are not
    compared, as each has its own words, and neither are case and punctuation.

    Raises:
        ValueError: sounds could not be compared.
    """
    labels = pc.if_else(pc.equal(corpus.manifest["status"], "ok"), corpus.manifest["label"], None)
    rows = np.flatnonzero(np.asarray(pc.fill_null(pc.not_equal(labels, ""), False)))
    if not len(rows):
        return not_applicable("no loaded record has a label")
    sounds = corpus.once(sound_numbers)
    numbers = together(sounds, np.where(sounds == NONE, corpus.once(exact_picture_numbers), NONE))[rows]
    groups = np.where(numbers == NONE, NONE - rows, together(numbers, corpus.dataset_of[rows]))
    words = labels.take(pa.array(rows)).combine_chunks()
    affected = _differing(groups, _codes(plain_texts(words)))
    said = [f"label {word}" for word in words.take(pa.array(affected)).to_pylist()]
    return _conflict(corpus, rows[affected], groups[affected], said, len(rows))


def conflicting_answers(corpus: Corpus) -> Fact:
    """Records that are asked what another with the same media is asked, and have no answer in common with it.

    Captions are left out, as several may be true.

    Raises:
        ValueError: the media could not be compared, or what is asked is not known.
    """
    found = corpus.once(repeated_questions)
    asked = np.flatnonzero(np.asarray(pc.not_equal(found.tasks, _CAPTION)))
    if not len(asked):
        return not_applicable("no question is asked about media that are there")
    rows, same = found.rows[asked], found.question[asked]
    places = _differing(same, found.answer[asked])
    affected, firsts = np.unique(rows[places], return_index=True)
    said = [found.says(int(place)) for place in asked[places[firsts]]]
    return _conflict(corpus, affected, same[places[firsts]], said, len(np.unique(rows)))


def _codes(words: pa.Array) -> Numbers:
    """A number for each text."""
    return np.asarray(pc.dictionary_encode(words).indices).astype(np.int64)


def _differing(groups: Numbers, values: Numbers) -> Numbers:
    """The places of those whose group has more than one value."""
    _, dense = np.unique(groups, return_inverse=True)
    pairs = np.unique(np.stack([dense, values]), axis=1)
    several = np.bincount(pairs[0], minlength=int(dense.max(initial=-1)) + 1) > 1
    return np.flatnonzero(several[dense])


def _conflict(corpus: Corpus, rows: Numbers, groups: Numbers, said: list[str], among: int) -> Fact:
    """The fact of these rows; offenders are the groups, each with what its records say."""
    members: dict[int, list[int]] = {}
    for place, group in enumerate(groups.tolist()):
        if group in members or len(members) < MOST_OFFENDERS:
            members.setdefault(group, []).append(place)
    offenders = tuple(
        Offender(
            ", ".join(dict.fromkeys(said[place] for place in places)),
            tuple(corpus.label(int(rows[place])) for place in places),
        )
        for places in members.values()
    )
    return Fact(len(rows), among, offenders, detail=shares_by_split(corpus, rows))


FACTS: dict[str, FactKind] = {
    "conflicting_labels": FactKind(
        conflicting_labels, "records of one recording that have another label than its other records"
    ),
    "conflicting_answers": FactKind(
        conflicting_answers, "records whose question about the same media has another answer elsewhere"
    ),
}
