"""Senses: whether a word with several senses is used as a name: left as a place, "one" as a count."""

from collections.abc import Sequence

from safe_eval.scorers.reading.choice_names import stem
from safe_eval.scorers.reading.clause_words import AUX, BREAK, LITTLE, ROLE_OF
from safe_eval.scorers.reading.letters import is_letter
from safe_eval.scorers.reading.sentence import Sentence, is_mark

_UNDOING = frozenset(["non", "anti", "pseudo", "un", "quasi"])  # "non-piano"
_WEAKENING = frozenset(str.split("like ish free less style esque"))  # "piano-like"
_IDIOMS = frozenset(
    (word, *after.split())
    for words, idioms in {
        "drum drums": "roll|up|and bass",
        "inside": "joke|voice|out|my|your|our",
        "outside": "help|my|your|our|of my|of your|of our|of this|of that|the scope|the limits|of the",
        "together": "with",
        "fiddle": "with|around",
        "indoor": "voice",
        "rain": "check|on my|or shine",
        "both": "worlds|us|hands|sides|ears|eyes|ends|times|ways|feet|channels|speakers",
        "neither": "here|do i|can i",
        "conga": "line",
    }.items()
    for word in words.split()
    for after in idioms.split("|")
)
_IDIOMS_BEFORE = frozenset(
    (
        ("as", "rain"),
        ("me", "neither"),
        ("ear", "drum"),
        ("ear", "trumpet"),
        ("own", "trumpet"),
        ("air", "guitar"),
        ("champagne", "flute"),
    )
)
_PLAYERS = frozenset(str.split("player players musician man woman guy girl boy lady"))
_LEAVING = frozenset(str.split("left leaves leave exits exited departs departed"))
_DYNAMICS = frozenset(("forte", "mezzo", "dynamics", "dynamic"))  # beside these, piano means soft
_POURED = frozenset(("flute", "drum", "pipa", "trumpet", "tuba"))  # "a flute of champagne"
_PLACES = frozenset(
    str.split(
        "room house building hall studio church theater theatre auditorium home garage school gym office "
        "bar restaurant garden park street city tent mall store shop station train car kitchen stadium "
        "arena square yard apartment"
    )
)
_STARTING = frozenset(str.split("play start begin sound enter com join perform heard all both"))

_PLACES_AFTER = frozenset(
    str.split(
        "the on to at extreme outer from my your his her its their far upper lower top bottom front back "
        "rear stage toward towards"
    )
)
_JOINING = frozenset(
    str.split("or and / nor not either neither both , ( . - then first in than center middle but")
)
_PLACED = frozenset(
    str.split(
        "side sides rather instead unlike most corner half part end speaker channel 1 instrument person "
        "player musician man woman violin performer guy girl boy lady edge of section area portion "
        "position first then before , . ; : ! ? ( ) / or and"
    )
)
_BEING_SUBJECTS = frozenset(("that", "it", "he", "she", "what", "who", "there", "here", "this"))  # of "'s"
_ACTS = frozenset(str.split("plays starts begins stops comes enters sounds"))
_WHERE = frozenset(str.split("answer option choice position location side direction"))
_MIDDLE_AFTER = frozenset(str.split("the in at near is be dead or and left right not from exact very its"))
_TIMED = frozenset(
    str.split(
        "song video clip piece track performance recording music audio sound show concert attention "
        "night day week year movie film solo chorus verse interest excerpt sequence"
    )
)

_NOT_ONE_AFTER = frozenset(
    str.split(
        "this that these which no any each every another some other same next last first right left "
        "middle loud quiet big small good bad wrong correct single hard easy tough difficult long "
        "short new old main former latter whichever whatever what either neither day the"
    )
)
_NOT_ONE_BEFORE = frozenset(
    str.split(
        "of for each another by side hand thing way point moment time day reason more less after who "
        "whose that which to at on in with from near behind needs step final last part end"
    )
)
_ONE_AFTER = frozenset(
    str.split(
        "is are was were there only just exactly see hear count counted about approximately around and "
        "or plus has have contains shows with answer be = but than 's of total to between features "
        "includes identify least most say so not guess a"
    )
)


def is_meant(sentence: Sentence, place: int) -> bool:
    """Whether a word is used as the name that it is: not in an idiom, and not undone by a prefix.

    >>> from safe_eval.scorers.reading.sentence import read_sentence
    >>> [is_meant(read_sentence(text), 2) for text in ("on the left", "a man left")]
    [True, False]
    """
    words = sentence.words
    word, following = words[place], words[place + 1] if place + 1 < len(words) else "."
    if sentence.glued:
        undone = place in sentence.glued and words[place - 1] in _UNDOING
        if undone or (place + 1 in sentence.glued and following in _WEAKENING):
            return False
    if (word, following) in _IDIOMS or (word, *words[place + 1 : place + 3]) in _IDIOMS:
        return False
    if place and (words[place - 1], word) in _IDIOMS_BEFORE:
        return False
    if word in ("left", "right"):
        return _is_place(sentence, place, following)
    if word in ("middle", "center", "centre"):
        return _is_middle(words, place, following)
    if len(word) == 1 and word.isalpha():
        return is_letter(sentence, place)
    if (
        following == "of"
        and ROLE_OF.get((*words[place + 2 : place + 3], "")[0]) != LITTLE
        and word in _POURED
    ):
        return False
    if _has_gone(words, place):
        return False
    if word == "piano":
        return _DYNAMICS.isdisjoint(words)
    if word in ("inside", "outside"):
        return words[place - 1 : place] != ["the"] and _is_around(words, place, following)
    if word == "together" and place:
        return starts_together(words) and "put" not in words
    return True


