"""Choice references: right answers that are given as a letter or a number become the choices that they name.

Only what is certain is read. A letter is the place of a choice, unless some choices are letters themselves. A
number counts from 0 if a number in the dataset is 0, and from 1 if one is the number of the choices; without
such a proof, or with both, it is refused. Whatever names no choice is refused too: it would score every
answer 0.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from safe_eval.prediction import Prediction, quoted

_LETTER = re.compile(r"[(\[{<\"'*]*([A-Za-z])[)\]}>.:,\"'*]*")
_LETTER_AND_TEXT = re.compile(r"[(\[]?([A-Za-z])[)\].:,]+\s*(\S.*)", re.DOTALL)
_NUMBER = re.compile(r"\d{1,3}")
_MARKS = " \t\r\n.,;:!\"'*()[]"
_SHOWN = 4  # choices in a message

_Choices = tuple[str, ...]


@dataclass
class _Known:
    """What the references of a dataset prove together."""

    from_zero: bool = False  # a number is 0
    from_one: bool = False  # a number is that of the last choice, counted from 1
    letters: bool = False  # some references are letters
    numbers: bool = False  # some references are numbers
    read: dict[tuple[str, _Choices], str | None] = field(default_factory=dict)  # without numbers


def settled(
    predictions: Sequence[Prediction], place: Callable[[int], str]
) -> tuple[list[Prediction], list[str]]:
    """The predictions with choices as references, and the faults of those whose references name none.

    `place` says where the row at a position stands. Rows without choices stay as they are.

    >>> row = Prediction(example_id="q", references=("B",), answer="cat", choices=("dog", "cat"))
    >>> settled([row], "row {}".format)[0][0].references
    ('cat',)
    >>> one = msgspec.structs.replace(row, references=("1",))
    >>> settled([one], "row {}".format)[1][0][:60]
    "row 0 'q': reference '1' is 'dog' if choices are counted fro"
    """
    rows, faults = list(predictions), list[str]()
    known = _known(rows)
    truths: dict[tuple[str | None, str], tuple[int, tuple[str, ...]]] = {}
    for at, row in enumerate(rows):
        if not row.choices or not row.references:
            continue
        found = [_choice(reference, row.choices, known[row.dataset]) for reference in row.references]
        fault = next((said for _, said in found if said), None)
        named = tuple(choice for choice, _ in found)
        if fault is None and named != row.references:
            rows[at] = msgspec.structs.replace(row, references=named)
        first, truth = truths.setdefault((row.dataset, row.example_id), (at, named))
        if fault is None and set(truth) != set(named) and row.error is None:
            fault = f"its references name {_listed(named)}, but {_listed(truth)} at {place(first)}; "
            fault += "write the texts of the choices"
        if fault is not None:
            faults.append(f"{place(at)} {quoted(row.example_id)}: {fault}")
    return rows, faults


def no_choice(references: Sequence[str], choices: Sequence[str]) -> str | None:
    """The first reference that names no choice, whatever other rows of its dataset prove; None if each does.

    >>> no_choice(["cat"], ("dog", "cat")), no_choice(["2"], ("dog", "cat")), no_choice(["C"], ("dog", "cat"))
    (None, None, 'C')
    """
    for reference in references:
        if reference not in choices:
            of = tuple(choices)
            if _named(reference, of) is None and not _is_number(reference, of):
                return reference
    return None


def _known(rows: Sequence[Prediction]) -> dict[str | None, _Known]:
    """What the references of each dataset prove together."""
    found: dict[str | None, _Known] = {}
    for row in rows:
        if not row.choices:
            continue
        known = found.setdefault(row.dataset, _Known())
        for reference in row.references:
            key = (reference, row.choices)
            if key in known.read:
                continue
            known.read[key] = choice = _named(reference, row.choices)
            if choice is not None:
                known.letters |= reference not in row.choices and _LETTER.fullmatch(reference) is not None
            elif _is_number(reference, row.choices):
                known.numbers = True
                known.from_zero |= int(reference) == 0
                known.from_one |= int(reference) == len(row.choices)
    return found


def _choice(reference: str, choices: _Choices, known: _Known) -> tuple[str, str | None]:
    """The choice that a reference names, or the reference and what is wrong with it."""
    named = known.read[reference, choices]
    if named is not None:
        place = _place(reference, known)
        if place is not None and place < len(choices) and choices[place] != named:
            return reference, (
                f"reference {quoted(reference)} is one of its choices, but may also be the place of another, "
                "as in other rows of its dataset; write all references as the texts of the choices"
            )
        return named, None
    if not _is_number(reference, choices):
        return reference, (
            f"reference {quoted(reference)} is none of its choices {_listed(choices)}; "
            "write the text of the right choice, or its letter"
        )
    number = int(reference)
    if known.from_zero == known.from_one:
        return reference, _unclear(number, choices, both=known.from_zero)
    return choices[number - known.from_one], None


def _named(reference: str, choices: _Choices) -> str | None:
    """The choice that a reference names by its text or its letter."""
    if reference in choices:
        return reference
    text = _folded(reference)
    same = {choice for choice in choices if _folded(choice) == text}
    if same:
        return same.pop() if len(same) == 1 else None
    if any(_LETTER.fullmatch(choice) for choice in choices):
        return None
    alone, before = _LETTER.fullmatch(reference.strip()), _LETTER_AND_TEXT.fullmatch(reference.strip())
    letter = alone or before
    place = ord(letter[1].upper()) - ord("A") if letter else len(choices)
    if place >= len(choices):
        return None
    agrees = alone is not None or (before is not None and _folded(before[2]) == _folded(choices[place]))
    return choices[place] if agrees else None


def _is_number(reference: str, choices: _Choices) -> bool:
    """Whether a reference can only be the number of a choice, because no choice is a number."""
    number = _NUMBER.fullmatch(reference.strip())
    return (
        number is not None
        and int(reference) <= len(choices)
        and not any(_NUMBER.fullmatch(choice.strip()) for choice in choices)
    )


def _place(reference: str, known: _Known) -> int | None:
    """The place that a text means in a dataset whose references are letters or numbers."""
    if known.letters and len(reference) == 1 and reference.isascii() and reference.isalpha():
        return ord(reference.upper()) - ord("A")
    if known.numbers and _NUMBER.fullmatch(reference):
        return max(0, int(reference) - (known.from_one and not known.from_zero))
    return None


def _unclear(number: int, choices: _Choices, *, both: bool) -> str:
    meant = " and ".join(
        f"{quoted(choices[place])} if choices are counted from {start}"
        for start, place in ((1, number - 1), (0, number))
        if 0 <= place < len(choices)
    )
    why = "its dataset has references of both kinds" if both else "nothing in its dataset shows which"
    return f"reference '{number}' is {meant}, and {why}; write the text of the right choice, or its letter"


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(_shown(texts))


def _shown(texts: Sequence[str]) -> Iterator[str]:
    yield from map(quoted, texts[:_SHOWN])
    if len(texts) > _SHOWN:
        yield f"… ({len(texts)} in all)"


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().strip(_MARKS).split())
