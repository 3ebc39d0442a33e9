"""Choice parser: which choice a chatty reply names; None if it names none, or more than one.

Rules, version 1. They are tried in order, and the first rule that finds anything decides: one choice is the
answer, several choices are not an answer. Nothing is ever guessed.

0. A reply that is blank, or longer than 10,000 characters, says nothing.
1. The whole reply is a choice: "Violin.", "an acoustic guitar" for acoustic_guitar, "2" for two.
2. The reply is one line that opens with a choice's letter: "B", "(b)", "Option B", "B) violin". Words that
   name another choice contradict the letter.
3. A marker announces the answer: "answer is", "answer:", "the correct option is" or \\boxed{}. What follows,
   up to the end of its sentence, is read by rules 1, 2, 5 and 6. If some answers are called final, only those
   count.
4. The first line is an answer by rules 1 and 2. Then every line that is one counts.
5. The text before "because", "since" or "due to", by rules 1, 2 and 6.
6. The choices named anywhere, as whole words, longer names first; "(B)", "B)" and "option B" name one too.

A name is denied by not, n't, no, neither, nor, without, than, over, under, at least, at most or instead of,
up to three words before it ("more than 10" is not 10). A reply that denies a choice is not an answer. Yes
and no are names only if they open a sentence or close a clause, so "yes, there is no dog" is yes. Case,
articles, quotes, underscores, Markdown and Unicode variants make no difference. Numbers from 0 to 20 may be
words or digits.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

LONGEST_REPLY = 10_000  # characters

Aliases = tuple[tuple[str, str], ...]  # (another name, the choice it means)
_Said = frozenset[str | None]  # the choices a text names; None stands for one that it denies

_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
_DIGITS = {word: str(number) for number, word in enumerate(_NUMBER_WORDS.split())}
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W_]+(?:'[^\W_]+)*|\n|[^\w\s]")
_SILENT = frozenset("*_`#\"“”„«»~'$\\{}")
_ARTICLES = frozenset({"a", "an", "the"})
_SENTENCE_STARTS = frozenset(".!?;:\n")
_CLAUSE_ENDS = frozenset(".,!?;:\n-–—)")
_DENIALS = frozenset({"not", "no", "neither", "nor", "without", "cannot", "than", "over", "under"})
_DENYING_PAIRS = frozenset({("instead", "of"), ("at", "least"), ("at", "most")})
_DENIAL_REACH = 3  # words before a name
_MARKER = re.compile(
    r"(?P<final>\bfinal\s+)?\b(?:answer|option|choice)\b[\s*_]*(?:is|would be|should be|must be|:|=)[\s*_:]*"
    r"|(?P<boxed>\\boxed\s*\{)",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n")
_REASONS = re.compile(r"\b(?:because|since|due to)\b", re.IGNORECASE)
_LEAD = re.compile(r"(?:(?:the|my)\s+)?(?:answer|option|choice)\s+", re.IGNORECASE)
_LETTER_FIRST = re.compile(r"[(\[]\s*([A-Za-z])\s*[)\]]\s*[.:,]?|([A-Za-z])\s*([).:\]]|[,–—-](?=\s)|$)")
_LETTER_NAMED = re.compile(
    r"(?<!\w)[(\[]\s*([A-Za-z])\s*[)\]]|(?<![\w(\[])([A-Z])\)|\b(?:[Oo]ption|[Cc]hoice)\s+([A-Z])\b"
)
_LETTER_LOOSE = re.compile(r"\b([B-HJ-Z])\b(?!')|\b([AI])\b(?=\s+(?:or|and)\b|\s*[,.;!?]|\s*$)")


def parse_answer(
    text: str, choices: Sequence[str], *, aliases: Aliases = (), letters: bool = True
) -> str | None:
    """The one choice that a reply names, as written in `choices`; None if it names none or several.

    The choices have the letters A, B, C, … in their order, unless `letters` is false. `aliases` are other
    names of choices.

    >>> parse_answer("The answer is: two.", ["one", "two"]), parse_answer("B) violin", ["piano", "violin"])
    ('two', 'violin')
    >>> parse_answer("yes, because there is no dog", ["yes", "no"])
    'yes'
    >>> parse_answer("piano or violin", ["piano", "violin"]), parse_answer("Unclear.", ["piano", "violin"])
    (None, None)
    """
    if not text.strip() or len(text) > LONGEST_REPLY:
        return None
    if text.strip() in choices:
        return text.strip()
    names = _names(tuple(choices), aliases, letters)
    text = unicodedata.normalize("NFKC", text).replace("’", "'").replace("_", " ").strip()
    if not text:
        return None  # it was all underscores
    for rule in (_whole, _by_letter_on_a_line, _marked, _by_line, _before_reasons, _named):
        if said := rule(text, names):
            return next(iter(said)) if len(said) == 1 else None
    return None


def canonical(text: str) -> str:
    """A text in the form in which answers are compared: lower case, without leading articles and outer marks.

    >>> canonical("**An Acoustic_guitar.**"), canonical("The 2 dogs")
    ('acoustic guitar', '2 dogs')
    """
    return " ".join(_inner(_words(unicodedata.normalize("NFKC", text).replace("’", "'").replace("_", " "))))


@dataclass(frozen=True)
class _Names:
    """The names of each choice, as folded words. A name that two choices share means both."""

    meant: dict[tuple[str, ...], frozenset[str]]  # the choices that a name means
    longest: int  # name, in words
    letters: dict[str, str]  # the choice of each letter; empty where choices have no letters


@lru_cache(maxsize=1 << 12)
def _names(choices: tuple[str, ...], aliases: Aliases, letters: bool) -> _Names:
    meant: dict[tuple[str, ...], frozenset[str]] = {}
    called = [(choice, choice) for choice in choices] + list(aliases)
    called += [(digits, choice) for choice in choices if (digits := _DIGITS.get(canonical(choice)))]
    called += [(word, choice) for choice in choices for word, n in _DIGITS.items() if n == canonical(choice)]
    for name, choice in called:
        words = tuple(canonical(name).split())
        if words:
            meant[words] = meant.get(words, frozenset()) | {choice}
    lettered = {chr(ord("A") + place): choice for place, choice in enumerate(choices[:26])} if letters else {}
    return _Names(meant, max(map(len, meant), default=0), lettered)


def _words(text: str) -> list[str]:
    """The words and marks of a text in lower case, without marks that carry no meaning."""
    return [token for token in _TOKEN.findall(text.casefold()) if token not in _SILENT]


def _inner(words: list[str]) -> list[str]:
    """The words without marks at either end and without articles at the start."""
    start, end = 0, len(words)
    while start < end and (not words[start][0].isalnum() or (words[start] in _ARTICLES and start + 1 < end)):
        start += 1
    while end > start and not words[end - 1][0].isalnum():
        end -= 1
    return words[start:end] or [word for word in words if word in _ARTICLES][:1]


def _whole(text: str, names: _Names) -> _Said:
    return names.meant.get(tuple(_inner(_words(text))), frozenset())


def _by_letter_on_a_line(text: str, names: _Names) -> _Said:
    return frozenset() if "\n" in text else _by_letter(text, names)


def _by_letter(text: str, names: _Names) -> _Said:
    """The choice whose letter opens a text, and any choices that the rest names against it."""
    text = _without_markdown(text)
    lead = _LEAD.match(text)
    match = _LETTER_FIRST.match(text, lead.end() if lead else 0)
    if match is None or not names.letters:
        return frozenset()
    bracketed, bare, mark = match.groups()
    choice = names.letters.get((bracketed or bare).upper())
    rest = text[match.end() :].strip()
    if choice is None or (bare and bare.islower() and mark in (".", ":") and not rest):
        return frozenset()
    said = _named(rest, names) | _loose_letters(rest, names)
    if mark and mark in ",–—-" and said != {choice}:  # "A, hmm": more of a word than of a letter
        return frozenset()
    return frozenset({choice}) | said


def _marked(text: str, names: _Names) -> _Said:
    """The choices named in the clauses after markers, all together."""
    markers = list(_MARKER.finditer(text))
    final = [marker for marker in markers if marker["final"] or marker["boxed"]]
    return frozenset().union(*(_clause(text, marker, names) for marker in final or markers))


def _clause(text: str, marker: re.Match[str], names: _Names) -> _Said:
    rest = text[marker.end() :].lstrip()
    if marker["boxed"]:
        rest = rest.partition("}")[0]
    line = rest.partition("\n")[0]
    sentence = _SENTENCE_END.split(line, maxsplit=1)[0]
    return (
        _whole(sentence, names)
        or _before_reasons(line, names)
        or _by_letter(line, names)
        or _named(sentence, names)
    )


def _by_line(text: str, names: _Names) -> _Said:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [_whole(line, names) or _by_letter(line, names) for line in lines]
    return frozenset().union(*said) if said[0] and len(lines) > 1 else frozenset()


def _before_reasons(text: str, names: _Names) -> _Said:
    reasons = _REASONS.search(text)
    if reasons is None:
        return frozenset()
    claim = text[: reasons.start()]
    return _whole(claim, names) or _by_letter(claim, names) or _named(claim, names)


def _named(text: str, names: _Names) -> _Said:
    """The choices named in a text. A loose letter counts only against a name beside it."""
    words = _words(text)
    said: set[str | None] = set()
    for start, end in _places(words, names):
        denied = any(_denies(words, place) for place in _before(words, start))
        said |= {None} if denied else names.meant[tuple(words[start:end])]
    if names.letters:
        found = (next(filter(None, groups)) for groups in _LETTER_NAMED.findall(_without_markdown(text)))
        said |= {names.letters[letter.upper()] for letter in found if letter.upper() in names.letters}
    return frozenset(said) | _loose_letters(text, names) if said else frozenset()


def _places(words: Sequence[str], names: _Names) -> Iterator[tuple[int, int]]:
    """Yield where names begin and end: from the left, the longest at each place, without overlaps."""
    start = 0
    while start < len(words):
        for end in range(min(start + names.longest, len(words)), start, -1):
            name = tuple(words[start:end])
            if name in names.meant and (name not in {("yes",), ("no",)} or _stands_alone(words, start)):
                yield start, end
                start = end - 1
                break
        start += 1


def _stands_alone(words: Sequence[str], place: int) -> bool:
    opens = place == 0 or words[place - 1] in _SENTENCE_STARTS
    return opens or place + 1 == len(words) or words[place + 1] in _CLAUSE_ENDS


def _before(words: Sequence[str], start: int) -> Iterator[int]:
    """Yield the places of the few words before a name, within its clause."""
    for place in range(start - 1, max(start - 1 - _DENIAL_REACH, -1), -1):
        if not words[place][0].isalnum():
            return
        yield place


def _denies(words: Sequence[str], place: int) -> bool:
    word = words[place]
    return word in _DENIALS or word.endswith("n't") or tuple(words[place : place + 2]) in _DENYING_PAIRS


def _loose_letters(text: str, names: _Names) -> frozenset[str]:
    """The choices whose capital letter stands alone: too little to name one, enough to contradict another."""
    found = (first or second for first, second in _LETTER_LOOSE.findall(_without_markdown(text)))
    return frozenset(names.letters[letter] for letter in found if letter in names.letters)


def _without_markdown(text: str) -> str:
    return text.strip().strip("*`\"' ").replace("**", "")
