"""Tempered: answers with the temperatures that were fitted on other answers of the same seed."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from safe_eval.calibration.choices import CalibratedChoices
from safe_eval.calibration.distributions import distribution_of, said_choice
from safe_eval.prediction import Prediction
from safe_eval.statistics.calibration.temperature import apply_multiclass_temperature

Fitted = Mapping[tuple[int, tuple[str, ...]], float]


def temperatures(found: Sequence[CalibratedChoices]) -> dict[tuple[int, tuple[str, ...]], float]:
    """The temperatures that could be fitted, by seed and choices in the order of their names."""
    return {
        (one.seed, tuple(sorted(one.choices))): one.temperature
        for one in found
        if one.temperature is not None
    }


def tempered(rows: Sequence[Prediction], fitted: Fitted) -> list[Prediction]:
    """The rows with their choice probabilities at the temperature of their seed and choices.

    The confidence is then the probability of the choice that was said, and `metadata.temperature` says how it
    was made. No answer changes. Rows without a whole distribution stay as they are, and so do those that
    nothing was fitted for.

    >>> row = Prediction(example_id="q", references=("yes",), answer="yes", seed=1, choices=("yes", "no"),
    ...     choice_probabilities={"yes": 0.9, "no": 0.1})
    >>> (found,) = tempered([row], {(1, ("no", "yes")): 2.0})
    >>> found.answer, round(found.confidence, 4), found.metadata
    ('yes', 0.75, {'temperature': 2.0})
    """
    return [_tempered(row, fitted) for row in rows]


def _tempered(row: Prediction, fitted: Fitted) -> Prediction:
    given = distribution_of(row)
    temperature = fitted.get((row.seed, tuple(sorted(given)))) if given else None
    if given is None or temperature is None:
        return row
    before = np.array([list(given.values())])
    after = dict(zip(given, apply_multiclass_temperature(before, temperature)[0].tolist(), strict=True))
    return msgspec.structs.replace(
        row,
        choice_probabilities=after,
        confidence=after[said_choice(row, given)],
        metadata={**(row.metadata or {}), "temperature": temperature},
    )
