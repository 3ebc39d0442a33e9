"""Classification: right where the answer is the right class, and the recall of each class.

The class of a clip is its first reference. If a row has `choices`, the answer must name one of them; a reply
that names none or several is unparsed. If a row has no `choices`, the answer must equal the class, apart from
case, articles and what wraps it.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray

from safe_eval.condition import snr_db
from safe_eval.prediction import Prediction
from safe_eval.scorers import multiple_choice
from safe_eval.scorers.aggregate import Aggregate, check_one_arm, mean_of, not_measured

_CLASSIFY = "classify"
MOST_CLASSES = 20  # with more classes there are no slices by class; 309 would bury the rest of the scores
SNR_EDGES_DB = (-5.0, 0.0, 5.0, 10.0, 20.0)
DURATION_EDGES_SECONDS = (1.0, 2.0, 5.0, 10.0)


def score_all(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 for the right class, 0 for another, NaN if the answer names no choice or several.

    >>> choices = ("speech", "no speech")
    >>> rows = [Prediction(example_id=a, references=("speech",), answer=a, choices=choices)
    ...         for a in ("Speech.", "B) no speech", "perhaps")]
    >>> score_all(rows).tolist()
    [1.0, 0.0, nan]
    """
    return multiple_choice.score_all(predictions)


def slices(rows: Sequence[Prediction]) -> dict[str, Bool[ndarray, " items"]]:
    """`class:NAME`, whose mean is a recall, and each class by SNR and by duration if rows hold them."""
    classes = np.array([_class_of(row) for row in rows])
    names = sorted(set(classes.tolist()) - {""})
    if len(names) > MOST_CLASSES:
        return {}
    return {name: inside for name, inside in _by_class(rows, classes, names).items() if inside.any()}


def aggregates(predictions: Sequence[Prediction]) -> list[Aggregate]:
    """Accuracy, balanced accuracy (the mean of the recalls of the classes that occur), and each recall.

    Multiple-choice questions have none. Unparsed and missing answers are wrong. Recalls by SNR and duration
    need rows with metadata `snr_db` and `duration_seconds`.

    Raises:
        InputError: no predictions, or predictions of more than one model, condition or seed.
    """
    check_one_arm(predictions)
    if all(map(_is_question, predictions)):
        return []
    scores = np.nan_to_num(score_all(predictions))
    classes = np.array([_class_of(row) for row in predictions])
    names = sorted(set(classes.tolist()) - {""})
    recalls = [
        _mean(f"recall:{name.removeprefix('class:')}", scores, inside, "no such clip")
        for name, inside in _by_class(predictions, classes, names).items()
    ]
    missing = [
        not_measured(f"recall by {fact}", f"no row has metadata {fact!r}")
        for fact in ("snr_db", "duration_seconds")
        if np.isnan(_facts(predictions, fact)).all()
    ]
    accuracy = _mean("accuracy", scores, np.ones(len(scores), dtype=bool), "no clip")
    return [accuracy, _balanced(scores, classes, names, recalls), *recalls, *missing]


def _mean(
    name: str, scores: Float[ndarray, " items"], inside: Bool[ndarray, " items"], why_not: str
) -> Aggregate:
    at = np.flatnonzero(inside)
    return mean_of(name, at.tolist(), scores[at].tolist(), why_not)


def _balanced(
    scores: Float[ndarray, " items"],
    classes: Shaped[ndarray, " items"],
    names: Sequence[str],
    recalls: Sequence[Aggregate],
) -> Aggregate:
    """The mean of the recalls of whole classes, which come first in `recalls`."""
    of_classes = [recall.value for recall in recalls[: len(names)] if recall.value is not None]
    if not of_classes:
        return not_measured("balanced_accuracy", "no row has a reference")
    at = np.flatnonzero(classes != "")
    return Aggregate(
        "balanced_accuracy",
        sum(of_classes) / len(of_classes),
        len(at),
        at=at,
        scores=scores[at],
        classes=np.searchsorted(names, classes[at]),
    )


def _class_of(row: Prediction) -> str:
    """The class of a clip; none for a question with choices, whose answers are no classes."""
    return row.references[0] if row.references and not _is_question(row) else ""


def _is_question(row: Prediction) -> bool:
    return bool(row.choices) and row.task != _CLASSIFY


def _by_class(
    rows: Sequence[Prediction], classes: Shaped[ndarray, " items"], names: Sequence[str]
) -> dict[str, Bool[ndarray, " items"]]:
    """Which rows are of each class, then of each class by SNR and by duration."""
    bins = _bins("snr", _facts(rows, "snr_db"), SNR_EDGES_DB, " dB")
    bins |= _bins("duration", _facts(rows, "duration_seconds"), DURATION_EDGES_SECONDS, " s")
    whole = {f"class:{name}": classes == name for name in names}
    parts = {f"{c}, {b}": of_class & inside for c, of_class in whole.items() for b, inside in bins.items()}
    return whole | parts


def _facts(rows: Sequence[Prediction], fact: str) -> Float[ndarray, " items"]:
    """A number from each row's metadata, or NaN; the SNR of a condition such as `snr_10db` wins."""
    found = []
    for row in rows:
        value = (row.metadata or {}).get(fact)
        if fact == "snr_db" and snr_db(row.condition) is not None:
            value = snr_db(row.condition)
        found.append(float(value) if isinstance(value, int | float) else float("nan"))
    return np.array(found)


def _bins(
    name: str, values: Float[ndarray, " items"], edges: Sequence[float], unit: str
) -> dict[str, Bool[ndarray, " items"]]:
    """Half-open bins [low, high) that hold any value, by name."""
    ends = (-np.inf, *edges, np.inf)
    bins = {}
    for low, high in pairwise(ends):
        label = f"{low:g} to {high:g}"
        if low == -np.inf:
            label = f"below {high:g}"
        elif high == np.inf:
            label = f"{low:g} and more"
        inside = (values >= low) & (values < high)
        if inside.any():
            bins[f"{name} {label}{unit}"] = inside
    return bins
