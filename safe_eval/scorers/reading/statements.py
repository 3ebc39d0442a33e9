"""Statements: what a sentence without yes or no answers to a question that has no other answers.

It answers where it agrees or disagrees ("that's right", "it does not"), or says that something is there or is
not ("there is a dog", "the video does not contain a voice"). Comparisons and doubts answer nothing, and
neither does what is said of the question or the recording: "there is no way to tell", "no audio was given".
"""

from collections.abc import Sequence

from safe_eval.scorers.reading.number_phrases import says_nobody

YES, NO = "yes", "no"

_AGREED = {
    YES: (
        "i think so|i believe so|i guess so|i suppose so|i would say so|it seems so|so it seems|"
        "it appears so|seems so|seems like it|looks like it|it looks like it|undoubtedly|without a doubt|"
        "i agree|agreed|it 's there|it is there|there is 1|there 's 1"
    ),
    NO: (
        "i disagree|i do not think so|i do not believe so|i am afraid not|i think not|i doubt it|far from it|"
        "apparently not|it appears not|unfortunately not|not at all|not really|not always|"
        "not all the time|not true|not right|not correct|not the case|not so|that is not the case|"
        "that 's not the case|it is not the case|definitely not|certainly not|absolutely not|"
        "of course not|probably not|clearly not|most likely not|likely not|not that i can hear|"
        "not that i can see"
    ),
}
_AGREEMENTS = {text: answer for answer, texts in _AGREED.items() for text in texts.split("|")}
# These agree only where the reply has no other sentence: "Sure! I can help."
_ALONE = frozenset(
    ("definitely", "certainly", "absolutely", "of course", "indeed", "exactly", "sure", "sure thing")
)
_IDIOMS = frozenset((("no", "doubt"), ("no", "problem"), ("no", "worries"), ("no", "question")))
_STRESSING = frozenset(str.split("indeed definitely certainly absolutely so also really"))
_TRUE = frozenset(["true", "correct", "right"])
_FALSE = frozenset(["false", "incorrect", "wrong", "untrue"])
_POINTING = frozenset(str.split("it that this statement claim answer"))
_PRONOUNS = frozenset(str.split("it there they he she that this i we you"))
_AUX = frozenset(str.split("is are was were does do did can could will would has have had may must should"))
_BEING = frozenset(str.split("is are was were be 's"))
_UNKNOWN = frozenset(
    str.split(
        "possible sure certain provided available given known specified mentioned stated easy "
        "determine say tell know matter obvious included attached described indicated apparent help "
        "able but"
    )
)
_VAGUE = frozenset(
    str.split("if whether might may could maybe perhaps possibly unclear than unless would should but except")
)
_PERCEIVED = frozenset(
    str.split("audible visible present heard seen detected detectable noticeable perceptible shown featured")
)
_GONE = frozenset(["absent", "missing", "inaudible", "invisible"])
_HAPPENING = frozenset(["playing", "plays", "exists", "appears", "there"])
_CONTAINS = frozenset(
    str.split("lacks contain include feature have show contains includes features has shows")
)
_DESCRIBES = frozenset(["have", "show", "shows"])  # "the image shows a room" need not answer
_PERCEIVES = frozenset(str.split("hear see detect notice find observe"))
_HOLDERS = frozenset(
    str.split(
        "video clip audio picture image scene recording sound music song it soundtrack track photo "
        "there footage performance"
    )
)
_DETERMINERS = frozenset(str.split("a an any the some another this that"))
_SOME = frozenset(("a", "an", "some", "several", "multiple"))
_PREPOSITIONS = frozenset(str.split("in on of at from to with that which for by near"))
_ADVERBS = frozenset(str.split("clearly definitely indeed also actually currently simply"))
# Nouns that are no things in the picture or the sound: "no audio", "no idea", "no problem", "no other".
_NOT_THINGS = frozenset(
    str.split(
        "audio sound sounds image images picture pictures video videos clip clips recording media input "
        "inputs file files attachment attachments information info context data detail details "
        "description evidence indication hint idea clue problem problems issue issues worries worry "
        "doubt doubts question questions answer answers way reason need sense matter comment thanks "
        "wonder surprise choice choices option options other others more longer such difference change "
        "possibility possibilities chances ways reasons chance access ability clear certain conclusion "
        "content text transcript prompt rush luck kidding sweat big offense guarantee consensus "
        "confirmation mention sign signs lot enough much insufficient nothing something anything none "
        "body person point use time 1 mistake error misunderstanding typo delay limit few bit variety "
        "range number likelihood screen blank silence noise static message request"
    )
)