def _has_gone(words: Sequence[str], place: int) -> bool:
    """Whether it is told that somebody went away: "the cello player left early" names no answer."""
    verb = place + 1 + (words[place + 1 : place + 2] != [] and words[place + 1] in _PLAYERS)
    if verb >= len(words) or words[verb] not in _LEAVING:
        return False
    return words[verb] != "left" or words[verb + 1 : verb + 2] not in (["of"], ["side"], ["-"])


def _is_around(words: Sequence[str], place: int, following: str) -> bool:
    """Whether inside or outside tells of a place: not in "inside information", "outside the box"."""
    if place and words[place - 1] in ("a", "an"):
        return following in ("stage", "concert", "scene", "setting", "space", "venue", "area", "performance")
    if following in ("a", "an", "the", "of", "some"):
        return not _PLACES.isdisjoint(words[place + 1 : place + 6])
    return (
        is_mark(following)
        or following in ("in", "on", "at", "with", "and", "or")
        or ROLE_OF.get(following) in (AUX, BREAK)
    )


def starts_together(words: Sequence[str]) -> bool:
    """Whether a sentence speaks of starting or playing, so that "together" tells when."""
    return any(stem(each) in _STARTING for each in words)


def _is_place(sentence: Sentence, place: int, following: str) -> bool:
    """Whether left or right is a place: not in "that's right", "the man left", "the right time"."""
    words = sentence.words
    word, before = words[place], words[place - 1] if place else ""
    if following == "hand":
        return words[place + 2 : place + 3] == ["side"] or place + 1 in sentence.glued
    if following == "handed" or _is_way(words, place):
        return False
    fits = following in _PLACED or following in _ACTS or ROLE_OF.get(following) == AUX
    if before in ("is", "be", ":", "="):
        is_rest = word == "right" or "nothing" in words or "what" in words
        return not _WHERE.isdisjoint(words[:place]) or (fits and not is_rest)
    if before in _PLACES_AFTER or (before == "'s" and words[place - 2] not in _BEING_SUBJECTS):
        return fits
    if not place and word == "left" and ROLE_OF.get(following) == AUX:
        return True
    if not place or before in _JOINING:
        return following in _PLACED and not (word == "right" and following == "," and place + 2 < len(words))
    return following == "side" and before not in ("no", "1")


def _is_way(words: Sequence[str], place: int) -> bool:
    """Whether left and right are the ends of a way: "from left to right"."""
    near = words[max(0, place - 4) : place + 5]
    return ("left" in near and "right" in near and "to" in near and "from" in words) or tuple(
        words[place - 2 : place]
    ) in (("left", "to"), ("right", "to"))


def _is_middle(words: Sequence[str], place: int, following: str) -> bool:
    """Whether the middle is a place: not of a song, and not of nowhere."""
    before = words[place - 1] if place else ""
    if before and before not in _MIDDLE_AFTER and not is_mark(before):
        return False
    if following == "of":
        whole = words[place + 2 : place + 5]
        return whole[:1] in (["the"], ["a"], ["all"]) and _TIMED.isdisjoint(whole)
    return following in _PLACED or following == "stage" or following in _ACTS or ROLE_OF.get(following) == AUX


def is_count_of_one(words: Sequence[str], place: int) -> bool:
    """Whether "one" counts: not in "this one", "one of them", "one can hear", "one is on the left".

    >>> is_count_of_one("there is 1 violin".split(), 2), is_count_of_one("this 1".split(), 1)
    (True, False)
    """
    before = words[place - 1] if place else ""
    following = words[place + 1] if place + 1 < len(words) else ""
    if before in _NOT_ONE_AFTER or following in _NOT_ONE_BEFORE or ROLE_OF.get(following) == AUX:
        return False
    if following.endswith("ing") or (before == "only" and words[place - 2] == "the"):
        return False
    return not before or before in _ONE_AFTER or is_mark(before)


def is_in_a_name(sentence: Sentence, place: int) -> bool:
    """Whether a number is part of a proper name: "Apollo 13", "Seven Nation Army"."""
    raw = sentence.raw
    if place > 1:
        named = raw[place - 1][:1].isupper() and raw[place - 1][1:].islower() and not is_mark(raw[place - 2])
        return named and raw[place][:1].isdigit()
    capitals = sum(word[:1].isupper() for word in raw[1:])
    return (
        not place
        and len(raw) > 3
        and raw[0][:1].isupper()
        and raw[1][:1].isupper()
        and capitals < len(raw) - 1
    )
