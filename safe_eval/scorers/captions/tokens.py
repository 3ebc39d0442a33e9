"""Tokens: Penn Treebank tokens, lower-cased and without punctuation, as the caption metrics use them."""

import re
from collections.abc import Sequence

from safe_data.core.errors import raise_row_errors
from safe_eval.scorers.captions.lexer import SPLIT_WORDS, lex
from safe_eval.scorers.captions.token_shapes import ABBREVIATIONS

PUNCTUATION = frozenset([*".?!,:;-'`", "''", "``", "--", "...", "-LRB-", "-RRB-", "-LCB-", "-RCB-"])
_LINE_SEPARATORS = {
    "\r": "a carriage return",
    "\x0b": "a vertical tab",
    "\x0c": "a form feed",
    "\x85": "U+0085",
    "\u2028": "U+2028",
    "\u2029": "U+2029",
}

# Nearly all captions are letters, spaces, commas and one final mark. String methods split them ten times as
# fast as the lexer.
_PLAIN = re.compile(r"[A-Za-z ,]*+[.?!]? *").fullmatch


def tokenize(captions: Sequence[str], *, keep_punctuation: bool = False) -> list[str]:
    """The tokens of each caption, joined by single spaces.

    The tokenizer reads all captions as one text, so their order matters: whether the period of a final "K."
    or "D.C." ends a sentence depends on the first word of the next caption. Its rules are those of English.

    Source: pycocoevalcap/tokenizer/ptbtokenizer.py (Java PTBTokenizer 3.4.1 -preserveLines -lowerCase, then
    the list of punctuation). Brackets stay as the words -lrb- and -rrb-, because the list names them in
    capitals; runs such as "!!" stay too. A mixed fraction or a telephone number is one token that holds
    no-break spaces. Signs that Java does not know, such as emoji, are left out.
    Differs: a caption with a line separator is refused; the original shifts every later caption by a line.

    Raises:
        InputError: a caption holds a line separator. A line feed is allowed and counts as a space.

    >>> tokenize(["Two dogs don't bark (much)!", "A sign that reads K.", "A cat's TV."])
    ["two dogs do n't bark -lrb- much -rrb-", 'a sign that reads k', "a cat 's tv"]
    """
    refuse_line_separators(captions)
    lines: list[str] = []
    for place, caption in enumerate(captions):
        line = _plain_line(caption, keep_punctuation) if _PLAIN(caption) else None
        if line is None:
            text = caption.replace("\n", " ")
            tokens = lex(text + _following(captions, place), len(text))
            line = " ".join(tokens if keep_punctuation else [t for t in tokens if t not in PUNCTUATION])
        lines.append(line)
    return lines


def _plain_line(caption: str, keep_punctuation: bool) -> str | None:
    """The tokens of a caption that `_PLAIN` matches; None where one of its words needs the patterns."""
    text = caption.lower().replace(",", " ").rstrip(" .?!")
    if text[text.rfind(" ") + 1 :] in ABBREVIATIONS:
        return None
    # every split word holds one of the three
    if ("nn" in text or "tta" in text or "mme" in text) and not SPLIT_WORDS.isdisjoint(text.split()):
        return None
    if keep_punctuation:
        text = caption.lower()
        for mark in ",.?!":
            text = text.replace(mark, f" {mark} ")
    return " ".join(text.split()) if keep_punctuation or "  " in text or text[:1] == " " else text


def _following(captions: Sequence[str], place: int) -> str:
    """What shapes may look at after a caption: the next captions up to the first with words, a line each."""
    if place + 1 == len(captions):
        return ""
    if not captions[place].rstrip().endswith("."):
        return "\n"
    text = ""
    for last in range(place + 1, len(captions)):
        text += "\n" + captions[last].replace("\n", " ")
        if captions[last].strip():
            break
    return text if last + 1 == len(captions) else f"{text}\n"


def refuse_line_separators(captions: Sequence[str]) -> None:
    """Refuse captions that the tokenizer would read as several, and name all of them at once.

    Raises:
        InputError: a caption holds a line separator other than a line feed.
    """
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
