"""Clause words: what single words and phrases do in a clause: deny, doubt, set aside or break."""

from collections.abc import Sequence

DENY, DOUBT, FAULT, GONE, ASIDE, REST, BREAK, VERB, AUX, WOULD, LITTLE, NEUTRAL = "DUFGARBVXWTN"

_ROLES = {
    # before a name, these deny it, however far away they stand in the clause
    DENY: (
        "not no never neither nor without hardly barely scarcely lack lacks lacking lacked absence nothing "
        "nobody none instead rarely seldom cant nicht kein keine keinen pas não nao niet geen ikke inte "
        "sin non nie jamais nunca"
    ),
    # and these doubt it, or ask for it
    DOUBT: (
        "deny denies doubt doubts doubtful doubting unable unsure uncertain unclear whether if unless "
        "wonder wondering refuse fails failed fail avoid question questions asked asks asking wish "
        "wished expected expect imagine suppose pretend please hesitant reluctant debatable arguable "
        "evoke evokes confuse help assist happy glad thank waiting favorite favourite need needs require "
        "requires prefer mention mentioned mentions love cross strike ignore forget almost drop skip "
        "questionable ambiguous possible"
    ),
    # these say that a choice is no answer, before it and after it
    FAULT: (
        "incorrect wrong false incorrectly wrongly mistaken excluded exclude excludes excluding eliminated "
        "eliminate eliminates eliminating discard discarded discarding reject rejected rejecting dismiss "
        "dismissed unlikely impossible improbable implausible untrue inaccurate invalid inconsistent "
        "irrelevant worst weakest poorest least distractor distractors"
    ),
    # these say so only after it: "the missing instrument is the piano" names the piano
    GONE: (
        "absent missing silent inaudible invisible nowhere muted stopped gone unheard unseen undetectable "
        "nonexistent removed deleted decoy trap"
    ),
    # what follows these stands beside the answer
    ASIDE: (
        "than unlike except despite regardless facing beyond between above below beneath besides beside "
        "behind near versus vs opposite resembles resemble resembling before after until following "
        "alongside atop beneath accompanies accompanying mimics mimicking imitates imitating minus "
        "barring like"
    ),
    # so does all the rest of the clause
    REST: "then afterwards afterward later subsequently",
    # these begin a clause
    BREAK: (
        "but because since while whereas although though however so therefore thus hence which who when "
        "where yet meaning making as"
    ),
    VERB: (
        "play plays playing played sound sounds hear hears heard see sees seen think believe guess say "
        "says know start starts started begin begins seem seems appear appears look looks contain contains "
        "show shows feature features come comes enter enters stop stops end ends feel feels choose pick "
        "select go produce produces make makes get gets hold holds stand stands sit sits perform performs "
        "barks use uses suggest suggests indicate indicates match matches fit fits identify conclude want "
        "need count found find give gives include includes tell determine confirm remain remains"
    ),
    AUX: (
        "has have had is are was were be been being am do does did can could will shall should may might "
        "must 's"
    ),
    WOULD: "would",
    LITTLE: ("a an the this that these those his her their its my your our some any and or & both either"),
}
ROLE_OF = {word: role for role, words in _ROLES.items() for word in words.split()}

_PHRASES = {
    NEUTRAL: (
        "no doubt|without doubt|without a doubt|without any doubt|no question|beyond doubt|not only|"
        "not just|no wonder|not to mention|if i had to guess|if i had to choose|if i had to pick|"
        "if i have to guess|if i must|if i have to choose|if i have to pick|if i were to guess|"
        "if i am not mistaken|if i am not wrong|if anything|of course|nothing but|none other than|no less|"
        "would be the answer|would be the most|more or less|as well|as well as|sound like|sounds like|"
        "sounded like|sounding like|look like|looks like|looking like|seem like|seems like|feels like|"
        "sounds more like|sounds most like|sounds just like|sounds a lot like|sounds very much like|"
        "sounds exactly like|looks more like|doubtless|to the question|to this question|to your question|"
        "to that question|in question|in my opinion|would say|would guess|would choose|would pick|"
        "would go with|would select|would be my|would be the best|would be the correct|would be the right|"
        "would answer|would call|would identify|would think|would conclude|would opt|might as well|so far|"
        "so called|even so|or so|and so on|before answering|after listening|after analyzing|after all|"
        "can not help but|could not be more|would be my answer"
    ),
    DOUBT: (
        "i thought|thought it was|have thought|would have been|could have been|should have been|"
        "mistake it for|let 's hear|let 's listen|let 's see|talk about|information about|know about|"
        "learn about|more about|something about|sorry about|less like|missing a|missing the|tell me|"
        "tell us|also plausible|also likely|not unlike|used to|hoping for|hoped for|hope for|leave out|"
        "leaving out|left out|too|by no means|i play|how about|what about|why not|difference between|"
        "need to hear|compare|let me|let us|hard to|no way|no sign|nothing like|difficult to|tough to|"
        "tricky to|far from|anything but|not sure|free of|devoid of|short of|too early|no longer|"
        "in doubt|out of the question"
    ),
    FAULT: (
        "rule out|ruling out|ruled out|be ruled out|is out|are out|crossed out|thrown out|set aside|"
        "out of the question|less likely|least likely|not likely|no longer|not it|not so|not the case|"
        "does not fit|do not fit|not correct|not right|not true|not the answer|no sense|no support|"
        "no basis|no evidence|seems off|is off|sounds off|or not|not the correct|not the right|rules out"
    ),
    ASIDE: (
        "akin to|comparable to|save for|leaving aside|in spite of|because of|due to|thanks to|owing to|"
        "in place of|same as|next to|close to|adjacent to|in front of|in back of|left of|right of|"
        "to the left of|to the right of|on the left of|on the right of|instead of|rather than|"
        "as opposed to|opposed to|apart from|aside from|everything but|everyone but|all but|any but|"
        "anyone but|other than|compared to|compared with|in contrast to|contrary to|similar to|"
        "different from|differs from|across from|confused with|mistaken for|reminiscent of|reminds me of|"
        "in addition to|prior to|as loud as|as long as|as much as|more than|ahead of|on top of|"
        "in between|sort of like|kind of like|even though"
    ),
    REST: ("followed by|after which|after that|and then|before moving to|later on|next comes|joined by"),
}
PHRASES: dict[str, list[tuple[tuple[str, ...], str]]] = {}
for _role, _texts in _PHRASES.items():
    for _text in _texts.split("|"):
        _words = tuple(_text.split())
        PHRASES.setdefault(_words[0], []).append((_words, _role))
