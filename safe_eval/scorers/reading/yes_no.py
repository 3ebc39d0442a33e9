"""Yes and no: how a reply answers a question that yes or no answers.

An opening interjection decides over what follows it. "No" before a noun is none: "no audio was given".
"""

from collections.abc import Sequence

from safe_eval.scorers.reading.clause_words import DENY, DOUBT, FAULT, roles_of
from safe_eval.scorers.reading.polarity import clause_start
from safe_eval.scorers.reading.sentence import Sentence, inner_words, is_mark
from safe_eval.scorers.reading.statements import NO, YES, names_no_thing, stated

BOTH, NOTHING = "both", "nothing"  # besides yes and no
OPENING, WORD, STATEMENT = "opening", "word", "statement"  # where an answer stands

_YES = frozenset(str.split("yes yeah yep yup yea yess yeap yah aye affirmative"))
_NO = frozenset(str.split("no nope nah naw nay negative"))
_SPOKEN = _YES | _NO
_FILLERS = frozenset(str.split("well oh hmm um ah so okay ok"))
_SURE = frozenset(["definitely", "absolutely", "indeed", "exactly", "undoubtedly"])
_FOLLOWING_NO = frozenset(  # after "no", these begin a clause: "No it is not"
    str.split(
        "it there they he she that this i we you definitely absolutely certainly "
        "actually really the because since as not but yes sorry and or /"
    )
)
_AFTER_NO = frozenset(["because", "since", "as", "and", "or"])
_BEFORE_NO = frozenset(str.split("a definite resounding clear firm big hard solid"))  # "a definite no"
_QUOTING = frozenset(str.split("says said saying answered replied word voice shouts shouted sings shout"))
_JOINING = frozenset(
    str.split("and or but wait sorry actually maybe hmm uh um well er")
)  # between a yes and a no that belong together
_MEANT = frozenset(str.split("mean wait actually sorry correction rather scratch"))
_REFUSED = frozenset(str.split("sorry unable thanks thank idea clue"))
_HELPS = frozenset(str.split("understand ready apologize help assist try listen analyze process describe"))
_UNSURE = frozenset(str.split("know tell determine say answer sure"))
_OFFERS = frozenset(("help", "you"))


def answer_of(sentences: Sequence[Sentence], *, is_polar: bool) -> str | None:
    """How the sentences of a reply answer: yes, no, nothing where they contradict each other, or None.

    A final answer decides, then the words yes and no, then statements. `is_polar` says that yes and no are
    the only choices, so that a statement can answer.
    """
    if any(sentence.is_question and _OFFERS.issubset(sentence.words) for sentence in sentences):
        return NOTHING  # "Yes! How can I help you?"
    said: dict[str, list[str]] = {OPENING: [], WORD: [], STATEMENT: []}
    final: list[str] = []
    for sentence in sentences:
        found = answers(sentence, is_polar=is_polar, is_all=len(sentences) == 1)
        if found is not None:
            answer, where = found
            said[where].append(answer)
            if where == WORD and "final" in sentence.words and "answer" in sentence.words:
                final.append(answer)
    spoken = final or said[OPENING] + said[WORD] or said[STATEMENT]
    if not spoken:
        return None
    return spoken[0] if len(set(spoken)) == 1 else NOTHING


def answers(sentence: Sentence, *, is_polar: bool, is_all: bool) -> tuple[str, str] | None:
    """How a sentence answers, and where its answer stands; None if it does not.

    >>> from safe_eval.scorers.reading.sentence import read_sentence
    >>> answers(read_sentence("No, it stops."), is_polar=True, is_all=True)
    ('no', 'opening')
    >>> answers(read_sentence("No audio was given."), is_polar=True, is_all=True)
    >>> answers(read_sentence("There is no dog."), is_polar=True, is_all=True)
    ('no', 'statement')
    """
    words = sentence.words
    inner = inner_words(words)
    if not inner or sentence.is_question:
        return None
    if is_all and inner in (["y"], ["n"]):
        return (YES if inner == ["y"] else NO), OPENING
    if not _SPOKEN.isdisjoint(words):
        found = _opening(words, sentence.glued) or _spoken(words, sentence.glued)
        if found is not None:
            return found
    if not is_polar:
        return None
    if inner[0] in _SURE and "," in words[1:2] and "not" not in inner and not _is_refusal(words[1:]):
        return YES, STATEMENT
    answer = stated(inner, is_all=is_all)
    return None if answer is None else (answer, STATEMENT)


