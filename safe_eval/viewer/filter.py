"""Filter: which items are seen, and in which order, as a query string says; and the same as SQL.

Names repeat for "or" (`type=a&type=b`), and different names are "and". `outcome`, `flip`, `consulted` and
`confidence` may repeat, too, and all of them must hold. What cannot be read is refused and never ignored.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from safe_data.core.errors import InputError, did_you_mean
from safe_eval.viewer.cells import ERROR, OUTCOMES, RIGHT, UNPARSED, WRONG
from safe_eval.viewer.store import shown_table
from safe_eval.viewer.viewed import FACETS, NEEDS_AUDIO, Viewed

FLIPS = ("gained", "lost", "any")
FAILED = (WRONG, UNPARSED, ERROR)  # not right
EXACT = {"group": '"group"', "record": "record_id"}
SORTS = {"id": "item", "type": "question_type", **EXACT, "changed": "differing"}
ARM_SORTS = {"score": "score", "confidence": "confidence"}
Condition = tuple[str, Sequence[Any]]  # as SQL, with its values
NAMES = (*FACETS, *EXACT, "outcome", "flip", "consulted", "confidence", "text", "noted", "metric", "sort")


@dataclass(frozen=True)
class Filter:
    """Conditions as SQL with their values, the metric that is shown (None: the first), and the order.

    `column` is what items are sorted by; ties are in the order of items.
    """

    where: tuple[str, ...]
    values: tuple[Any, ...]
    metric: int | None
    sort: str
    column: str
    descending: bool
    searches: bool = False

    @property
    def table(self) -> str:
        """The joined tables that the conditions are about."""
        texts = " JOIN texts USING (item)" if self.searches else ""
        return f"items JOIN {shown_table(self.metric)} USING (item){texts}"

    @property
    def condition(self) -> str:
        """All conditions in one."""
        return " AND ".join(self.where) or "true"


def read_filter(parameters: Iterable[tuple[str, str]], viewed: Viewed, noted: Iterable[int] = ()) -> Filter:
    """Read the parameters of a query; `noted` are the items that have a note.

    Raises:
        InputError: a name or a value is unknown.
    """
    given: dict[str, list[str]] = {}
    for name, value in parameters:
        if name not in NAMES:
            hint = did_you_mean(name, NAMES, f"there are {', '.join(NAMES)}")
            raise InputError(f"{name}: no such filter; {hint}")
        given.setdefault(name, []).append(value)
    where: list[str] = []
    values: list[Any] = []
    for name, (_, column) in FACETS.items():
        _add_choices(name, column, given.get(name, []), where, values)
    for name, column in EXACT.items():
        _add_choices(name, column, given.get(name, []), where, values)
    for name, read in _OF_ARMS.items():
        for value in given.get(name, []):
            condition, bound = read(value, viewed)
            where.append(condition)
            values.extend(bound)
    for text in given.get("text", []):
        where.append("contains(texts.text, lower(?))")
        values.append(text)
    if "noted" in given:
        _one_of(given["noted"], "noted", ("yes",))
        where.append(f"item IN ({', '.join(map(str, sorted(map(int, noted)))) or 'NULL'})")
    sort, column, descending = _sort(given.get("sort", ["id"]), viewed)
    return Filter(
        where=tuple(where),
        values=tuple(values),
        metric=_metric(given.get("metric", []), viewed),
        sort=sort,
        column=column,
        descending=descending,
        searches="text" in given,
    )


def _add_choices(name: str, column: str, chosen: Sequence[str], where: list[str], values: list[Any]) -> None:
    """One of these values; the empty text stands for none."""
    if not chosen:
        return
    parts = []
    for text in chosen:
        if name == "needs_audio":
            _one_of([text], name, tuple(NEEDS_AUDIO))
        value: Any = NEEDS_AUDIO[text] if name == "needs_audio" else text or None
        parts.append(f"{column} IS NOT DISTINCT FROM ?")
        values.append(value)
    where.append(f"({' OR '.join(parts)})")


def _outcome(text: str, viewed: Viewed) -> Condition:
    arm, names = _parts("outcome", text, 2, "ARM:right,wrong")
    number = _arm("outcome", arm, viewed)
    chosen = names.split(",")
    _one_of(chosen, "outcome", OUTCOMES)
    marks = ", ".join("?" * len(chosen))
    return f"outcome_{number} IN ({marks})", [OUTCOMES.index(name) for name in chosen]


def _flip(text: str, viewed: Viewed) -> Condition:
    """From A to B: gained, B is right and A is not; lost, the other way round. Both were asked and judged."""
    one, other, kind = _parts("flip", text, 3, "ARM:ARM:gained")
    a, b = _arm("flip", one, viewed), _arm("flip", other, viewed)
    _one_of([kind], "flip", FLIPS)
    failed = ", ".join(map(str, FAILED))
    gained = f"(outcome_{b} = {RIGHT} AND outcome_{a} IN ({failed}))"
    lost = f"(outcome_{a} = {RIGHT} AND outcome_{b} IN ({failed}))"
    return {"gained": gained, "lost": lost, "any": f"({gained} OR {lost})"}[kind], []


def _consulted(text: str, viewed: Viewed) -> Condition:
    arm, said = _parts("consulted", text, 2, "ARM:yes")
    number = _arm("consulted", arm, viewed)
    _one_of([said], "consulted", ("yes", "no"))
    return f"consulted_{number} = ?", [said == "yes"]


def _confidence(text: str, viewed: Viewed) -> Condition:
    arm, *ends = _parts("confidence", text, 3, "ARM:0.2:0.8")
    number = _arm("confidence", arm, viewed)
    low, high = (_number("confidence", end) for end in ends)
    return f"confidence_{number} BETWEEN ? AND ?", [low, high]


_OF_ARMS: dict[str, Callable[[str, Viewed], Condition]] = {
    "outcome": _outcome,
    "flip": _flip,
    "consulted": _consulted,
    "confidence": _confidence,
}


def _sort(given: Sequence[str], viewed: Viewed) -> tuple[str, str, bool]:
    """The name of the order, its column, and whether it is turned."""
    if len(given) > 1:
        raise InputError(f"sort: is given {len(given)} times; give it once")
    text = given[0]
    name, _, arm = text.removeprefix("-").partition(":")
    if name in ARM_SORTS:
        return text, f"{ARM_SORTS[name]}_{_arm('sort', arm, viewed)}", text.startswith("-")
    if name not in SORTS or arm:
        known = [*SORTS, *(f"{one}:ARM" for one in ARM_SORTS)]
        hint = did_you_mean(name, known, f"choose from {', '.join(known)}")
        raise InputError(f"sort={text}: no such order; {hint}")
    # Most differing first, unless it is turned.
    return text, SORTS[name], text.startswith("-") != (name == "changed")


def _metric(given: Sequence[str], viewed: Viewed) -> int | None:
    if not given:
        return None
    name = given[-1]
    if name not in viewed.metrics:
        hint = did_you_mean(name, viewed.metrics, f"choose from {', '.join(viewed.metrics)}")
        raise InputError(f"metric={name}: scores no item here; {hint}")
    return viewed.metrics.index(name)


def _parts(name: str, text: str, count: int, like: str) -> list[str]:
    parts = text.split(":")
    if len(parts) != count:
        raise InputError(f"{name}={text}: has {len(parts)} parts between colons; write it like {name}={like}")
    return parts


def _arm(name: str, text: str, viewed: Viewed) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) >= len(viewed.arms):
        raise InputError(f"{name}: {text!r} is no arm; arms are 0 to {len(viewed.arms) - 1}")
    return int(text)


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise InputError(f"{name}: {text!r} is no number")
    return value


def _one_of(given: Sequence[str], name: str, known: Sequence[str]) -> None:
    for text in given:
        if text not in known:
            hint = did_you_mean(text, known, f"choose from {', '.join(known)}")
            raise InputError(f"{name}={text}: {hint}")
