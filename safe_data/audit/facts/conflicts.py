"""Conflicts: records that are one and the same, and say different things about it.

One recording with two labels, or one question about the same media with two answers: one of the two is wrong,
whatever the split of each is.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int
from numpy import ndarray

from safe_data.audit.alike.all_alike import KINDS, SOUNDS, alike
from safe_data.audit.alike.clusters import cluster_of
from safe_data.audit.alike.likeness import require_all_read
from safe_data.audit.alike.questions import asked_the_same, codes_of
from safe_data.audit.corpus import Corpus
from safe_data.audit.facts.duplicates import shares_by_split
from safe_data.audit.facts.fact import MOST_OFFENDERS, Fact, FactKind, Offender, not_applicable

Numbers = Int[ndarray, " some"]


def conflicting_labels(corpus: Corpus) -> Fact:
    """Records of a cluster of one recording whose labels differ; a record without label is in no conflict.

    Raises:
        ValueError: sounds could not be compared.
    """
    labels = pc.if_else(pc.equal(corpus.manifest["status"], "ok"), corpus.manifest["label"], None)
    rows = np.flatnonzero(np.asarray(pc.fill_null(pc.not_equal(labels, ""), False)))
    if not len(rows):
        return not_applicable("no loaded record has a label")
    _require_compared(corpus, SOUNDS)
    words = labels.take(pa.array(rows))
    affected = _differing(cluster_of(corpus)[rows], codes_of(words))
    said = [f"label {word}" for word in words.take(pa.array(affected)).to_pylist()]
    return _conflict(corpus, rows[affected], cluster_of(corpus)[rows[affected]], said, len(rows))


def conflicting_answers(corpus: Corpus) -> Fact:
    """Records that are asked what another with the same media is asked, and give another answer.

    The sound must be the same for questions that need it, the picture for the others, and both where it is
    not known what is needed.
    """
    asked, rows, same = corpus.once(asked_the_same)
    if not asked.num_rows:
        return not_applicable("no question is asked")
    answers = pc.binary_join(asked["references"], "\x1f")
    places = _differing(same, codes_of(answers))
    affected, firsts = np.unique(rows[places], return_index=True)
    prompts = asked["prompt"].take(pa.array(places[firsts])).to_pylist()
    given = asked["references"].take(pa.array(places[firsts])).to_pylist()
    said = [f"{prompt} {', '.join(words[:3])}" for prompt, words in zip(prompts, given, strict=True)]
    return _conflict(corpus, affected, same[places[firsts]], said, len(np.unique(rows)))


def _require_compared(corpus: Corpus, kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        if kind in KINDS:
            require_all_read(alike(corpus, kind))


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
