"""Tokens: Penn Treebank tokens, lower-cased and without punctuation, as the caption metrics use them."""

import re
from collections.abc import Sequence

from safe_data.core.errors import raise_row_errors

PUNCTUATION = frozenset([*".?!,:;-'`", "''", "``", "--", "...", "-LRB-", "-RRB-", "-LCB-", "-RCB-"])
_LINE_SEPARATORS = {"\r": "a carriage return", "\x85": "U+0085", "\u2028": "U+2028", "\u2029": "U+2029"}
_NO_BREAK_SPACE = "\u00a0"

# Nearly all captions are letters, spaces, commas and one final mark. String methods split them ten times as
# fast as the patterns below.
_PLAIN = re.compile(r"[A-Za-z ,]*[.?!]? *").fullmatch

_LETTER = r"[^\W\d_]"
_WORD = r"[^\W_]\w*"
_NOT = r"[nN]'[tT]\b"

# What becomes of the period of an abbreviation that ends a caption: "Morgan Rd." always gets a full stop of
# its own, "Washington D.C." only before a word that starts a sentence, "Henry St." never.
_STOPPED_AT_THE_END = "etc|rd|blvd"
_STOPPED_BEFORE_A_STARTER = "la|ky|penn|inc|corp|ltd|jr|sr|ph\\.d"
_NEVER_STOPPED = "st|ave|dr|mr|mrs|ms|mt|ft|ct|vs|prof|gen|sgt|capt|lt|gov|jan|feb|aug|sept|oct|nov|dec"
_ABBREVIATIONS = frozenset(
    f"{_STOPPED_AT_THE_END}|{_STOPPED_BEFORE_A_STARTER}|{_NEVER_STOPPED}|no".split("|")
) | frozenset("abcdefghijklmnopqrstuvwxyz")
_ABBREVIATION = rf"(?i:{_STOPPED_AT_THE_END}|{_STOPPED_BEFORE_A_STARTER}|{_NEVER_STOPPED}|no(?=\.\s*\d))"

# Java's recorded output shows that A and The start a sentence, and that a, Two, Three, Some, Someone and
# plural nouns do not. The other words here are articles, pronouns, prepositions and conjunctions like these.
_STARTERS = """
A After All Also An And Another As At Before Both But By Each For From He Her Here His How However I If In
It Its Many Most My No Not On One Our She Since So That The Their Then There These They This Those To Under
Upon We What When Where While Who Why With You Your
"""
_BEFORE_A_STARTER = rf"(?=\s+(?:{'|'.join(_STARTERS.split())})(?!\w))"
_ALONE = r"(?<![\w.'&/-])"
_SPLIT_WORDS = frozenset({"cannot", "gonna", "gotta", "wanna", "gimme", "lemme"})
_SPLIT = r"\b(?i:can(?=not\b)|gon(?=na\b)|got(?=ta\b)|wan(?=na\b)|gim(?=me\b)|lem(?=me\b))"
_STOPPED = (
    rf"(?i:{_STOPPED_AT_THE_END})\.(?=[ \t]*\n)"
    rf"|(?:(?i:{_STOPPED_BEFORE_A_STARTER})|(?:{_LETTER}\.)+{_LETTER})\.{_BEFORE_A_STARTER}"
)
_SHAPES = [
    rf"(?!{_SPLIT})[A-Za-z]+(?=[ ,\n])",  # first, because nearly every token is such a word
    r"(?<![\w./:,-])\d+[ \u00a0]\d+/\d+(?![\w/])",  # 25 1/2
    r"(?i:https?://|www\.)[^\s\"<>]*[\w/]",
    r"[\w.+-]{1,64}@\w+(?:[.-]\w+)+",
    _SPLIT,
    rf"{_ALONE}{_LETTER}(?=\.{_BEFORE_A_STARTER})",  # K loses its period to the sentence
    rf"(?P<STOPPED>{_ALONE}(?:{_STOPPED}))",  # D.C. keeps its period and the sentence gets another
    rf"{_ALONE}(?:{_LETTER}\.)+(?!\w)",  # T.V.  e.g.  K.
    rf"{_ALONE}{_ABBREVIATION}\.(?!\w)",
    rf"{_ALONE}{_LETTER}+\.(?=[,;])",  # a word with a comma after its period passes for an abbreviation
    r"[A-Z]+(?:&[A-Z]+)+",  # AT&T; of M&Ms all but the s
    rf"(?<!\w)(?i:[old])'{_LETTER}{{2,}}",  # O'Connor, d'oeuvre
    rf"{_LETTER}*(?i:[aeiou]'[aeiou]){_LETTER}*",  # Ho'ohu, graffiti'ed; but po ` boy
    r"(?i:dunkin)'",
    r"'(?i:t)(?=(?i:is|was)\b)",
    _NOT,
    r"(?<!\w)[-+]\d+(?:[.,:]\d+)*",
    r"\d+(?:[,:]\d+)+(?:\.\d+)*",  # 6:40; of 6:40pm all but the pm
    r"(?<!\w)\.\d+",
    rf"(?:{_WORD}[-./?])*(?:(?!{_NOT})[^\W_])+(?={_NOT})",  # does n't
    rf"{_WORD}(?:[-./?]{_WORD})*",
    r"'(?i:s|d|m|re|ve|ll)\b",
    rf"(?P<OPENING_APOSTROPHE>['‘](?={_LETTER}[\w-]))",
    r"(?P<OPENING_QUOTE>“|\"(?=[\w$#&(\[{'`]))",
    r"(?P<CLOSING_QUOTE>\"|”)",
    r"(?P<DASH>-{2,}|[–—])",
    r"(?P<ELLIPSIS>\.\.\.|…)",
    r"``|''|_+|[!?]+|\S",
]
_TOKEN = re.compile("|".join(_SHAPES))
# How tokens are written: by themselves, or by the name of the group that matched.
_WRITTEN = {
    "(": "-lrb-",
    ")": "-rrb-",
    "[": "-lsb-",
    "]": "-rsb-",
    "{": "-lcb-",
    "}": "-rcb-",
    "‘": "`",
    "OPENING_APOSTROPHE": "`",
    "OPENING_QUOTE": "``",
    "CLOSING_QUOTE": "''",
    "DASH": "--",
    "ELLIPSIS": "...",
}


