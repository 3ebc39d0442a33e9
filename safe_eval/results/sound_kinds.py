"""Sound kinds: what kind of sound a row was asked beside, as far as its row or the other rows say."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from safe_eval.arms.arm import Arm
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.prediction import Prediction

ALL, UNSAID, OTHER = "all", "unsaid", "other"  # every sound; one whose kind nobody says; one of a rare kind
MOST_KINDS = 12  # that are told apart; the rarer ones are one kind together

Labels = Mapping[tuple[str | None, str], str]  # of a sound, by its dataset and record


def sound_labels(arms: Sequence[Arm]) -> dict[tuple[str | None, str], str]:
    """What each record's sound is, where a row of task `classify` asks for it: its first reference.

    >>> from safe_eval.arms.arm import make_arms
    >>> row = Prediction(example_id="k", references=("speech",), answer="?", task="classify", record_id="r")
    >>> sound_labels(make_arms([row]))
    {(None, 'r'): 'speech'}
    """
    return {
        (row.dataset, row.record_id): row.references[0]
        for arm in arms
        for row in arm.rows
        if row.task == "classify" and row.record_id is not None and row.references
    }


def sound_kind(row: Prediction, labels: Labels) -> str:
    """The kind of the sound that a row was sent: `metadata.sound_kind`, or the label of the record it is of.

    That record is `metadata.sound_of`, or without it the row's own.

    >>> row = Prediction(example_id="q", references=("a",), answer="a", record_id="r", condition="swap_audio",
    ...                  metadata={"sound_of": "s"})
    >>> sound_kind(row, {(None, "s"): "music"}), sound_kind(row, {})
    ('music', 'unsaid')
    """
    facts = row.metadata or {}
    said, source = facts.get("sound_kind"), facts.get("sound_of")
    if isinstance(said, str) and said:
        return said
    if row.condition in ("noise_audio", "mute_audio"):
        return "noise" if row.condition == "noise_audio" else "silence"
    record = source if isinstance(source, str) else row.record_id if row.condition != "swap_audio" else None
    return UNSAID if record is None else labels.get((row.dataset, record), UNSAID)


def kinds_of(
    arm: ScoredArm, inside: Bool[ndarray, " rows"], labels: Labels
) -> dict[str, Bool[ndarray, " rows"]]:
    """The rows inside by the kind of their sound: all, then each kind, if there are two or more.

    Of more than twelve kinds the rarer ones are `other`.
    """
    found = {ALL: inside}
    named = np.array([sound_kind(row, labels) for row in arm.rows])
    names, counts = np.unique(named[inside], return_counts=True)
    if len(names) < 2:
        return found
    if len(names) > MOST_KINDS:
        kept = sorted(names[np.lexsort((names, -counts))][: MOST_KINDS - 1].tolist())
        named = np.where(np.isin(named, kept), named, OTHER)
        names = np.array([*kept, OTHER])
    return found | {str(name): inside & (named == name) for name in names.tolist()}
