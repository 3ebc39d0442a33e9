"""Token shapes: what each kind of Penn Treebank token looks like, and how it is written.

Java's lexer takes, of all its rules, the one that matches most characters, counting those that it only looks
ahead at; of equals it takes the first. So each shape stands apart here, and their order matters only between
equals. They were found by running Java on made lines, one kind of sign after another. Where a shape could
run on, its length is bounded, so that hostile text takes linear time.
"""

from collections.abc import Callable
from typing import NamedTuple

# Signs above and beside letters, which join them to words though Python does not count them as letters.
_MARKS = (
    "\u02c2-\u02c5\u02d2-\u02df\u02e5-\u02eb\u02ed\u02ef-\u036f\u0375\u0378\u0379\u0384\u0385\u03f6\u0483-\u0487"
    "\u055a-\u055f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0615-\u061a\u064b-\u065e\u0670"
    "\u06d6-\u06e4\u06e7-\u06ed\u06fd\u06fe\u070f\u0711\u0730-\u074c\u07a6-\u07b0\u07eb-\u07f3\u0900-\u0903"
    "\u093c\u093e-\u094e\u0951-\u0955\u0962\u0963\u0981-\u0983\u09bc\u09be-\u09c4\u09c7\u09c8\u09cb-\u09cd"
    "\u09d7\u09e2\u09e3\u0a01-\u0a03\u0a3c\u0a3e-\u0a4f\u0a81-\u0a83\u0abc\u0abe-\u0acf\u0b82\u0bbe-\u0bc2"
    "\u0bc6-\u0bc8\u0bca-\u0bcd\u0c01-\u0c03\u0c3e-\u0c56\u0d3e-\u0d44\u0d46-\u0d48\u0e31\u0e34-\u0e3a"
    "\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u1885\u1886"
)
# Signs that are tokens. Every other one, such as an emoji, is left out.
_SIGNS = (
    r"!#-&(-/:-@\[-`{-~"
    "\u00a1\u00a5-\u00a9\u00ac\u00ae-\u00b1\u00b4\u00b6-\u00b8\u00bf\u00d7\u00f7\u037e\u0387\u0589\u05be\u05c0"
    "\u05c3\u05c6\u05f3\u05f4\u0600-\u0603\u0606-\u060c\u0614\u061b\u061e\u061f\u066a\u066d\u06d4"
    "\u0700-\u070d\u07f6-\u07f8\u0964\u0965\u0e3f\u0e4f\u1fbd\u2016\u2017\u2020-\u2023\u2030-\u2038"
    "\u203b\u203e-\u2042\u2044\u207a-\u207e\u208a-\u208e\u20a4\u2100\u2101\u2103-\u2106\u2108\u2109"
    "\u2114\u2116-\u2118\u211e-\u2123\u2125\u2127\u2129\u212e\u213a\u213b\u2140-\u2144\u214a-\u214d"
    "\u214f\u2155-\u215e\u2190-\u2bff\u3001\u3002\u3012\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40"
    "\uff5b-\uff65\uffe0\uffe1\uffe5\uffe6"
)
# Numbers that Python counts among the letters, and letters that came after Java's lexer was made.
_NO_LETTERS = (
    "\u00b2\u00b3\u00b9\u00bc-\u00be\u09f4-\u09f9\u0bf0-\u0bf2\u0f2a-\u0f33\u1369-\u137c\u2070-\u2089"
    "\u2150-\u2182\u2185-\u218b\u2460-\u24ff\u2776-\u2793\u3007\u3021-\u3029\u3038-\u303a\u3192-\u3195"
    "\u3220-\u3289\u32b1-\u32bf\u037f\u0528-\u052f\u0560\u0588\u05ef\u0860-\u086a\u0870-\u0887\u0889-\u088e"
    "\u08a1\u08ad-\u08c9\u0978\u0980\u09fc\u1c80-\u1c88\u1c90-\u1cbf"
    "\U00010000-\U0010ffff"
)
_SOFT_HYPHEN = "\u00ad"

