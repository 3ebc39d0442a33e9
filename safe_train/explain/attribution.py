"""Attribution: what an answer rests on, by integrated gradients and by Shapley values, both from captum.

Both divide the log-probability of the answer between words, picture and sound: what they are given sums to
the difference between everything there and everything absent.

**Source:** Sundararajan, Taly & Yan 2017 (arXiv 1703.01365), integrated gradients; Shapley 1953, and Castro,
Gómez & Tejada 2009 for its sampling; captum (arXiv 2009.07896).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float64
from numpy import ndarray
from torch import Tensor

from safe_train.explain.embedded import PICTURE, SOUND, WORDS, Embedded, Embedder, names_of, subsets

MOST_EXACT = 5  # players; 32 coalitions, and the sampling of more players needs fewer

# The worth of each coalition, given as rows of which players are there.
Game = Callable[[Bool[Tensor, "coalitions players"]], Tensor]


class Gradients(NamedTuple):
    """Integrated gradients of one answer, in nats.

    `units` has a number for each position and then for each encoder; `sound` one for each number of its
    embedding. `delta` is the sum less `difference`, which it should equal.
    """

    units: Float64[ndarray, " units"]
    sound: Float64[ndarray, " numbers"]
    by_player: dict[str, float]
    difference: float
    delta: float


def integrated_gradients(embedder: Embedder, one: Embedded, *, steps: int, rows: int) -> Gradients:
    """Attribute an answer along the straight line from everything absent to everything there.

    The line runs through the embeddings of words and picture, and through the embedding of the sound before
    its projector. There are gradients of these alone, of no weight, and of at most `rows` steps at once.
    """
    from captum.attr import IntegratedGradients

    def forward(embeddings: Tensor, *sounds: Tensor) -> Tensor:
        return embedder.likelihood(one, embeddings, sounds)

    inputs, baselines = (one.own.float(), *one.sounds), (one.absent.float(), *one.silence)
    with torch.enable_grad():
        found = IntegratedGradients(forward).attribute(
            inputs, baselines, n_steps=steps, internal_batch_size=max(rows, 1), method="gausslegendre"
        )
    attributed = [part.detach().double().cpu() for part in found]
    positions = attributed[0][0].sum(-1)
    heard = [part.flatten() for part in attributed[1:]]
    units = torch.cat([positions, *(part.sum()[None] for part in heard)])
    whole = torch.ones(2, len(units), dtype=torch.bool)
    whole[1] = one.of_players(torch.zeros(1, len(one.players), dtype=torch.bool))[0]
    there, absent = embedder.likelihoods(one, whole).double().tolist()
    by_player = {
        "words": float(positions[one.words].sum()),
        "picture": float(positions[one.picture].sum()),
        "sound": float(sum(part.sum() for part in heard)),
    }
    return Gradients(
        units=units.numpy(),
        sound=torch.cat(heard).numpy() if heard else np.zeros(0),
        by_player=by_player,
        difference=there - absent,
        delta=float(units.sum()) - (there - absent),
    )


class PlayersGame(NamedTuple):
    """Exact Shapley values of words, picture and sound in nats, which sum to `difference`.

    `given_words` are those of picture and sound where the words are always there.
    """

    values: dict[str, float]
    difference: float
    given_words: dict[str, float]


def shapley_of_players(embedder: Embedder, one: Embedded) -> PlayersGame:
    """Play words, picture and sound of a question against each other: eight passes at most."""
    players = one.players
    coalitions = subsets(len(players))
    worths = embedder.likelihoods(one, one.of_players(coalitions)).double()
    found = shapley(lambda rows: worths[_numbers(rows)], len(players))
    given = dict.fromkeys((PICTURE, SOUND), 0.0)
    others = [name for name in players if name != WORDS]
    if others:
        held = torch.tensor([name == WORDS for name in players])
        columns = torch.tensor([players.index(name) for name in others])

        def beside_words(rows: Bool[Tensor, "coalitions players"]) -> Tensor:
            whole = held.expand(len(rows), -1).clone()
            whole[:, columns] = rows
            return worths[_numbers(whole)]

        given |= dict(zip(others, shapley(beside_words, len(others)).tolist(), strict=True))
    return PlayersGame(names_of(players, found.tolist()), float(worths[-1] - worths[0]), given)


def shapley(game: Game, players: int, *, orders: int = 25, seed: int = 0) -> Float64[ndarray, " players"]:
    """The Shapley value of each player: exact up to 5, and for more the mean over random orders.

    >>> weights = torch.tensor([1.0, 2.0])
    >>> shapley(lambda rows: (rows * weights).sum(1) + rows.all(1), 2).tolist()
    [1.5, 2.5]
    """
    from captum.attr import ShapleyValues, ShapleyValueSampling

    ones, none = torch.ones(1, players), torch.zeros(1, players)
    if players <= MOST_EXACT:
        worths = game(subsets(players)).double()
        attribution = ShapleyValues(lambda rows: worths[_numbers(rows > 0)])
        found = attribution.attribute(ones, baselines=none)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # captum draws its orders from torch's own generator
            sampling = ShapleyValueSampling(lambda rows: game(rows > 0))
            found = sampling.attribute(ones, baselines=none, n_samples=orders)
    values: Float64[ndarray, " players"] = found[0].detach().double().cpu().numpy()
    return values


def _numbers(coalitions: Bool[Tensor, "rows players"]) -> Tensor:
    """The place of each coalition in `subsets`."""
    return (coalitions.long() << torch.arange(coalitions.shape[1])).sum(1)
