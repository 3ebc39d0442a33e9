"""Rows: the items that a filter lets through, a page at a time, and the next one after an item.

A page begins after a place in the order (keyset), so that the last page is as quick as the first. A place is
the value that items are sorted by and the item's number; items without a value come last in either direction.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Int
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.viewer.cells import OUTCOMES
from safe_eval.viewer.filter import Filter
from safe_eval.viewer.viewed import Viewed

MOST, USUAL = 500, 100  # rows of a page
_COLUMNS = (
    *("item", "id", "dataset", "split", '"group"', "record_id", "question_type", "task", "needs_audio"),
    *("prompt", '"references"'),
)
_LONGEST_ANSWER = 600  # characters of an answer in a list; the item has all of it


class Row(msgspec.Struct, frozen=True):
    """An item in a list, with a value for each arm."""

    item: int
    id: str
    dataset: str | None
    split: str | None
    group: str | None
    record: str | None
    type: str | None
    task: str | None
    needs_audio: bool | None
    prompt: str | None
    references: list[str]
    noted: bool
    outcomes: list[str]
    scores: list[float | None]
    answers: list[str | None]
    confidences: list[float | None]
    consulted: list[bool | None]


class Page(msgspec.Struct, frozen=True):
    """Some rows, how many there are in all, and where the next page begins."""

    count: int
    rows: list[Row]
    next: str | None


Place = tuple[Any, int]  # the value that is sorted by, and the item


def page(
    viewed: Viewed,
    chosen: Filter,
    *,
    limit: int = USUAL,
    after: str | None = None,
    noted: frozenset[int] = frozenset(),
) -> Page:
    """A page of the items that a filter lets through.

    Raises:
        InputError: `limit` is not 1 to 500, or `after` is no place in this order.
    """
    if not 1 <= limit <= MOST:
        raise InputError(f"limit={limit}: must be 1 to {MOST}")
    place = None if after is None else _read_place(after, chosen)
    places = _places(viewed, chosen, limit + 1, place)
    shown = places[:limit]
    return Page(
        count=count(viewed, chosen),
        rows=rows_of(viewed, chosen, [item for _, item in shown], noted),
        next=_written(shown[-1], chosen) if len(places) > limit else None,
    )


def count(viewed: Viewed, chosen: Filter) -> int:
    """How many items a filter lets through."""
    return len(items_of(viewed, chosen))


def items_of(viewed: Viewed, chosen: Filter) -> Int[ndarray, " items"]:
    """The items that a filter lets through, ascending."""
    if not chosen.where:
        return np.arange(viewed.items)
    found = _ask(viewed, chosen, "SELECT item", chosen.where, chosen.values, "").fetchnumpy()["item"]
    return np.sort(np.asarray(found))


def step(viewed: Viewed, chosen: Filter, item: int, *, back: bool = False) -> int | None:
    """The item after another one in the order of a filter, or before it; None at the end.

    The other one need not be let through itself: it has a place in the order all the same.
    """
    viewed.key_of(item)
    value = _ask(viewed, chosen, f"SELECT {chosen.column}", ("item = ?",), (item,), "").fetchone()
    found = _places(viewed, chosen, 1, (value[0] if value else None, item), back=back)
    return found[0][1] if found else None


def rows_of(viewed: Viewed, chosen: Filter, items: Sequence[int], noted: frozenset[int]) -> list[Row]:
    """The rows of some items, in their order."""
    if not items:
        return []
    arms = range(len(viewed.arms))
    of_arms = [f"{name}_{arm}" for name in ("outcome", "score", "confidence", "consulted") for arm in arms]
    those = f"item IN ({', '.join(map(str, map(int, items)))})"
    select = f"SELECT {', '.join([*_COLUMNS, *of_arms])}"
    found = {row[0]: row for row in _ask(viewed, chosen, select, (those,), (), "").fetchall()}
    asked = f"SELECT item, arm, left(answer, {_LONGEST_ANSWER}) FROM answers WHERE {those}"  # noqa: S608 - numbers
    answers = {(item, arm): answer for item, arm, answer in viewed.store.query(asked).fetchall()}
    facets, each = len(_COLUMNS), len(viewed.arms)
    rows = []
    for item in items:
        row = found[item]
        outcomes, scores, confidences, consulted = (
            list(row[facets + part * each : facets + (part + 1) * each]) for part in range(4)
        )
        own = [
            item in noted,
            [OUTCOMES[one] for one in outcomes],
            scores,
            [answers.get((item, arm)) for arm in arms],
            confidences,
            consulted,
        ]
        rows.append(Row(*[*row[:facets], *own]))
    return rows


def _places(
    viewed: Viewed, chosen: Filter, limit: int, after: Place | None, *, back: bool = False
) -> list[Place]:
    """The first places of a filter's order, or those after a place; `back` goes the other way."""
    column, values, where = chosen.column, list(chosen.values), list(chosen.where)
    down = chosen.descending != back
    later, greater = ("<", ">")[not back], ("<", ">")[not down]
    turn = "ASC" if not back else "DESC"
    if column == "item":
        if after is not None:
            where.append(f"item {greater} ?")
            values.append(after[1])
        order = f"item {'DESC' if down else 'ASC'}"
    else:
        if after is not None:
            where.append(_beyond(column, after[0] is None, greater, later, back=back))
            values += [after[1]] if after[0] is None else [after[0], after[0], after[1]]
        order = f"{column} {'DESC' if down else 'ASC'} NULLS {'FIRST' if back else 'LAST'}, item {turn}"
    tail = f"ORDER BY {order} LIMIT {limit:d}"
    return list(_ask(viewed, chosen, f"SELECT {column}, item", where, values, tail).fetchall())


def _beyond(column: str, is_null: bool, greater: str, later: str, *, back: bool) -> str:
    """What lies beyond a place; items without a value are the last in either direction."""
    if is_null:
        rest = f" OR {column} IS NOT NULL" if back else ""
        return f"(({column} IS NULL AND item {later} ?){rest})"
    rest = "" if back else f" OR {column} IS NULL"
    return f"({column} {greater} ? OR ({column} = ? AND item {later} ?){rest})"


def _ask(
    viewed: Viewed, chosen: Filter, select: str, where: Sequence[str], values: Sequence[Any], tail: str
) -> Any:
    """Select from the tables of a filter. All parts are ours; what comes from outside is a value."""
    viewed.store.shown(chosen.metric)
    if chosen.searches:
        viewed.store.make_texts()
    condition = " AND ".join(where) or "true"
    return viewed.store.query(f"{select} FROM {chosen.table} WHERE {condition} {tail}", values)


def _written(place: Place, chosen: Filter) -> str:
    """A place as a text of a URL."""
    data = msgspec.json.encode([chosen.sort, *place])
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _read_place(text: str, chosen: Filter) -> Place:
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        sort, value, item = msgspec.json.decode(data, type=tuple[str, str | float | bool | None, int])
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise InputError(f"after={text[:40]}: is no place in a list; leave it out to begin anew") from None
    is_text = chosen.column in ('"group"', "record_id", "question_type")
    if sort != chosen.sort or (value is not None and isinstance(value, str) != is_text):
        raise InputError(f"after={text[:40]}: is of another order; leave it out to begin anew")
    return value, item
