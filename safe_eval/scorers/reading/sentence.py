"""Sentence: a piece of a reply as words and marks, with a number phrase as one word."""

import math
import re
from collections.abc import Sequence
from functools import lru_cache

from safe_eval.scorers.reading.number_phrases import NUMBER_WORDS, number_at

LONGEST_SENTENCE = 1_000  # characters; what is longer is a run of words, and is not read

# Marks and spaces of ASCII, Latin-1, other scripts, general punctuation and symbols. All else makes up words:
# \w would split a word of Devanagari at its vowel signs.
_MARKS = (
    r"\x00-/:-@\[-`{-\x7f\u0080-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7"
    r"\u060c\u061b\u061f\u06d4\u0964\u0965\u2000-\u200b\u200e-\u206f\u20a0-\u20ff\u2100-\u2bff"
    r"\u3000-\u3004\u3007-\u3030\u30fb\ufe00-\ufe0f\uff5f-\uff65\U0001f000-\U0001faff"
)
_LETTER = f"[^{_MARKS}]"
_TOKEN = re.compile(
    rf"((?:(?<![^\s(\[\"',:=])-)?\d+(?:[.,:/]\d+)*(?!{_LETTER})"  # 2  2,000  2.5  0:10  -1
    rf"|{_LETTER}+(?:[#♭]{_LETTER}*|\+\+(?!{_LETTER})|(?:'{_LETTER}+)*))"  # don't  C#  C++  2nd
    rf"|(?<={_LETTER})(-)(?={_LETTER})"
    r"|([^\s*_`\"“”„«»~'$\\{}])\3*"
)
_MARK = re.compile(f"[{_MARKS}]")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_NUMERIC = re.compile(r"-?\d+(?:\.\d+)?")
_SCRIPTS = re.compile(
    r"(?<=[\u2e80-\u9fff\uac00-\ud7af])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?=[\u2e80-\u9fff\uac00-\ud7af])"
)
_CLITICS = {"n't": "not", "'re": "are", "'m": "am", "'ve": "have", "'ll": "will", "'d": "would", "'s": "'s"}
_STEMS = {"ca": "can", "wo": "will", "sha": "shall"}  # of can't, won't and shan't
_NEGATIONS = {
    word: word[:-2] for word in str.split("dont isnt doesnt wasnt arent didnt couldnt wouldnt hasnt")
}
_NEGATIONS |= {"cant": "can", "wont": "will", "cannot": "can"}
_BULLET = re.compile(r"(?:[-*•>▪◦+]+\s+|#{1,6}\s+)+")
_END = re.compile(r"(?<=[.!?])[\"'*_)\]]*\s+")
_OPENING = re.compile(r"\W{0,4}(?:\w|\d{1,3}|(?:option|choice|answer)\s+\w)[^\w?!]{0,4}", re.IGNORECASE)
_ABBREVIATION = re.compile(
    r"(?:^|\W)(?:e\.g|i\.e|vs|mr|mrs|ms|dr|st|approx|fig|cf|vol|op|ch|ver)\.\Z", re.IGNORECASE
)
_LONGEST_HEADING = 80  # characters of a line that ends with a colon, and belongs to the next line


