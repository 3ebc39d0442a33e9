"""Choice names: what each choice may be called: its words, its letter, its number, its stem."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from safe_eval.scorers.reading.number_phrases import ABOVE, BELOW, FROM, UP_TO, Count, count_at
from safe_eval.scorers.reading.reply import normalised
from safe_eval.scorers.reading.sentence import read_sentence, without_edges, words_of

Aliases = tuple[tuple[str, str], ...]  # (another name, the choice it means)
Choices = frozenset[str]
Name = tuple[str, ...]
Table = dict[str, tuple[tuple[Name, Choices], ...]]  # names by their first words, the longest first

_LETTERED = re.compile(r"\s*[(\[]?([A-Za-z])[).:\]]\s*(\S.*)", re.DOTALL)
_NOTE = re.compile(r"[A-Za-z][#♯♭]?")
_ACCIDENTALS = {"#": "sharp", "♯": "sharp", "♭": "flat"}
_OPPOSITES = tuple(
    map(str.split, ("indoor outdoor", "true false", "correct incorrect", "right wrong", "real fake"))
)
_COLLECTIVE = frozenset(
    ["both", "neither", "all", "none", "simultaneously"]
)  # what means several choices begins so
_SAME = {
    "neither": ("none", "none of them"),
    "none of the above": ("none", "none of them", "none of these", "none of those", "none of the options"),
    "all of the above": ("all", "all of them", "all of these", "all of those"),
}
_RELATIONS = frozenset(
    str.split("more than greater over above at least fewer less most up to or + > < no not under below")
)
# Words that name a choice only where they are all that is said, or what is announced.
_COMMON = frozenset(
    str.split(
        "other others same different some any more less all none unknown unsure maybe it this that "
        "here there not first last nothing something anything everything i a an the is are was do does "
        "can in on at of to and or correct true false wrong incorrect real back up down front"
    )
)
_SHORTEST_STEM = 3  # characters


@dataclass(frozen=True)
class Names:
    """The names of all choices. A name that two choices share means both of them."""

    choices: tuple[str, ...]
    plain: tuple[str, ...]  # the choices without letters before them
    meant: dict[Name, Choices]
    letters: dict[str, str]  # the choice of each capital letter; empty where choices have none
    counts: dict[Count, Choices]
    is_bare: bool  # the choices are letters, so that no word names one

    @cached_property
    def first(self) -> Table:
        """The names as they are."""
        return _by_first_word(self.meant)

    @cached_property
    def stemmed(self) -> Table:
        """The names as stems. "Dog barking" is also "barking dog", and "car engine" is "engine of a car"."""
        found: dict[Name, Choices] = {}
        for name, choices in self.meant.items():
            stems = tuple(stem(word) for word in name if word not in ("a", "an", "the"))
            if name[-1] in _ACCIDENTALS.values() or not stems:
                continue
            if min(map(len, stems)) < _SHORTEST_STEM or name[0] in ("left", "right", "middle"):
                continue
            orders = [stems]
            if len(stems) == 2:
                orders.append(
                    stems[::-1]
                    if name[0].endswith("ing") or name[1].endswith("ing")
                    else (stems[1], "of", stems[0])
                )
            for order in orders:
                found[order] = found.get(order, frozenset()) | choices
        return _by_first_word(found)

    @cached_property
    def parts(self) -> Table:
        """The stems of the heads of names of two words, if no other choice has them."""
        of_part: dict[str, set[str]] = {}
        for name, choices in self.meant.items():
            for word in name:
                of_part.setdefault(stem(word), set()).update(choices)
        names = [name for name in self.meant if len(name) == 2]
        return {
            part: (((part,), self.meant[name]),)
            for name in names
            for part in map(
                stem, name if name[1].endswith("ing") else name[1:]
            )  # "dog" and "barking", but "bass"
            if len(of_part[part]) == 1
            and len(part) >= _SHORTEST_STEM
            and part not in _COMMON
            and part not in ("sharp", "flat")
        }

    @cached_property
    def run_together(self) -> dict[str, Choices]:
        """The choices by their names without spaces, as "hiphop" is for hip-hop."""
        found: dict[str, Choices] = {}
        for name, choices in self.meant.items():
            together = "".join(name)
            if len(together) > _SHORTEST_STEM + 1:
                found[together] = found.get(together, frozenset()) | choices
        return found

    @cached_property
    def yes(self) -> str | None:
        """The choice that is a plain yes."""
        return self._plainly(("yes",))

    @cached_property
    def no(self) -> str | None:
        """The choice that is a plain no."""
        return self._plainly(("no",))

    def _plainly(self, name: Name) -> str | None:
        pairs = zip(self.choices, self.plain, strict=True)
        return next((choice for choice, text in pairs if words_of(text) == name), None)

    @cached_property
    def is_polar(self) -> bool:
        """Whether the choices are yes and no, and at most one for neither."""
        return self.yes is not None and self.no is not None and len(self.choices) <= 3 and not self.counts

    @cached_property
    def collective(self) -> Choices:
        """The choices that mean several others at once, such as both."""
        found = (choices for name, choices in self.meant.items() if name[0] in _COLLECTIVE)
        return frozenset().union(*found)

    @cached_property
    def opposites(self) -> dict[str, str]:
        """The choices of which one must hold, each with the other."""
        pairs: list[tuple[str, ...]] = [self.choices] if len(self.choices) == 2 and not self.is_polar else []
        for pair in _OPPOSITES:
            meant = [self.meant.get((word,), frozenset()) for word in pair]
            if all(len(choices) == 1 for choices in meant):
                pairs.append(tuple(next(iter(choices)) for choices in meant))
        return {one: other for pair in pairs for one, other in (pair, pair[::-1])}

    @cached_property
    def common(self) -> frozenset[Name]:
        """The names that are words of every sentence."""
        return frozenset(name for name in self.meant if len(name) == 1 and name[0] in _COMMON)

    @cached_property
    def stems_of(self) -> dict[str, frozenset[str]]:
        """The stems of each choice's words."""
        pairs = zip(self.choices, self.plain, strict=True)
        return {choice: frozenset(map(stem, words_of(text))) for choice, text in pairs}

    def counted(self, count: Count) -> Choices:
        """The choices that a count means; "12" means more than ten, if that is a choice."""
        if count in self.counts:
            return self.counts[count]
        relation, value = count
        if relation in (BELOW, UP_TO):
            return frozenset()
        return frozenset(
            choice
            for (bound, least), choices in self.counts.items()
            for choice in choices
            if (bound == ABOVE and (value > least or (value == least and relation == ABOVE)))
            or (bound == FROM and value >= least)
        )


