"""Answers of a gated model made for tests, in which every number of the table of gates is planted."""

from typing import Any

from made_rows import row

from safe_eval.prediction import Prediction

CLIPS, WRONG = 200, 10  # and how many of the last ones every model gets wrong
BASE_MS, OPEN_MS, SKIP_MS, CONSULT_MS = 10.0, 12.0, 10.5, 13.0
TOKENS = 4


def gated(
    *,
    clips: int = CLIPS,
    skipped: int = 60,
    lost: int = 2,
    false_vl: int = 6,
    harmed: int = 1,
    seed: int = 0,
    **fields: Any,
) -> list[Prediction]:
    """A base, a model with a gate and the same model with its gate always open, under full and gate_off.

    Of the questions about the sound, the first `skipped` are skipped, and `lost` of them are lost by it:
    hearing would have answered them. Of those about the picture, the first `false_vl` are consulted, and
    `harmed` of them are wrong for it.
    """

    def answered(model: str, condition: str, clip: int, audio: bool, **how: Any) -> Prediction:
        return row(
            f"c{clip}-{'audio' if audio else 'vl'}",
            record_id=f"c{clip}",
            group=f"g{clip}",
            dataset="made",
            needs_audio=audio,
            question_type="sound" if audio else "colour",
            model=model,
            condition=condition,
            seed=seed,
            metadata={"batch": 1},
            **how | fields,
        )

    def base(clip: int, audio: bool) -> str:
        right = clip < skipped - lost if audio else clip < clips - WRONG
        return "yes" if right else "no"

    def hearing(clip: int) -> str:
        return "yes" if clip < clips - WRONG else "no"

    rows = []
    for clip in range(clips):
        for audio in (True, False):
            deaf = {"consulted": False, "audio_tokens": 0}
            heard = {"consulted": True, "audio_tokens": TOKENS}
            for model, condition in (("base", "full"), ("safe", "gate_off")):
                text = base(clip, audio)
                rows.append(answered(model, condition, clip, audio, answer=text, latency_ms=BASE_MS, **deaf))
            rows.append(
                answered(
                    "safe_always_on", "full", clip, audio, answer=hearing(clip), latency_ms=OPEN_MS, **heard
                )
            )
            used = clip >= skipped if audio else clip < false_vl
            text = hearing(clip) if used else base(clip, audio)
            if used and not audio and clip < harmed:
                text = "no"
            moved = {"influence_kl": 1.5 if audio or clip < harmed else 0.01} if used else {}
            rows.append(
                answered(
                    "safe",
                    "full",
                    clip,
                    audio,
                    answer=text,
                    latency_ms=CONSULT_MS if used else SKIP_MS,
                    gate_ms=0.02,
                    gate_score=(0.5 + clip / 1000) if used else 0.1,
                    **moved,
                    **(heard if used else deaf),
                )
            )
    return rows
