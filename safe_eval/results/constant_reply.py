"""Constant reply: the one text that scores most if it answers every question.

The texts of the references are compared, and the letters of choices where a metric reads letters. A text is
compared as long as enough references are that text for it to be the best.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from safe_eval.prediction import Prediction
from safe_eval.scorers.choice_letter import right_letter
from safe_eval.scorers.scorer import VQA_METRICS, scorer_of
from safe_eval.scorers.vqa import FULL_AGREEMENT, normalise

CANDIDATES = 8  # of VQA, where a reference is one of ten: the texts that annotators gave most often
COUNTED = 4_000  # questions, drawn at random, in which these are counted
_SPELLINGS = 4  # of one text that are tried
_SHORT = 6  # letters; number words and what is left of contractions are no longer
LETTER_METRICS = frozenset(("accuracy", "avqa_accuracy", "music_avqa_accuracy", "yes_no_accuracy"))

Scores = Float[ndarray, " rows"]
Slices = Mapping[str, Bool[ndarray, " rows"]]


@dataclass(frozen=True)
class ConstantReply:
    """A reply, and what it scores on each question of a slice."""

    text: str
    scores: Float[ndarray, " inside"]


def best_replies(metric: str, rows: Sequence[Prediction], slices: Slices) -> dict[str, ConstantReply]:
    """The best constant reply on each slice; of equal ones the more frequent. Slices without text have none.

    >>> asked = [Prediction(example_id=a, references=(a,), answer=None) for a in ("yes", "no", "no")]
    >>> best = best_replies("gqa_accuracy", asked, {"all": np.ones(3, dtype=bool)})["all"]
    >>> best.text, best.scores.tolist()
    ('no', [0.0, 1.0, 1.0])
    """
    find = _by_annotators if metric in VQA_METRICS else _by_kinds
    return dict(find(metric, rows, slices))


def score_replies(metric: str, rows: Sequence[Prediction], replies: Sequence[str]) -> Scores:
    """What a metric gives these replies to these questions; unparsed replies score 0."""
    if not rows:
        return np.zeros(0)
    answered = [
        msgspec.structs.replace(row, answer=reply, error=None)
        for row, reply in zip(rows, replies, strict=True)
    ]
    return np.nan_to_num(scorer_of(metric).score_all(answered))


def _by_kinds(metric: str, rows: Sequence[Prediction], slices: Slices) -> Iterator[tuple[str, ConstantReply]]:
    """For metrics on which a reply scores alike on questions with the same references, choices and type."""
    kinds: dict[tuple[object, ...], int] = {}
    kind_of = np.array(
        [kinds.setdefault((row.references, row.choices, row.question_type), len(kinds)) for row in rows]
    )
    of_kind = [rows[place] for place in np.unique(kind_of, return_index=True)[1].tolist()]
    letters = np.array([_letter(metric, row) for row in of_kind])
    known: dict[str, Scores] = {}
    for name, inside in slices.items():
        times = np.bincount(kind_of[inside], minlength=len(of_kind))
        best, highest = _best_letter(letters, times)
        for text, count in _by_frequency(of_kind, times):
            if count <= highest:
                break
            if text not in known:
                known[text] = score_replies(metric, of_kind, [text] * len(of_kind))
            total = float(known[text] @ times)
            if total > highest + 1e-9:
                best, highest = text, total
        if best is not None:
            scores = known[best] if best in known else (letters == best).astype(float)
            yield name, ConstantReply(best, scores[kind_of[inside]])


def _by_frequency(of_kind: Sequence[Prediction], times: Int[ndarray, " kinds"]) -> list[tuple[str, int]]:
    """The texts of the references with the number of questions that have each, the most frequent first."""
    held = Counter[str]()
    for row, count in zip(of_kind, times.tolist(), strict=True):
        for text in set(row.references) if count else ():
            held[text] += count
    return sorted(((text, n) for text, n in held.items() if text.strip()), key=lambda of: (-of[1], of[0]))


def _letter(metric: str, row: Prediction) -> str:
    """The letter of the right choice, if the metric reads letters and the question has choices."""
    return (right_letter(row) or "") if row.choices and metric in LETTER_METRICS else ""


def _best_letter(letters: ndarray, times: Int[ndarray, " kinds"]) -> tuple[str | None, float]:
    counts = {letter: int(times[letters == letter].sum()) for letter in sorted(set(letters.tolist()) - {""})}
    best = max(counts, key=lambda letter: counts[letter], default=None)
    return (None, 0.0) if best is None or not counts[best] else (best, float(counts[best]))


def _by_annotators(
    metric: str, rows: Sequence[Prediction], slices: Slices
) -> Iterator[tuple[str, ConstantReply]]:
    """For VQA accuracy: how many annotators gave each frequent text bounds what it can score."""
    spellings = _most_given(rows)
    codes = _Codes([every[0] for every in spellings])
    given = list(map(codes.__getitem__, itertools.chain.from_iterable(row.references for row in rows)))
    annotators = np.array([len(row.references) for row in rows])
    row_of, width = np.repeat(np.arange(len(rows)), annotators), len(codes.texts) + 1
    matches = np.bincount(row_of * width + np.array(given), minlength=len(rows) * width).reshape(-1, width)
    bounds = _bounds(matches[:, : len(codes.texts)], annotators[:, None])
    for name, inside in slices.items():
        best: ConstantReply | None = None
        highest, totals = 0.0, bounds[inside].sum(axis=0)
        for number in np.argsort(-totals, kind="stable").tolist():
            if totals[number] <= highest + 1e-9:
                break
            at = np.flatnonzero(inside & (matches[:, number] > 0))
            matched = [rows[place] for place in at.tolist()]
            for text in spellings[number]:
                scores = np.zeros(len(rows))
                scores[at] = score_replies(metric, matched, [text] * len(at))
                if (total := float(scores.sum())) > highest + 1e-9:
                    best, highest = ConstantReply(text, scores[inside]), total
        if best is not None:
            yield name, best


def _most_given(rows: Sequence[Prediction]) -> list[tuple[str, ...]]:
    """The texts that most annotators gave to some questions, each with its spellings.

    Spellings differ where all annotators of a question agree: there the official script normalises nothing.
    """
    drawn: Sequence[Prediction] = rows
    if len(rows) > COUNTED:
        places = np.random.default_rng(0).choice(len(rows), COUNTED, replace=False)
        drawn = [rows[place] for place in sorted(places.tolist())]
    given = Counter(itertools.chain.from_iterable(row.references for row in drawn))
    texts: dict[str, list[str]] = {}
    for text in sorted(given, key=lambda text: (-given[text], text)):
        if not text.strip() or (len(texts) == CANDIDATES and normalise(text) not in texts):
            continue
        spelled = texts.setdefault(normalise(text), [])
        if len(spelled) < _SPELLINGS:
            spelled.append(text)
    return [tuple(spelled) for spelled in texts.values()]


def _bounds(
    matches: Int[ndarray, "rows texts"], annotators: Int[ndarray, "rows 1"]
) -> Float[ndarray, "rows texts"]:
    """The accuracy of each text if each annotator is left out in turn; one annotator is matched or not."""
    agreeing = np.minimum(1.0, (matches - 1) / FULL_AGREEMENT)
    others = np.minimum(1.0, matches / FULL_AGREEMENT)
    several = (matches * agreeing + (annotators - matches) * others) / np.maximum(annotators, 1)
    return np.where(annotators == 1, matches, np.maximum(several, 0.0))


class _Codes(dict[str, int]):
    """The number of the candidate that a text is after normalisation, or else the number after the last."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.numbers = {normalise(text): number for number, text in enumerate(texts)}
        self.ends = {name.rpartition(" ")[2] for name in (*self.numbers, *texts)}

    def __missing__(self, text: str) -> int:
        number = len(self.texts)
        if self._may_be_one(text):
            number = self.numbers.get(normalise(text), number)
        self[text] = number
        return number

    def _may_be_one(self, text: str) -> bool:
        """Whether the last word of a text could end a candidate; normalising every text takes too long."""
        end = text.rpartition(" ")[2].lower()
        return end in self.ends or not end.isalpha() or len(end) < _SHORT
