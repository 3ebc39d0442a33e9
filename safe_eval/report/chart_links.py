"""Links of charts: marks that lead to the items behind them, for the mouse, the keyboard and the ear.

A mark that leads somewhere has a transparent target above it, larger than the mark. vl-convert writes each
target with an address of its own making; only the addresses that were asked for are kept.
"""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

TARGET = 420  # square pixels of a target
_ANCHOR = re.compile(r'<a xlink:href="[^"#]*(#?[^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
_FRAGMENT = re.compile(r"#[\w.~%:,=&?/-]*")


class Link(NamedTuple):
    """Where a mark leads, and what is there."""

    href: str  # a fragment, such as "#items?outcome=1:wrong"
    opens: str  # in words, such as "wrong answers of safe to audio questions"

    @property
    def fields(self) -> dict[str, str]:
        """What a row of a chart's data says of it."""
        return {"href": self.href, "opens": self.opens}


def fields_of(link: Link | None) -> dict[str, str]:
    """The fields of a link; none where there is no link."""
    return {} if link is None else link.fields


def targets(marks: Sequence[Mapping[str, Any]], x: Any, y: Any) -> list[Any]:
    """A layer of targets above the marks that lead somewhere; no layer if none does."""
    import altair as alt

    found = [dict(mark) for mark in marks if "href" in mark]
    if not found:
        return []
    data = alt.Data(values=found)  # type: ignore[no-untyped-call]
    point = alt.Chart(data).mark_point(filled=True, size=TARGET, opacity=0, shape="square")
    return [point.encode(x=x, y=y, href=alt.Href("href:N"))]


def leading(marks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The channel by which marks that are large enough lead somewhere themselves, if all of them do."""
    import altair as alt

    return {"href": alt.Href("href:N")} if marks and all("href" in mark for mark in marks) else {}


def links_of(marks: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What stands behind each address of some marks, in words."""
    return {mark["href"]: mark["opens"] for mark in marks if "href" in mark}


def with_links(svg: str, links: Mapping[str, str]) -> str:
    """A drawing in which only known addresses are links, each with its name; all others are marks only.

    Raises:
        ValueError: an address is no fragment.

    >>> drawn = '<a xlink:href="https://far.example/#items?x=1"><path/></a>'
    >>> with_links(drawn, {"#items?x=1": "one item"})
    '<a href="#items?x=1" aria-label="one item"><title>one item</title><path/></a>'
    >>> with_links(drawn, {})
    '<path/>'
    """
    for address in links:
        if not _FRAGMENT.fullmatch(address):
            raise ValueError(f"{address!r} is no fragment of the page")

    def named(found: re.Match[str]) -> str:
        address = html.unescape(found[1])
        if address not in links:
            return found[2]
        href, opens = html.escape(address), html.escape(links[address])
        return f'<a href="{href}" aria-label="{opens}"><title>{opens}</title>{found[2]}</a>'

    return _ANCHOR.sub(named, svg)
