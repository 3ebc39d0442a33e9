"""Classification: right where the answer is the right class, and the recall of each class.

The class of a clip is its first reference. Where a row has `choices`, the answer must name one of them
(`answers.parse_answer`); a reply that names none or several is unparsed. Where it has none, the answer must
be the class but for case, articles and marks around it.
"""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

import msgspec
import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray

from safe_data.errors import InputError
from safe_eval.answers import canonical, parse_answer
from safe_eval.predictions import Prediction, snr_db
from safe_eval.scorers.measure import Measure, mean_of

MOST_CLASSES = 20  # classes with slices of their own; 309 would bury the rest of the scores
SNR_EDGES_DB = (-5.0, 0.0, 5.0, 10.0, 20.0)
DURATION_EDGES_SECONDS = (1.0, 2.0, 5.0, 10.0)


def score_all(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 for the right class, 0 for another, NaN where the answer names no choice or several.

    >>> choices = ("speech", "no speech")
    >>> rows = [Prediction(example_id=a, references=("speech",), answer=a, choices=choices)
    ...         for a in ("Speech.", "B) no speech", "perhaps")]
    >>> score_all(rows).tolist()
    [1.0, 0.0, nan]
    """
    understood = cache(parse_answer)  # of this call: models say the same few things many times
    return np.array([_score(row, understood) for row in predictions])


def slices(rows: Sequence[Prediction]) -> dict[str, Bool[ndarray, " items"]]:
    """`class:NAME`, whose mean is a recall, and each of them by SNR and by duration where rows say so."""
    classes = np.array([row.references[0] if row.references else "" for row in rows])
    names = sorted(set(classes.tolist()) - {""})
    if len(names) > MOST_CLASSES:
        return {}
    return {name: members for name, members in _by_class(rows, classes, names).items() if members.any()}


def measures(predictions: Sequence[Prediction]) -> list[Measure]:
    """Accuracy, balanced accuracy (the mean of the recalls of the classes there are), and each recall.

    Unparsed and missing answers are wrong. Recalls by SNR and duration need rows with metadata `snr_db` and
    `duration_seconds`.

    Raises:
        InputError: no predictions, or of more than one model, condition or seed.
    """
    cells = {(row.model, row.condition, row.seed) for row in predictions}
    if len(cells) != 1:
        raise InputError(f"predictions of {len(cells)} models, conditions and seeds; recalls are of one")
    scores = np.nan_to_num(score_all(predictions))
    classes = np.array([row.references[0] if row.references else "" for row in predictions])
    names = sorted(set(classes.tolist()) - {""})
    members = _by_class(predictions, classes, names)
    recalls = [
        mean_of(f"recall:{name.removeprefix('class:')}", scores[at], "no such clip")
        for name, at in members.items()
    ]
    of_classes = [recall.value for recall in recalls[: len(names)] if recall.value is not None]
    balanced = mean_of("balanced_accuracy", of_classes, "no row has a reference")
    balanced = msgspec.structs.replace(balanced, n=len(scores))
    missing = [
        Measure(name=f"recall by {fact}", value=None, n=0, why_not=f"no row has metadata {fact!r}")
        for fact in ("snr_db", "duration_seconds")
        if np.isnan(_facts(predictions, fact)).all()
    ]
    return [mean_of("accuracy", scores, "no clip"), balanced, *recalls, *missing]


def _score(row: Prediction, understood: Callable[[str, tuple[str, ...]], str | None]) -> float:
    if row.answer is None:
        return float("nan")
    if not row.choices:
        return float(canonical(row.answer) in map(canonical, row.references))
    answer = understood(row.answer, row.choices)
    return float("nan") if answer is None else float(answer in row.references)


def _by_class(
    rows: Sequence[Prediction], classes: Shaped[ndarray, " items"], names: Sequence[str]
) -> dict[str, Bool[ndarray, " items"]]:
    """The members of each class, then of each class by SNR and by duration."""
    bins = _bins("snr", _facts(rows, "snr_db"), SNR_EDGES_DB, " dB")
    bins |= _bins("duration", _facts(rows, "duration_seconds"), DURATION_EDGES_SECONDS, " s")
    whole = {f"class:{name}": classes == name for name in names}
    parts = {f"{c}, {b}": members & inside for c, members in whole.items() for b, inside in bins.items()}
    return whole | parts


def _facts(rows: Sequence[Prediction], fact: str) -> Float[ndarray, " items"]:
    """A number of each row's metadata, NaN where there is none; the SNR that a condition made wins."""
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
