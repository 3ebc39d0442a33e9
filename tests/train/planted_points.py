"""Candidates whose scores are planted: right so often, on so many questions, by seeds that differ so much."""

from collections.abc import Sequence

import numpy as np

from safe_train.sweeps.candidate import BySeed, Candidate, Fixed, Metric, Scored

QUESTIONS = 2000


def planted(
    name: str,
    *,
    parameters: int = 100,
    audio: float = 0.6,
    base: float = 0.4,
    drift: float = 0.0,
    seeds: int = 3,
    seed_std: float = 0.0,
    latency: Sequence[float] = (10.0, 10.1, 9.9, 10.0, 10.05),
    questions: int = QUESTIONS,
) -> Candidate:
    """A point whose audio accuracy, base accuracy and drift are these, exactly but for rounding.

    Every seed gets the same questions right, less or more of them by `seed_std`.
    """
    order = np.random.default_rng(0).permutation(questions)
    apart = np.linspace(-1, 1, seeds) * seed_std if seeds > 1 else np.zeros(1)
    clusters = np.arange(questions) // 2
    safe = Scored(_right(order, [audio + one for one in apart]), clusters)
    before = Scored(_right(order, [base] * seeds), clusters)
    saw, kept = (_right(order, [share] * seeds) for share in (0.9, 0.9 - drift))
    metrics: dict[str, Metric] = {
        "audio_score": safe,
        "audio_gain": safe.less(before),
        "vl_drift": Scored(saw, clusters).less(Scored(kept, clusters)),
        "vl_score": Scored(kept, clusters),
        "latency_ms": BySeed(tuple(latency[:seeds])),
        "parameters": Fixed(parameters),
        "diverged": Fixed(0.0),
    }
    return Candidate(name, metrics)


def _right(order: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    return np.stack([(order < round(share * len(order))).astype(float) for share in shares])
