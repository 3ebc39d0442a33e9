"""Tables for tests of gates: made outcomes that say what they are of, and tables whose true drop is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from made_outcomes import made_outcomes

from safe_train.checkpoint import read_config
from safe_train.gates.gate_files import made_for
from safe_train.gates.outcomes import Outcomes
from safe_train.gates.states import States

ORIGIN = {"dataset": {"name": "made", "fingerprint": "f" * 12}, "split": "gate"}


def stated_outcomes(questions: int = 400, *, checkpoint: Path | None = None, seed: int = 0) -> Outcomes:
    """Made outcomes as if they were of this checkpoint, or of one that there is not."""
    adapter, base = "a" * 64, "b" * 64
    if checkpoint is not None:
        found = made_for(read_config(checkpoint / "config.json"))
        adapter, base = found.adapter_sha256, found.base_sha256
    made = made_outcomes(questions, seed=seed)
    return replace(made, facts={**ORIGIN, "adapter_sha256": adapter, "base_sha256": base})


def planted(
    questions: int, seed: int, *, audio_loses: float = 0.1, group: int = 2
) -> tuple[Outcomes, np.ndarray]:
    """A table and scores of a gate that loses, at a threshold t, audio_loses · t⁴ / 4 of its audio answers.

    Of a question with score s, hearing corrects the answer with the chance audio_loses · s³, and no VL answer
    depends on the sound. Entropy, and so the score, is uniform on [0, 1].
    """
    rng = np.random.default_rng(seed)
    scores = rng.random(questions)
    needs_audio = np.arange(questions) % 2 == 0
    corrected = needs_audio & (rng.random(questions) < audio_loses * scores**3)
    hidden = np.zeros((questions, 1), np.float32)
    table = Outcomes(
        example_ids=tuple(map(str, range(questions))),
        groups=tuple(str(number // (2 * group)) for number in range(questions)),
        question_types=(None,) * questions,
        needs_audio=needs_audio,
        budgets=(0, 4),
        answers=(("a", "a"),) * questions,
        scores=np.column_stack([~corrected, np.ones(questions)]).astype(float),
        influence_kl=np.zeros((questions, 2)),
        latency_ms=np.array([np.nan, np.nan]),
        states=States(scores, 1 - scores, 1 - scores, hidden, 1.0),
        facts={**ORIGIN, "adapter_sha256": "a" * 64, "base_sha256": "b" * 64},
    )
    return table, scores
