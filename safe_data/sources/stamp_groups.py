"""Groups of stamps: which show one thing, in which split each thing is, and which stamps are a couple.

Things come first, then their splits, then couples inside a split, and last the groups: a group is all things
that couples join, so that no picture and no recording is in two groups, or in two splits.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from safe_data.sources.stamp_files import ENGLISH, Stamp, Tree
from safe_data.sources.stamp_kinds import SILENT, SOUNDS, THINGS, kind_in

# 60 : 20 : 20, as only some 110 stamps make a sound, and val and test need a few dozen of them each.
SPLITS = ("train", "val", "train", "test", "train")

# Pictures that `safe-data check` takes for one: each line has the beginnings of their paths.
ALIKE = (
    ("seasonal/hanukkah/dreydl",),  # but for a letter
    ("symbols/money/euro",),  # but for a number
    ("space/moon/moon_crescent", "space/planets/1_mercury"),
    ("food/fruit/Apricot_whole", "symbols/money/us/coins/001penny"),  # round and brown
)

_NUMBER = re.compile(r"(?:[-_]?[0-9]+|_cartoon)$")


@dataclass(frozen=True)
class Groups:
    """The split and the group of each stamp and digit, by path, and the couples, by split."""

    splits: Mapping[str, str]
    groups: Mapping[str, str]
    couples: tuple[tuple[Stamp, Stamp], ...]


def group_stamps(tree: Tree) -> Groups:
    """Group all that the stamps' folder holds."""
    paths = [stamp.path for stamp in tree.stamps] + [digit.path for digit in tree.digits]
    things = joined(paths, _same(tree))
    splits = _splits(tree, things)
    heard = [one for one in tree.stamps if one.picture and one.sound and one.name and one.path not in SILENT]
    couples = tuple(
        couple
        for split in dict.fromkeys(SPLITS)
        for couple in _couples([one for one in heard if splits[one.path] == split], things, tree.contents)
    )
    pairs = [*things.items(), *((one.path, other.path) for one, other in couples)]
    return Groups(splits, joined(paths, pairs), couples)


def joined(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The group of each name, called by the first of its names by the alphabet; pairs are in one group.

    >>> joined("abcd", [("d", "b"), ("c", "d")])
    {'a': 'a', 'b': 'b', 'c': 'b', 'd': 'b'}
    """
    first = {name: name for name in names}

    def find(name: str) -> str:
        while first[name] != name:
            first[name] = name = first[first[name]]
        return name

    for pair in pairs:
        low, high = sorted(map(find, pair))
        first[high] = low
    return {name: find(name) for name in first}


def _same(tree: Tree) -> Iterator[tuple[str, str]]:
    """Pairs of paths that are one thing: names alike but for a number, an English name, media or `ALIKE`."""
    seen: dict[Hashable, str] = {}
    for stamp in tree.stamps:
        folder, _, name = stamp.path.rpartition("/")
        marks: list[Hashable] = [(folder, _NUMBER.sub("", name) or name)]
        marks += [stamp.name.casefold()] if stamp.name else []
        marks += [("medium", tree.contents[file]) for file in stamp.media]
        marks += [beginnings for beginnings in ALIKE if stamp.path.startswith(beginnings)]
        for mark in marks:
            yield stamp.path, seen.setdefault(mark, stamp.path)
    for digit in tree.digits:
        yield digit.path, seen.setdefault(("medium", tree.contents[digit.sound]), digit.path)


def _splits(tree: Tree, things: Mapping[str, str]) -> dict[str, str]:
    """The split of each path: things in the order of their kinds, and of their hashes in a kind, take turns.

    So each split has its share of each kind, even of those that occur five times.
    """
    kinds = {digit.path: [("digit", digit.digit)] for digit in tree.digits}
    for stamp in tree.stamps:
        heard = kind_in(SOUNDS, stamp.path) if stamp.sound else "speech" if ENGLISH in stamp.voices else None
        shown = kind_in(THINGS, stamp.path) if stamp.picture else None
        kinds.setdefault(things[stamp.path], []).append((heard or "", shown or ""))
    ordered = sorted(set(things.values()), key=lambda thing: (max(kinds[thing]), rank(thing)))
    split_of = {thing: SPLITS[place % len(SPLITS)] for place, thing in enumerate(ordered)}
    return {path: split_of[thing] for path, thing in things.items()}


def rank(name: str) -> int:
    """The place of a name in an order that its hash gives; 64 bits."""
    return int.from_bytes(hashlib.sha256(name.encode(errors="surrogatepass")).digest()[:8])


def _couples(
    stamps: Sequence[Stamp], things: Mapping[str, str], contents: Mapping[str, str]
) -> Iterator[tuple[Stamp, Stamp]]:
    """Couples of two things with different sounds, and of two kinds for as long as there are two.

    The first stamp by hash of the most frequent kind comes next, so that few are left with their own kind.
    """
    left = sorted(stamps, key=lambda one: rank(one.path))
    while left:
        kinds = Counter(map(_kind, left))
        one = max(left, key=lambda stamp: kinds[_kind(stamp)])
        left.remove(one)
        others = [
            other
            for other in left
            if things[other.path] != things[one.path] and _sound(other, contents) != _sound(one, contents)
        ]
        if others:
            other = min(others, key=lambda stamp: _kind(stamp) == _kind(one))
            left.remove(other)
            yield one, other


def _kind(stamp: Stamp) -> str:
    """The kind of thing that a stamp shows, or its folder, if that has no kind."""
    return kind_in(THINGS, stamp.path) or stamp.path.rpartition("/")[0]


def _sound(stamp: Stamp, contents: Mapping[str, str]) -> str | None:
    return contents[stamp.sound] if stamp.sound else None
