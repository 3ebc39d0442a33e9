"""The official VQA accuracy as it is published, a plain loop: the script itself is not part of the project.

Question by question, all ten answers are cleaned and each annotator is left out in turn. No text is worked
out once for all, as the official script does not; only its tables are ours (`safe_eval/scorers/vqa.py`).
"""

import re
from collections.abc import Sequence

from safe_eval.prediction import Prediction
from safe_eval.scorers import vqa

_DIGIT_COMMA = re.compile(r"(\d)(,)(\d)")
_PERIOD = re.compile(r"\.(?!\d)")


def score_all(predictions: Sequence[Prediction]) -> list[float]:
    """The accuracy of each answer: the mean over annotators of min(1, matches among the others / 3)."""
    return [_accuracy(row.answer or "", list(row.references)) for row in predictions]


def _accuracy(answer: str, given: list[str]) -> float:
    answer = _one_line(answer)
    annotators = [{"answer_id": i, "answer": _one_line(text)} for i, text in enumerate(given)]
    if len({annotator["answer"] for annotator in annotators}) > 1:
        for annotator in annotators:
            annotator["answer"] = _words(_without_marks(str(annotator["answer"])))
        answer = _words(_without_marks(answer))
    accuracies = []
    for left_out in annotators:
        others = [annotator for annotator in annotators if annotator != left_out]
        matching = [annotator for annotator in others if annotator["answer"] == answer]
        accuracies.append(min(1.0, len(matching) / 3))
    return sum(accuracies) / len(accuracies)


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def _without_marks(text: str) -> str:
    out = text
    for mark in vqa.PUNCTUATION:
        if (mark + " " in text or " " + mark in text) or _DIGIT_COMMA.search(text) is not None:
            out = out.replace(mark, "")
        else:
            out = out.replace(mark, " ")
    return _PERIOD.sub("", out, count=vqa.PERIODS_REMOVED)


def _words(text: str) -> str:
    words = []
    for word in text.lower().split():
        word = vqa.NUMBERS.get(word, word)
        if word not in vqa.ARTICLES:
            words.append(word)
    for place, word in enumerate(words):
        if word in vqa.CONTRACTIONS:
            words[place] = vqa.CONTRACTIONS[word]
    return " ".join(words)
