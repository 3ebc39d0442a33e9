"""Markdown: text from a user's files as it may stand in a document, and tables."""

import re
from collections.abc import Iterator, Sequence

from safe_data.core.terminal import printable

# What Markdown, HTML or GitHub would read as more than text: marks, links, lists, mentions, issue numbers.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$@&]|^[-+](?= )|:(?=//))")


def plain(text: str) -> str:
    """A text on one line that is shown as it stands.

    >>> print(plain("a|b <img src=x>\\n# @all"))
    a\\|b \\<img src=x\\> \\# \\@all
    """
    return _SPECIAL.sub(r"\\\1", " ".join(printable(text.replace("\n", " ")).split()))


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[str] = ()
) -> Iterator[str]:
    """The lines of a table whose cells may hold any text; columns of numbers stand on the right.

    >>> print(*table(["metric", "n"], [["cider_d", "12"]], numbers=["n"]), sep="\\n")
    | metric | n |
    | --- | ---: |
    | cider\\_d | 12 |
    """
    yield f"| {' | '.join(columns)} |"
    yield f"| {' | '.join('---:' if name in numbers else '---' for name in columns)} |"
    for row in rows:
        yield f"| {' | '.join(plain(cell) for cell in row)} |"
