"""Forecasts of a model that is surer than it should be, of its answer or of each choice."""

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


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def planted(n: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What is said of four choices, with logits so many times too large, and which is right."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, size=(n, 4))
    right = (rng.random(n)[:, None] > softmax(logits).cumsum(axis=1)[:, :-1]).sum(axis=1)
    return softmax(temperature * logits), right
