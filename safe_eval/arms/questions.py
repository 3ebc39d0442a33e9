"""Questions: whether all arms were asked the same question under one id."""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from safe_eval.arms.arm import Arm, Places, count_examples
from safe_eval.prediction import quoted

_SHOWN = 3  # examples that a note names
_LONGEST = 60  # characters of a prompt that a note repeats
_ASKED = {"prompt": "prompts", "choices": "choices"}  # references that differ are refused when rows are read


class _Asked(NamedTuple):
    """What one arm asked, and the first other thing that another arm asked under the same id."""

    example: str
    value: Any
    arm: str
    other: Any
    other_arm: str


def question_notes(arms: Sequence[Arm]) -> Iterator[str]:
    """A line on prompts, and one on choices, that differ between the arms of an example.

    Rows that do not give the field are not looked at.

    >>> from safe_eval.arms.arm import make_arms
    >>> from safe_eval.prediction import Prediction
    >>> rows = [Prediction(example_id="q", references=("a",), answer="a", model=model, prompt=f"{model}?")
    ...         for model in ("old", "new")]
    >>> next(question_notes(make_arms(rows)))
    "1 of 1 examples have different prompts under one id: 'q': 'new?' (new/full), 'old?' (old/full)"
    """
    total = sum(count_examples(arms).values())
    for field, words in _ASKED.items():
        differing = _differing(arms, field)
        if differing:
            examples = "; ".join(map(_words, differing[:_SHOWN]))
            more = "; …" if len(differing) > _SHOWN else ""
            count = f"{len(differing)} of {total} examples"
            yield f"{count} have different {words} under one id: {examples}{more}"


def _differing(arms: Sequence[Arm], field: str) -> list[_Asked]:
    """One entry per example that was not asked the same everywhere, in the order of the ids."""
    value_of = attrgetter(field)
    asked_before: dict[str | None, tuple[Places, list[Any]]] = {}  # whole arms are compared in no time
    first: dict[tuple[str | None, int], tuple[Any, str]] = {}
    differing: dict[tuple[str | None, int], _Asked] = {}
    for arm in arms:
        name, values = arm.key.name, list(map(value_of, arm.rows))
        examples, before = asked_before.setdefault(arm.key.dataset, (arm.examples, values))
        if before is not values and before == values and np.array_equal(examples, arm.examples):
            continue
        for number, row, value in zip(arm.examples.tolist(), arm.rows, values, strict=True):
            if value is None:
                continue
            example = (arm.key.dataset, number)
            asked, by = first.setdefault(example, (value, name))
            if asked != value and example not in differing:
                differing[example] = _Asked(row.example_id, asked, by, value, name)
    return [differing[example] for example in sorted(differing, key=lambda of: (of[0] or "", of[1]))]


def _words(asked: _Asked) -> str:
    return (
        f"{quoted(asked.example)}: {_short(asked.value, asked.other)} ({asked.arm}), "
        f"{_short(asked.other, asked.value)} ({asked.other_arm})"
    )


def _short(value: Any, other: Any) -> str:
    """A prompt or choices in quotes; of a long prompt, the part in which it first differs from another."""
    if not isinstance(value, str):
        text = ", ".join(value)
        return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")
    if len(value) <= _LONGEST:
        return repr(value)
    same = next((at for at, (one, two) in enumerate(zip(value, other, strict=False)) if one != two), 0)
    start = max(0, min(same, len(value) - _LONGEST // 2) - _LONGEST // 3)
    cut = value[start : start + _LONGEST]
    return repr(("…" if start else "") + cut + ("…" if start + _LONGEST < len(value) else ""))
