"""Made captions, questions and predictions, as many as asked for, with word counts like real ones."""

from pathlib import Path

import numpy as np

from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions

CHOICES = ("guitar", "piano", "drums", "violin", "trumpet")
_REPLIES = (
    *(
        "{}",
        "{}.",
        "A {}.",
        "the {}",
        "({letter})",
        "{letter}. {}",
        "The answer is {letter}.",
        "Option {letter}",
    ),
    *(
        "I can hear a {} in clip {n}.",
        "It is a {}, not a {other}.",
        "The {} plays at {n} seconds.",
        "It is unclear.",
    ),
)
CELLS = (("base", "full"), *(("safe", c) for c in ("full", "mute_audio", "swap_audio", "gate_off")))
_WORDS, _ANSWERS, _ANNOTATORS = 9_000, 3_000, 10
_SYLLABLES = (
    "ba",
    "de",
    "fi",
    "go",
    "lu",
    "ma",
    "ne",
    "pi",
    "ro",
    "su",
)  # of a word, by the digits of its rank
_ODD = ("man's", "black-and-white", "T.V.", "don't", '"STOP"', "25", "(maybe)", "street,")


def captions(images: int, each: int, seed: int = 0) -> list[list[str]]:
    """`each` captions per image: the image's sentence, with about half of its words drawn anew each time."""
    rng = np.random.default_rng(seed)
    words = np.array(["".join(_SYLLABLES[int(digit)] for digit in str(rank)) for rank in range(_WORDS)])
    lengths = rng.integers(8, 14, images)
    sentences = rng.choice(_WORDS, p=_zipf(_WORDS), size=(images, 14))
    others = rng.choice(_WORDS, p=_zipf(_WORDS), size=(images, each, 14))
    drawn = words[np.where(rng.random(others.shape) < 0.5, others, sentences[:, None])]
    return [[" ".join(text[:length]) for text in texts] for texts, length in zip(drawn, lengths, strict=True)]


def raw_captions(count: int, seed: int = 0) -> list[str]:
    """Captions as people write them: a capital, a period, and odd forms in one of ten."""
    rng = np.random.default_rng(seed)
    odd = rng.integers(0, 10 * len(_ODD), count)
    texts = (text for texts in captions(-(-count // 5), 5, seed) for text in texts)
    return [
        f"A {text}{' ' + _ODD[place] if place < len(_ODD) else ''}."
        for text, place in zip(texts, odd, strict=False)
    ]


def questions(count: int, seed: int = 0) -> list[Prediction]:
    """Questions with ten annotators, of whom some three in four agree, and an answer that is often theirs."""
    rng = np.random.default_rng(seed)
    answers = ["yes", "no", "2", "two", "The dog.", *(f"a thing, {rank}" for rank in range(_ANSWERS - 5))]
    main, other, given = (rng.choice(_ANSWERS, p=_zipf(_ANSWERS), size=count) for _ in range(3))
    agrees = rng.random((count, _ANNOTATORS)) < rng.choice([0.6, 0.8, 1.0], size=(count, 1))
    right = rng.random(count) < 0.6
    return [
        Prediction(
            example_id=f"q{i}",
            references=tuple(answers[main[i] if yes else other[i]] for yes in agrees[i]),
            answer=answers[main[i] if right[i] else given[i]],
            dataset="made",
            group=f"g{i // 4}",
            question_type=f"type {i % 20}",
            needs_audio=bool(i % 2),
        )
        for i in range(count)
    ]


def replies(count: int, seed: int = 0) -> list[str]:
    """Short replies to a question with five choices, as models word them."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, (len(_REPLIES), len(CHOICES), len(CHOICES), 1_000), (count, 4)).tolist()
    return [
        _REPLIES[form].format(CHOICES[one], other=CHOICES[other], letter="ABCDE"[one], n=n)
        for form, one, other, n in drawn
    ]


def write_run(path: Path, rows: int) -> None:
    """Predictions of two models under four conditions, a fifth of the rows each, with confidences."""
    rng = np.random.default_rng(0)
    asked = {cell: questions(rows // len(CELLS), seed) for seed, cell in enumerate(CELLS)}
    truth = asked[CELLS[0]]

    def made() -> list[Prediction]:
        return [
            _as(one, truth[i], model, condition, float(rng.random()))
            for (model, condition), given in asked.items()
            for i, one in enumerate(given)
        ]

    write_predictions(path, made())


def _as(one: Prediction, truth: Prediction, model: str, condition: str, confidence: float) -> Prediction:
    from msgspec.structs import replace

    agreeing = truth.references[0] if confidence < 0.5 else one.answer
    return replace(truth, answer=agreeing, model=model, condition=condition, confidence=round(confidence, 3))


def _zipf(ranks: int) -> np.ndarray:
    weights = 1 / (np.arange(ranks) + 2.7)
    return weights / weights.sum()
