"""Tables for tests of policies, in which a policy pays: what is heard is alike at every budget."""

from dataclasses import replace

import numpy as np
from made_outcomes import made_outcomes

from safe_train.gates.outcomes import Outcomes
from safe_train.gates.states import States

FACTS = {
    "adapter_sha256": "a" * 64,
    "base_sha256": "b" * 64,
    "dataset": {"name": "made", "fingerprint": "f" * 12},
    "split": "gate",
}


def made_policies(
    questions: int = 600, *, seed: int = 0, budgets: tuple[int, ...] = (0, 4, 8), vl_harm: float = 0.0
) -> Outcomes:
    """A made table whose VL answers no budget changes, except the largest with the chance `vl_harm`.

    The base's state tells which audio question it answers right; of the others, hearing answers 19 of 20.
    """
    table = made_outcomes(questions, seed=seed, budgets=budgets)
    rng = np.random.default_rng(seed + 1)
    base = table.scores[:, :1]
    hears = np.where(table.needs_audio & (base[:, 0] == 0), rng.random(questions) < 0.95, base[:, 0])
    scores = np.concatenate([base, np.repeat(hears[:, None], len(budgets) - 1, axis=1)], axis=1)
    harmed = ~table.needs_audio & (rng.random(questions) < vl_harm)
    scores[harmed, -1] = 0.0
    entropy = np.where(base[:, 0] == 1, rng.uniform(0, 0.5, questions), rng.uniform(0.7, 1.8, questions))
    chance = np.exp(-entropy)
    states = States(entropy, chance, chance / 2, table.states.hidden, table.states.largest_entropy)
    return replace(table, scores=scores, states=states, facts=FACTS | {"seed": seed})
