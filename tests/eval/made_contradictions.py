"""Answers made for tests, to questions whose picture shows one thing while the sound says another."""

from collections.abc import Callable
from typing import Any

from safe_eval.prediction import Prediction

SHOWN, HEARD = "dog", "cat"  # what the picture shows, and what the sound that is sent says


def contradicted(
    reply: Callable[[int], str | None], *, clips: int = 40, condition: str = "contradict", **fields: Any
) -> list[Prediction]:
    """One question for each clip; reply(clip) is the answer, and None a failure."""
    return [
        Prediction(
            **{
                "example_id": f"c{clip}",
                "references": (SHOWN,),
                "answer": reply(clip),
                "error": "no answer" if reply(clip) is None else None,
                "group": f"g{clip}",
                "dataset": "made",
                "needs_audio": clip % 2 == 0,
                "question_type": ("animal", "scene")[clip % 2],
                "model": "safe",
                "condition": condition,
                "metadata": {"contradicts": HEARD} if condition == "contradict" else None,
            }
            | fields
        )
        for clip in range(clips)
    ]
