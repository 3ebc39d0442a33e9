"""Delivery: whether the sound that reached the model is the one its condition names."""

from collections.abc import Iterator, Sequence

from safe_eval.arms.arm import CellKey, cell_key
from safe_eval.prediction import Prediction, changes_sound

_SILENCE_DB = -119.0  # digital silence is written as -120


def delivery_notes(predictions: Sequence[Prediction]) -> Iterator[str]:
    """A line for each cell in which the hash or the level of what was sent gives its condition the lie.

    Rows that do not say what was sent (`audio_sha256`, `audio_rms_db`) prove nothing either way. A sound that
    is silence itself is the same muted.

    >>> rows = [Prediction(example_id="q", references=("a",), answer="a", audio_sha256="00", condition=c)
    ...         for c in ("full", "mute_audio")]
    >>> next(delivery_notes(rows))
    'model/mute_audio, seed 0: 1 of 1 sounds were sent as under full: the condition did not reach the model'
    """
    whole = {
        (cell_key(row), row.example_id): row.audio_sha256
        for row in predictions
        if row.condition == "full" and row.audio_sha256 is not None and not _is_silent(row)
    }
    compared: dict[CellKey, list[bool]] = {}
    heard: dict[CellKey, list[bool]] = {}
    for row in predictions:
        key = cell_key(row)
        sent = whole.get((key._replace(condition="full"), row.example_id))
        if sent is not None and row.audio_sha256 is not None and changes_sound(row.condition):
            compared.setdefault(key, []).append(row.audio_sha256 == sent)
        if row.condition == "mute_audio" and row.audio_rms_db is not None:
            heard.setdefault(key, []).append(not _is_silent(row))
    for key in sorted(compared, key=lambda key: key.order):
        if any(compared[key]):
            yield (
                f"{key.name}, seed {key.seed}: {sum(compared[key])} of {len(compared[key])} sounds were sent "
                "as under full: the condition did not reach the model"
            )
    for key in sorted(heard, key=lambda key: key.order):
        if any(heard[key]):
            yield (
                f"{key.name}, seed {key.seed}: {sum(heard[key])} of {len(heard[key])} sounds were not silent"
            )


def _is_silent(row: Prediction) -> bool:
    return row.audio_rms_db is not None and row.audio_rms_db <= _SILENCE_DB
