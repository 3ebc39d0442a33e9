"""Delivery: whether the sound that reached the model fits its condition."""

from collections.abc import Iterator, Sequence

from safe_eval.arms.arm import Arm, shared_examples
from safe_eval.prediction import Prediction, changes_sound

_SILENCE_DB = -119.0  # digital silence is written as −120


def delivery_notes(arms: Sequence[Arm]) -> Iterator[str]:
    """One line per arm whose recorded audio hash or level contradicts its condition.

    Rows without `audio_sha256` or `audio_rms_db` are not checked. A sound that is silent already stays the
    same when it is muted.

    >>> from safe_eval.arms.arm import make_arms
    >>> rows = [Prediction(example_id="q", references=("a",), answer="a", audio_sha256="00", condition=c)
    ...         for c in ("full", "mute_audio")]
    >>> next(delivery_notes(make_arms(rows)))
    'model/mute_audio, seed 0: 1 of 1 sounds were sent as under full: the condition did not reach the model'
    """
    by_key = {arm.key: arm for arm in arms}
    for arm in arms:
        full = by_key.get(arm.key._replace(condition="full"))
        if full is None or not changes_sound(arm.key.condition):
            continue
        same = _same_sounds(full, arm)
        if any(same):
            yield (
                f"{arm.key.name}, seed {arm.key.seed}: {sum(same)} of {len(same)} sounds were sent as under "
                "full: the condition did not reach the model"
            )
    for arm in arms:
        if arm.key.condition != "mute_audio":
            continue
        heard = [not _is_silent(row) for row in arm.rows if row.audio_rms_db is not None]
        if any(heard):
            yield f"{arm.key.name}, seed {arm.key.seed}: {sum(heard)} of {len(heard)} sounds were not silent"


def _same_sounds(full: Arm, changed: Arm) -> list[bool]:
    """Whether both sounds are the same, for each example on which both are known."""
    at_full, at_changed = shared_examples(full.examples, changed.examples)
    matches = [
        (full.rows[one], changed.rows[other])
        for one, other in zip(at_full.tolist(), at_changed.tolist(), strict=True)
    ]
    return [
        sent.audio_sha256 == untouched.audio_sha256
        for untouched, sent in matches
        if untouched.audio_sha256 is not None and sent.audio_sha256 is not None and not _is_silent(untouched)
    ]


def _is_silent(row: Prediction) -> bool:
    return row.audio_rms_db is not None and row.audio_rms_db <= _SILENCE_DB