def stated(inner: Sequence[str], *, is_all: bool) -> str | None:
    """What a sentence without yes or no answers. `is_all` says that it is the whole reply.

    >>> stated("there is no dog".split(), is_all=True), stated("there is no way to tell".split(), is_all=True)
    ('no', None)
    """
    if tuple(inner[:2]) in _IDIOMS:
        inner = inner[2:] or inner
    answer = _agreed(inner, is_all=is_all)
    if answer is not None or not _VAGUE.isdisjoint(inner):
        return answer
    if inner[0] == "nobody" or inner[:2] == ["no", "1"]:
        is_all_said = len(inner) == 1 + (inner[0] == "no")
        return NO if not is_all_said and says_nobody(inner, or_no=True) else None
    return _existence(inner) or _presence(inner) or _contents(inner)


def names_no_thing(words: Sequence[str]) -> bool:
    """Whether a noun phrase names no thing in the picture or the sound: "a slight chance", "no audio"."""
    for place, word in enumerate(words):
        if word in ("sound", "sounds", "sign") and words[place + 1 : place + 2] == ["of"]:
            return names_no_thing(words[place + 2 :])
        if word in _PREPOSITIONS or word in _NOT_THINGS:
            return word in _NOT_THINGS
    return False


def _agreed(inner: Sequence[str], *, is_all: bool) -> str | None:
    """An answer in other words: "that's right", "it is not", "I think so", "not at all"."""
    text = " ".join(inner)
    if text in _AGREEMENTS:
        return _AGREEMENTS[text]
    if is_all and text in _ALONE:
        return YES
    if inner[-2:-1] == ["the"] and inner[-1] in ("affirmative", "negative"):
        return YES if inner[-1] == "affirmative" else NO
    if inner[0] in _TRUE or inner[0] in _FALSE:
        goes_on = (
            inner[0] != "right"
            and len(inner) <= 12
            and (inner[1:2] == ["the"] or not _PRONOUNS.isdisjoint(inner[1:2]))
        )
        return (YES if inner[0] in _TRUE else NO) if len(inner) == 1 or goes_on else None
    return _called_true(inner) or _elliptical(inner)


def _called_true(inner: Sequence[str]) -> str | None:
    """ "It is true", "the statement is not correct"."""
    if len(inner) < 3 or (inner[-1] not in _TRUE and inner[-1] not in _FALSE):
        return None
    if inner[-2] in ("so", "hence", "thus", "therefore"):
        return YES if inner[-1] in _TRUE else NO
    negated = inner[-2] == "not"
    subject = inner[:-2] if negated else inner[:-1]
    if len(subject) < 2 or subject[-1] not in ("is", "'s") or subject[-2] not in _POINTING:
        return None
    if inner[-1] in _FALSE:
        return None if negated else NO
    return NO if negated else YES


