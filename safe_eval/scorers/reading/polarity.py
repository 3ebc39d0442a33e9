"""Polarity: what a clause makes of a name: the answer, no answer, a doubt, or something beside it."""

from collections.abc import Sequence

from safe_eval.scorers.reading.clause_words import (
    ASIDE,
    AUX,
    BREAK,
    BREAKING_MARKS,
    DENY,
    DOUBT,
    FAULT,
    GONE,
    REST,
    ROLE_OF,
    VERB,
    WOULD,
)
from safe_eval.scorers.reading.sentence import is_mark

ASSERTED, DENIED, DOUBTED, BESIDE = "asserted", "denied", "doubted", "beside"

_PLAIN = frozenset(  # words that name nothing
    str.split(
        "i it there they he she we you what nothing not then also so yes no sure maybe perhaps ok okay "
        "indeed please thanks too more others etc one only here now sir loud clear alone"
    )
)
_ALL = frozenset(str.split("all every each everything everyone any anything"))
_NONE = frozenset(["nothing", "none", "no", "nobody"])
_EXCEPT = frozenset(["except", "but", "from", "other"])  # "except", "apart from", "other than"
_FOLLOWING = frozenset(("follows", "follow", "joins", "join"))
_LIKEWISE = frozenset(["too", "also", "likewise", "either"])
_CONCEDING = frozenset(["although", "though", "while", "whereas"])
_AT_FIRST = frozenset(
    str.split("might may could seem seems seemed first initially thought appears sounds looks")
)
_RIGHT = frozenset(["correct", "right", "answer", "true", "it"])
_WEAKLY = frozenset(str.split("never hardly barely rarely seldom none neither fails"))
_VERDICTS = frozenset(str.split("no not nope false incorrect wrong"))
_GAPS = frozenset(str.split(": - , . ) ] = ?"))
_KINDS = frozenset(("instrument", "instruments", "animal", "animals"))
_GOING_ON = frozenset(str.split("which that however though ) - ,"))


def said_of(
    words: Sequence[str], roles: Sequence[str], start: int, end: int, until: int, *, is_first: bool = True
) -> str:
    """What a sentence says of the name from `start` to `end`, if the next name begins at `until`.

    >>> from safe_eval.scorers.reading.clause_words import roles_of
    >>> words = "it is not the piano".split()
    >>> said_of(words, roles_of(words), 4, 5, 5)
    'denied'
    """
    before = _said_before(words, roles, start)
    if before == BESIDE and _is_exception(words, roles, start):
        denied = GONE in roles or FAULT in roles or _said_after(words, roles, end, until) == DENIED
        if not _NONE.isdisjoint(words) or (denied and not _ALL.isdisjoint(words)):
            return ASSERTED  # "all except D are wrong", "nothing but the violin"
    if before != ASSERTED:
        return before
    near = words[max(0, start - 2) : start]
    beside = start - 1 - (start > 1 and words[start - 1] in ("a", "an", "the"))
    if is_first and beside > 0 and words[beside] in ("and", "&", "plus") and _is_noun(words[beside - 1]):
        return DOUBTED  # "a harp and a violin"
    if start > 1 and words[start - 1] == "/" and is_first:
        return DOUBTED  # "viola/violin"
    if is_first and "or" in near and start > 2 and roles[start - len(near)] != BREAK:
        return DOUBTED  # "a viola or a violin", where only one is a choice
    after = _said_after(words, roles, end, until)
    return BESIDE if after == ASSERTED and _is_conceded(words, roles, start, end) else after


def clause_start(words: Sequence[str], roles: Sequence[str], place: int) -> int:
    """Where the clause begins that a place is in."""
    while place > 0 and not ends_clause(words, roles, place - 1):
        place -= 1
    return place


def ends_clause(words: Sequence[str], roles: Sequence[str], place: int) -> bool:
    """Whether a clause ends at a word or mark."""
    return roles[place] == BREAK or (words[place] in BREAKING_MARKS and not roles[place])


def opens_aside(roles: Sequence[str], start: int) -> bool:
    """Whether a sentence sets its first name aside: "unlike the guitar, the piano …"."""
    return ASIDE in roles[:start] and VERB not in roles[:start] and AUX not in roles[:start]


def _said_before(words: Sequence[str], roles: Sequence[str], start: int) -> str:
    """What the words of the clause before a name make of it, however far away they stand."""
    found, has_verb, joins = ASSERTED, False, False
    for place in range(start - 1, -1, -1):
        role, word = roles[place], words[place]
        if not role and (word not in BREAKING_MARKS or _holds_letter(words, place)):
            continue
        if ends_clause(words, roles, place):
            if word in ("so", "as") and roles[place + 1] == AUX and _is_denying(roles[:place]):
                return DOUBTED  # "the guitar is absent, and so is the piano"
            if word == ":" and place and roles[place - 1] in (DENY, FAULT):
                continue  # "incorrect: B"
            if word != "," or has_verb or words[place + 1] not in ("or", "nor"):
                break  # but not in "not a dog, a cat that is old, or a bird"
        elif role == REST or (role == ASIDE and not has_verb):
            return BESIDE
        elif role in (DENY, DOUBT, FAULT):
            can = place > 0 and words[place - 1] in ("can", "could")
            is_first = found == ASSERTED or (found == DENIED and joins)
            found = DENIED if role == DENY and not has_verb and not can and is_first else DOUBTED
            joins = place > 0 and words[place - 1] in ("and", "nor", "or")  # "not a dog and not a cat"
        elif role in (VERB, WOULD) or (role == AUX and found == ASSERTED):
            has_verb = True
    return found