# Abbreviations keep their period. One of the first two kinds may end a sentence, which then gets another.
_ENDING = """
al ala ariz assn bhd bldg blvd bros calif co colo conn corp cos ct dak esq est etc ext fla ga inc ind intl
jr kan kans ky ltd md mich minn mo mont neb nev okla penn plc ppte ppty pte ptes pty ptys rd rt seq sq sr
sys tel tenn univ va vt wis wisc wyo jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu
thurs fri ph\\.d ed\\.d
"""
_ENDING_NAMES = "Ark Az Del Ill La Mass Miss Ore Pa Tex Wash"  # other words where the first letter is small
_TITLES = """
adj adm adv alex assoc asst atty attys ave brig capt cf cie cmdr col comdr cpl dept det dr drs elec ens ft
gen gov govs hon insp invt jos lieut lt maj messrs mfg mlle mme mr mrs ms msgr mt mtg natl pfc ph pres prof
profs pvt rep reps rev sen sens sfc sgt spc st ste supt supts treas vs wm
"""
_NUMBERED = "art ca fig figs no nos op pp prop"  # abbreviations before a number only
_STARTERS = """
A About According Additionally After An As At But Earlier He Her Here However If In It Last Many More Now
Once One Other Our She Since So Some Such That Their Then There These They This We What When While Yet You
The Mr[.] Ms[.]
"""
_FILES = """
bat bmp c class cgi cpp dll docx? exe gif gz html? h jar java jpe?g mov mp3 pdf php pl png ppt ps py sql tar
txt wav x xml zip
"""
_ENTITIES = "HT TL UR LR QC QL QR odq cdq [#][0-9]+"


def _any(words: str) -> str:
    return "|".join(words.split())


def _capitalised(words: str) -> str:
    return "|".join(f"{word[0]}(?ai:{word[1:]})" for word in words.split())


_BLANK = r"[ \t\u00a0\u2000-\u200a\u3000\n]"
_LETTER = rf"[^\W\d_{_NO_LETTERS}]"
_LETTER_OR_DIGIT = rf"[^\W_{_NO_LETTERS}]"
_ACCENTED = "&[aeiouAEIOU](?:acute|grave|uml);"
_L = rf"(?:{_LETTER}|[{_SOFT_HYPHEN}{_MARKS}]|{_ACCENTED})"
_LD = rf"(?:[^\W_{_NO_LETTERS}]|[{_SOFT_HYPHEN}{_MARKS}]|{_ACCENTED})"
_APOSTROPHE = "(?:['\u2019\u0092]|&apos;)"
_QUOTE = "(?:['`\u2018\u2019\u201b\u0091\u0092]|&apos;)"  # where an apostrophe is meant
_HYPHEN = "[-_\u058a\u2010\u2011]"
_UPPER = r"[A-Z\u00c0-\u00d6\u00d8-\u00de\u0391-\u03a9\u0410-\u042f]"

