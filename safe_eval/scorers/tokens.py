"""Penn Treebank tokens as the caption metrics use them: lower-cased, without punctuation."""

import re
from collections.abc import Sequence

from safe_data.errors import raise_row_errors
from safe_eval.scorers.token_patterns import ABBREVIATIONS, SPLIT_WORDS, TOKEN, WRITTEN

PUNCTUATION = frozenset([*".?!,:;-'`", "''", "``", "--", "...", "-LRB-", "-RRB-", "-LCB-", "-RCB-"])
LINE_SEPARATORS = {"\r": "a carriage return", "\x85": "U+0085", "\u2028": "U+2028", "\u2029": "U+2029"}
NO_BREAK_SPACE = "\u00a0"

_PLAIN = re.compile(r"[A-Za-z ,]*[.?!]? *").fullmatch


def tokenize(captions: Sequence[str], *, keep_punctuation: bool = False) -> list[str]:
    """The tokens of every caption, joined by single spaces.

    The captions are one text to the tokenizer, so their order counts: whether the period of a last "K." or
    "D.C." ends a sentence depends on the first word of the caption after it.

    Source: pycocoevalcap/tokenizer/ptbtokenizer.py (Java PTBTokenizer 3.4.1 -preserveLines -lowerCase, then
    the list of punctuation). Brackets stay as the words -lrb- and -rrb-, because the list names them in
    capitals; runs such as "!!" stay too. A mixed fraction is one token that holds a no-break space.
    Differs: a caption with a line separator is refused; the original shifts every later caption by a line.

    Raises:
        InputError: if a caption holds a line separator other than the line feed, which counts as a space.

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
    """The tokens of letters, spaces, commas and one final mark; None where a word needs the patterns.

    Nearly all captions are like this, and string methods take them ten times as fast as the patterns.
    """
    text = caption.lower().replace(",", " ").rstrip(" .?!")
    if text[text.rfind(" ") + 1 :] in ABBREVIATIONS:
        return None
    # Every split word holds one of the three.
    if ("nn" in text or "tta" in text or "mme" in text) and not SPLIT_WORDS.isdisjoint(text.split()):
        return None
    if keep_punctuation:
        text = caption.lower()
        for mark in ",.?!":
            text = text.replace(mark, f" {mark} ")
    return " ".join(text.split()) if keep_punctuation or "  " in text or text[:1] == " " else text


def _scan(caption: str, following: str) -> list[str]:
    """The tokens of one caption, with punctuation, read on into the caption that follows it."""
    first = _one_line(caption)
    tokens: list[str] = []
    for match in TOKEN.finditer(f"{first}\n{_one_line(following)}"):
        if match.start() > len(first):
            break
        token = match[0].lower().replace(" ", NO_BREAK_SPACE)  # only a mixed fraction holds a space
        tokens.append(WRITTEN.get(match.lastgroup or token, token))
        if match.lastgroup == "STOPPED":
            tokens.append(".")
    return tokens


def _one_line(caption: str) -> str:
    return caption.replace("\n", " ").replace("’", "'")


def _refuse_line_separators(captions: Sequence[str]) -> None:
    together = "".join(captions)
    if not any(separator in together for separator in LINE_SEPARATORS):
        return
    errors = [
        f"captions[{place}]: holds {name}; expected one line of text; replace it by a space"
        for place, caption in enumerate(captions)
        for separator, name in LINE_SEPARATORS.items()
        if separator in caption
    ]
    raise_row_errors(errors, "captions")
