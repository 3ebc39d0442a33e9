"""Number phrases: numbers in words or digits, as whole phrases, and what they count."""

import math
from collections.abc import Sequence

from safe_eval.scorers.reading.clause_words import ROLE_OF

_UNITS = str.split(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS = str.split("twenty thirty forty fifty sixty seventy eighty ninety")
_SMALL = {word: float(value) for value, word in enumerate(_UNITS)}
_ROUND = {word: 10.0 * value for value, word in enumerate(_TENS, start=2)}
_GREAT = {"hundred": 100.0, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_MANY = {"dozens": 12.5, "hundreds": 100.5, "thousands": 1000.5}  # more than 12, and no number of its own
NUMBER_WORDS = frozenset((*_SMALL, *_ROUND, *_GREAT, *_MANY, "dozen"))

EXACT, ABOVE, FROM, BELOW, UP_TO = "=", ">", ">=", "<", "<="  # how a count relates to the number that is said
Count = tuple[str, float]

_BEFORE = {
    ABOVE: "more than|greater than|larger than|higher than|over|above|exceeding|exceeds|beyond|>",
    FROM: "at least|minimum of|no less than|no fewer than|not less than|not fewer than|≥|> =",
    BELOW: "fewer than|less than|lower than|smaller than|under|below|nearly|almost|<",
    UP_TO: "at most|up to|maximum of|no more than|not more than|≤|< =",
}
_AFTER = {
    FROM: "+|plus|or more|and more|and up|at least",
    EXACT: "or so",
    UP_TO: "or fewer|or less|at most",
}
# What a number measures or labels, where it counts no things: "10 seconds", "track 2", "a ten".
_MEASURED = frozenset(
    str.split(
        "second seconds sec secs s minute minutes min mins hour hours day days week weeks month months "
        "year years ms millisecond milliseconds hz khz mhz db decibel decibels % percent per bpm beat "
        "beats bar bars measure measures note notes chord chords octave octaves string strings key keys "
        "hole holes valve valves fret frets pedal pedals time times x frame frames fps pixel pixels px "
        "meter meters metre metres cm mm km m ft feet foot inch inches kg gram grams pound pounds dollar "
        "dollars euro euros degree degrees channel channels point points third thirds half halves "
        "quarter quarters fourth fourths fifth fifths o'clock am pm p hand hands finger fingers leg legs "
        "arm arms eye eyes side sides part parts movement movements verse verses song songs melody "
        "melodies tone tones pitch pitches th st nd rd step steps reason reasons word words character "
        "characters sentence sentences option options choice choices thing things possibility "
        "possibilities candidate candidates answer answers question questions moment century way ways "
        "dimensional star stars season seasons nation idea ideas clue doubt chance sense evidence "
        "information audio problem thumb thumbs cent cents thanks wink winks life lives tolerance "
        "confidence past more other additional extra 's"
    )
)
_LABELS = frozenset(
    str.split(
        "number no. thanks me us cloud square january february march april june july august september "
        "october november december # track frame figure fig table step option choice question page "
        "chapter part section scene item instrument channel line row column room model version level "
        "class grade stage take example image picture video clip segment case phase rule point top "
        "speaker player person high $ £ € opus op first last next previous past every final initial "
        "opening another a an at times symphony am age aged second minute hour day week month year "
        "season verse bar measure"
    )
)
_COUNTING = frozenset(  # besides verbs and adverbs, these may stand before a count
    str.split(
        "about around maybe perhaps all over under at least most to of with for in total altogether "
        "together overall answer count than by say into plus contain observe detect notice spot "
        "recognize distinguish equal sum one even from on up least roughly circa ca just only hence "
        "definitely also still now here above below beyond exceeding between without if them it"
    )
)
_ABBREVIATED = frozenset(("no", "vol", "op", "ch", "ver", "fig"))
_YEARS = frozenset(str.split("in since from of year until before after by"))

_PRESENT = frozenset(str.split("visible present audible there here on in seen heard shown"))
_ACTING = frozenset(
    str.split(
        "speaks talks speaks talks plays play playing performs performing sings singing appears visible"
    )
)
_ANYONE = frozenset(str.split("instruments people persons musicians performers players"))
_UNCOUNTED = frozenset(
    str.split(
        "words details clues indications signs visuals options answers results doubts other others "
        "more longer audio sound sounds image images video information idea problem doubt way"
    )
)


def _by_edge(phrases: dict[str, str], edge: int) -> dict[str, list[tuple[tuple[str, ...], str]]]:
    """The phrases by their first or last word, the longest first."""
    found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for relation, texts in phrases.items():
        for text in texts.split("|"):
            words = tuple(text.split())
            found.setdefault(words[edge], []).append((words, relation))
    return {word: sorted(each, key=lambda phrase: -len(phrase[0])) for word, each in found.items()}


_BEFORE_BY_LAST, _AFTER_BY_FIRST = _by_edge(_BEFORE, -1), _by_edge(_AFTER, 0)


def number_at(words: Sequence[str], start: int, digits: float | None) -> tuple[float | None, int]:
    """The value of the number phrase that starts at a place, and where it ends; None if there is none.

    `digits` is the value of the first word, if that is written in digits.

    >>> number_at("a hundred and two dogs".split(), 0, None), number_at("twenty one".split(), 0, None)
    ((102.0, 4), (21.0, 2))
    >>> number_at(["a", "dog"], 0, None)
    (None, 1)
    """
    first, place = words[start], start + 1
    following = _at(words, place)
    if digits is not None:
        return _rest(words, place, digits, takes_small=False)
    if first in _SMALL or first in _ROUND:
        return _rest(
            words, place, _SMALL[first] if first in _SMALL else _ROUND[first], takes_small=first in _ROUND
        )
    if first == "a" and (following in _GREAT or following == "dozen"):
        return _rest(words, place, 1.0, takes_small=False)
    if first == "half" and (following == "dozen" or tuple(words[place : place + 2]) == ("a", "dozen")):
        return 6.0, place + 1 + (following == "a")
    if first == "dozen" and not start:
        return 12.0, place
    if first in _MANY:
        return _MANY[first], place
    return (math.nan if first in _GREAT or first == "dozen" else None), place


def _rest(words: Sequence[str], place: int, value: float, *, takes_small: bool) -> tuple[float, int]:
    """The value and the end of a number phrase, of which `value` is the part before `place`."""
    total, group = 0.0, value
    while place < len(words):
        word = words[place]
        if word == "hundred" or word == "dozen":
            group, takes_small = group * (100 if word == "hundred" else 12), word == "hundred"
        elif word in _GREAT:
            total, group, takes_small = total + group * _GREAT[word], 0.0, True
        elif (
            takes_small
            and word in _SMALL
            and (group % 100 == 0 or (group % 10 == 0 and 0 < _SMALL[word] < 10))
        ):
            group, takes_small = group + _SMALL[word], False
        elif takes_small and word in _ROUND and group % 100 == 0:
            group += _ROUND[word]
        elif word == "and" and tuple(words[place + 1 : place + 3]) == ("a", "half"):
            return math.nan, place + 3
        elif not (word == "and" and takes_small and group % 100 == 0 and _is_small(words, place + 1)):
            break
        place += 1
    return total + group, place


def _is_small(words: Sequence[str], place: int) -> bool:
    return _at(words, place) in _SMALL or _at(words, place) in _ROUND


def count_at(
    words: Sequence[str], place: int, value: float, glued: frozenset[int] = frozenset()
) -> Count | None:
    """What a number says of a count of things, or None if it measures, labels or dates something.

    >>> count_at("more than 10 dogs".split(), 2, 10)
    ('>', 10)
    >>> count_at("10 seconds".split(), 0, 10) is None
    True
    """
    before, following = _at(words, place - 1), _at(words, place + 1)
    relation = _relation_before(words, place)
    if (
        (relation is None and before in _LABELS)
        or (1000 <= value < 2200 and before in _YEARS)
        or "scale" in words
    ):
        return None
    if place in glued or place + 1 in glued or "/" in (before, following) or _is_part(words, place):
        return None
    if following in _MEASURED or (
        _at(words, place + 2) in _MEASURED and following.isalpha() and following not in ("or", "and")
    ):
        return None
    if relation is None:
        relation = _relation_after(words, place + 1)
    return relation or EXACT, value


def is_labelling(before: str) -> bool:
    """Whether the word before a number is a noun that it numbers, as in "Maroon 5" and "lesson 4"."""
    if not before.isalpha() or before in ROLE_OF or before in _COUNTING or before in _LABELS:
        return False
    return not before.endswith(("s", "ing", "ed", "ly"))


def _is_part(words: Sequence[str], place: int) -> bool:
    """Whether a number is part of another one, of a range or of a share: "2 of 3", "2 - 3"."""
    before, following, after = _at(words, place - 1), _at(words, place + 1), _at(words, place + 2)
    if following == "-":
        return after[-1:].isdigit()
    if following == "of":
        return before == "the" or after == "each" or after[:1].isdigit() or _at(words, place + 3) in _MEASURED
    if before == "of":
        return _at(words, place - 2) in ("the", "out") or _at(words, place - 2)[-1:].isdigit()
    if before == "the" and _at(words, place - 2) == "of":
        return True
    return (
        following == "point"
        or (following == "out" and after == "of")
        or (before == "." and _at(words, place - 2) in _ABBREVIATED)
    )


def _relation_before(words: Sequence[str], place: int) -> str | None:
    for phrase, relation in _BEFORE_BY_LAST.get(_at(words, place - 1), ()):
        if place >= len(phrase) and tuple(words[place - len(phrase) : place]) == phrase:
            return relation
    return None


def _relation_after(words: Sequence[str], place: int) -> str | None:
    for phrase, relation in _AFTER_BY_FIRST.get(_at(words, place), ()):
        if tuple(words[place : place + len(phrase)]) == phrase:
            adds = phrase == ("+",) and _at(words, place + 1)[:1].isdigit()  # "2 + 1 = 3"
            return None if adds else relation
    return None


def says_nobody(words: Sequence[str], *, or_no: bool) -> bool:
    """Whether a sentence says that there is none to count: "nobody is playing", "there are no instruments".

    Where `or_no`, "there are no dogs" may also be a no, and says nothing of how many.
    """
    inner = [word for word in words if word[0].isalnum() or word == "'s"]
    if inner[:1] == ["there"] and _at(inner, 1) in ("is", "are", "'s", "were", "was"):
        inner = inner[2:]
        inner = ["no", *inner[2:]] if inner[:2] == ["not", "any"] else inner
        if inner in (["none"], ["nobody"], ["no", "1"]):
            return True
        return inner[:1] == ["no"] and len(inner) > 1 and _is_counted(inner[1], or_no=or_no)
    if inner in (["none"], ["nobody"], ["no", "1"], ["none", "of", "them"]):
        return True
    if not 1 < len(inner) <= 14:
        return False
    if inner[0] in ("nobody", "none", "nothing"):
        if inner[1] != "of":
            return _acts(inner[1:])
        return _at(inner, 2) in ("the", "them") and (_acts(inner[3:]) or _acts(inner[4:]))
    if inner[:2] == ["no", "1"]:
        return _acts(inner[2:])
    acts = len(inner) == 2 or _acts(inner[2:])
    return (
        inner[0] == "no"
        and acts
        and (inner[1].endswith("s") or inner[1] in _ANYONE)
        and _is_counted(inner[1], or_no=or_no)
    )


def _acts(words: Sequence[str]) -> bool:
    """Whether words say that something plays or is there: "is playing", "can be seen"; not "is sure"."""
    if words[:1] in (["can"], ["could"]):
        words = words[1:]
    if _at(words, 0) not in ("is", "are", "was", "were", "be"):
        return _at(words, 0) in _ACTING
    said = _at(words, 1)
    return not said or said.endswith("ing") or said in _PRESENT


def _is_counted(noun: str, *, or_no: bool) -> bool:
    return noun in _ANYONE if or_no else noun not in _UNCOUNTED


def _at(words: Sequence[str], place: int) -> str:
    """The word at a place, or nothing where there is none."""
    return words[place] if 0 <= place < len(words) else ""
