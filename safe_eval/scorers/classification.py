"""Classification: right where the answer is the right class, and the recall of each class.

The class of a clip is its first reference. Where a row has `choices`, the answer must name one of them
(`answers.parse_answer`); a reply that names none or several is unparsed. Where it has none, the answer must
be the class but for case, articles and marks around it.
"""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray

from safe_eval.prediction import Prediction, snr_db
from safe_eval.scorers.aggregate import Measure, check_one_cell, mean_of, not_measured, with_interval
from safe_eval.scorers.choice_parser import canonical, parse_answer
from safe_eval.statistics.bootstrap import cluster_totals, resampled_totals
from safe_eval.statistics.intervals import percentile_interval, without_spread
from safe_eval.statistics.sampling import FRACTION, Interval, Labels, Sampling, Values

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


def measures(predictions: Sequence[Prediction], clusters: Labels, sampling: Sampling) -> list[Measure]:
    """Accuracy, balanced accuracy (the mean of the recalls of the classes there are), and each recall.

    Unparsed and missing answers are wrong. Recalls by SNR and duration need rows with metadata `snr_db` and
    `duration_seconds`. `clusters` holds a label for each prediction, the speaker say, and every measure has
    an interval over them.

    Raises:
        InputError: no predictions, or of more than one model, condition or seed; not one cluster for each.
    """
    check_one_cell(predictions, clusters)
    labels, scores = np.asarray(clusters), np.nan_to_num(score_all(predictions))
    classes = np.array([row.references[0] if row.references else "" for row in predictions])
    names = sorted(set(classes.tolist()) - {""})
    recalls = [
        mean_of(f"recall:{name.removeprefix('class:')}", scores[at], labels[at], sampling, "no such clip")
        for name, at in _by_class(predictions, classes, names).items()
    ]
    of_classes = [recall.value for recall in recalls[: len(names)] if recall.value is not None]
    balanced = not_measured("balanced_accuracy", "no row has a reference")
    if of_classes:
        known = classes != ""
        places = np.searchsorted(names, classes[known])
        interval = balanced_interval(scores[known], places, labels[known], sampling)
        value = sum(of_classes) / len(of_classes)
        balanced = with_interval(balanced.name, value, interval, labels[known], sampling)
    missing = [
        not_measured(f"recall by {fact}", f"no row has metadata {fact!r}")
        for fact in ("snr_db", "duration_seconds")
        if np.isnan(_facts(predictions, fact)).all()
    ]
    return [mean_of("accuracy", scores, labels, sampling, "no clip"), balanced, *recalls, *missing]


def balanced_interval(
    scores: Values, classes: Int[ndarray, " items"], clusters: Labels, sampling: Sampling
) -> Interval:
    """The percentile interval of the mean of recalls under the cluster bootstrap; classes count from 0.

    Each resample adds up how many clips of each class there are and how many are right; one that has drawn
    no clip of a class is the mean over the classes it has. One cluster is not measured. Where no class has
    clusters that differ, Wilson's limit for clusters not yet seen stands in, as for a mean: for as many as
    there would be if every class had as few as the rarest, since that one could be the worst.

    >>> classes = np.array([0] * 90 + [1] * 10)
    >>> interval = balanced_interval(np.ones(100), classes, np.arange(100), Sampling())
    >>> round(interval.low, 3), interval.high, interval.method
    (0.839, 1.0, 'wilson')
    """
    inside = classes[:, None] == np.arange(classes.max() + 1)
    totals = cluster_totals(np.concatenate([inside * scores[:, None], inside], axis=1), clusters)
    if len(totals) < 2:
        return Interval()
    recalls = _recalls(totals)
    if np.all(np.nanmax(recalls, axis=0) - np.nanmin(recalls, axis=0) < 1e-12):
        rarest = int((~np.isnan(recalls)).sum(axis=0).min())
        alike = min(len(totals), recalls.shape[1] * rarest)
        of_each = np.tile([np.nanmean(_recalls(totals.sum(axis=0))), 1.0], (alike, 1))
        return without_spread(of_each, sampling.confidence, FRACTION) or Interval()
    drawn = np.nanmean(_recalls(resampled_totals(totals, sampling)), axis=1)
    return percentile_interval(drawn, len(totals), sampling.confidence)


def _recalls(totals: Float[ndarray, "*rows columns"]) -> Float[ndarray, "*rows classes"]:
    """Right clips over clips of each class, NaN where there are none; the bootstrap adds up in 32 bits."""
    right, n = np.split(np.rint(totals), 2, axis=-1)
    return np.where(n > 0, right / np.maximum(n, 1), np.nan)


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
