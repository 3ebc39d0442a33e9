"""differences: what differs between two runs, each described by plain data."""

from typing import Any


def differences(earlier: Any, now: Any, place: str = "") -> list[str]:
    """What differs between two descriptions, a line each.

    >>> differences({"seed": 0, "of": {"step": 1}}, {"seed": 1, "of": {"step": 1}})
    ['seed: 0 there, 1 here']
    """
    if isinstance(earlier, dict) and isinstance(now, dict):
        if earlier.keys() == now.keys() and [*earlier] != [*now]:  # questions are numbered in this order
            return [f"{place}: in the order {', '.join(earlier)} there, {', '.join(now)} here"]
        names = [*earlier, *(name for name in now if name not in earlier)]
        return [
            line
            for name in names
            for line in differences(earlier.get(name), now.get(name), f"{place}.{name}" if place else name)
        ]
    return [] if earlier == now else [f"{place}: {_short(earlier)} there, {_short(now)} here"]


def _short(value: Any) -> str:
    """A value in a few words; of a list, every item may be what differs."""
    text = str(value)
    return text if len(text) <= 40 or isinstance(value, list) else f"{text[:12]}…"