_WORD = rf"{_L}{_LD}*+(?:[.!?]{_L}{_LD}*+)*+"
_ELIDED = rf"(?:[dDoOlL]{_QUOTE}{_LETTER_OR_DIGIT})?"
_THING = rf"{_ELIDED}{_LETTER_OR_DIGIT}++(?:{_HYPHEN}{_ELIDED}{_LETTER_OR_DIGIT}++)*"
_ACRONYM = r"[A-Za-z](?:\.[A-Za-z])*"
_LETTERS_WITH_PERIODS = r"[A-Za-z](?:\.[A-Za-z])+\."
_COMPOUND = rf"[A-Za-z0-9][A-Za-z0-9.,]{{0,250}}+(?:-(?:{_LETTERS_WITH_PERIODS}|[A-Za-z0-9]+))+"
_NUMBER = rf"(?:\d*(?:[.:,{_SOFT_HYPHEN}\u066b\u066c]\d+)+|\d+)"
_FRACTION = r"(?:\d{1,4}[- \u00a0])?\d{1,4}(?:\\?/|\u2044)\d{1,4}"
_AREA = r"(?:\(\d{2,3}\)[ \u00a0]?|(?:\+\+?)?(?:\d{2,4}[- \u00a0])?\d{2,4}[- \u00a0])"
_PART = r"[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}"
_IN_LINK, _LINK_END = r"[^ \t\n\"<>|(){}]", r"[^ \t\n\"<>|.!?(){},-]"
_PATH = rf"(?:/[^ \t\n\"<>|()]{{1,250}}{_LINK_END})?"
_IN_MAIL, _HOST = r"[^ \t\n\"<>|(){}\u00a0]", r"[^ \t\n\"<>|(){}\u00a0.]"
_LABEL = r"[^ \t\n\"<>|.!?(){},]"  # of a site after www.
_SITE = r"[^ \t\n\"`'<>|.!?(){},-_$]"  # Java's range from comma to underline leaves out digits
_VALUE = r"(?:'[^'\n]{0,250}'|\"[^\"\n]{0,250}\")"
_NAME = "[A-Za-z][A-Za-z0-9_:.-]*"
_TAG = (
    rf"(?:</{_NAME} *>|<[!?][A-Za-z-][^>\n]{{0,250}}>"
    rf"|<{_NAME}(?: +[A-Za-z][A-Za-z0-9_:.-]*(?: *= *{_VALUE})?)* *+(?:/ *+)?>)"
)
_END = rf"{_BLANK}(?:{_BLANK}|{_UPPER}|{_TAG})"
_SENTENCE = rf"{_BLANK}+(?:{_capitalised(_STARTERS)}|{_TAG}){_BLANK}"
_ENDS = rf"(?:(?ai:{_any(_ENDING)})|{_capitalised(_ENDING_NAMES)})"
_EYES = "[-^=~<>x']"


def _lower(token: str) -> str:
    return token.lower().replace(" ", "\u00a0").replace(_SOFT_HYPHEN, "") or "-"


def _straight(token: str) -> str:
    """With plain apostrophes and ampersands."""
    return _lower(token).replace("&apos;", "'").replace("&amp;", "&").translate(_PLAIN_QUOTES)


def _quotes(token: str) -> str:
    return token.translate(_TREEBANK_QUOTES)


def _brackets(token: str) -> str:
    return _lower(token).replace("(", "-lrb-").replace(")", "-rrb-")


def _as(text: str) -> Callable[[str], str]:
    return lambda _: text


class Shape(NamedTuple):
    """A pattern whose first group is the token, if it has one; the rest of the match is looked at only."""

    starts: str  # a pattern of its first character
    pattern: str
    needs: str = ""  # a pattern of what a text must hold, so that it is looked for at all
    written: Callable[[str], str] = _lower
    again: bool = False  # its period is that of an abbreviation and of the sentence, and is read twice


_PLAIN_QUOTES = str.maketrans("\u2019\u0092\u2018\u201b\u0091", "''```")
_TREEBANK_QUOTES = {
    ord(mark): written
    for written, marks in {
        "`": "\u2018\u201b\u2039\u0091",
        "'": "\u2019\u203a\u0092",
        "``": "\u201c\u00ab\u0093",
        "''": "\u201d\u00bb\u0094",
    }.items()
    for mark in marks
}
_ASCII, _APOSTROPHES, _MARKED = "[A-Za-z0-9]", "['\u2019\u0092&]", "['`\u2018\u2019\u201b\u0091\u0092]|&apos;"
_MAY_BE_L, _MAY_BE_LD = f"{_L}|&", f"{_LD}|&"
_CURLY = "[`\u2018-\u201f\u2039\u203a\u00ab\u00bb\u0091-\u0094]"
_SPLIT_WORDS = ("(can)not", "(gon)na", "(got)ta", "(lem)me", "(gim)me", "(wan)na")
_NAMED = {
    "\u00a2": "cents",
    "\u00a3": "#",
    "[\u00a4\u20ac\u20a0\u0080]": "$",
    "\u00bc": "1/4",
    "\u00bd": "1/2",
    "\u00be": "3/4",
    "\u2153": "1/3",
    "\u2154": "2/3",
    r"\(": "-lrb-",
    r"\)": "-rrb-",
    r"\[": "-lsb-",
    r"\]": "-rsb-",
    r"\{": "-lcb-",
    r"\}": "-rcb-",
}
_ENTITY_SIGNS = {"(?:md|mdash|ndash)": "--", "lt": "<", "gt": ">", "amp": "&", "nbsp": ""}

