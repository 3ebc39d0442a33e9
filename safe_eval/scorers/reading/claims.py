"""Claims: what a sentence says of the choices it names, and how much weight that has."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from safe_eval.scorers.reading.choice_names import Choices, Names, stem
from safe_eval.scorers.reading.clause_words import ASIDE, AUX, BREAK, REST, VERB, WOULD, roles_of
from safe_eval.scorers.reading.mentions import (
    COUNT,
    LETTER,
    UNKNOWN,
    WORDS,
    Mention,
    groups_of,
    mentions_in,
    spans,
)
from safe_eval.scorers.reading.number_phrases import EXACT, says_nobody
from safe_eval.scorers.reading.polarity import (
    ASSERTED,
    BESIDE,
    DOUBTED,
    clause_start,
    ends_clause,
    opens_aside,
    said_of,
)
from safe_eval.scorers.reading.sentence import Sentence, inner_words, is_mark

PLAIN, CONCLUDED, FRAGMENT, CHOSEN, ANNOUNCED, FINAL = range(6)  # how much weight a claim has

_ANNOUNCING = frozenset(
    str.split("ans answer option choice response conclusion solution guess pick selection verdict prediction")
)
_NOT_ANNOUNCING = frozenset(
    str.split("to can will i you first second third fourth fifth next other another each")
)
_BETWEEN = frozenset(  # what may stand between "answer" and "is"
    str.split(
        "to the this that your question would should must will could can here might may most likely "
        "therefore then thus in my opinion for of given audio clip video appears seems has have "
        "correct final best , ( ) option choice above"
    )
)
_LINKING = frozenset(str.split("is be = : 's was are -"))
_STOPS = frozenset(str.split("because since while whereas although though unlike due but hence ; ."))
_CHOOSING = frozenset(str.split("choose pick select choosing picking selecting chose picked selected choice"))
_CHOOSING_PAIRS = frozenset(
    (("go", "with"), ("going", "with"), ("opt", "for"), ("settle", "on"), ("stick", "with"))
)
_CALLED = frozenset(["correct", "right", "answer", "likely", "best"])
_CONCLUDING = frozenset(
    str.split(
        "so therefore thus hence total altogether overall consequently conclusion sum conclude makes making ="
    )
)
_CORRECTING = frozenset(
    str.split("actually wait no sorry or hmm correction rather oops alternatively maybe perhaps however but")
)
_LATER = frozenset(("second", "third", "next", "afterwards", "last", "later"))
_RETRACTIONS = ("no wait", "wait no", "scratch that", "never mind", "just kidding")
_TAKEN_BACK = frozenset((("i", "doubt", "it"), ("i", "do", "not", "think", "so")))
_MISTAKEN = (["wrong"], ["incorrect"], ["not", "right"], ["not", "correct"], ["not", "it"])
_FLUFF = frozenset(  # what may follow a letter without being another choice
    str.split(
        "definitely certainly sure clearly probably likely obviously final confident yes correct "
        "indeed exactly please because since think ok okay done thanks the answer option"
    )
)
_RELATED = frozenset(str.split("more greater larger higher fewer less lower smaller at"))


class Claim(msgspec.Struct, frozen=True, gc=False):
    """What is said of the choices of one group of mentions."""

    choices: Choices
    said: str
    weight: int = PLAIN
    is_count: bool = False
    has_and: bool = False
    thing: str = ""  # the stem of what a count counts


class SentenceClaims(msgspec.Struct, frozen=True):
    """All claims of a sentence."""

    claims: tuple[Claim, ...]
    retracts: bool = False  # it takes back what was said before it
    corrects: bool = False  # it begins as a correction does
    is_item: bool = False  # it is an item of a list of options


def claims_of(sentence: Sentence, names: Names, by: str = WORDS) -> SentenceClaims | None:
    """What a sentence says of the choices; None if it says nothing of them.

    >>> from safe_eval.scorers.reading.choice_names import names_of
    >>> from safe_eval.scorers.reading.sentence import read_sentence
    >>> names = names_of(("dog", "cat"), (), True)
    >>> claims = claims_of(read_sentence("A cat, not a dog."), names).claims
    >>> [(sorted(claim.choices), claim.said) for claim in claims]
    [(['cat'], 'asserted'), (['dog'], 'denied')]
    """
    words = sentence.words
    mentions = mentions_in(sentence, names, by)
    if names.counts and not any(mention.kind == COUNT for mention in mentions) and _is_none(words, names):
        return SentenceClaims((Claim(names.counted((EXACT, 0.0)) or UNKNOWN, ASSERTED, is_count=True),))
    if not sentence.is_ascii and mentions:
        mentions = _in_other_script(mentions, words)
    if mentions and _is_label(words, mentions):
        mentions = mentions[1:]
    if not mentions:
        return SentenceClaims((), retracts=True) if len(words) < 10 and _retracts(words) else None
    roles = roles_of(words)
    _clear(roles, words, mentions)
    groups = groups_of(mentions, words, sets_aside=_contrasts(words, roles, mentions))
    claims = _weighed(words, roles, groups)
    if len(claims) > 1:
        claims = _one_count(_timed(claims, groups, words), sentence, groups)
    if tuple(inner_words(words)[-3:]) in _TAKEN_BACK or tuple(inner_words(words)[-5:]) in _TAKEN_BACK:
        claims = [replace(claim, said=DOUBTED) for claim in claims]  # "a piano, I doubt it"
    if not any(role in (VERB, AUX, WOULD) for role in roles):
        claims = [claim if claim.weight > FRAGMENT else replace(claim, weight=FRAGMENT) for claim in claims]
    if _contradicts_letter(words, roles, groups[0], names):
        claims.append(Claim(UNKNOWN, ASSERTED, FRAGMENT))
    first = words[0] if words[0].isalpha() else next((word for word in words if not is_mark(word)), "")
    is_item = mentions[0].kind == LETTER and mentions[0].start <= 1 and len(groups[0]) > 1
    return SentenceClaims(tuple(claims), corrects=first in _CORRECTING, is_item=is_item)


def _contrasts(words: Sequence[str], roles: Sequence[str], mentions: Sequence[Mention]) -> bool:
    """Whether a comma parts what is set aside from what is said: "unlike X, Y", "not X, Y"."""
    between = words[mentions[0].end : mentions[-1].start]
    is_pair = words[0] == "not" and {"or", "nor", "and"}.isdisjoint(between)
    return is_pair or opens_aside(roles, mentions[0].start)


def _weighed(words: Sequence[str], roles: Sequence[str], groups: Sequence[Sequence[Mention]]) -> list[Claim]:
    """The claim of each group, with its weight."""
    announced, strength = _announced_from(words, [mention for group in groups for mention in group])
    claims = []
    for place, group in enumerate(groups):
        start, end = group[0].start, group[-1].end
        until = groups[place + 1][0].start if place + 1 < len(groups) else len(words)
        choices = group[0].choices.union(*(mention.choices for mention in group[1:]))
        said = said_of(words, roles, start, end, until, is_first=not place)
        if announced is not None and start >= announced and not _stopped(words, roles, announced, start):
            weight = strength
        else:
            weight = _weight(words, roles, start, end, until)
        if weight >= CHOSEN and "final" in words[:start]:
            weight = FINAL
        is_count = all(mention.kind == COUNT for mention in group)
        counts_thing = is_count and end < len(words) and words[end][0].isalpha() and not roles[end]
        has_and = len(group) > 1 and not {"and", "&"}.isdisjoint(words[start:end])
        claims.append(
            Claim(choices, said, weight, is_count, has_and, stem(words[end]) if counts_thing else "")
        )
    return claims


def _weight(words: Sequence[str], roles: Sequence[str], start: int, end: int, until: int) -> int:
    """The weight of what no phrase such as "the answer is" announces."""
    begin = clause_start(words, roles, start)
    stop = next((at for at in range(end, until) if ends_clause(words, roles, at)), until)
    before, after = words[begin:start], words[end:until]
    if not _CHOOSING.isdisjoint(before) or any(pair in _CHOOSING_PAIRS for pair in pairwise(before)):
        return CHOSEN
    if after[:1] in (["is"], ["would"], ["must"], ["seems"]) and not _CALLED.isdisjoint(after[1:6]):
        return PLAIN if not {"of", "on", "side", "hand"}.isdisjoint(after) else CHOSEN
    concludes = not _CONCLUDING.isdisjoint(words[max(0, begin - 1) : stop])
    return CONCLUDED if concludes else PLAIN


def _announced_from(words: Sequence[str], mentions: Sequence[Mention]) -> tuple[int | None, int]:
    """Where the answer begins that "the answer is" or "option:" announces, and the weight of that."""
    found, weight = None, PLAIN
    if _ANNOUNCING.isdisjoint(words):
        return found, weight
    named = set(spans(mentions))
    for place, word in enumerate(words):
        if word not in _ANNOUNCING or place in named or (place and words[place - 1] in _NOT_ANNOUNCING):
            continue
        if word in ("ans", "answer") and place + 1 in named:
            found, weight = place + 1, ANNOUNCED
        for after in range(place + 1, min(len(words), place + 12)):
            if after not in named and words[after] in _LINKING:
                found, weight = after + 1, ANNOUNCED if word in ("ans", "answer") else CHOSEN
            if after in named or words[after] not in _BETWEEN:
                break
    return found, weight


def _stopped(words: Sequence[str], roles: Sequence[str], start: int, end: int) -> bool:
    """Whether what is announced ends between two places."""
    return (
        REST in roles[start:end]
        or not _STOPS.isdisjoint(words[start:end])
        or "as" in _breaks(words, roles, start, end)
    )


def _breaks(words: Sequence[str], roles: Sequence[str], start: int, end: int) -> list[str]:
    return [words[place] for place in range(start, end) if roles[place] == BREAK]


def _is_none(words: Sequence[str], names: Names) -> bool:
    return says_nobody(words, or_no=names.no is not None)


def _clear(roles: list[str], words: Sequence[str], mentions: Sequence[Mention]) -> None:
    """Take away the roles of words that belong to mentions, such as "more than" of "more than 10"."""
    for mention in mentions:
        start = mention.start
        if mention.kind == COUNT and start and words[start - 1] in ("between", "above", "below"):
            start -= 1
        compares = mention.kind == COUNT and start > 1 and words[start - 1] in ("than", "least", "most")
        if compares and words[start - 2] in _RELATED:
            start -= 2
        roles[start : mention.end] = [""] * (mention.end - start)
        before = mention.start - 1
        while before >= 0 and roles[before] == ASIDE and words[before] in ("on", "to", "the"):
            roles[before], before = "", before - 1


def _timed(claims: list[Claim], groups: Sequence[Sequence[Mention]], words: Sequence[str]) -> list[Claim]:
    """The claims in order of time: "Y second" sets Y aside, "X comes after Y" says nothing of X."""
    starts = [group[0].start for group in groups]
    if "first" in words:
        near = [
            words[max(0, start - 3) : group[-1].end + 1] for start, group in zip(starts, groups, strict=True)
        ]
        late = [not _LATER.isdisjoint(each) for each in near]
        return [
            replace(claim, said=BESIDE) if is_late else claim
            for claim, is_late in zip(claims, late, strict=True)
        ]
    if not any("after" in words[max(0, start - 2) : start] for start in starts):
        return claims
    return [claim if claim.said != ASSERTED else replace(claim, said=DOUBTED) for claim in claims]


def _one_count(claims: list[Claim], sentence: Sentence, groups: Sequence[Sequence[Mention]]) -> list[Claim]:
    """The claims; of several counts in one sentence only the total counts, and without one there is none."""
    at = [place for place, claim in enumerate(claims) if claim.is_count and claim.said == ASSERTED]
    if len(at) < 2:
        return claims
    best = max(claims[place].weight for place in at)
    total = [place for place in at if claims[place].weight == best]
    if best == PLAIN or len(total) > 1:
        values = {place: sentence.numbers.get(groups[place][0].start, 0.0) for place in at}
        sums = [place for place in at if len(at) > 2 and 2 * values[place] == sum(values.values())]
        between = sentence.words[groups[at[0]][-1].end : groups[at[1]][0].start]
        total = sums[:1] or ([at[0]] if ":" in between else [])
    kept = [claim for place, claim in enumerate(claims) if place not in at or place in total]
    return kept if len(total) == 1 else [*claims, Claim(UNKNOWN, ASSERTED, best)]


def _in_other_script(mentions: list[Mention], words: Sequence[str]) -> list[Mention]:
    """The mentions that count beside words of another script, which may deny them: the first, and letters."""
    inside = set(spans(mentions))
    if all(
        _is_gloss(word) for place, word in enumerate(words) if place not in inside and word[0] >= "\u0370"
    ):
        return mentions
    if not any(
        word[0] >= "\u0370" and word[0].isalpha() for place, word in enumerate(words) if place not in inside
    ):
        return mentions
    return [mention for mention in mentions if mention.start == 0 or mention.kind == LETTER]


def _is_gloss(word: str) -> bool:
    """Whether a Chinese word only repeats a name: it is short, and denies and asks nothing."""
    return (
        "\u4e00" <= word[0] <= "\u9fff"
        and len(word) <= 4
        and not any(no in word for no in "不没沒非無无否吗嗎")
    )


def _is_label(words: Sequence[str], mentions: Sequence[Mention]) -> bool:
    """Whether a sentence opens with an "A:" that means answer, because it goes on with something else."""
    first = mentions[0]
    if first.kind != LETTER or first.start or list(words[:2]) != ["a", ":"] or len(words) < 3:
        return False
    return len(mentions) == 1 or mentions[1].choices != first.choices


def _retracts(words: Sequence[str]) -> bool:
    """Whether a short sentence says that what stands before it is wrong."""
    inner = inner_words(words)
    text = " ".join(inner)
    if text in ("no", "nope", "not really") or text.startswith(_RETRACTIONS):
        return True
    points_back = not {"that", "this", "it"}.isdisjoint(inner)
    return points_back and any(inner[-len(end) :] == end for end in _MISTAKEN)


def _contradicts_letter(
    words: Sequence[str], roles: Sequence[str], group: Sequence[Mention], names: Names
) -> bool:
    """Whether a sentence opens with a letter, and a short text follows that is not this choice: "C) harp"."""
    first = group[0]
    if first.kind != LETTER or len(group) > 1 or first.start > 1 or names.is_bare:
        return False
    rest = inner_words(words[first.end :])
    marked = first.end < len(words) and words[first.end] in (".", ")", ":", "]", "-", "=")
    if marked and rest[:1] == ["i"] and "not" in rest[:4]:
        return True  # "A. I don't know"
    if not marked or not 0 < len(rest) <= 4 or any(role in (VERB, AUX, WOULD, BREAK) for role in roles):
        return False
    stems = frozenset(map(stem, rest))
    return _FLUFF.isdisjoint(rest) and not any(
        stems & names.stems_of.get(choice, stems) for choice in first.choices
    )