for _found in PHRASES.values():
    _found.sort(key=lambda phrase: -len(phrase[0]))

_PRONOUNS = frozenset(str.split("i it there they he she we you this that these those one"))
_INTERJECTED = _PRONOUNS | frozenset(str.split("the because since not as but wait sorry actually"))
_ASKING = frozenset(("which", "who", "whose", "what", "where", "when", "how", "why"))
_SOUNDING = frozenset(str.split("sound sounds sounded sounding look looks looked seem seems feel feels"))
_NO_REASON = frozenset(
    str.split("well a an if much long far loud such")
)  # after an "as" that gives no reason
_TAKEN = frozenset(
    str.split(
        "identified identify identifies known described describe classified classify labeled such same "
        "as serves acts it"
    )
)
_WHOLE = frozenset(("all", "every", "everything", "any", "anything", "none", "nothing", "no"))
BREAKING_MARKS = frozenset(",;:().-–—…")


def roles_of(words: Sequence[str]) -> list[str]:
    """What each word does; an empty text for names and all other words.

    >>> roles_of("it does not look like a violin".split())
    ['', 'X', 'D', 'N', 'N', 'T', '']
    """
    roles = [ROLE_OF.get(word, "") for word in words]
    size, place = len(words), 0
    while place < size:
        word = words[place]
        if word in PHRASES:
            for phrase, role in PHRASES[word]:
                end = place + len(phrase)
                if end <= size and (len(phrase) == 1 or tuple(words[place:end]) == phrase):
                    roles[place:end] = [role] * (end - place)
                    break
        if word in _ASKING and (
            _is_unknown(words, roles, place) or (word == "which" and _asks(words, place))
        ):
            roles[place] = DOUBT  # "I cannot tell which violin plays"
        if roles[place] == DENY and word == "no" and _is_interjection(words, place):
            roles[place] = BREAK
        elif (
            word == "like"
            and roles[place] == ASIDE
            and not _SOUNDING.isdisjoint(words[max(0, place - 5) : place])
        ):
            roles[place] = ""  # "sounds a bit like a piano"
        elif (
            word == "but"
            and not _WHOLE.isdisjoint(words[max(0, place - 4) : place])
            and roles[place] == BREAK
        ):
            roles[place] = ASIDE  # "none of them but the piano"
        elif word == "by" and not (place and words[place - 1].endswith(("ed", "en", "ade"))):
            roles[place] = ASIDE  # "by the piano", but not "played by the piano"
        elif word == "as" and place > 1 and words[place - 2] == "as":
            roles[place] = ASIDE  # "as bright as a trumpet"
        elif word == "as" and words[place + 1 : place + 2] in (["a"], ["an"]) and not _is_taken(words, place):
            roles[place] = ASIDE  # "tight as a drum"
        elif word == "as" and roles[place] == BREAK and not _breaks(words, place):
            roles[place] = ""
        elif word == "so" and words[place + 1 : place + 2] and place and roles[place - 1] == AUX:
            roles[place] = ""  # "is so loud"
        place += 1
    return roles


def _is_interjection(words: Sequence[str], place: int) -> bool:
    """Whether "no" answers a question, rather than saying how many."""
    following = words[place + 1] if place + 1 < len(words) else "."
    return following in _INTERJECTED or not following[0].isalnum()


def _is_unknown(words: Sequence[str], roles: Sequence[str], place: int) -> bool:
    """Whether the clause before a question word denies or doubts: "I do not know when"."""
    for at in range(place - 1, -1, -1):
        if words[at] in BREAKING_MARKS or roles[at] == BREAK:
            return False
        if roles[at] in (DENY, DOUBT):
            return True
    return False


def _asks(words: Sequence[str], place: int) -> bool:
    """Whether "which" asks for one of several, as in "which violin"."""
    following = words[place + 1] if place + 1 < len(words) else ""
    return not place and following.isalpha() and following not in ROLE_OF


def _is_taken(words: Sequence[str], place: int) -> bool:
    """Whether something is taken as something, rather than likened to it: "I identify it as a piano"."""
    return not place or words[place - 1] in _TAKEN or words[place - 1].endswith("ed")


def _breaks(words: Sequence[str], place: int) -> bool:
    following = words[place + 1] if place + 1 < len(words) else ""
    return following not in _NO_REASON and words[place - 1] not in _TAKEN
