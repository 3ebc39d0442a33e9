"""Leak kinds: in what two splits may be alike, from the same id to sounds that are nearly the same.

Each kind gives labels, equal for records that are alike; a kind that is less strict holds the stricter one.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec
import pyarrow.compute as pc

from safe_data.audit.alike.all_alike import KINDS as ALIKE
from safe_data.audit.alike.all_alike import alike
from safe_data.audit.alike.clusters import components
from safe_data.audit.alike.exact import same_value
from safe_data.audit.corpus import Corpus
from safe_data.audit.matrix import QUESTION, Labels, Matrix, NotLookedFor, leakage_matrix, question_leaks
from safe_data.core.errors import words_of
from safe_data.core.numerals import counted

NOT_READ = "no media were read, only annotations; build the dataset, then audit it"


class LeakKind(NamedTuple):
    """How records that are alike are found, what they share, and the stricter kind that implies it."""

    labels: Callable[[Corpus], Labels]
    shares: str
    implied_by: str = ""


def id_labels(corpus: Corpus) -> Labels:
    """Records of one dataset with one id."""
    return same_value(corpus, "id", across=False)


def group_labels(corpus: Corpus) -> Labels:
    """Records with one group; the datasets may be made of the same videos."""
    return same_value(corpus, "group", across=True)


def path_labels(corpus: Corpus) -> Labels:
    """Records for which the annotations of one corpus name one medium."""
    return same_value(corpus, "source_path", across=False)


def _alike(*kinds: str) -> Callable[[Corpus], Labels]:
    """Records that any of these kinds of likeness joins, directly or through others."""

    def labels(corpus: Corpus) -> Labels:
        found = [alike(corpus, kind) for kind in kinds]
        for one in found:
            if one.why_not:
                raise ValueError(one.why_not)
        return components(corpus.manifest.num_rows, found)

    return labels


KINDS: dict[str, LeakKind] = {
    "media_path": LeakKind(path_labels, "the medium that the annotations name"),
    "sound_file": LeakKind(_alike("sound_file"), "a sound file, byte for byte"),
    "sound": LeakKind(_alike("sound_file", "sound"), "a sound, once decoded", "sound_file"),
    "near_sound": LeakKind(_alike("sound", "near_sound"), "a sound, or a disguise of it", "sound"),
    "picture_file": LeakKind(_alike("picture_file"), "a picture file, byte for byte"),
    "picture": LeakKind(_alike("picture_file", "picture"), "a picture, once decoded", "picture_file"),
    "near_picture": LeakKind(_alike("picture", "near_picture"), "a picture, or a copy of it", "picture"),
    "group": LeakKind(group_labels, "a group"),
    "id": LeakKind(id_labels, "an id"),
}
SAME_QUESTION = "a question and its answer about the same medium"
HASHES = {
    "sound_file": ("has_audio", "audio_sha256"),
    "sound": ("has_audio", "pcm_sha256"),
    "picture_file": ("has_image", "image_sha256"),
    "picture": ("has_image", "pixel_sha256"),
}
WITHOUT_MEDIA = ("media_path", "group", "id")  # the kinds that annotations alone can show


def matrix_of(corpus: Corpus) -> Matrix:
    """The leakage matrix of a corpus, by every kind that it can show, and by the questions themselves."""
    matrix = leakage_matrix(corpus, labels_of(corpus))
    try:
        asked = question_leaks(corpus)
    except (ValueError, KeyError) as error:
        missed = NotLookedFor(QUESTION, words_of(error))
        return msgspec.structs.replace(matrix, not_looked_for=(*matrix.not_looked_for, missed))
    kinds, leaks = (*matrix.kinds, QUESTION), (*matrix.leaks, *asked)
    return msgspec.structs.replace(matrix, kinds=kinds, leaks=leaks)


def shares_of(kind: str) -> str:
    """What records that are alike by a kind share, in words."""
    return SAME_QUESTION if kind == QUESTION else KINDS[kind].shares


def labels_of(corpus: Corpus) -> dict[str, Callable[[Corpus], Labels]]:
    """How records are labelled by kind; a built dataset compares media, and knows no paths of them."""
    names = WITHOUT_MEDIA if corpus.described else [name for name in KINDS if name != "media_path"]
    return {name: KINDS[name].labels for name in names}


def strictest(kinds: Iterable[str]) -> list[str]:
    """Without the kinds that a stricter one implies: the same file is the same sound.

    >>> strictest(["sound_file", "sound", "near_sound", "near_picture", "group"])
    ['sound_file', 'near_picture', 'group']
    """
    found = list(kinds)
    return [kind for kind in found if not _implied_by(kind) & {*found}]


def _implied_by(kind: str) -> set[str]:
    stricter = KINDS[kind].implied_by
    return {stricter, *_implied_by(stricter)} if stricter else set()


def passed_over(corpus: Corpus) -> list[NotLookedFor]:
    """The kinds by which some records were compared with none: no hash, or media that cannot be read."""
    if corpus.described:
        return []
    missed = []
    for kind, (medium, column) in HASHES.items():
        rows = corpus.manifest
        there = pc.and_(pc.equal(rows["status"], "ok"), pc.fill_null(rows[medium], False))
        hashless = pc.and_(there, pc.equal(pc.fill_null(rows[column], ""), ""))
        if count := pc.sum(hashless).as_py():
            missed.append(
                NotLookedFor(kind, f"{counted(count, 'record')} without {column}, compared with none")
            )
    unread = {kind: len(alike(corpus, kind).unread) for kind in ALIKE}
    told = "cannot be read, and are compared with none; see `safe-data verify`"
    missed += [
        NotLookedFor(kind, f"media of {counted(count, 'record')} {told}")
        for kind, count in unread.items()
        if count
    ]
    return missed
