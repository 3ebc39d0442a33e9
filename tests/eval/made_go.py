"""Worlds that meet the plan's Go criteria, each with what makes it just miss one."""

from collections.abc import Callable, Sequence

import msgspec
from made_rows import answers, row

from safe_eval.prediction import Prediction

CLIPS = 600  # half a point needs 539 groups, even where nothing is lost

Change = Callable[[Prediction, int], Prediction]  # of a row and the number of its clip


def clip_of(prediction: Prediction) -> int:
    return int(str(prediction.record_id)[1:])


def arm(model: str, condition: str, audio: int, vl: int, **fields: object) -> list[Prediction]:
    """An arm that is right about the first so many sounds, and the first so many pictures."""
    return answers(
        model, condition, lambda clip, hears: clip < (audio if hears else vl), clips=CLIPS, **fields
    )


def changed(rows: Sequence[Prediction], change: Change) -> list[Prediction]:
    return [change(prediction, clip_of(prediction)) for prediction in rows]


def timed(rows: Sequence[Prediction], mean_ms: float) -> list[Prediction]:
    """Latencies around a mean, the same way in every arm."""
    return changed(
        rows, lambda r, clip: msgspec.structs.replace(r, latency_ms=mean_ms * (0.9 + 0.2 * (clip % 2)))
    )


def consulting(rows: Sequence[Prediction], audio: int, vl: int) -> list[Prediction]:
    """The sound is used for the first so many questions about the sound, and about the picture."""
    return changed(
        rows, lambda r, clip: msgspec.structs.replace(r, consulted=clip < (audio if r.needs_audio else vl))
    )


def pilot(gain: int = 18, lost_off: int = 0, lost_on: int = 0, slow: float = 1.1) -> list[Prediction]:
    return [
        *timed(arm("base", "full", 240, 540), 100.0),
        *timed(arm("safe", "full", 240 + gain, 540 - lost_on), 100.0 * slow),
        *timed(arm("safe", "gate_off", 240, 540 - lost_off), 100.0),
    ]


def gates(
    used_audio: int = 300, used_vl: int = 18, lost_audio: int = 1, lost_vl: int = 0, slow: float = 1.1
) -> list[Prediction]:
    """The base, the model without its gate under another name, and with it."""
    gated = consulting(arm("safe", "full", 500 - lost_audio, 540 - lost_vl), used_audio, used_vl)
    return [
        *timed(arm("base", "full", 240, 540), 100.0),
        *arm("safe_always_on", "full", 500, 530),
        *timed(gated, 100.0 * slow),
    ]


def lomo(lost_audio: int = 420, lost_vl: int = 0, lost_in_noise: int = 0) -> list[Prediction]:
    """Of 500 right answers about the sound, so many are lost; 418 and more show that 80 % are."""
    return [
        *arm("safe", "full", 500, 540),
        *arm("safe", "mute_audio", 500 - lost_audio, 540 - lost_vl),
        *arm("safe", "noise_audio", 500 - lost_audio, 540 - lost_in_noise),
    ]


def irrelevance(false: int = 18, changed_vl: int = 0, noisy: int = 260) -> list[Prediction]:
    return [
        *arm("base", "full", 240, 540),
        *consulting(arm("safe", "full", 500, 540), 600, false),
        *consulting(arm("safe", "noise_audio", 240, 540 - changed_vl), 600, false),
        *consulting(arm("safe", "swap_audio", 100, 540 - changed_vl), 600, false),
        *arm("safe", "snr_10db", noisy, 540),
    ]


def real(
    heard: int = 540, swapped: int = 60, other: int = 300, lost_vl: int = 0, lost_off: int = 0
) -> list[Prediction]:
    """Voices and pictures of one corpus, and kinds of sound of another, all asked in free words."""
    return [
        *of_corpus("stamps", "voice", arm("base", "full", 0, 540)),
        *of_corpus("stamps", "voice", arm("safe", "full", heard, 540 - lost_vl)),
        *of_corpus("stamps", "voice", arm("safe", "mute_audio", 0, 540)),
        *of_corpus("stamps", "voice", arm("safe", "swap_audio", swapped, 540)),
        *of_corpus("stamps", "voice", arm("safe", "gate_off", 0, 540 - lost_off)),
        *of_corpus("gcompris", "kind", arm("base", "full", 0, 540)),
        *of_corpus("gcompris", "kind", arm("safe", "full", other, 540)),
        *of_corpus("gcompris", "kind", arm("safe", "mute_audio", 0, 540)),
    ]


def of_corpus(dataset: str, about: str, rows: Sequence[Prediction]) -> list[Prediction]:
    """The rows as those of a corpus whose questions about sounds are of one type; no row has choices."""
    return [
        msgspec.structs.replace(
            one,
            dataset=dataset,
            example_id=f"{dataset}-{one.example_id}",
            question_type=about if one.needs_audio else "thing",
            choices=None,
        )
        for one in rows
        if one.needs_audio or dataset == "stamps"
    ]


def variance(
    audio: tuple[int, ...] = (540, 543, 546), vl: tuple[int, ...] = (540, 540, 540)
) -> list[Prediction]:
    rows = arm("base", "full", 240, 540)
    for seed, (right, seen) in enumerate(zip(audio, vl, strict=True)):
        rows += arm("safe", "full", right, seen, seed=seed)
    return rows


def captions(right: int = 2, clips: int = 40) -> list[Prediction]:
    """CIDEr-D is 10 for a perfect caption, and 0 for one that shares no word with any other."""
    return [
        row(
            f"q{clip}",
            said if clip < right else "nothing of the kind",
            references=(said,),
            task="caption",
            dataset="audiocaps",
            group=f"g{clip}",
            model="safe",
        )
        for clip in range(clips)
        for said in [" ".join(f"{word}{clip}" for word in ("a", "dog", "barks", "at", "night"))]
    ]


def speech(found: int = 50, quiet: int = 95, confidence: float = 0.75, seeds: int = 2) -> list[Prediction]:
    return [
        row(
            f"{name}{clip}",
            name if (clip < right) else other,
            references=(name,),
            choices=("SPEECH", "NONSPEECH"),
            task="classify",
            group=f"{name}{clip}",
            model="safe",
            confidence=confidence,
            seed=seed,
        )
        for seed in range(seeds)
        for name, other, right in (("SPEECH", "NONSPEECH", found), ("NONSPEECH", "SPEECH", quiet))
        for clip in range(100)
    ]


def overfit(right: int = 541, changed_off: int = 0) -> list[Prediction]:
    return [
        *arm("base", "full", 240, 540),
        *arm("safe", "full", right, 540),
        *arm("safe", "gate_off", 240, 540 - changed_off),
    ]


def retention(moved: float = 0.05, lost_vl: int = 0, changed_off: int = 0) -> list[Prediction]:
    def sure(rows: list[Prediction], yes: float) -> list[Prediction]:
        shares = (yes, yes - 0.02)  # of every second clip, so that an interval has a spread
        return changed(
            rows,
            lambda r, clip: msgspec.structs.replace(
                r, choice_probabilities={"yes": shares[clip % 2], "no": 1 - shares[clip % 2]}
            ),
        )

    return [
        *sure(arm("base", "full", 240, 540), 0.9),
        *sure(arm("safe", "full", 500, 540 - lost_vl), 0.9 - moved),
        *sure(arm("safe", "gate_off", 240, 540 - changed_off), 0.9),
    ]