def _said_after(words: Sequence[str], roles: Sequence[str], end: int, until: int) -> str:
    """What the words of the clause after a name make of it."""
    if end == len(words):
        return ASSERTED
    if _has_alternative(words, end, until):
        return DOUBTED
    if _has_verdict(words, end):
        return DENIED
    if words[end] in _FOLLOWING or _is_fact(words, end):
        return BESIDE  # "the violin; the piano follows"
    if words[end] in _LIKEWISE and _is_denying(roles[:end]):
        return DOUBTED
    place, has_verb = end, False
    while place < until:
        role, word = roles[place], words[place]
        if not role and word in BREAKING_MARKS:
            following = words[place + 1] if place + 1 < until else ""
            if has_verb and _is_called_wrong(words, roles, place + 1):
                return DENIED
            if has_verb or not following or not (roles[place + 1] in (AUX, WOULD) or following in _GOING_ON):
                break
            place += 1 + (following in _GOING_ON and following.isalpha())  # "(C) cannot be seen"
            continue
        if role in (GONE, FAULT):
            return DENIED
        if role == DOUBT or word in _WEAKLY:
            return DOUBTED
        if role == DENY and word == "not" and roles[place - 1] in (AUX, WOULD):
            return DOUBTED if _RIGHT.isdisjoint(words[place + 1 : place + 5]) else DENIED
        if has_verb and _is_called_wrong(words, roles, place):
            return DENIED  # "A is tempting but wrong"
        if role in (BREAK, DENY):
            break
        if role == WOULD and not has_verb:
            return BESIDE  # "a guitar would be plucked"
        has_verb = has_verb or role in (VERB, AUX)
        place += 1
    return ASSERTED


def _holds_letter(words: Sequence[str], place: int) -> bool:
    """Whether a mark is one of the brackets of a letter, which end no clause: "it is not (B)"."""
    letter = words[place + 1 : place + 2] if words[place] in ("(", "[") else words[max(0, place - 1) : place]
    other = place + 2 if words[place] in ("(", "[") else place - 2
    if words[place] not in ("(", ")", "[", "]") or not 0 <= other < len(words):
        return False
    return len(letter[0]) == 1 and letter[0].isalpha() and words[other] in ("(", ")", "[", "]")


def _is_called_wrong(words: Sequence[str], roles: Sequence[str], place: int) -> bool:
    """Whether the words from a "but" on call what was said before it wrong, and nothing else."""
    if roles[place : place + 1] != [BREAK]:
        return False
    start = place + 1
    while start < len(words) and (words[start] in ("it", "that", "this") or roles[start] == AUX):
        start += 1
    end = start
    while end < len(words) and roles[end] == FAULT:
        end += 1
    return end > start and (end == len(words) or is_mark(words[end]))


def _has_alternative(words: Sequence[str], end: int, until: int) -> bool:
    """Whether another answer follows that is no choice: "a violin or a viola", "violin/viola"."""
    if words[end] in ("/", "vs", "versus"):
        return True
    if until == len(words) and _is_other(words, end):
        return True
    at = end + (words[end] in ("(", ","))
    if until < len(words) and until - at <= 4:
        return False  # "two, or maybe three": both are choices, and contradict each other
    return list(words[at : at + 1]) == ["or"] and words[at + 1 : at + 2] not in (["so"], ["not"])


def _is_other(words: Sequence[str], end: int) -> bool:
    """Whether something that is no choice is said beside a name: "a violin and a harp", "violin, harp"."""
    place = end + 1
    if words[end] not in ("and", "&", "plus", ","):
        return False
    while place < len(words) and words[place] in ("a", "an", "the", "some"):
        place += 1
    other = words[place] if place < len(words) else ""
    if not _is_noun(other) or other.endswith("ly"):
        return False
    return words[end] != "," or not any(word.isalpha() for word in words[place + 1 :])


def _is_noun(word: str) -> bool:
    return len(word) > 1 and word.isalpha() and word not in ROLE_OF and word not in _PLAIN


def _is_fact(words: Sequence[str], end: int) -> bool:
    """Whether a sentence tells what is true of all: "a piano has 88 keys"."""
    if words[end] in ("has", "have"):
        return end <= 2
    is_kind = words[end] in ("is", "are") and (
        words[end] == "are" or words[end + 1 : end + 2] in (["a"], ["an"])
    )
    return is_kind and end <= 2 and words[-1 - is_mark(words[-1])] in _KINDS


def _is_denying(roles: Sequence[str]) -> bool:
    return DENY in roles or GONE in roles or FAULT in roles


def _has_verdict(words: Sequence[str], end: int) -> bool:
    """Whether a no stands alone after a name, as in "guitar: no" and "the guitar, or not"."""
    place = end
    while place < len(words) and words[place] in _GAPS:
        place += 1
    if place == end or place == len(words):
        return False
    if words[place] == "or":
        return words[place + 1 : place + 2] == ["not"]
    if words[place] not in _VERDICTS or words[place + 1 : place + 2] in (["("], ["["]):
        return False  # "(A), not (B)" denies what follows
    return place + 1 == len(words) or is_mark(words[place + 1])


def _is_exception(words: Sequence[str], roles: Sequence[str], start: int) -> bool:
    return any(roles[place] == ASIDE and words[place] in _EXCEPT for place in range(start))


def _is_conceded(words: Sequence[str], roles: Sequence[str], start: int, end: int) -> bool:
    """Whether a clause concedes what another one corrects: "it may sound like a guitar, but it is …"."""
    if BREAK not in roles:
        return False
    begin = clause_start(words, roles, start)
    if begin and words[begin - 1] in _CONCEDING and len(words) > end + 2:
        return True
    corrected = "but" in words[end:] or "however" in words[end:]
    return corrected and not _AT_FIRST.isdisjoint(words[begin:start])
