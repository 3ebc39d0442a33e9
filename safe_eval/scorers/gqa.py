"""GQA: exact answers to composed questions, and the aggregates of its official script.

Source: Hudson and Manning 2019, section 4.4, and the official eval.py as ported in MILVLG/openvqa,
openvqa/datasets/gqa/eval/gqa_eval.py. Nothing is normalised: answers are a closed list of lower-case words.

A row's `metadata` holds what the script reads of each question, spelled as in the question files: `types`
(structural, semantic, detailed), `groups` (global), `entailed` (ids of questions), `isBalanced`; and, from
the choices file, `valid` and `plausible` (answers). An aggregate whose facts are missing is not measured.
"""

import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.prediction import Prediction
from safe_eval.scorers.aggregate import Aggregate, check_one_arm, mean_of, not_measured

OPEN_TYPE = "query"  # the one structural type whose questions are open; all others are binary
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
COMMON_ANSWERS = ("color", "material", "shape")  # all that may be asked for by "what do they have in common"


def score_all(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 where the answer is the reference, letter by letter.

    >>> rows = [Prediction(example_id=a, references=("yes",), answer=a) for a in ("yes", "Yes", "yes.")]
    >>> score_all(rows).tolist()
    [1.0, 0.0, 0.0]
    """
    return np.array([float(row.error is None and row.answer in row.references) for row in predictions])


def score_all_caseless(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 where the answer is the reference apart from case and punctuation, as lmms-eval compares them.

    Source: EvolvingLMMs-Lab/lmms-eval, tasks/gqa/gqa.yaml: exact_match with ignore_case, ignore_punctuation.

    >>> rows = [Prediction(example_id=a, references=("yes",), answer=a) for a in ("Yes.", "yes, it is")]
    >>> score_all_caseless(rows).tolist()
    [1.0, 0.0]
    """
    return np.array(
        [
            float(row.answer is not None and _bare(row.answer) in map(_bare, row.references))
            for row in predictions
        ]
    )


def slices(rows: Sequence[Prediction]) -> dict[str, Bool[ndarray, " items"]]:
    """`type:open` for queries, `type:binary` for the other structural types."""
    types = np.array([_structural(row) or "" for row in rows])
    return {"type:binary": (types != OPEN_TYPE) & (types != ""), "type:open": types == OPEN_TYPE}


@dataclass(frozen=True)
class _Balanced:
    """The balanced questions of an arm, and which of all its questions are right."""

    at: tuple[int, ...]  # their places among the predictions
    rows: tuple[Prediction, ...]
    right: Mapping[str, float]  # of every question, by its id

    def mean(self, name: str, scores: Mapping[int, float], why_not: str) -> Aggregate:
        """The mean of scores by the place of their question."""
        return mean_of(name, list(scores), list(scores.values()), why_not)


def aggregates(predictions: Sequence[Prediction]) -> list[Aggregate]:
    """Everything that the official script prints, as fractions; except grounding, which needs attention maps.

    Accuracies, validity and plausibility are of balanced questions; a row that does not say is balanced. The
    distribution score is the chi-squared distance of predicted from right answers in each global group,
    weighted by the group's size, over 100; lower is better. It has no interval: chi-squared of counts grows
    with the number of questions, so resampling would add scatter to a number that estimates nothing which
    other questions share.

    Differs: an answer that is missing (an error) is wrong and in no histogram, where the script stops. An
    entailed question without a prediction makes consistency not measured, where the script stops too.

    Raises:
        InputError: no predictions, or predictions of more than one model, condition or seed.
    """
    check_one_arm(predictions)
    at = tuple(place for place, row in enumerate(predictions) if _facts(row).get("isBalanced", True))
    right = zip([row.example_id for row in predictions], score_all(predictions).tolist(), strict=True)
    balanced = _Balanced(at, tuple(predictions[place] for place in at), dict(right))
    scores = {place: balanced.right[predictions[place].example_id] for place in at}
    return [
        balanced.mean("accuracy", scores, "no balanced question"),
        *_by_type(balanced),
        _consistency(balanced),
        _among("validity", "valid", balanced),
        _among("plausibility", "plausible", balanced),
        _distribution(balanced.rows),
    ]


def _bare(text: str) -> str:
    return text.strip().lower().translate(_NO_PUNCTUATION)


def _facts(row: Prediction) -> Mapping[str, Any]:
    return row.metadata or {}


def _part(row: Prediction, name: str) -> Mapping[str, Any]:
    part = _facts(row).get(name) or {}
    if not isinstance(part, Mapping):
        raise InputError(
            f"{row.example_id!r}: metadata {name!r} is {part!r}; write it as in the question files"
        )
    return part


def _structural(row: Prediction) -> str | None:
    return _part(row, "types").get("structural") or row.question_type


def _by_type(balanced: _Balanced) -> Iterator[Aggregate]:
    kinds: dict[str, dict[int, float]] = {"binary": {}, "open": {}}
    for place, row in zip(balanced.at, balanced.rows, strict=True):
        structural = _structural(row)
        if structural is None:
            continue
        score = balanced.right[row.example_id]
        kinds["open" if structural == OPEN_TYPE else "binary"][place] = score
        kinds.setdefault(f"structural:{structural}", {})[place] = score
        if semantic := _part(row, "types").get("semantic"):
            kinds.setdefault(f"semantic:{semantic}", {})[place] = score
    for name, scores in kinds.items():
        yield balanced.mean(name, scores, f"no {name} question; question_type holds the structural type")


def _consistency(balanced: _Balanced) -> Aggregate:
    """Of the questions answered right, the mean share of what they entail that is answered right too."""
    name, entailed, missing, right = "consistency", False, set(), balanced.right
    shares: dict[int, float] = {}
    for place, row in zip(balanced.at, balanced.rows, strict=True):
        entailed |= "entailed" in _facts(row)
        others = [other for other in _facts(row).get("entailed") or () if other != row.example_id]
        if right[row.example_id] and others:
            missing |= {other for other in others if other not in right}
            shares[place] = sum(right.get(other, 0.0) for other in others) / len(others)
    if not entailed:
        return not_measured(name, "no row has metadata 'entailed', the ids of the questions it entails")
    if missing:
        why_not = f"{len(missing)} entailed questions have no prediction, for example {min(missing)!r}"
        return not_measured(name, why_not)
    return balanced.mean(name, shares, "no question that entails another is answered right")


def _among(name: str, fact: str, balanced: _Balanced) -> Aggregate:
    """The share of answers that are in the choices file's list for their question."""
    without = sum(fact not in _facts(row) for row in balanced.rows)
    if without or not balanced.rows:
        why_not = (
            f"{without} of {len(balanced.rows)} rows have no metadata {fact!r}, a list of the choices file"
        )
        return not_measured(name, why_not)
    listed = {
        place: float(row.answer in _allowed(row, fact))
        for place, row in zip(balanced.at, balanced.rows, strict=True)
    }
    return balanced.mean(name, listed, "no question")


def _allowed(row: Prediction, fact: str) -> Sequence[str]:
    detailed = _part(row, "types").get("detailed") or ""
    return COMMON_ANSWERS if "Common" in detailed else _facts(row)[fact]


def _distribution(rows: Sequence[Prediction]) -> Aggregate:
    gold: dict[str, Counter[str]] = {}
    predicted: dict[str, Counter[str | None]] = {}
    for row in rows:
        group = _part(row, "groups").get("global")
        if group and row.references:
            gold.setdefault(group, Counter())[row.references[0]] += 1
            predicted.setdefault(group, Counter())[row.answer] += 1
    n = sum(sum(counts.values()) for counts in gold.values())
    if not n:
        return not_measured("distribution", "no row has metadata 'groups' with a global group")
    weighted = 0.0
    for group, counts in gold.items():
        distance = sum((predicted[group][answer] - e) ** 2 / e for answer, e in counts.items())
        weighted += distance * sum(counts.values())
    return Aggregate("distribution", weighted / n / 100, n)
