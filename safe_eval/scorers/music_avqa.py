"""MUSIC-AVQA: free text is mapped to one of the benchmark's 42 answers, and right if it is the right one.

The mapping, version 2, is `choice_parser.parse_answer` with the names below. Only the answers that the type
of question can have are choices, so "two violins" means "two" in a counting question. A reply that names no
choice, or several, is unparsed: it counts as wrong and is counted, and never becomes some answer.

Source: Li et al. 2022, and GeWu-Lab/MUSIC-AVQA, net_grd_avst/main_avst.py, which compares classes, and takes
micro averages by modality and over all. Differs: the published models choose among 42 classes and cannot be
unparsed. Ids are as in the source `music_avqa`: the 55 questions that the test file holds twice are two rows
each, 9,185 in all. With `json_update` there are 9,129, and about 54 answers differ. Say which you used.
"""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_eval.prediction import Prediction
from safe_eval.scorers.choice_parser import Aliases, Reading, read_answer

_YES_NO = ("yes", "no")
_NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    "more than ten",
)
_PLACES = ("left", "middle", "right")
_SCENES = ("indoor", "outdoor")
_TOGETHER = ("simultaneously",)
_INSTRUMENTS = (
    *("accordion", "acoustic_guitar", "bagpipe", "banjo", "bassoon", "cello", "clarinet", "congas", "drum"),
    *("electric_bass", "erhu", "flute", "guzheng", "piano", "pipa", "saxophone", "suona", "trumpet", "tuba"),
    *("ukulele", "violin", "xylophone"),
)
ANSWERS = (*_YES_NO, *_NUMBERS, *_PLACES, *_TOGETHER, *_SCENES, *_INSTRUMENTS)
# The answers that the annotations give to each type of question. Other types may have any of the 42.
_BY_TYPE = {
    "Audio/Counting": _YES_NO + _NUMBERS,
    "Audio/Comparative": _YES_NO,
    "Visual/Counting": _YES_NO + _NUMBERS,
    "Visual/Location": _INSTRUMENTS + _SCENES,
    "Audio-Visual/Existential": _YES_NO,
    "Audio-Visual/Counting": _NUMBERS,
    "Audio-Visual/Comparative": _YES_NO,
    "Audio-Visual/Location": _YES_NO + _PLACES + _INSTRUMENTS,
    "Audio-Visual/Temporal": _PLACES + _TOGETHER + _INSTRUMENTS,
}
# Only other names of the same thing. A guitar may be a bass, so "guitar" alone names neither.
_ALIASES = {
    "left": ("leftmost",),
    "right": ("rightmost",),
    "middle": ("center", "centre", "central"),
    "simultaneously": (
        "simultaneous",
        "at the same time",
        "together",
        "at once",
        "in unison",
        "same time",
        "concurrently",
    ),
    "indoor": ("indoors", "inside"),
    "outdoor": ("outdoors", "outside"),
    "accordion": ("accordian",),
    "bagpipe": ("bag pipe", "bag pipes"),
    "congas": ("conga", "conga drum", "conga drums"),
    "drum": ("drumset", "drumkit"),
    "electric_bass": ("electric bass guitar", "bass guitar"),
    "saxophone": ("sax", "saxaphone"),
    "ukulele": ("uke", "ukelele"),
    "violin": ("fiddle",),
}


def score_all(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """Score each row: 1 for the right one of the 42 answers, 0 for another, NaN if unparsed.

    A reference may be spelled otherwise: "Acoustic guitar" and "2" are acoustic_guitar and two.

    >>> from functools import partial
    >>> row = partial(Prediction, example_id="q", references=("two",), question_type="Visual/Counting")
    >>> score_all([row(answer="There are 2 violins."), row(answer="three"), row(answer="a few")]).tolist()
    [1.0, 0.0, nan]
    """
    parsed = cache(parse)  # for this call only: models say the same few things many times
    return np.array([_score(row, parsed) for row in predictions])


def score_contained(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 where the reply holds the letters of the right answer anywhere, in lower case.

    A reply that lists answers is right: "yes or no, one or two, left or right, simultaneously" scores 68.7 %
    on the 9,185 test questions, and 95.0 % on those of the modality Audio.

    Source: Liu et al. 2025, and dragonlzm/PAVE, tools/audio/music-avqa/calculate_acc.py: `target in
    predicted`.

    >>> row = Prediction(example_id="q", references=("one",), answer="None of them.")
    >>> score_contained([row]).tolist()
    [1.0]
    """
    return np.array(
        [
            float(
                row.answer is not None
                and any(right.lower() in row.answer.lower() for right in row.references)
            )
            for row in predictions
        ]
    )


def parse(text: str, question_type: str | None = None, choices: tuple[str, ...] | None = None) -> str | None:
    """The benchmark's answer that a text means, or None.

    Where a question was asked with fewer `choices` than the 42 answers, these have letters.

    >>> parse("It is an acoustic guitar."), parse("a guitar"), parse("left or right")
    ('acoustic_guitar', None, None)
    >>> parse("B", choices=("piano", "violin")), parse("a fiddle", choices=("piano", "violin"))
    ('violin', 'violin')
    """
    return read(text, question_type, choices).choice


def read(text: str, question_type: str | None = None, choices: tuple[str, ...] | None = None) -> Reading:
    """What `parse` reads, and by which rule of `choice_parser`.

    >>> read("left or right")
    Reading(choice=None, rule='several named')
    """
    if choices and len(choices) < len(ANSWERS):
        return read_answer(text, choices, aliases=_aliases(choices))
    choices = _BY_TYPE.get(question_type or "", ANSWERS)
    return read_answer(text, choices, aliases=_aliases(choices), letters=False)


def answer_of(reference: str) -> str | None:
    """The one of the 42 answers that a reference is, however it is spelled; None if it is none of them.

    >>> answer_of("acoustic guitar"), answer_of("Yes"), answer_of("harp")
    ('acoustic_guitar', 'yes', None)
    """
    return reference if reference in ANSWERS else parse(reference)


def is_other(row: Prediction) -> bool:
    """Whether a question has no choices, and no reference that is one of the 42 answers."""
    return not row.choices and all(_answer_of(reference) is None for reference in row.references)


def slices(rows: Sequence[Prediction]) -> dict[str, Bool[ndarray, " items"]]:
    """Slices by modality, such as `type:Audio`. The types of question are slices already."""
    modalities = np.array([(row.question_type or "").partition("/")[0] for row in rows])
    return {f"type:{name}": modalities == name for name in ("Audio", "Visual", "Audio-Visual")}


def _score(row: Prediction, parsed: Callable[[str, str | None, tuple[str, ...] | None], str | None]) -> float:
    answer = None if row.answer is None else parsed(row.answer, row.question_type, row.choices)
    if answer is None:
        return float("nan")
    return float(answer in row.references or (not row.choices and answer in map(_answer_of, row.references)))


_answer_of = lru_cache(maxsize=1 << 10)(answer_of)


@lru_cache(maxsize=1 << 10)
def _aliases(choices: tuple[str, ...]) -> Aliases:
    plurals = tuple((f"{name}s", name) for name in choices if name in _INSTRUMENTS)
    return plurals + tuple((alias, name) for name in choices for alias in _ALIASES.get(name, ()))