def tokenize(captions: Sequence[str], *, keep_punctuation: bool = False) -> list[str]:
    """The tokens of each caption, joined by single spaces.

    The tokenizer reads all captions as one text, so their order matters: whether the period of a final "K."
    or "D.C." ends a sentence depends on the first word of the next caption.

    Source: pycocoevalcap/tokenizer/ptbtokenizer.py (Java PTBTokenizer 3.4.1 -preserveLines -lowerCase, then
    the list of punctuation). Brackets stay as the words -lrb- and -rrb-, because the list names them in
    capitals; runs such as "!!" stay too. A mixed fraction is one token that holds a no-break space.
    Differs: a caption with a line separator is refused; the original shifts every later caption by a line.

    Raises:
        InputError: a caption holds a line separator. A line feed is allowed and counts as a space.

    >>> tokenize(["Two dogs don't bark (much)!", "A sign that reads K.", "A cat's TV."])
    ["two dogs do n't bark -lrb- much -rrb-", 'a sign that reads k', "a cat 's tv"]
    """
    _refuse_line_separators(captions)
    lines: list[str] = []
    for place, caption in enumerate(captions):
        line = _plain_line(caption, keep_punctuation) if _PLAIN(caption) else None
        if line is None:
            tokens = _scan(caption, captions[place + 1] if place + 1 < len(captions) else "")
            line = " ".join(tokens if keep_punctuation else [t for t in tokens if t not in PUNCTUATION])
        lines.append(line)
    return lines


def _plain_line(caption: str, keep_punctuation: bool) -> str | None:
    """The tokens of a caption that `_PLAIN` matches; None where one of its words needs the patterns."""
    text = caption.lower().replace(",", " ").rstrip(" .?!")
    if text[text.rfind(" ") + 1 :] in _ABBREVIATIONS:
        return None
    # every split word holds one of the three
    if ("nn" in text or "tta" in text or "mme" in text) and not _SPLIT_WORDS.isdisjoint(text.split()):
        return None
    if keep_punctuation:
        text = caption.lower()
        for mark in ",.?!":
            text = text.replace(mark, f" {mark} ")
    return " ".join(text.split()) if keep_punctuation or "  " in text or text[:1] == " " else text


def _scan(caption: str, following: str) -> list[str]:
    """The tokens of one caption, punctuation included. The patterns look ahead into the caption after it."""
    first = _on_one_line(caption)
    tokens: list[str] = []
    for match in _TOKEN.finditer(f"{first}\n{_on_one_line(following)}"):
        if match.start() > len(first):
            break
        token = match[0].lower().replace(" ", _NO_BREAK_SPACE)  # only a mixed fraction holds a space
        tokens.append(_WRITTEN.get(match.lastgroup or token, token))
        if match.lastgroup == "STOPPED":
            tokens.append(".")
    return tokens


def _on_one_line(caption: str) -> str:
    return caption.replace("\n", " ").replace("’", "'")


def _refuse_line_separators(captions: Sequence[str]) -> None:
    together = "".join(captions)
    if not any(separator in together for separator in _LINE_SEPARATORS):
        return
    errors = [
        f"captions[{place}]: holds {name}; expected one line of text; replace it by a space"
        for place, caption in enumerate(captions)
        for separator, name in _LINE_SEPARATORS.items()
        if separator in caption
    ]
    raise_row_errors(errors, "captions")