@lru_cache(maxsize=1 << 12)
def names_of(choices: tuple[str, ...], aliases: Aliases, letters: bool) -> Names:
    """The names of some choices, with other names that they have, and with or without letters.

    Choices that are letters are their own letters, and so are those that begin with them, as "A. piano".
    """
    own = {chr(ord("A") + place): choice for place, choice in enumerate(choices[:26])}
    called = [(choice, choice) for choice in choices] + list(aliases)
    called += [(choice.replace("-", ""), choice) for choice in choices if "-" in choice.strip("-")]
    lettered = [match for choice in choices if (match := _LETTERED.fullmatch(choice))]
    has_letters = bool(choices) and [match[1].upper() for match in lettered] == list(own)
    plain = tuple(match[2].strip() for match in lettered) if has_letters else choices
    pairs = list(zip(plain, choices, strict=True))
    called += [(name, choice) for text, choice in pairs for name in _SAME.get(text.casefold(), ())]
    if has_letters:
        return _made(choices, [*called, *pairs], own, is_bare=False, plain=plain)
    if choices and all(len(choice.strip()) == 1 and choice.strip().isalpha() for choice in choices):
        bare = {choice.strip().upper(): choice for choice in choices}
        return _made(choices, aliases, bare if len(bare) == len(choices) else {}, is_bare=True)
    if not letters or any(_NOTE.fullmatch(choice.strip()) for choice in choices):
        own = {}  # beside the note C, "C" is the note or nothing
    return _made(choices, called, own, is_bare=False)


def _made(
    choices: tuple[str, ...],
    called: Iterable[tuple[str, str]],
    letters: dict[str, str],
    *,
    is_bare: bool,
    plain: tuple[str, ...] | None = None,
) -> Names:
    meant: dict[Name, Choices] = {}
    counts: dict[Count, Choices] = {}
    for name, choice in called:
        sentence = read_sentence(normalised(name).replace("_", " "))
        words = without_edges(sentence.words)
        if not words or words in (("yes",), ("no",)):
            continue
        count = None
        if len(sentence.numbers) == 1 and _is_count(words):
            ((place, value),) = sentence.numbers.items()
            count = count_at(sentence.words, place, value, sentence.glued)
        if count is not None:
            counts[count] = counts.get(count, frozenset()) | {choice}
            continue
        meant[words] = meant.get(words, frozenset()) | {choice}
        if len(words) == 1 and len(words[0]) == 2 and words[0][1] in _ACCIDENTALS:
            spelt = (words[0][0], _ACCIDENTALS[words[0][1]])
            meant[spelt] = meant.get(spelt, frozenset()) | {choice}
    return Names(choices, plain or choices, meant, letters, counts, is_bare)


def _is_count(words: Sequence[str]) -> bool:
    """Whether a name is a number, with at most a relation such as "more than"."""
    others = [word for word in words if not word.lstrip("-")[:1].isdigit()]
    return len(words) - len(others) == 1 and _RELATIONS.issuperset(others)


def _by_first_word(names: dict[Name, Choices]) -> Table:
    found: dict[str, list[tuple[Name, Choices]]] = {}
    for name, choices in names.items():
        found.setdefault(name[0], []).append((name, choices))
    return {word: tuple(sorted(each, key=lambda pair: -len(pair[0]))) for word, each in found.items()}


@lru_cache(maxsize=1 << 12)
def stem(word: str) -> str:
    """A light stem: without the endings of plurals, of verbs and of players.

    >>> stem("barking"), stem("barks"), stem("dogs"), stem("running"), stem("violinist"), stem("voice")
    ('bark', 'bark', 'dog', 'run', 'violin', 'voic')
    """
    if len(word) > 5 and word.endswith("ing"):
        word = _single(word[:-3])
    elif len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 4 and word.endswith("ed"):
        word = _single(word[:-2])
    elif len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses", "zes")):
        word = word[:-2]
    elif len(word) > 6 and word.endswith(("ist", "mmer")):
        word = word[:-3]
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word[-1] in "eo" else word


def _single(word: str) -> str:
    doubled = len(word) > 2 and word[-1] == word[-2] and word[-1] not in "lsz"
    return word[:-1] if doubled else word
