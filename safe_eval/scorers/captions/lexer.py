"""Lexer: cuts a text into Penn Treebank tokens, the longest shape at each place."""

import re
from collections.abc import Callable
from functools import cache, lru_cache

from safe_eval.scorers.captions.token_shapes import SHAPES, Shape

# Words between spaces, perhaps with a comma, are tokens as they are, and nearly all of a caption.
_PLAIN_WORDS = re.compile(r"(?:[A-Za-z]++,? )+")
SPLIT_WORDS = frozenset({"cannot", "gonna", "gotta", "wanna", "gimme", "lemme"})
# What stands between two spaces is cut alike wherever it stands, if no shape looks past a space from there.
_ALONE = re.compile(r"[^\s\d.<>(&:;=+]{1,40}(?= )")

_NEEDED = sorted({shape.needs for shape in SHAPES if shape.needs})
_Matching = tuple[Callable[[str, int], re.Match[str] | None], int, Shape]  # its pattern and number of groups


def lex(text: str, end: int) -> list[str]:
    """The tokens of `text[:end]`, as they are written. Shapes look ahead into what follows."""
    tokens: list[str] = []
    at, held = 0, None
    while at < end:
        if (plain := _PLAIN_WORDS.match(text, at, end)) is not None:
            words = plain[0].lower().replace(",", " ,").split()
            if SPLIT_WORDS.isdisjoint(words):
                tokens += words
                at = plain.end()
                continue
        if (alone := _ALONE.match(text, at, end)) is not None:
            tokens += _lex_alone(alone[0])
            at = alone.end() + 1
            continue
        if held is None:
            held = _held(text)
        while at < end and text[at] != " ":
            at = _lex_one(text, at, held, tokens)
        at += 1
    return tokens


@lru_cache(maxsize=1 << 16)
def _lex_alone(chunk: str) -> tuple[str, ...]:
    tokens: list[str] = []
    text, at = f"{chunk} ", 0
    held = _held(text)
    while at < len(chunk):
        at = _lex_one(text, at, held, tokens)
    return tuple(tokens)


def _lex_one(text: str, at: int, held: int, tokens: list[str]) -> int:
    """Append the token at a place, if a shape fits there, and return the place after it."""
    longest, stop, found = -1, at + 1, None
    for match, groups, shape in _matching(text[at], held):
        if (matched := match(text, at)) is not None and matched.end() > longest:
            longest, stop, found = matched.end(), matched.end(1 if groups else 0), shape
    if found is None:
        return at + 1
    if written := found.written(text[at:stop]):
        tokens.append(written)
    return stop - 1 if found.again else stop


def _held(text: str) -> int:
    """Which of the needed patterns the text holds, a bit each."""
    return sum(1 << bit for bit, pattern in enumerate(_NEEDED) if _compiled(pattern).search(text))


@lru_cache(maxsize=4096)
def _matching(character: str, held: int) -> list[_Matching]:
    """The shapes that may start with a character, in a text that holds what `held` says."""
    return [
        (_compiled(shape.pattern).match, _compiled(shape.pattern).groups, shape)
        for shape in SHAPES
        if _compiled(shape.starts).match(character)
        and (not shape.needs or held >> _NEEDED.index(shape.needs) & 1)
    ]


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
