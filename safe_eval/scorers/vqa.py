"""The official VQA accuracy, as its code has been since March 2021.

Source: Antol et al. 2015, section 5.3, and GT-Vision-Lab/VQA, PythonEvaluationTools/vqaEvaluation/vqaEval.py
at a013f00. Equal to it on every one of 60,000 questions (tests/eval/test_vqa.py).
"""

import re
from functools import lru_cache

from safe_eval.predictions import Prediction

TASKS = frozenset({"vqa", "classify"})
FULL_AGREEMENT = 3  # an answer that three other annotators gave is entirely right

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'  # the official list: not . : ' % $ & and not typographic quotes
_DIGIT_COMMA = re.compile(r"\d,\d")
_PERIOD = re.compile(r"\.(?!\d)")  # the official look-behind is mistyped and never holds a period back
_PERIODS_REMOVED = 32  # the official code passes re.UNICODE, which is 32, where the count belongs
_ARTICLES = frozenset({"a", "an", "the"})
_NUMBERS = {"none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5"}
_NUMBERS |= {"six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10"}
_CONTRACTED = """
ain't aren't can't couldn't couldn't've could've didn't doesn't don't hadn't hadn't've hasn't haven't
he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't
must've needn't not've o'clock oughtn't 'ow's'at shan't she'd've shouldn't shouldn't've should've
somebody'd've somebody'll somebody's someone'd someone'd've someone'll someone's something'd
something'd've something'll that's there'd there'd've there're there's they'd they'd've they'll they're
they've 'twas wasn't we'd've weren't we've what'll what're what's what've when's where'd where's where've
who'd who'd've who'll who's who've why'll why're why's won't wouldn't wouldn't've would've y'all
y'all'd've y'all'll you'd you'd've you'll you're you've
"""
# The official table restores one lost apostrophe, and holds one entry that takes one away.
_CONTRACTIONS = {
    word[:place] + word[place + 1 :]: word
    for word in _CONTRACTED.split()
    for place, letter in enumerate(word)
    if letter == "'"
} | {"somebody'd": "somebodyd"}


def score(prediction: Prediction) -> float:
    """The VQA accuracy of one answer: the mean, over the annotators, of min(1, matches among the others / 3).

    As in the official code, texts are normalised only where the annotators' raw answers are not all the
    same; where they are, "Yes" does not match "yes". Annotators are told apart by their place in
    `references`. An answer that is missing (an error) scores 0.

    Differs: with a single reference leaving one out leaves none, and the official code scores every answer
    0; here it is an exact match after normalisation, 1 or 0. Two or three references are scored as the
    official code does, so that the best possible score is 1/3 or 2/3.

    >>> def row(answer: str, *references: str) -> Prediction:
    ...     return Prediction(example_id="q", references=references, answer=answer)
    >>> score(row("Two dogs.", *["2 dogs"] * 3, *["cats"] * 7))
    0.9
    >>> score(row("Yes", *["yes"] * 10)), score(row("Yes", "yes"))
    (0.0, 1.0)
    """
    if prediction.answer is None or not prediction.references:
        return 0.0
    answer, references = _clean(prediction.answer), [_clean(text) for text in prediction.references]
    if len(references) == 1:
        return float(normalise(answer) == normalise(references[0]))
    if any(text != references[0] for text in references):
        answer, references = normalise(answer), [normalise(text) for text in references]
    return _leave_one_out(references.count(answer), len(references))


@lru_cache(maxsize=1 << 16)
def normalise(text: str) -> str:
    """An answer as the official code compares it: without punctuation and articles, numbers as digits.

    >>> normalise("The  dog's 1,000 bones!"), normalise("a/b"), normalise("a/b 1,2"), normalise("none")
    ("dog's 1000 bones", 'b', 'ab 12', '0')
    """
    words = []
    for word in _without_punctuation(_clean(text)).lower().split():
        word = _NUMBERS.get(word, word)
        if word not in _ARTICLES:
            words.append(_CONTRACTIONS.get(word, word))
    return " ".join(words)


@lru_cache(maxsize=1 << 16)
def _clean(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def _without_punctuation(text: str) -> str:
    """Marks become spaces; but one beside a space is deleted, as are all if a comma joins two digits."""
    digits_joined = _DIGIT_COMMA.search(text) is not None
    marked = text
    for mark in _PUNCTUATION:
        if mark in text:
            deleted = digits_joined or f"{mark} " in text or f" {mark}" in text
            marked = marked.replace(mark, "" if deleted else " ")
    return _PERIOD.sub("", marked, count=_PERIODS_REMOVED)


@lru_cache(maxsize=1 << 10)
def _leave_one_out(matches: int, annotators: int) -> float:
    """Each annotator in turn is left out; those who gave the answer leave one match fewer."""
    agreeing = min(1.0, (matches - 1) / FULL_AGREEMENT) if matches else 0.0
    others = min(1.0, matches / FULL_AGREEMENT)
    return (matches * agreeing + (annotators - matches) * others) / annotators
