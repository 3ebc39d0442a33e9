"""Choice parser: which choice a chatty reply names; None if it names none, or more than one.

Rules, version 2, for replies in English. Nothing is ever guessed: what no rule reads is no answer.

1. Reasoning, special tokens, role names and further turns are cut (`reading/reply.py`). If something stands
   in an answer tag, in a box or under an answer key, only that is read.
2. A name counts unless its clause denies or doubts it ("not", "I cannot tell whether", "is incorrect"),
   sets it aside ("unlike", "rather than", "next to", "then") or asks for it (`reading/polarity.py`). Names
   that stand together share this: "neither the piano nor the guitar".
3. A letter counts where it is an option: "B", "(b)", "B. Violin", "the answer is b.", and not in "a violin"
   or "B flat" (`reading/letters.py`). If all choices are letters, only letters count.
4. A number is a whole phrase that counts things: "twenty one", or "12" for more than ten; not "10 seconds",
   "the 2nd", "this one", "2.5" (`reading/number_phrases.py`). Left and right are places, not idioms.
5. Yes and no are interjections, "the answer is no" and the like. If there are no other choices, a
   statement that something is there, or is not, answers too (`reading/statements.py`), but not "no audio".
6. The weightiest claims decide: a final answer, an announced one ("the answer is"), a chosen one ("I
   choose"), a sentence without a verb ("B.", "On the left"), a conclusion ("so", "in total"), any other. Two
   choices are no answer. An opening yes or no decides over what follows it.
7. If all choices but one are denied outright, that one is the answer.
8. If no name is found, stems are: "the dog barks" for dog barking.

Case, articles, quotes, underscores, hyphens, Markdown and Unicode variants make no difference; "#" and
combining marks do. The time is linear in the length, of which the last 10,000 characters are read.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from safe_eval.scorers.reading import yes_no
from safe_eval.scorers.reading.choice_names import Aliases, Choices, Names, names_of
from safe_eval.scorers.reading.claims import SentenceClaims, claims_of
from safe_eval.scorers.reading.decision import asserted_choices, decided
from safe_eval.scorers.reading.mentions import PARTS, STEMS, UNKNOWN, WORDS
from safe_eval.scorers.reading.number_phrases import EXACT
from safe_eval.scorers.reading.reply import normalised, unwrap
from safe_eval.scorers.reading.sentence import (
    LONGEST_SENTENCE,
    Sentence,
    is_mark,
    read_sentence,
    sentences_of,
    without_edges,
    words_of,
)
from safe_eval.scorers.reading.statements import NO, YES

RULES_VERSION = 2
LONGEST_REPLY = 10_000  # characters, of what is left once the wrapping is cut

_LETTER_ALONE = re.compile(r"[(\['*_ ]*([A-Za-z])[)\].:,!'*_ ]*")
_LOOKALIKE = str.maketrans("АВСЕ", "ABCE")  # Cyrillic letters that nobody can tell from Latin ones
_ITEM = re.compile(r"(?:^|(?<=[\s,;(]))\(?(\d{1,2})[.):](?=[\s,;.]|$)", re.MULTILINE)

__all__ = ["LONGEST_REPLY", "RULES_VERSION", "Aliases", "Reading", "canonical", "parse_answer", "read_answer"]

# By which rule a choice was read, or why none was.
VERBATIM, LETTER, MARKED = "word for word", "letter", "marked answer"
WHOLE, OPENING, CLAIMED = "whole reply", "yes or no", "claims"
EMPTY, NONE_NAMED, SEVERAL = "empty", "none named", "several named"


class Reading(NamedTuple):
    """The choice that was read in a reply, and by which rule; without a choice, why there is none."""

    choice: str | None
    rule: str


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
    >>> pets = ["dog", "cat", "cow"]
    >>> parse_answer("Not a dog, but a cat.", pets), parse_answer("dog or cat", pets)
    ('cat', None)
    """
    return read_answer(text, choices, aliases=aliases, letters=letters).choice


def read_answer(text: str, choices: Sequence[str], *, aliases: Aliases = (), letters: bool = True) -> Reading:
    """What `parse_answer` reads, and by which rule.

    >>> pets = ["dog", "cat"]
    >>> read_answer("(B)", pets).rule, read_answer("A cat.", pets).rule, read_answer("dog or cat", pets).rule
    ('letter', 'whole reply', 'several named')
    """
    stripped = text.strip()
    if stripped in choices:
        return Reading(stripped, VERBATIM)
    if not stripped:
        return Reading(None, EMPTY)
    names = names_of(tuple(choices), aliases, letters)
    alone = _LETTER_ALONE.fullmatch(stripped.translate(_LOOKALIKE)) if len(stripped) < 12 else None
    if names.letters and alone and alone[1].upper() in names.letters:
        return Reading(names.letters[alone[1].upper()], LETTER)
    reply = unwrap(stripped)
    if reply.finals:
        read = {found.choice: found for found in (_read(part, names) for part in reply.finals)}
        choice, found = read.popitem()
        if read:
            return Reading(None, SEVERAL)
        return found if choice is None else Reading(choice, MARKED)
    return _read(reply.text, names)


