"""Forecasts of a model that is surer than it should be."""

import numpy as np

from safe_eval.statistics.calibration.forecasts import Forecasts


def overconfident(n: int, seed: int) -> Forecasts:
    """Forecasts said with twice the logit they deserve, two of a clip."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.5, 1.0, size=n)
    correct = (rng.random(n) < 1 / (1 + np.exp(-logits))).astype(float)
    names = np.array([f"{seed}-{i}" for i in range(n)])
    return Forecasts(
        names, np.array([f"{seed}-{i // 2}" for i in range(n)]), 1 / (1 + np.exp(-2 * logits)), correct
    )
