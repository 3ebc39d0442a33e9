"""Conflicts: duplicates that contradict each other, so that one of them is wrong."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int
from numpy import ndarray

from safe_data.audit.alike.media import NONE, exact_picture_numbers, sound_numbers, together
from safe_data.audit.alike.questions import Questions, heard_questions, repeated_questions
from safe_data.audit.alike.texts import plain_texts
from safe_data.audit.corpus import Corpus
from safe_data.audit.facts.fact import MOST_OFFENDERS, Fact, FactKind, Offender, loaded, not_applicable
from safe_data.core.numerals import counted

_CAPTION = "caption"  # two captions of one clip differ without either being wrong


def conflicting_labels(corpus: Corpus) -> Fact:
    """Records with the sound of another record, or a disguise of it, and another label.

    Of a record without a sound, or with a silent one, the pixels of its picture are compared. Labels of two
    datasets are not: each has its own words.
    """
    loaded(corpus.manifest, "status")
    labels = plain_texts(pc.fill_null(corpus.manifest["label"].combine_chunks(), ""))
    known = np.asarray(pc.and_(pc.equal(corpus.manifest["status"], "ok"), pc.not_equal(labels, "")))
    if not known.any():
        return not_applicable("no record has a label")
    sounds = corpus.once(sound_numbers)
    pictures = np.where(sounds == NONE, corpus.once(exact_picture_numbers), NONE)
    numbers = together(sounds, pictures)
    rows = np.flatnonzero(known & (numbers != NONE))
    groups = together(numbers, corpus.dataset_of)[rows]
    codes = np.asarray(labels.dictionary_encode().indices, np.int64)[rows]
    conflicting = disagreeing(groups, codes)
    given = corpus.manifest["label"]
    offenders = _offenders(corpus, rows, groups, conflicting, lambda place: f"{given[int(rows[place])]}")
    return Fact(int(conflicting.sum()), int(known.sum()), offenders)


def conflicting_answers(corpus: Corpus) -> Fact:
    """Questions that are asked twice on the same media, with no answer in common.

    Captions are left out, as several may be true.
    """
    found = corpus.once(repeated_questions)
    rows, groups, conflicting = _contradicting(found)
    if not len(rows):
        return not_applicable("nothing but captions is asked")
    asked = np.flatnonzero(np.asarray(pc.not_equal(found.tasks, _CAPTION)))
    offenders = _offenders(corpus, rows, groups, conflicting, lambda place: found.says(int(asked[place])))
    of_records = counted(len(np.unique(rows[conflicting])), "record")
    detail = f"about {of_records}" if conflicting.any() else ""
    heard = int(_contradicting(corpus.once(heard_questions))[2].sum())
    only_heard = heard - int((conflicting & found.needs_audio[asked]).sum())
    if only_heard:
        detail += f"{'; ' if detail else ''}{only_heard} more share the sound, and not the picture"
    return Fact(int(conflicting.sum()), len(rows), offenders, detail=detail)


def _contradicting(found: Questions) -> tuple[ndarray, ndarray, Bool[ndarray, " questions"]]:
    """The rows and numbers of questions that are no captions, and which of them are contradicted."""
    asked = np.asarray(pc.not_equal(found.tasks, _CAPTION))
    groups = found.question[asked]
    return found.rows[asked], groups, disagreeing(groups, found.answer[asked])


def disagreeing(groups: Int[ndarray, " things"], values: Int[ndarray, " things"]) -> Bool[ndarray, " things"]:
    """Which things are in a group that has more than one value.

    >>> disagreeing(np.array([0, 0, 1, 1]), np.array([5, 6, 7, 7])).tolist()
    [True, True, False, False]
    """
    found, whose = np.unique(groups, return_inverse=True)
    different = np.unique(np.stack([whose, values]), axis=1)[0]
    disagree: Bool[ndarray, " things"] = np.bincount(different, minlength=len(found))[whose] > 1
    return disagree


def _offenders(
    corpus: Corpus,
    rows: Int[ndarray, " things"],
    groups: Int[ndarray, " things"],
    conflicting: Bool[ndarray, " things"],
    says: Callable[[int], str],
) -> tuple[Offender, ...]:
    """The first groups that disagree, with what their members say."""
    found = []
    places = np.flatnonzero(conflicting)
    _, firsts = np.unique(groups[places], return_index=True)
    for first in places[np.sort(firsts)[:MOST_OFFENDERS]].tolist():
        members = np.flatnonzero(groups == groups[first])[:MOST_OFFENDERS].tolist()
        words = list(dict.fromkeys(says(place) for place in members))
        records = dict.fromkeys(corpus.label(int(rows[place])) for place in members)
        found.append(Offender(" or ".join(words), tuple(records)))
    return tuple(found)


FACTS: dict[str, FactKind] = {
    "conflicting_labels": FactKind(conflicting_labels, "records whose duplicate has another label"),
    "conflicting_answers": FactKind(
        conflicting_answers, "questions whose duplicate, on the same media, has another answer"
    ),
}