def _elliptical(inner: Sequence[str]) -> str | None:
    """ "It is", "they do not", "it isn't louder", "it doesn't look like it"."""
    if "not" in inner and len(inner) <= 7:
        if inner[-2:] == ["like", "it"] or (inner[0] in ("it", "they") and inner[-1] == "so"):
            return NO
        if inner[0] in ("it", "they") and len(inner) > 3 and inner[1] in _AUX | {"'s"} and inner[2] == "not":
            knows = (
                _UNKNOWN.isdisjoint(inner) and _VAGUE.isdisjoint(inner) and _NOT_THINGS.isdisjoint(inner[3:])
            )
            return NO if knows else None
    said = [word for word in inner if word not in _STRESSING]
    if len(said) < 2 or said[0] not in _PRONOUNS or said[0] in ("i", "you") or said[1] not in _AUX:
        return None
    if len(said) == 2:
        return YES
    return NO if len(said) == 3 and said[2] == "not" else None


def _existence(inner: Sequence[str]) -> str | None:
    """ "There is a dog", "there are no dogs", "there isn't any dog", "no dog is barking"."""
    if inner[0] == "no" and len(inner) > 2 and inner[1] not in _NOT_THINGS:
        acts = not _BEING.isdisjoint(inner[2:5]) and any(word.endswith("ing") for word in inner[2:6])
        return NO if acts or not (_PERCEIVED | _HAPPENING).isdisjoint(inner[2:]) else None
    at = inner.index("there") if "there" in inner[:7] else -1
    if at < 0 or inner[at + 1 : at + 2] == [] or inner[at + 1] not in _BEING:
        return None
    rest = [word for word in inner[at + 2 :] if word not in _ADVERBS]
    negated = rest[:1] in (["no"], ["not"])
    rest = rest[1:] if negated else rest
    if all(word in _DETERMINERS for word in rest) or names_no_thing(rest):
        return None
    if negated:
        return NO
    some = rest[0] in _SOME or (rest[0].endswith("s") and len(rest) < 8)
    return YES if some else None


def _presence(inner: Sequence[str]) -> str | None:
    """ "The dog is (not) audible", "a dog can be heard"."""
    if inner[0] in ("i", "we", "nothing", "none") or "no" in inner or not _NOT_THINGS.isdisjoint(inner[:3]):
        return None
    for place, word in enumerate(inner):
        pictured = (
            word == "in"
            and tuple(inner[place + 1 : place + 2]) == ("the",)
            and not _HOLDERS.isdisjoint(inner[place + 2 :])
        )
        if word in _PERCEIVED or word in _GONE or pictured:
            is_short = len(inner) <= 4 and place == len(inner) - 1
            near = inner[max(0, place - (2 if pictured else 4)) : place]
            if (_BEING.isdisjoint(near) and not is_short) or "and" in inner or not place:
                return None
            denied = "not" in inner[:place] or "never" in inner[:place]
            if word in _GONE:
                return None if denied else NO
            return NO if denied else YES
    return None


def _contents(inner: Sequence[str]) -> str | None:
    """ "The video does not contain a dog", "I do not hear a dog", "I can hear a dog"."""
    at = next(
        (place for place, word in enumerate(inner) if word in _CONTAINS or word in _PERCEIVES), len(inner)
    )
    subject, rest = inner[:at], list(inner[at + 1 :])
    if not subject or not rest:
        return None
    denied = "not" in subject
    if rest[0] == "no" and not denied:
        denied, rest = True, ["any", *rest[1:]]
    if inner[at] == "lacks":
        denied = True
    if inner[at] in _PERCEIVES and rest in (["it"], ["1"], ["any"], ["them"]) and subject[0] in ("i", "we"):
        return NO if denied else YES
    if rest[0] not in _DETERMINERS or "and" in rest or names_no_thing(rest):
        return None
    shown = rest[0] in ("a", "an") or (rest[0] == "the" and inner[at] in _PERCEIVES)
    if not denied and (not shown or inner[at] in _DESCRIBES):
        return None
    if inner[at] in _PERCEIVES:
        says = subject[0] in ("i", "we") and not ("can" in subject and denied)
    else:
        says = not _HOLDERS.isdisjoint(subject)
    if not says:
        return None
    return NO if denied else YES
