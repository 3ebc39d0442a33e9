"""Folds: parts of a split by group, so that what decides about a question was not fitted on its group."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from safe_data.core.errors import InputError

Rows = Int64[ndarray, " rows"]
Folds = Int64[ndarray, " questions"]


def folds_by_group(groups: Sequence[str], count: int, *, seed: int = 0) -> Folds:
    """The fold of each question, 0 … count − 1; a group is in one fold, and folds have as many groups each.

    Which fold a group is in depends on the seed and on which groups there are, not on the order of questions.

    Raises:
        InputError: fewer than two folds, or fewer groups than folds.

    >>> folds_by_group(["a", "b", "a", "c"], 3).tolist()
    [2, 0, 2, 1]
    """
    names, which = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    if count < 2:
        raise InputError(f"folds={count}: must be at least 2, since none is judged on what it was fitted on")
    if len(names) < count:
        raise InputError(
            f"folds={count}: there are only {len(names)} groups; ask more, or choose fewer folds"
        )
    fold: Folds = np.random.default_rng(seed).permutation(len(names)).astype(np.int64)[which] % count
    return fold


def out_of_fold(folds: Folds, fit_and_apply: Callable[[Rows, Rows], ndarray]) -> ndarray:
    """What is found for each question by a fit on the other folds.

    Args:
        folds: the fold of each question
        fit_and_apply: given the rows to fit on and the rows of a fold, what it finds for the latter, a row
            for each

    >>> out_of_fold(np.array([0, 1, 0]), lambda fitted, rows: np.full(len(rows), len(fitted))).tolist()
    [1, 2, 1]
    """
    found: ndarray | None = None
    for fold in np.unique(folds):
        fitted, rows = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        part = fit_and_apply(fitted, rows)
        if found is None:
            found = np.empty((len(folds), *part.shape[1:]), part.dtype)
        found[rows] = part
    if found is None:
        raise ValueError("there are no questions, so there is no fold")
    return found
