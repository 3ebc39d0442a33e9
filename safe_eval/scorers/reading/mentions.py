"""Mentions: where the words of a sentence name choices, by a name, a letter or a number."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from safe_eval.scorers.reading.choice_names import Choices, Name, Names, stem
from safe_eval.scorers.reading.clause_words import ROLE_OF
from safe_eval.scorers.reading.letters import is_letter
from safe_eval.scorers.reading.number_phrases import EXACT, count_at, is_labelling
from safe_eval.scorers.reading.senses import is_count_of_one, is_in_a_name, is_meant, starts_together
from safe_eval.scorers.reading.sentence import Sentence, inner_words, is_mark

NAME, LETTER, COUNT = "name", "letter", "count"
WORDS, STEMS, PARTS = "words", "stems", "parts"  # how names are compared
UNKNOWN: Choices = frozenset(("",))  # a count or a letter that is no choice

_ORDINALS = {word: place for place, word in enumerate(str.split("first second third fourth fifth sixth"))}
_ORDINALS |= {"1st": 0, "2nd": 1, "3rd": 2, "4th": 3, "5th": 4, "last": -1, "final": -1}
_ONLY = frozenset(["a", "only", "just", "1"])  # before "single"
_SKIPPED = frozenset(
    str.split("is are was were 's the a an of keeps very being been")
)  # between the stems of a name
_LITTLE = frozenset(
    str.split(
        "it i we there of in to on sound sounds noise probably just only like heard hear clip audio recording"
    )
)
_LINKS = frozenset(str.split(", and or nor / & a an the ( ) [ ] : - . both either = option choice"))
_ANNOUNCING = frozenset(str.split("is be answer option it that 's not"))


class Mention(NamedTuple):
    """The words from `start` to `end`, and the choices they name."""

    start: int
    end: int
    choices: Choices
    kind: str


def mentions_in(sentence: Sentence, names: Names, by: str = WORDS) -> list[Mention]:
    """The mentions of a sentence from left to right, without overlaps."""
    words = sentence.words
    if by == WORDS:
        table, spoken = names.first, words
    elif by == PARTS and not _says_little(words, names):
        return []
    else:
        table, spoken = names.stemmed if by == STEMS else names.parts, [stem(word) for word in words]
    found: list[Mention] = []
    place = 0
    while place < len(words):
        word = words[place]
        mention = None
        if spoken[place] in table and not names.is_bare:
            mention = _name_at(sentence, spoken, place, names, table[spoken[place]], joins=by == STEMS)
        if mention is None and names.counts and (place in sentence.numbers or word == "single"):
            mention = _count_at(sentence, place, names)
        if mention is None and names.letters and ((len(word) == 1 and word.isalpha()) or word in _ORDINALS):
            mention = _letter_at(sentence, place, names)
        if mention is not None:
            found.append(mention)
        place = place + 1 if mention is None else mention.end
    return found


def groups_of(mentions: Sequence[Mention], words: Sequence[str], *, sets_aside: bool) -> list[list[Mention]]:
    """The mentions that stand together: "B, the piano", "a dog or a cat". They share what is said of them.

    Where `sets_aside`, a comma ends the group, as in "unlike the guitar, the piano …".
    """
    groups: list[list[Mention]] = []
    for mention in mentions:
        if groups and _is_linked(groups[-1][-1], mention, words, sets_aside=sets_aside):
            groups[-1].append(mention)
        else:
            groups.append([mention])
    return groups


def _is_linked(one: Mention, other: Mention, words: Sequence[str], *, sets_aside: bool) -> bool:
    between = words[one.end : other.start]
    if not _LINKS.issuperset(between) or (
        one.kind == other.kind == COUNT and (":" in between or "=" in between)
    ):
        return False
    return not (sets_aside and "," in between and "and" not in between and "or" not in between)


def _name_at(
    sentence: Sentence,
    spoken: Sequence[str],
    place: int,
    names: Names,
    candidates: Sequence[tuple[Name, Choices]],
    *,
    joins: bool,
) -> Mention | None:
    """The longest name that starts at a place and is used as one."""
    for name, choices in candidates:
        end = place + 1 if len(name) == 1 else _end_of(spoken, place, name, joins=joins)
        if joins and len(name) == 1 and sentence.words[place].endswith("ed"):
            continue  # "he trumpeted his success"
        if end is None or (name in names.common and not _is_all(sentence.words, place, end)):
            continue
        if len(name) == 1 and not is_meant(sentence, place):
            continue
        if name[-2:] == ("same", "time") and place <= 2 and sentence.words[end : end + 1] == [","]:
            continue  # "At the same time, …" joins two sentences
        if name == ("at", "once") and len(spoken) > 3 and not starts_together(spoken):
            continue
        return Mention(place, end, choices, NAME)
    return None


def _end_of(spoken: Sequence[str], place: int, name: Name, *, joins: bool) -> int | None:
    """Where a name ends that starts at a place; None if it is not there. "Dog is barking" is one of stems."""
    if not joins:
        end = place + len(name)
        return end if tuple(spoken[place:end]) == name else None
    at = place + 1
    for part in name[1:]:
        skipped = 0
        while at < len(spoken) and spoken[at] != part and spoken[at] in _SKIPPED and skipped < 2:
            at, skipped = at + 1, skipped + 1
        if at >= len(spoken) or spoken[at] != part:
            return None
        at += 1
    return at


def _is_all(words: Sequence[str], start: int, end: int) -> bool:
    """Whether a name is all that a sentence says, or all that follows "is" or a colon."""
    before = inner_words(words[:start])
    return not inner_words(words[end:]) and (not before or before[-1] in _ANNOUNCING)


def _says_little(words: Sequence[str], names: Names) -> bool:
    """Whether a sentence has no words of its own beside parts of names: "I hear a dog", not "a dog howls"."""
    return all(
        word in _LITTLE or word in ROLE_OF or is_mark(word) or stem(word) in names.parts for word in words
    )


def _letter_at(sentence: Sentence, place: int, names: Names) -> Mention | None:
    """The choice of a letter, or of "the second option"; a letter that no choice has is unknown."""
    word = sentence.words[place]
    if word in _ORDINALS:
        order, named = _ORDINALS[word], sentence.words[place + 1 : place + 2]
        if named not in (["option"], ["choice"], ["alternative"]) or order >= len(names.choices):
            return None
        return Mention(place, place + 2, frozenset((names.choices[order],)), LETTER)
    if not is_letter(sentence, place):
        return None
    choice = names.letters.get(word.upper())
    return Mention(place, place + 1, UNKNOWN if choice is None else frozenset((choice,)), LETTER)


def _count_at(sentence: Sentence, place: int, names: Names) -> Mention | None:
    """The choice that a number means, if it counts things; a count that is no choice is unknown."""
    words, value = sentence.words, sentence.numbers.get(place, 1.0)
    unknown = Mention(place, place + 1, UNKNOWN, COUNT)
    before, following = words[place - 1 : place], words[place + 1 : place + 2]
    if words[place] == "single":
        return (
            unknown._replace(choices=names.counted((EXACT, 1.0)) or UNKNOWN)
            if _ONLY.intersection(before)
            else None
        )
    if math.isnan(value):
        return None if ":" in words[place] else unknown  # a time is no count
    last = place + 1 if place + 1 in sentence.glued else place + 2
    if last in sentence.numbers and (last == place + 1 or following == ["to"] or following == ["-"]):
        ends = {names.counted((EXACT, number)) for number in (value, sentence.numbers[last])}
        same = len(ends) == 1 and sentence.numbers[last] > value  # "12-15" is more than ten at both ends
        return unknown._replace(end=last + 1, choices=ends.pop() or UNKNOWN if same else UNKNOWN)
    exactly = names.counts.get((EXACT, value), UNKNOWN)
    if before in (["option"], ["choice"]) and names.letters:
        is_own = names.choices[int(value) - 1 : int(value)] == tuple(exactly)
        return unknown._replace(choices=exactly if is_own else UNKNOWN)
    if 1900 <= value < 2100 and sentence.raw[place].isdigit():
        return unknown._replace(choices=exactly)  # a year, more likely than so many
    if before and is_labelling(before[0]):
        return unknown
    count = None if is_in_a_name(sentence, place) else count_at(words, place, value, sentence.glued)
    if count is None or (sentence.raw[place].lower() == "one" and not is_count_of_one(words, place)):
        return None
    return unknown._replace(choices=names.counted(count) or UNKNOWN)


def spans(mentions: Sequence[Mention]) -> Iterator[int]:
    """Yield the places that mentions take."""
    for mention in mentions:
        yield from range(mention.start, mention.end)