_WORDS = [
    *(Shape(_ASCII, f"(?ai:{word})") for word in _SPLIT_WORDS),
    Shape(_MAY_BE_L, rf"({_WORD}){_APOSTROPHE}(?ai:[msd]|re|ve|ll)", _MARKED),
    Shape(_ASCII, rf"([A-Za-z]*[A-MO-Za-mo-z])[nN]{_QUOTE}[tT]", _MARKED),  # the do of don't
    Shape(_MAY_BE_L, _WORD),
]
_WITH_APOSTROPHES = [
    Shape("[nN]", rf"[nN]{_QUOTE}[tT]", _MARKED, _straight),
    Shape(_APOSTROPHES, rf"({_APOSTROPHE}(?ai:[msd]|re|ve|ll))[^A-Za-z]", _MARKED, _straight),
    Shape(_APOSTROPHES, rf"{_APOSTROPHE}(?:[nN]{_APOSTROPHE}?|[2-9]0s|(?ai:em|till?|cause))", _MARKED),
    Shape("'", "('[tT])(?ai:is|was)", "'"),
    Shape(_APOSTROPHES, rf"({_APOSTROPHE}\d\d)[ \n\u00a0]", _MARKED),  # '11
    Shape(_ASCII, rf"(?ai:[ldj]|dunkin|somethin|ol){_APOSTROPHE}", _MARKED),
    Shape("[yY]", rf"([yY]{_APOSTROPHE}){_LETTER}", _MARKED),
    Shape("[A-HJ-XZn]", rf"[A-HJ-XZn]{_QUOTE}{_LETTER}{{2,}}", _MARKED),  # O'Connor
    Shape(_MAY_BE_L, rf"{_LETTER}+[aeiouyAEIOUY]{_QUOTE}[aeiouA-Z]{_LETTER}*", _MARKED),  # Ho'ohu
    Shape(_ASCII, r"(?ai:cont'd\.?|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l)", "'"),
    Shape(_ASCII, rf"(?ai:o{_QUOTE}o|c{_APOSTROPHE}est|cap{_APOSTROPHE}n)", _MARKED),
]
_IN_NETWORKS = [
    Shape("[hH]", rf"(?ai:https?)://{_IN_LINK}{{1,2000}}{_LINK_END}", "://"),
    Shape("[wW]", rf"(?ai:www)\.(?:{_LABEL}{{1,250}}\.){{1,20}}[A-Za-z]{{2,4}}{_PATH}", "(?ai:www)"),
    Shape(
        r"\S", rf"(?:{_SITE}{{1,250}}\.){{1,20}}(?ai:com|net|org|edu){_PATH}", r"(?ai:\.(?:com|net|org|edu))"
    ),
    Shape(
        "[A-Za-z0-9<&]",
        rf"(?:&lt;|<)?[A-Za-z0-9]{_IN_MAIL}{{0,250}}@(?:{_HOST}{{1,250}}\.){{0,20}}{_HOST}{{1,250}}(?:&gt;|>)?",
        "@",
    ),
    Shape("@", "@[A-Za-z_][A-Za-z0-9_]*"),
    Shape("#", rf"#{_L}+"),
]
_NUMBERS = [
    Shape(r"\d", r"\d{1,2}[-/]\d{1,2}[-/]\d{2,4}"),
    Shape(r"[-+\d.:,\u066b\u066c]", rf"[-+]?{_NUMBER}"),
    Shape(r"\d", _FRACTION),
    Shape(r"[(+\d]", rf"{_AREA}\d{{3,4}}[- \u00a0]?\d{{3,5}}", written=_brackets),  # telephone
    Shape("[A-Z$]", r"[A-Z]*\$", "[$]"),
]
_ABBREVIATED = [
    Shape(_ASCII, rf"({_ENDS}\.){_END}", "[.]", again=True),
    Shape(_ASCII, rf"({_ENDS}\.)(?s:..)", "[.]"),
    Shape(_ASCII, rf"{_ENDS}\.", "[.]", again=True),  # at the end of all captions
    Shape(_ASCII, rf"(?ai:{_any(_TITLES)})\.", "[.]"),
    Shape(_ASCII, rf"((?ai:{_any(_NUMBERED)})\.){_BLANK}?\d", "[.]"),
    Shape(_ASCII, rf"([A-Za-z])\.{_SENTENCE}", "[.]"),  # K loses its period to the sentence
    Shape(_ASCII, rf"({_ACRONYM}\.){_SENTENCE}", "[.]", again=True),
    Shape(_ASCII, rf"{_ACRONYM}\.", "[.]"),
    Shape(
        _MAY_BE_LD, rf"((?:{_WORD}|{_THING}|{_COMPOUND})\.)[,;:\u3001]", "[.]"
    ),  # passes for an abbreviation
]
_WITH_SIGNS = [
    Shape(_LD, _THING),
    Shape(_ASCII, _COMPOUND, "-"),  # U.S.-born
    Shape(_ASCII, rf"{_PART}(?:\\?/{_PART}){{1,2}}", "/"),
    Shape("[A-Z]", r"[A-Z]+(?:(?:[+&]|(?ai:&amp;))[A-Z]+)+", "[+&]", _straight),
    Shape("[cCfFsSpPaA-]", r"(?ai:c\+\+|[cf]#|c\.d\.s|pro-|anti-|s&p-500|s&ls|-(?:[lr][rcs]b)-)"),
    Shape(_MAY_BE_LD, rf"{_LD}++(?:\.{_LD}++)*\.(?ai:{_any(_FILES)})(?=[ \t\n\u00a0.?!,])", "[.]"),
]
_FACES = [
    Shape("[<>:;=]", r"([<>]?[:;=][-o*']?[()DPdpO\\{@|\[\]])[^A-Za-z0-9]", written=_brackets),
    Shape("[-^=~<>x'(]", rf"{_EYES}_{_EYES}|\({_EYES}[-_.]?{_EYES}\)", written=_brackets),
]
_QUOTED = [
    Shape('["&]', '("|&quot;)[A-Za-z0-9$]', written=_as("``")),
    Shape('["&]', '"|(?ai:&quot;)', written=_as("''")),
    Shape("'", r"(')[A-Za-z][^ \t\n\u00a0]", written=_as("`")),
    Shape(_APOSTROPHES, rf"{_APOSTROPHE}(?ai:[msd]|re|ve|ll)", _MARKED, _straight),
    Shape("['&]", "'|&apos;", written=_as("'")),
    Shape(_CURLY, f"{_CURLY}{{1,2}}", written=_quotes),
    Shape("['`]", "''|``"),
]
_OTHERS = [
    Shape("[-\u2013-\u2015\u0096\u0097]", "-{2,4}|[\u2013-\u2015\u0096\u0097]", written=_as("--")),
    Shape("-", "-{5,}"),
    Shape("[.\u2026]", r"\.{3,5}|(?:\.[ \u00a0]){2,4}\.|\u2026", written=_as("...")),
    Shape("<", _TAG, ">"),
    Shape("&", f"&(?:{_any(_ENTITIES)});", ";"),
    *(Shape("&", f"(?ai:&{name};)", ";", _as(sign)) for name, sign in _ENTITY_SIGNS.items()),
    Shape(r"[?!*\\#@_<>]", r"[?!]+|\*+|(?:\\\*)+|#+|@+|_+|<<|>>"),
    *(Shape(sign, sign, written=_as(name)) for sign, name in _NAMED.items()),
    Shape(f"[{_SIGNS}\u201a\u201e\u201f]", "(?s:.)"),
    Shape("[\u00b2\u00b3\u00b9\u2070-\u2089]", "[\u00b2\u00b3\u00b9\u2070-\u2079]+|[\u2080-\u2089]+"),
]
SHAPES = (
    *(*_WORDS, *_WITH_APOSTROPHES, *_IN_NETWORKS, *_NUMBERS, *_ABBREVIATED),
    *(*_WITH_SIGNS, *_FACES, *_QUOTED, *_OTHERS),
)
ABBREVIATIONS = frozenset(
    [*"abcdefghijklmnopqrstuvwxyz", *f"{_ENDING} {_ENDING_NAMES.lower()} {_TITLES} {_NUMBERED}".split()]
)
