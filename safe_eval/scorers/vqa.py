"""VQA accuracy, in the variants in use. `vqa_accuracy` is the official one since 2021.

- `official`: texts are normalised only if the annotators' raw answers are not all the same. If they are,
  "Yes" does not match "yes". Since commit a013f00, March 2021.
- `official_2017`: the answer is always normalised. The references lose their punctuation if they are not all
  the same, but keep articles and number words, so the answer "two" never matches the reference "two". Commit
  458a8b2, in use until March 2021, the years of the VQA v2 challenges.
- `normalised`: answer and references are always normalised, as in VLMEvalKit and open_flamingo.
- `evalai`: the same after commas and question marks are removed and "'s" is cut off, as in M4C's evaluator
  of TextVQA, LLaVA and lmms-eval.

On 60,000 real questions the same predictions score 68.12, 74.90 and 75.10, so name the variant you report.

Source: Antol et al. 2015, section 5.3, and GT-Vision-Lab/VQA, PythonEvaluationTools/vqaEvaluation/vqaEval.py.
Equal to it on each of the 60,000 questions (tests/eval/scorers/test_vqa.py).
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.prediction import Prediction, quoted

Variant = Literal["official", "official_2017", "normalised", "evalai"]

FULL_AGREEMENT = 3  # an answer that three other annotators gave scores 1

# The official list. It has none of . : ' % $ & and no typographic quotes.
PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_MARKED = re.compile(f"[{re.escape(PUNCTUATION)}.]")
_DIGIT_COMMA = re.compile(r"\d,\d")
_PERIOD = re.compile(r"\.(?!\d)")  # the official look-behind is mistyped and has no effect
PERIODS_REMOVED = 32  # the official code passes re.UNICODE, which is 32, as the count
ARTICLES = frozenset({"a", "an", "the"})
NUMBERS = {"none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5"}
NUMBERS |= {"six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10"}
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
# The official table restores a lost apostrophe; one of its entries removes one instead.
CONTRACTIONS = {
    word[:place] + word[place + 1 :]: word
    for word in _CONTRACTED.split()
    for place, letter in enumerate(word)
    if letter == "'"
} | {"somebody'd": "somebodyd"}


def score_all(
    predictions: Sequence[Prediction], *, variant: Variant = "official", answer_ids: bool = True
) -> Float[ndarray, " items"]:
    """The VQA accuracy of each answer: the mean over annotators of min(1, matches among the others / 3).

    An annotator is a place in `references`, like an `answer_id` in the official files. The official code
    tells annotators apart by comparing whole entries. So in a file without ids, leaving out one annotator
    leaves out all with the same entry, and `answer_ids=False` does so too. The entries of VizWiz also hold
    how confident the annotator was, which metadata `answer_confidence` lists: then VizWiz scores 46.63
    instead of 62.49, and without it 29.57. A missing answer (an error) scores 0.

    Differs: a single reference leaves no other annotator, and the official code scores every answer 0. Here
    it is an exact match after normalisation, 1 or 0. Two or three references are scored like the official
    code does, so the best possible score is 1/3 or 2/3. References are never changed, so scoring twice gives
    the same score twice (with the official code, 30 of 5,000 TextVQA answers differ).

    Raises:
        InputError: `answer_ids` is false, and a row's `answer_confidence` is not one text per reference.

    >>> def row(answer: str, *references: str) -> Prediction:
    ...     return Prediction(example_id="q", references=references, answer=answer)
    >>> rows = [row("Two dogs.", *["2 dogs"] * 3, *["cats"] * 7)]
    >>> rows += [row("Yes", *["yes"] * 10), row("Yes", "yes")]
    >>> score_all(rows).tolist(), score_all(rows, variant="normalised").tolist()
    ([0.9, 0.0, 1.0], [0.9, 1.0, 1.0])
    >>> score_all(rows, answer_ids=False).round(6).tolist()
    [0.7, 0.0, 1.0]
    """
    counted = _MATCHES[variant]
    memos = tuple(map(_Memo, (clean, evalai if variant == "evalai" else normalise, without_punctuation)))
    scores = [0.0] * len(predictions)
    for place, row in enumerate(predictions):
        answer, references = row.answer, row.references
        if answer is None or not references:
            continue
        if len(references) == 1:
            scores[place] = float(normalise(answer) == normalise(references[0]))
        elif not answer_ids and (confidences := _confidences(row)):
            at = _places(variant, answer, references, *memos)
            scores[place] = _leave_entries_out([confidences[i] for i in at], len(references))
        elif matches := counted(answer, references, *memos):
            scores[place] = _leave_one_out(matches, len(references), answer_ids)
    return np.array(scores)


def compared(row: Prediction, variant: Variant = "official") -> tuple[str, int]:
    """The answer of a row in the form in which it is compared, and how many references equal it there.

    >>> row = Prediction(example_id="q", references=("2 dogs", "cats"), answer="Two dogs.")
    >>> compared(row)
    ('2 dogs', 1)
    """
    answer, references = row.answer or "", row.references
    if len(references) == 1:
        said = normalise(answer)
        return said, int(said == normalise(references[0]))
    form = evalai if variant == "evalai" else normalise
    memos = tuple(map(_Memo, (clean, form, without_punctuation)))
    is_raw = variant == "official" and len(set(map(clean, references))) == 1
    return clean(answer) if is_raw else form(answer), len(_places(variant, answer, references, *memos))


def normalise(text: str) -> str:
    """A text as the official code compares it: without punctuation and articles, number words as digits.

    >>> normalise("The  dog's 1,000 bones!"), normalise("a/b"), normalise("a/b 1,2"), normalise("none")
    ("dog's 1000 bones", 'b', 'ab 12', '0')
    """
    words = []
    for word in without_punctuation(clean(text)).lower().split():
        word = NUMBERS.get(word, word)
        if word not in ARTICLES:
            words.append(CONTRACTIONS.get(word, word))
    return " ".join(words)


def evalai(text: str) -> str:
    """A text as M4C's evaluator, LLaVA and lmms-eval compare it: commas join, and a final 's is a word.

    Source: facebookresearch/mmf, EvalAIAnswerProcessor.

    >>> evalai("The dog's 1,000 bones?"), normalise("The dog's 1,000 bones?")
    ("dog 's 1000 bones", "dog's 1000 bones")
    """
    return normalise(text.lower().replace(",", "").replace("?", "").replace("'s", " 's"))


def clean(text: str) -> str:
    """A text on one line, without white space at either end."""
    return text.replace("\n", " ").replace("\t", " ").strip()


def without_punctuation(text: str) -> str:
    """Replace marks by spaces. Delete one next to a space; delete all marks if a comma joins two digits."""
    if _MARKED.search(text) is None:
        return text
    digits_joined = _DIGIT_COMMA.search(text) is not None
    marked = text
    for mark in PUNCTUATION:
        if mark in text:
            deleted = digits_joined or f"{mark} " in text or f" {mark}" in text
            marked = marked.replace(mark, "" if deleted else " ")
    return _PERIOD.sub("", marked, count=PERIODS_REMOVED)


class _Memo(dict[str, str]):
    """A text function that computes each text once: millions of references hold few different texts."""

    def __init__(self, function: Callable[[str], str]) -> None:
        self.function = function

    def __missing__(self, text: str) -> str:
        result = self[text] = self.function(text)
        return result


def _matches(answer: str, references: tuple[str, ...], cleaned: _Memo, normal: _Memo, _: _Memo) -> int:
    first, annotators = references[0], len(references)
    if references.count(first) == annotators:
        return annotators if cleaned[answer] == cleaned[first] else 0
    matches = list(map(normal.__getitem__, references)).count(normal[answer])
    if matches < annotators:
        return matches  # if the raw answers are all the same, all match or none do
    raw = list(map(cleaned.__getitem__, references))
    return matches if raw.count(raw[0]) < annotators or cleaned[answer] == raw[0] else 0


def _matches_2017(answer: str, references: tuple[str, ...], _: _Memo, normal: _Memo, bare: _Memo) -> int:
    if references.count(references[0]) == len(references):
        return len(references) if normal[answer] == references[0] else 0
    return list(map(bare.__getitem__, references)).count(normal[answer])


def _matches_normalised(
    answer: str, references: tuple[str, ...], _: _Memo, normal: _Memo, _bare: _Memo
) -> int:
    return list(map(normal.__getitem__, references)).count(normal[answer])


def _places(
    variant: Variant, answer: str, references: tuple[str, ...], cleaned: _Memo, normal: _Memo, bare: _Memo
) -> list[int]:
    """Where the references match the answer."""
    forms, said = list(map(normal.__getitem__, references)), normal[answer]
    raw = list(map(cleaned.__getitem__, references))
    if variant == "official" and raw.count(raw[0]) == len(raw):
        forms, said = raw, cleaned[answer]
    elif variant == "official_2017":
        is_one = references.count(references[0]) == len(references)
        forms = list(references) if is_one else list(map(bare.__getitem__, references))
    return [place for place, form in enumerate(forms) if form == said]


_MATCHES: dict[Variant, Callable[[str, tuple[str, ...], _Memo, _Memo, _Memo], int]] = {
    "official": _matches,
    "official_2017": _matches_2017,
    "normalised": _matches_normalised,
    "evalai": _matches_normalised,
}


def _confidences(row: Prediction) -> list[str]:
    """How confident each annotator was, in the words of the official file; empty if the row does not say.

    Raises:
        InputError: there is not one text per reference.
    """
    stated = (row.metadata or {}).get("answer_confidence") or ()
    n = len(row.references)
    if stated and not (isinstance(stated, list | tuple) and len(stated) == n):
        raise InputError(
            f"{quoted(row.example_id)}: metadata 'answer_confidence' is no list of {n} texts; "
            "write one for each reference, in the same order"
        )
    return list(map(str, stated))


def _leave_entries_out(confidences: Sequence[str], annotators: int) -> float:
    """The mean over annotators, each left out with all who were as confident; some gave the answer."""
    matches, same = len(confidences), Counter(confidences)
    agreeing = sum(min(1.0, (matches - same[own]) / FULL_AGREEMENT) for own in confidences)
    return (agreeing + (annotators - matches) * min(1.0, matches / FULL_AGREEMENT)) / annotators


@lru_cache(maxsize=1 << 10)
def _leave_one_out(matches: int, annotators: int, answer_ids: bool) -> float:
    """The mean over annotators, each left out in turn.

    Leaving out one who gave the answer leaves one match fewer, or none without answer ids.
    """
    left = matches - 1 if answer_ids else 0
    agreeing = min(1.0, left / FULL_AGREEMENT)
    others = min(1.0, matches / FULL_AGREEMENT)
    return (matches * agreeing + (annotators - matches) * others) / annotators
