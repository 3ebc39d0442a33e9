"""Literals: lists, numbers and failures that a harness wrote as text.

Harnesses write `str()` of whatever they hold: a list of references becomes "['a', 'b']", a log-probability
"-1.25", and a request that failed a sentence.
"""

import ast
import json
import math
from collections.abc import Sequence
from typing import Any

_LONGEST_LIST = 1 << 20  # characters of a list that is read
_MARKS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}  # inspect_ai: correct, incorrect, partial, no answer
_TRUE = {"true": 1.0, "false": 0.0}


def text_of(value: Any) -> str | None:
    """A value as text; None for what is missing. Whole numbers have no point.

    >>> text_of(3.0), text_of(True), text_of(None)
    ('3', 'True', None)
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def looks_like_list(text: str) -> bool:
    """Whether a text is written as a list.

    >>> looks_like_list("['a', 'b']"), looks_like_list("[1] is the first")
    (True, False)
    """
    bare = text.strip()
    return bare.startswith("[") and bare.endswith("]")


def list_of(text: str) -> tuple[str, ...] | None:
    """The texts in a list that was written by Python or as JSON; None if it is no such list.

    >>> list_of("['a', \\"it's\\"]"), list_of('["a", "b"]'), list_of("[x + 1]")
    (('a', "it's"), ('a', 'b'), None)
    """
    if len(text) > _LONGEST_LIST or not looks_like_list(text):
        return None
    try:
        found = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return None
    if not isinstance(found, list) or not all(isinstance(one, str | int | float) for one in found):
        return None
    return tuple(str(one) for one in found)


def texts_of(value: Any) -> tuple[str, ...]:
    """References as a log's own field holds them: a text, a list of texts, or a list written as text.

    >>> texts_of("yes"), texts_of(["a", 2]), texts_of(None), texts_of(float("nan"))
    (('yes',), ('a', '2'), (), ())
    """
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(text for one in value if (text := text_of(one)) is not None)
    text = text_of(value)
    if text is None or not text.strip():
        return ()
    return list_of(text) or (text,)


def number_of(value: Any) -> float | None:
    """A score: a number, a truth value, either written as text, or inspect_ai's C, I, P or N.

    None for anything else, and for NaN, by which harnesses say that there is no score.

    >>> number_of("0.5"), number_of(True), number_of("C"), number_of("NaN"), number_of("good")
    (0.5, 1.0, 1.0, None, None)
    """
    if isinstance(value, str):
        bare = value.strip()
        if bare in _MARKS:
            return _MARKS[bare]
        if bare.lower() in _TRUE:
            return _TRUE[bare.lower()]
        try:
            value = float(bare)
        except ValueError:
            return None
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