def _opening(words: Sequence[str], glued: frozenset[int]) -> tuple[str, str] | None:
    """The interjection that opens a sentence. "No" before a noun is none, and "yes or no" is both."""
    place = 0
    while place < len(words) and (is_mark(words[place]) or words[place] in _FILLERS):
        place += 1
    if place == len(words) or words[place] not in _SPOKEN or place + 1 in glued:
        return None
    word, rest = words[place], list(words[place + 1 :])
    said = YES if word in _YES else NO
    others = _NO if said == YES else _YES
    if rest[:1] in (["is"], ["was"], ["would"]) and "answer" in rest[:6]:
        return (NOTHING if "not" in rest[:3] else said), OPENING
    if word == "no" and not _ends_here(rest):
        return None
    if word == "no" and "oh" in words[:place] and not inner_words(rest):
        return NOTHING, OPENING  # "Oh no!"
    takes_back = not _MEANT.isdisjoint(rest) and not others.isdisjoint(rest)
    if (
        takes_back
        or _goes_with_other(rest[:4], others)
        or (len(inner := inner_words(rest)) == 1 and inner[0] in others)
    ):
        return BOTH, OPENING
    return (NOTHING if _is_refusal(rest) else said), OPENING


def _ends_here(rest: Sequence[str]) -> bool:
    """Whether "no" is followed by nothing, a mark or a clause, rather than by what there is none of."""
    if rest and is_mark(rest[0]) and rest[0] != "/":
        return not (rest[0] == "." and len(rest) > 1 and rest[1][0].isdigit())  # "No. 2"
    return not rest or rest[0] in _FOLLOWING_NO


def _goes_with_other(rest: Sequence[str], others: frozenset[str]) -> bool:
    """Whether the other answer follows at once, as in "yes or no"."""
    for place, word in enumerate(rest):
        if word in others:
            return word != "no" or _ends_here(rest[place + 1 :])
        if word == ";" or (not is_mark(word) and word not in _JOINING and word not in _SPOKEN):
            return False
    return False


def _is_refusal(rest: Sequence[str]) -> bool:
    """Whether what follows an interjection says that one cannot know, or offers help."""
    inner = inner_words(rest)[:6]
    if inner in (["wait"], ["hold", "on"]) or inner[:1] == ["please"] or not _REFUSED.isdisjoint(inner[:3]):
        return True
    if inner[:1] != ["i"]:
        return False
    if not _HELPS.isdisjoint(inner[1:4]) or inner[1:3] == ["can", "do"]:
        return True
    is_deaf = "can" in inner and not {"hear", "see"}.isdisjoint(inner) and names_no_thing(inner[4:])
    return "not" in inner and (is_deaf or not _UNSURE.isdisjoint(inner))


def _spoken(words: Sequence[str], glued: frozenset[int]) -> tuple[str, str] | None:
    """A yes or no inside a sentence: "the answer is no", "I think so, yes"."""
    roles = roles_of(words)
    found = set()
    for place, word in enumerate(words):
        if (
            word not in _SPOKEN
            or place in glued
            or place + 1 in glued
            or words[max(0, place - 1)] in _QUOTING
        ):
            continue
        if not {DENY, DOUBT, FAULT}.isdisjoint(roles[clause_start(words, roles, place) : place]):
            return NOTHING, WORD
        before, rest = words[place - 1] if place else "", words[place + 1 :]
        if word == "no":
            if not (
                before in _BEFORE_NO
                or not rest
                or rest[0] in _AFTER_NO
                or (is_mark(rest[0]) and _ends_here(rest))
            ):
                continue
            if before == "," and rest[:1] == [","] and len(rest) > 1:
                return BOTH, WORD  # "two, no, three"
        found.add(YES if word in _YES else NO)
    if not found:
        return None
    return (found.pop() if len(found) == 1 else BOTH), WORD
