"""The shapes of tokens: which stretch of a caption is one word, number, abbreviation or mark.

Source: recorded input and output lines of the Java tokenizer (202,654 COCO captions, 38,975 VQA questions);
a form that no recorded line shows follows the published Penn Treebank conventions, or stays whole.
"""

import re

_LETTER = r"[^\W\d_]"
_WORD = r"[^\W_]\w*"
_NOT = r"[nN]'[tT]\b"

# Three ways to end a caption: "… Morgan Rd." always gets a full stop of its own, "… Washington D.C." only
# before a sentence starter, "… Henry St." never.
_STOPPED_AT_THE_END = "etc|rd|blvd"
_STOPPED_BEFORE_A_STARTER = "la|ky|penn|inc|corp|ltd|jr|sr|ph\\.d"
_NEVER_STOPPED = "st|ave|dr|mr|mrs|ms|mt|ft|ct|vs|prof|gen|sgt|capt|lt|gov|jan|feb|aug|sept|oct|nov|dec"
ABBREVIATIONS = frozenset(
    f"{_STOPPED_AT_THE_END}|{_STOPPED_BEFORE_A_STARTER}|{_NEVER_STOPPED}|no".split("|")
) | frozenset("abcdefghijklmnopqrstuvwxyz")
_ABBREVIATION = rf"(?i:{_STOPPED_AT_THE_END}|{_STOPPED_BEFORE_A_STARTER}|{_NEVER_STOPPED}|no(?=\.\s*\d))"

# Recorded: A and The start a sentence; a, Two, Three, Some, Someone, plural nouns and participles do not.
# The others are function words of the same sort.
_STARTERS = """
A An The This That These Those Each I You He She It We They My Your His Her Its Our Their There Here
What When Where Which Who Why How In On At By For From With And But Or If As While After Before
"""
_BEFORE_A_STARTER = "la|ky|penn|inc|corp|ltd|jr|sr|ph\\.d"
_NEVER_STOPPED = "st|ave|dr|mr|mrs|ms|mt|ft|ct|vs|prof|gen|sgt|capt|lt|gov|jan|feb|aug|sept|oct|nov|dec"
ABBREVIATIONS = frozenset(
    f"{_STOPPED_AT_THE_END}|{_STOPPED_BEFORE_A_STARTER}|{_NEVER_STOPPED}|no".split("|")
) | frozenset("abcdefghijklmnopqrstuvwxyz")
_ABBREVIATION = rf"(?i:{_STOPPED_AT_THE_END}|{_STOPPED_BEFORE_A_STARTER}|{_NEVER_STOPPED}|no(?=\.\s*\d))"

# Recorded: A and The start a sentence; a, Two, Three, Some, Someone and plural nouns do not. The others are
# the words of their kind: articles, pronouns, prepositions and conjunctions.
_STARTERS = """
A After All Also An And Another As At Before Both But By Each For From He Her Here His How However I If In
It Its Many Most My No Not On One Our She Since So That The Their Then There These They This Those To Under
Upon We What When Where While Who Why With You Your
"""
_BEFORE_A_STARTER = rf"(?=\s+(?:{'|'.join(_STARTERS.split())})(?!\w))"
_ALONE = r"(?<![\w.'&/-])"

SPLIT_WORDS = frozenset({"cannot", "gonna", "gotta", "wanna", "gimme", "lemme"})
_SPLIT = r"\b(?i:can(?=not\b)|gon(?=na\b)|got(?=ta\b)|wan(?=na\b)|gim(?=me\b)|lem(?=me\b))"

_STOPPED = (
    rf"(?i:{_STOPPED_AT_THE_END})\.(?=[ \t]*\n)"
    rf"|(?:(?i:{_STOPPED_BEFORE_A_STARTER})|(?:{_LETTER}\.)+{_LETTER})\.{_BEFORE_A_STARTER}"
)
_SHAPES = [
    rf"(?!{_SPLIT})[A-Za-z]+(?=[ ,\n])",  # the commonest first
    r"(?<![\w./:,-])\d+[ \u00a0]\d+/\d+(?![\w/])",  # 25 1/2
    r"(?i:https?://|www\.)[^\s\"<>]*[\w/]",
    r"[\w.+-]{1,64}@\w+(?:[.-]\w+)+",
    _SPLIT,
    rf"{_ALONE}{_LETTER}(?=\.{_BEFORE_A_STARTER})",  # K loses its period to the sentence
    rf"(?P<STOPPED>{_ALONE}(?:{_STOPPED}))",  # D.C. keeps its own and the sentence gets another
    rf"{_ALONE}(?:{_LETTER}\.)+(?!\w)",  # T.V.  e.g.  K.
    rf"{_ALONE}{_ABBREVIATION}\.(?!\w)",
    rf"{_ALONE}{_LETTER}+\.(?=[,;])",  # whatever has a comma after its period is taken for an abbreviation
    r"[A-Z]+(?:&[A-Z]+)+",  # AT&T, and of M&Ms all but the s
    rf"(?<!\w)(?i:[old])'{_LETTER}{{2,}}",  # O'Connor, d'oeuvre
    rf"{_LETTER}*(?i:[aeiou]'[aeiou]){_LETTER}*",  # Ho'ohu, graffiti'ed; but po ` boy
    r"(?i:dunkin)'",
    r"'(?i:t)(?=(?i:is|was)\b)",
    _NOT,
    r"(?<!\w)[-+]\d+(?:[.,:]\d+)*",
    r"\d+(?:[,:]\d+)+(?:\.\d+)*",  # 6:40, and of 6:40pm all but the pm
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
TOKEN = re.compile("|".join(_SHAPES))
WRITTEN = {
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