class Sentence:
    """The words of a sentence in lower case, beside how they are written. Marks are words too.

    `numbers` holds the value of each number at its place, and `glued` the places of words that a hyphen joins
    to the word before.
    """

    __slots__ = str.split("glued is_ascii is_question numbers raw words")

    def __init__(self, words: list[str], raw: list[str], glued: frozenset[int], text: str) -> None:
        self.words, self.raw, self.glued = words, raw, glued
        self.numbers: dict[int, float] = {}
        self.is_ascii = text.isascii()
        self.is_question = "?" in text and text.rstrip("\"'*_) ").endswith("?")


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, each once. The mark of a list's item stays with its item.

    >>> sentences_of("B. A piano! Is it? Yes.\\nAnswer:\\n(B)")
    ['B. A piano!', 'Is it?', 'Yes.', 'Answer: (B)']
    """
    found: dict[str, None] = {}
    heading = ""
    for line in dict.fromkeys(text.splitlines()):
        line = line.strip()
        if not line[:1].isalnum() and (bullet := _BULLET.match(line)):
            line = line[bullet.end() :]
        if not line:
            continue
        if heading:
            line, heading = f"{heading} {line}", ""
        if len(line) <= _LONGEST_HEADING and line.rstrip("*_ ").endswith(":"):
            heading = line
        else:
            found.update(dict.fromkeys(_cut(line)))
    if heading:
        found[heading] = None
    return list(found)


def _cut(line: str) -> Sequence[str]:
    pieces = _END.split(line)
    if len(pieces) == 1:
        return pieces
    cut = [pieces[0]]
    for piece in pieces[1:]:
        last = cut[-1]
        opens = len(cut) == 1 and len(last) < 24 and _OPENING.fullmatch(last)
        if opens or _ABBREVIATION.search(last[-8:]) or (piece[0].isdigit() and last[-3:].lower() == "no."):
            cut[-1] = f"{last} {piece}"
        else:
            cut.append(piece)
    return cut


def read_sentence(text: str, *, join_numbers: bool = True) -> Sentence:
    """Cut a sentence into words and marks.

    >>> read_sentence("I don't hear twenty-one dogs.").words
    ['i', 'do', 'not', 'hear', '21', 'dogs', '.']
    """
    if not text.isascii():
        text = _SCRIPTS.sub(" ", text)
    words: list[str] = []
    raw: list[str] = []
    glued: list[int] = []
    for token, hyphen, mark in _TOKEN.findall(text):
        if mark:
            words.append(mark)
            raw.append(mark)
        elif hyphen:
            glued.append(len(words))
        else:
            word = token.casefold()
            words.append(word)
            raw.append(token)
            if "'" in word or word in _NEGATIONS:
                words[-1:], raw[-1:] = _parts(word, token)
    sentence = Sentence(words, raw, frozenset(glued), text)
    if join_numbers:
        _join_numbers(sentence)
    return sentence


def _parts(word: str, token: str) -> tuple[list[str], list[str]]:
    """The parts of a contraction, in lower case and as written: "can't" is can and not."""
    if word in _NEGATIONS:
        return [_NEGATIONS[word], "not"], [token, "not"]
    for clitic, full in _CLITICS.items():
        if word.endswith(clitic) and len(word) > len(clitic):
            stem = word[: -len(clitic)]
            return [_STEMS.get(stem, stem) if full == "not" else stem, full], [token[: len(stem)], full]
    return [word], [token]


@lru_cache(maxsize=1 << 12)
def words_of(text: str, *, join_numbers: bool = True) -> tuple[str, ...]:
    """The words of a name: without marks at either end and without articles at the start.

    >>> words_of("**An Acoustic_guitar.**"), words_of("C#")
    (('acoustic', 'guitar'), ('c#',))
    """
    return without_edges(read_sentence(text.replace("_", " "), join_numbers=join_numbers).words)


def without_edges(words: Sequence[str]) -> tuple[str, ...]:
    """The words without marks at either end and without articles at the start."""
    start, end = 0, len(words)
    while start < end and (is_mark(words[start]) or (words[start] in ("a", "an", "the") and start + 1 < end)):
        start += 1
    while end > start and is_mark(words[end - 1]):
        end -= 1
    return tuple(words[start:end]) or tuple(word for word in words if word in ("a", "an", "the"))[:1]


def is_mark(word: str) -> bool:
    """Whether a word is a mark."""
    return len(word) == 1 and not word.isalnum() and _MARK.match(word) is not None


def inner_words(words: Sequence[str]) -> list[str]:
    """The words that are no marks."""
    return [word for word in words if not is_mark(word)]


def _join_numbers(sentence: Sentence) -> None:
    """Make one word of each number phrase."""
    words, raw = sentence.words, sentence.raw
    if NUMBER_WORDS.isdisjoint(words) and not any(word[-1].isdigit() for word in words):
        return
    joined: list[str] = []
    written: list[str] = []
    glued: set[int] = set()
    place = 0
    while place < len(words):
        if place in sentence.glued:
            glued.add(len(joined))
        value, end = number_at(words, place, _digits(words[place]))
        if value is not None:
            sentence.numbers[len(joined)] = value
        is_value = value is not None and not math.isnan(value)
        joined.append(f"{value:.12g}" if is_value else words[place])
        written.append(raw[place])
        place = end
    sentence.words, sentence.raw, sentence.glued = joined, written, frozenset(glued)


def _digits(word: str) -> float | None:
    """The value of digits; not a number for a time, a fraction or the like; None for other words."""
    if not word[-1].isdigit() or not (word[0].isdigit() or word[0] == "-"):
        return None
    if _GROUPED.fullmatch(word):
        return float(word.replace(",", ""))
    if not _NUMERIC.fullmatch(word) or len(word) > 15:
        return math.nan if len(word) > 15 or any(mark in word for mark in ".,:/") else None
    value = float(word)
    is_grouped = len(word.partition(".")[2]) == 3 and value.is_integer()
    return math.nan if is_grouped else value  # "2.000" may be 2 or 2,000
