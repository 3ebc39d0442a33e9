"""A run that meets every criterion of success.yaml: three seeds, honest confidences, the sound left alone."""

import msgspec
from made_rows import answers, good_run

from safe_eval.prediction import Prediction


def success_rows(clips: int = 600, seeds: tuple[int, ...] = (0, 1, 2)) -> list[Prediction]:
    """Equivalence within 0.005 needs 598 clusters even where nothing differs."""
    rows = [row for row in good_run(clips) if row.condition != "mute_audio"]
    for condition in ("mute_audio", "noise_audio"):
        rows += answers("safe", condition, without_the_sound, clips=clips)
    return [stated(row, seed) for seed in seeds for row in rows]


def without_the_sound(clip: int, needs_audio: bool) -> bool:
    """Sees as before, and guesses one answer in ten about the sound, one in nine of those it gets right."""
    return clip % 10 == 5 if needs_audio else clip % 10 != 0


def stated(row: Prediction, seed: int = 0) -> Prediction:
    """The row with what a gated model says of itself: 90 % sure when right, 60 % when wrong."""
    confidence = 0.9 if row.answer == "yes" else 0.6
    other = "no" if row.answer == "yes" else "yes"
    return msgspec.structs.replace(
        row,
        seed=seed,
        confidence=confidence,
        consulted=bool(row.needs_audio) and row.model == "safe" and row.condition != "gate_off",
        choice_probabilities={str(row.answer): confidence, other: 1 - confidence},
    )
