"""Deletion: whether what a map ranks first matters first, against random orders.

Units are left out from the first on (deletion), or put in from the first on where all were absent
(insertion), and the probability of the answer is followed. A unit is a word, a patch of the picture or the
sound of an encoder.

**Source:** Petsiuk, Das & Saenko 2018, "RISE" (arXiv 1806.07421), section 4.1.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray
from torch import Tensor

from safe_train.explain.attribution import Gradients
from safe_train.explain.embedded import Embedded, Embedder
from safe_train.explain.shuffling import attributed_units

DELETION, INSERTION = KINDS = ("deletion", "insertion")
STEPS = 10  # of a curve, beside its start


class Curves(NamedTuple):
    """The curve of one question by kind: in the order of its map, and the mean of random orders."""

    attributed: dict[str, Float64[ndarray, " steps"]]
    random: dict[str, Float64[ndarray, " steps"]]

    def better(self, kind: str) -> float:
        """How much smaller (deletion) or larger (insertion) the area is than in random order.

        Above 0 the map ranks better than chance.
        """
        gap = float(self.attributed[kind].mean() - self.random[kind].mean())
        return -gap if kind == DELETION else gap


def curves(embedder: Embedder, one: Embedded, gradients: Gradients, *, orders: int, seed: int) -> Curves:
    """Leave out and put in the units of one question, in the order of its map and in random ones."""
    held = attributed_units(one)
    rng = np.random.default_rng((seed, 11))
    ranked = held[np.argsort(-gradients.units[held], kind="stable")]
    drawn = [ranked, *(rng.permutation(held) for _ in range(orders))]
    attributed, random = {}, {}
    for kind in KINDS:
        rows = torch.cat([_rows(one, order, kind) for order in drawn])
        chances = embedder.likelihoods(one, rows).double().exp().numpy().reshape(len(drawn), -1)
        attributed[kind], random[kind] = chances[0], chances[1:].mean(0)
    return Curves(attributed, random)


def _rows(one: Embedded, order: Int64[ndarray, " units"], kind: str) -> Bool[Tensor, "steps units"]:
    """Which units are there at each step: even shares of them, from none that are moved to all."""
    units = one.own.shape[1] + len(one.sounds)
    rows = np.full((STEPS + 1, units), True)
    rows[:, order] = kind == DELETION
    for step in range(1, STEPS + 1):
        rows[step, order[: round(len(order) * step / STEPS)]] = kind == INSERTION
    return torch.from_numpy(rows)
