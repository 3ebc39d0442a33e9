"""MUSIC-AVQA: free text mapped to the 42 answers of the benchmark, and right where it is the right class.

The mapping, version 1: `answers.parse_answer` with the names below, among the answers that the question's
type can have, so that "two violins" is "two" where it is counted. A reply that names none of them, or more
than one, is unparsed: wrong and counted, never turned into some answer.

Source: Li et al. 2022, and GeWu-Lab/MUSIC-AVQA, net_grd_avst/main_avst.py, which compares classes, and takes
micro averages by modality and over all. Differs: the published models choose among 42 classes and cannot be
unparsed. Ids are as in the source `music_avqa`: the 55 questions that stand twice in the test file are two
rows each, 9,185 in all; with `json_update` there are 9,129, and about 54 other answers. Say which you used.
"""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_eval.prediction import Prediction
from safe_eval.scorers.choice_parser import Aliases, parse_answer

MAPPING_VERSION = 1

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
# What the annotations answer to each type of question; types not listed may have any of the 42.
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
# Other names of the same thing only: a guitar may be a bass, so "guitar" alone is none.
_ALIASES = {
    "more than ten": (*map(str, range(11, 100)), "more than 10", "over ten", "over 10"),
    "middle": ("center", "centre"),
    "simultaneously": ("simultaneous", "at the same time"),
    "indoor": ("indoors", "inside"),
    "outdoor": ("outdoors", "outside"),
    "congas": ("conga",),
    "electric_bass": ("electric bass guitar", "bass guitar"),
    "saxophone": ("sax",),
}


def score_all(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 where the answer is the right one of the 42, 0 where it is another, NaN where it is none.

    >>> from functools import partial
    >>> row = partial(Prediction, example_id="q", references=("two",), question_type="Visual/Counting")
    >>> score_all([row(answer="There are 2 violins."), row(answer="three"), row(answer="a few")]).tolist()
    [1.0, 0.0, nan]
    """
    understood = cache(parse)  # of this call: models say the same few things many times
    return np.array([_score(row, understood) for row in predictions])


def parse(text: str, question_type: str | None = None) -> str | None:
    """The one of the benchmark's answers that a text means, or None.

    >>> parse("It is an acoustic guitar."), parse("a guitar"), parse("left or right")
    ('acoustic_guitar', None, None)
    """
    choices = _BY_TYPE.get(question_type or "", ANSWERS)
    return parse_answer(text, choices, aliases=_aliases(choices), letters=False)


def slices(rows: Sequence[Prediction]) -> dict[str, Bool[ndarray, " items"]]:
    """The modalities, `type:Audio` and so on; the types of question are slices already."""
    modalities = np.array([(row.question_type or "").partition("/")[0] for row in rows])
    return {f"type:{name}": modalities == name for name in ("Audio", "Visual", "Audio-Visual")}


def _score(row: Prediction, understood: Callable[[str, str | None], str | None]) -> float:
    answer = None if row.answer is None else understood(row.answer, row.question_type)
    return float("nan") if answer is None else float(answer in row.references)


@lru_cache(maxsize=len(_BY_TYPE) + 1)
def _aliases(choices: tuple[str, ...]) -> Aliases:
    plurals = tuple((f"{name}s", name) for name in choices if name in _INSTRUMENTS)
    return plurals + tuple((alias, name) for name in choices for alias in _ALIASES.get(name, ()))
