"""Letters: where a single letter names an option, and is no article, pronoun, note or initial."""

from collections.abc import Sequence

from safe_eval.scorers.reading.sentence import Sentence, is_mark

_OPTION = frozenset(str.split("ans opt option options choice choices letter letters answer answers"))
_MUSICAL = frozenset(
    str.split("flat sharp major minor natural note notes chord chords string strings key scale clef dur moll")
)
_GRADED = frozenset(["grade", "graded", "vitamin", "hepatitis"])
_AFTER = frozenset(  # the words and marks after which a capital letter is an option
    str.split(
        "is be 's was leaning ok okay es est ist è é choose choosing pick picked select chose favor say "
        "with for as think believe guess or and both either neither nor not than between only but then "
        "rather exclude eliminate reject out except unlike of are therefore thus so hence towards toward "
        "suggest suggests indicate indicates definitely probably likely maybe "
        "perhaps certainly surely clearly simply exactly option options "
        "choice choices letter letters answer answers : - = ( [ , ; / > % → |"
    )
)
_BEFORE = frozenset(  # the words and marks before which it is one
    str.split(
        "is are was or and because since as would seems can could must fits matches does has nor but "
        "not rather instead over unlike while whereas which i , . : ; ) ] ( - ! ? / = → |"
    )
)
_BEFORE_CAPITAL = _BEFORE | {
    "might",
    "may",
    "should",
    "appears",
    "remains",
    "'s",
    "it",
    "for",
    "looks",
    "sounds",
    "only",
    "please",
}  # but not before A and I
_NOT_BEFORE = {
    "A": frozenset(["as", "has", "does"]),
    "I": frozenset(str.split("was can could would must has does , as")),
}
_ENDS = frozenset(str.split(". , ; : ! ? ) ]"))
_LED = {  # "it comes down to B", "I would go with B"
    "on": ("bet", "settle", "settled", "decide", "decided", "money"),
    "to": ("down", "point", "points", "leads", "limited"),
    "with": ("go", "going", "went", "agree", "stick", "stay"),
    "for": ("go", "going", "opt", "opting", "vote", "voting"),
}
_ANNOUNCED = tuple(str.split("是 答案 答案为 答案為 选 選 选项 選項 选择 選擇 答えは 正解は 정답은 답은"))
_DENIED = "不没沒非無无否"


def is_letter(sentence: Sentence, place: int) -> bool:
    """Whether a single letter names an option.

    >>> from safe_eval.scorers.reading.sentence import read_sentence
    >>> [is_letter(read_sentence(text), 3) for text in ("The answer is B.", "The answer is a piano.")]
    [True, False]
    """
    words, raw = sentence.words, sentence.raw[place]
    before = words[place - 1] if place else ""
    following = words[place + 1] if place + 1 < len(words) else ""
    if not raw.isascii() or following == "+" or not _GRADED.isdisjoint(words):
        return False
    if (before, following) == ("<", ">"):
        return True
    if following in (")", "]") and (raw.isupper() or before in ("(", "[")):
        return True
    is_named = following == "'s" and words[place + 2 : place + 3] not in (
        ["right"],
        ["correct"],
        ["wrong"],
        ["the"],
    )
    if following in _MUSICAL or is_named or place in sentence.glued or place + 1 in sentence.glued:
        return False
    if all(is_mark(word) or at in sentence.numbers for at, word in enumerate(words[:place])):
        return _opens(words, place, raw, following)
    if raw.islower():
        return _is_small_letter(words, place, before, following)
    if before in _OPTION:
        return not following or following in _BEFORE or raw not in "AI"
    if not before.isascii():
        return before.endswith(_ANNOUNCED) and not any(no in before for no in _DENIED)
    if before in _LED:
        return words[place - 2] in _LED[before]
    if before not in _AFTER or _is_no_option(words, place, before) or following in _NOT_BEFORE.get(raw, ()):
        return False
    return not following or following in _BEFORE


def _opens(words: Sequence[str], place: int, raw: str, following: str) -> bool:
    """Whether a letter that opens a sentence is an option: "B", "b)", "B is right", but no "A piano"."""
    if all(is_mark(word) or word == words[place] for word in words[place + 1 :]):
        return True
    if raw.islower():
        return (
            following == ")"
            or (following in (".", ":") and raw not in "ai")
            or (following in ("is", "because") and raw not in "ai")
        )
    if (
        following == "."
        and len(words) > place + 2
        and len(words[place + 2]) == 1
        and words[place + 2].isalpha()
    ):
        return False  # "E.g."
    if following in _NOT_BEFORE.get(raw, ()):
        return False
    return following in (_BEFORE if raw in "AI" else _BEFORE_CAPITAL)


def _is_small_letter(words: Sequence[str], place: int, before: str, following: str) -> bool:
    """Whether a small letter inside a sentence is an option: only at its end, after "answer is"."""
    if following and not (following in _ENDS and all(map(is_mark, words[place + 1 :]))):
        return False
    if words[place] not in "ai" and before in str.split("is be 's choose pick with say"):
        return True
    return before in _OPTION or (before in ("is", "be", ":") and not _OPTION.isdisjoint(words[:place]))


def _is_no_option(words: Sequence[str], place: int, before: str) -> bool:
    """Whether the words before make something else of a letter: "the key of D", "A > B"."""
    earlier = words[place - 2] if place > 1 else ""
    return (before == "of" and earlier == "key") or (before == ">" and earlier not in ("-", "="))
