"""GQA: exact answers to composed questions, and the measures of its official script.

Source: Hudson and Manning 2019, section 4.4, and the official eval.py as ported in MILVLG/openvqa,
openvqa/datasets/gqa/eval/gqa_eval.py. Nothing is normalised: answers are a closed list of lower-case words.

What the script reads of each question stands in a row's `metadata`, spelled as in the question files: `types`
(structural, semantic, detailed), `groups` (global), `entailed` (ids of questions), `isBalanced`; and `valid`
and `plausible` (answers) of the choices file. A measure whose facts are missing is not measured.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.prediction import Prediction
from safe_eval.scorers.aggregate import Measure, check_one_cell, mean_of, not_measured
from safe_eval.statistics.sampling import Labels, Sampling

OPEN_TYPE = "query"  # the one structural type whose questions are open; all others are binary
COMMON_ANSWERS = ("color", "material", "shape")  # all that may be asked for by "what do they have in common"


def score_all(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 where the answer is the reference, letter by letter.

    >>> rows = [Prediction(example_id=a, references=("yes",), answer=a) for a in ("yes", "Yes", "yes.")]
    >>> score_all(rows).tolist()
    [1.0, 0.0, 0.0]
    """
    return np.array([float(row.error is None and row.answer in row.references) for row in predictions])


def slices(rows: Sequence[Prediction]) -> dict[str, Bool[ndarray, " items"]]:
    """`type:open` for queries, `type:binary` for the other structural types."""
    types = np.array([_structural(row) or "" for row in rows])
    return {"type:binary": (types != OPEN_TYPE) & (types != ""), "type:open": types == OPEN_TYPE}


@dataclass(frozen=True)
class _Asked:
    """The questions of one cell: the balanced ones, and of every one by its id whether it is right."""

    balanced: tuple[Prediction, ...]
    right: Mapping[str, float]
    clusters: Mapping[str, Hashable]
    sampling: Sampling

    def mean(self, name: str, scores: Sequence[tuple[Prediction, float]], why_not: str) -> Measure:
        """The mean of what some of the questions score, each in its own cluster."""
        clusters = np.array([self.clusters[row.example_id] for row, _ in scores])
        return mean_of(name, [score for _, score in scores], clusters, self.sampling, why_not)


def measures(predictions: Sequence[Prediction], clusters: Labels, sampling: Sampling) -> list[Measure]:
    """Everything the official script prints (grounding apart, which needs attention maps), as fractions.

    Accuracies, validity and plausibility are of balanced questions; a row that does not say is balanced. The
    distribution score is the chi-squared distance of predicted from right answers in each global group,
    weighted by the group's size, over 100; lower is better.

    `clusters` holds a label for each prediction, the picture say, and the means have intervals over them. The
    distribution score has none: chi-squared of counts grows with the number of questions, so it estimates
    nothing that other questions share, and the scatter of resampled counts would only be added to it.

    Differs: an answer that is missing (an error) is wrong and in no histogram, where the script stops. An
    entailed question without a prediction makes consistency not measured, where the script stops too.

    Raises:
        InputError: no predictions, or of more than one model, condition or seed; not one cluster for each.
    """
    check_one_cell(predictions, clusters)
    ids = [row.example_id for row in predictions]
    asked = _Asked(
        balanced=tuple(row for row in predictions if _facts(row).get("isBalanced", True)),
        right=dict(zip(ids, score_all(predictions).tolist(), strict=True)),
        clusters=dict(zip(ids, np.asarray(clusters).tolist(), strict=True)),
        sampling=sampling,
    )
    scores = [(row, asked.right[row.example_id]) for row in asked.balanced]
    return [
        asked.mean("accuracy", scores, "no balanced question"),
        *_by_type(asked),
        _consistency(asked),
        _among("validity", "valid", asked),
        _among("plausibility", "plausible", asked),
        _distribution(asked.balanced),
    ]


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


def _by_type(asked: _Asked) -> Iterator[Measure]:
    kinds: dict[str, list[tuple[Prediction, float]]] = {"binary": [], "open": []}
    for row in asked.balanced:
        structural = _structural(row)
        if structural is None:
            continue
        score = (row, asked.right[row.example_id])
        kinds["open" if structural == OPEN_TYPE else "binary"].append(score)
        kinds.setdefault(f"structural:{structural}", []).append(score)
        if semantic := _part(row, "types").get("semantic"):
            kinds.setdefault(f"semantic:{semantic}", []).append(score)
    for name, scores in kinds.items():
        yield asked.mean(name, scores, f"no {name} question; question_type holds the structural type")


def _consistency(asked: _Asked) -> Measure:
    """Of the questions answered right, the mean share of what they entail that is answered right too."""
    name, entailed, missing, right = "consistency", False, set(), asked.right
    shares = []
    for row in asked.balanced:
        entailed |= "entailed" in _facts(row)
        others = [other for other in _facts(row).get("entailed") or () if other != row.example_id]
        if right[row.example_id] and others:
            missing |= {other for other in others if other not in right}
            shares.append((row, sum(right.get(other, 0.0) for other in others) / len(others)))
    if not entailed:
        return not_measured(name, "no row has metadata 'entailed', the ids of the questions it entails")
    if missing:
        why_not = f"{len(missing)} entailed questions have no prediction, for example {min(missing)!r}"
        return not_measured(name, why_not)
    return asked.mean(name, shares, "no question that entails another is answered right")


def _among(name: str, fact: str, asked: _Asked) -> Measure:
    """The share of answers that are in the choices file's list for their question."""
    rows = asked.balanced
    without = sum(fact not in _facts(row) for row in rows)
    if without or not rows:
        why_not = f"{without} of {len(rows)} rows have no metadata {fact!r}, a list of the choices file"
        return not_measured(name, why_not)
    return asked.mean(name, [(row, float(row.answer in _allowed(row, fact))) for row in rows], "no question")


def _allowed(row: Prediction, fact: str) -> Sequence[str]:
    detailed = _part(row, "types").get("detailed") or ""
    return COMMON_ANSWERS if "Common" in detailed else _facts(row)[fact]


def _distribution(rows: Sequence[Prediction]) -> Measure:
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
    return Measure(name="distribution", value=weighted / n / 100, n=n)