def canonical(text: str) -> str:
    """A text in the form in which answers are compared: lower case, without leading articles and outer marks.

    >>> canonical("**An Acoustic_guitar.**"), canonical("The 2 dogs")
    ('acoustic guitar', '2 dogs')
    """
    return " ".join(words_of(normalised(text), join_numbers=False))


def _read(text: str, names: Names) -> Reading:
    text = text.strip()
    if text in names.choices:
        return Reading(text, VERBATIM)
    text = text.replace("_", " ")
    is_cut = len(text) > LONGEST_REPLY
    sentences, is_short = _sentences(text[-LONGEST_REPLY:].partition(" ")[2] if is_cut else text)
    is_cut = is_cut or is_short
    whole = frozenset() if is_cut else _whole(sentences, text, names)
    if whole:
        return Reading(next(iter(whole)), WHOLE) if len(whole) == 1 else Reading(None, SEVERAL)
    answer = None if is_cut else _answered(sentences, names)
    if answer is not None and not (answer and names.letters):
        return Reading(next(iter(answer)), OPENING) if answer else Reading(None, SEVERAL)
    found = _claims(sentences, names)
    asserted = asserted_choices(found)
    if answer is not None:
        agrees = asserted <= answer | UNKNOWN
        return Reading(next(iter(answer)), OPENING) if agrees else Reading(None, SEVERAL)
    choice = decided(found, names, is_cut=is_cut)
    if choice is None:
        return Reading(None, SEVERAL if len(asserted - UNKNOWN) > 1 else NONE_NAMED)
    return Reading(choice, CLAIMED)


def _sentences(text: str) -> tuple[list[Sentence], bool]:
    """The sentences of a text, and whether one of them was too long to be read but for its end."""
    cut = sentences_of(text)
    short = [sentence if len(sentence) <= LONGEST_SENTENCE else _end(sentence) for sentence in cut]
    return [read_sentence(sentence) for sentence in short], short != cut


def _end(sentence: str) -> str:
    return sentence[-LONGEST_SENTENCE // 4 :].partition(" ")[2]


def _whole(sentences: Sequence[Sentence], text: str, names: Names) -> Choices:
    """The choice that a whole reply names, or counts by a numbered list."""
    if names.counts and sum(len(sentence.numbers) for sentence in sentences) > 1:
        return _listed(text, names) if len(text) <= LONGEST_SENTENCE else frozenset()
    if names.is_bare or not sentences or any(sentence.is_question for sentence in sentences):
        return frozenset()
    words = without_edges([word for sentence in sentences for word in sentence.words])
    return names.meant.get(words) or names.run_together.get("".join(words), frozenset())


def _listed(text: str, names: Names) -> Choices:
    """The number of the items of a list, where the choices are numbers: "1. piano, 2. violin"."""
    marks = _ITEM.findall(text)
    rest = read_sentence(_ITEM.sub(" ", text))
    items, others = list(map(float, marks)), list(rest.numbers.values())
    if (
        not marks
        and len(others) > 2
        and all(is_mark(word) or at in rest.numbers for at, word in enumerate(rest.words))
    ):
        items, others = others, []
    is_list = len(items) > 1 and items == list(range(1, len(items) + 1))
    if not is_list or any(number != len(items) for number in others):
        return frozenset()
    return names.counted((EXACT, float(len(items))))


def _answered(sentences: Sequence[Sentence], names: Names) -> Choices | None:
    """The choice of a yes or a no; no choice if they contradict each other, None if neither is said."""
    if names.yes is None and names.no is None:
        return None
    said = yes_no.answer_of(sentences, is_polar=names.is_polar)
    if said is None:
        return None
    chosen = {YES: names.yes, NO: names.no}.get(said)
    return frozenset() if chosen is None else frozenset((chosen,))


def _is_affirmed(sentences: Sequence[Sentence], place: int) -> bool:
    """Whether the reply answers its own question with yes: "Is it a dog? Yes."."""
    following = sentences[place + 1 : place + 2]
    answered = yes_no.answers(following[0], is_polar=False, is_all=False) if following else None
    return answered == (YES, yes_no.OPENING)


def _claims(sentences: Sequence[Sentence], names: Names) -> list[SentenceClaims]:
    """What the sentences that ask nothing say of the choices; by stems if they use none of the names."""
    told = [
        sentence
        for place, sentence in enumerate(sentences)
        if not sentence.is_question or _is_affirmed(sentences, place)
    ]
    found: list[SentenceClaims] = []
    for by in (WORDS,) if names.is_bare else (WORDS, STEMS, PARTS):
        found = [claims for sentence in told if (claims := claims_of(sentence, names, by)) is not None]
        if any(each.claims for each in found):
            break
    return found
