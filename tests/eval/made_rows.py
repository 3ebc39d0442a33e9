"""Predictions made for tests: what each example asks, and who answers it how."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.scoring.score import score_predictions
from safe_eval.scoring.scores import Scores

_SCORED: dict[tuple[bytes, Sampling, str], Scores] = {}


def row(example_id: str = "q1", answer: str | None = "yes", **fields: Any) -> Prediction:
    """One prediction; the right answer is yes."""
    return Prediction(**{"example_id": example_id, "references": ("yes",), "answer": answer} | fields)


def answers(
    model: str,
    condition: str,
    is_right: Callable[[int, bool], bool],
    *,
    clips: int = 50,
    clips_a_group: int = 1,
    **fields: Any,
) -> list[Prediction]:
    """A question about the sound and one about the picture of every clip; is_right(clip, needs_audio)."""
    return [
        row(
            f"c{clip}-{'audio' if needs_audio else 'vl'}",
            "yes" if is_right(clip, needs_audio) else "no",
            record_id=f"c{clip}",
            group=f"g{clip // clips_a_group}",
            dataset="made",
            needs_audio=needs_audio,
            question_type="sound" if needs_audio else "colour",
            model=model,
            condition=condition,
            **fields,
        )
        for clip in range(clips)
        for needs_audio in (True, False)
    ]


def good_run(clips: int = 50) -> list[Prediction]:
    """A model that hears: right about most sounds, as good as the base model about pictures."""

    def base(clip: int, needs_audio: bool) -> bool:
        return clip % 5 == 0 if needs_audio else clip % 10 != 0

    def hearing(clip: int, needs_audio: bool) -> bool:
        return clip % 10 != 1 if needs_audio else base(clip, needs_audio)

    return [
        *answers("base", "full", base, clips=clips),
        *answers("safe", "full", hearing, clips=clips),
        *answers("safe", "mute_audio", base, clips=clips),
        *answers("safe", "swap_audio", base, clips=clips),
        *answers("safe", "gate_off", base, clips=clips),
    ]


def shuffled(rows: list[Prediction], seed: int = 0) -> list[Prediction]:
    return [rows[place] for place in np.random.default_rng(seed).permutation(len(rows))]


def scored(rows: Sequence[Prediction], sampling: Sampling, options: ScoreOptions | None = None) -> Scores:
    """The scores of rows, made once: many tests judge the same rows by other criteria."""
    key = msgspec.msgpack.encode(list(rows)), sampling, repr(options)
    if key not in _SCORED:
        _SCORED[key] = score_predictions(rows, sampling, options)
    return _SCORED[key]
