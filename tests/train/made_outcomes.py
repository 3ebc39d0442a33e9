"""Outcomes made for tests: questions of which the base's entropy tells, mostly, whether hearing helps."""

import numpy as np

from safe_train.gates.outcomes import Outcomes
from safe_train.gates.states import States


def made_outcomes(
    questions: int = 400, *, seed: int = 0, budgets: tuple[int, ...] = (0, 4, 8), width: int = 8
) -> Outcomes:
    """Half of the questions need the sound; of these, half are answered right without it."""
    rng = np.random.default_rng(seed)
    needs_audio = np.arange(questions) % 2 == 1
    knows = ~needs_audio | (rng.random(questions) < 0.5)
    entropy = np.where(knows, rng.uniform(0, 0.6, questions), rng.uniform(0.4, 1.8, questions))
    confidence = np.exp(-entropy)
    hidden = rng.standard_normal((questions, width)).astype(np.float32)
    hidden[:, 0] += np.where(knows, -2, 2)
    heard = np.where(rng.random((questions, len(budgets) - 1)) < 0.95, 1.0, 0.0)
    scores = np.column_stack([knows.astype(float), heard])
    influence = np.column_stack([np.zeros(questions), *[np.where(knows, 0.01, 1.5)] * (len(budgets) - 1)])
    return Outcomes(
        example_ids=tuple(f"q{number:05d}" for number in range(questions)),
        groups=tuple(f"g{number // 4:05d}" for number in range(questions)),
        question_types=tuple("sound" if needs else "colour" for needs in needs_audio),
        needs_audio=needs_audio,
        budgets=budgets,
        answers=tuple(("a",) * len(budgets) for _ in range(questions)),
        scores=scores,
        influence_kl=influence,
        latency_ms=np.array([10.0, *(13.0 + 0.1 * tokens for tokens in budgets[1:])]),
        states=States(entropy, confidence, confidence / 2, hidden, float(np.log(60))),
        facts={"seed": seed},
    )
