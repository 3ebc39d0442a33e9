"""Null space: the directions of a covariance made by hand, and queries that stay for the states seen."""

from typing import Any

import pytest
import torch
from accelerate import Accelerator
from tiny_models import awake_pathway, llava_inputs, sounds
from torch import Tensor

from safe_train.batches import Batch
from safe_train.pathway.model import AudioPathway, SafeModel
from safe_train.retention.null_space import NullSpace, protected_directions

WIDTH = 32


@pytest.mark.parametrize(
    ("energy", "directions"), [(0.01, 1), (0.6, 1), (0.61, 2), (0.9, 2), (0.91, 3), (0.999, 3)]
)
def test_the_fewest_directions_that_hold_the_energy(energy: float, directions: int) -> None:
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double())[0]
    covariance = turn @ torch.diag(torch.tensor([1.0, 6.0, 3.0]).double()) @ turn.T
    found = protected_directions(covariance, energy)
    wanted = turn[:, [1, 2, 0]][:, :directions]  # of 6, 3 and 1 of 10 parts
    assert found.shape == (3, directions)
    assert torch.allclose(found @ found.T, wanted @ wanted.T, atol=1e-12)


def test_97_percent_of_the_energy_by_hand() -> None:
    """States (9, 0, 0), (0, 4, 0), (0, 1, 0), (0, 0, √2) have the energies 81, 17 and 2 of 100 parts.

    The first axis holds 81 %, the first two 98 %: at 97 % two are protected, and an update of (5, −7, 3)
    keeps only its third part.
    """
    states = torch.tensor([[9.0, 0, 0], [0, 4, 0], [0, 1, 0], [0, 0, 2**0.5]]).double()
    directions = protected_directions(states.T @ states, 0.97)
    assert directions.shape == (3, 2)
    update = torch.tensor([[5.0, -7.0, 3.0]]).double()
    kept = update - (update @ directions) @ directions.T
    assert kept[0].tolist() == pytest.approx([0, 0, 3], abs=1e-12)
    assert protected_directions(states.T @ states, 0.8).shape == (3, 1)
    # Of all energy, not of the variance: states far from 0 that do not vary are protected too.
    constant = torch.tensor([[9.0, 0, 0]] * 4).double()
    assert protected_directions(constant.T @ constant, 0.97)[:, 0].abs().tolist() == pytest.approx([1, 0, 0])


def protecting(pathway: AudioPathway, directions: Tensor) -> NullSpace:
    """A null space that has collected these directions before every layer."""
    null_space = NullSpace(pathway, 0.97)
    named = {f"protected/{number}": directions for number in pathway.config.layers}
    null_space.restore(null_space.state() | named)
    return null_space


def move(pathway: AudioPathway, *names: str) -> None:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in pathway.named_parameters():
            if weight.requires_grad and any(part in name for part in names):
                weight += torch.randn(weight.shape, generator=generator)


def test_a_projected_update_is_the_part_across_the_protected_directions() -> None:
    pathway = awake_pathway()
    before = pathway.block(1).query.weight.detach().clone()
    null_space = protecting(pathway, torch.eye(WIDTH)[:, :2])
    move(pathway, "query", "key")
    moved, key = (part.weight.detach().clone() for part in (pathway.block(1).query, pathway.block(1).key))
    for _ in range(2):  # the second time, there is nothing left to take back
        null_space.project(pathway)
        assert torch.equal(pathway.block(1).query.weight[:, :2], before[:, :2])
        assert torch.allclose(pathway.block(1).query.weight[:, 2:], moved[:, 2:], atol=1e-6)
    assert torch.equal(pathway.block(1).key.weight, key)


@pytest.mark.parametrize("design", ["low_rank", "lora"])
@pytest.mark.parametrize("hidden_norm", [True, False])
def test_what_was_seen_asks_as_before(llava: Any, design: str, hidden_norm: bool) -> None:
    pathway = awake_pathway(design=design, hidden_norm=hidden_norm)
    with torch.no_grad():  # as in training, it is collected while nothing is added to the hidden states
        for number in pathway.config.layers:
            output = pathway.block(number).output
            torch.nn.init.zeros_(getattr(output, "up", output).weight)
    model = SafeModel(llava, pathway)
    null_space = NullSpace(pathway, 0.9999999)
    batches = [batch_of(llava_inputs(1, seed), seed) for seed in range(3)]
    null_space.collect(model, batches, Accelerator())
    seen = {number: hidden_states(llava, batches, number) for number in pathway.config.layers}
    before = {number: asked(pathway, number, states) for number, states in seen.items()}
    unseen = torch.randn(9, WIDTH, generator=torch.Generator().manual_seed(5))
    others = {number: asked(pathway, number, unseen) for number in seen}
    for _ in range(3):  # steps of an optimizer that moves all it may
        move(pathway, "")
        null_space.project(pathway)
    for number, states in seen.items():
        assert torch.allclose(asked(pathway, number, states), before[number], atol=2e-3)
        assert not torch.allclose(asked(pathway, number, unseen), others[number], atol=0.1)
    move(pathway, "query")  # without the projection it would not
    assert not torch.allclose(asked(pathway, 1, seen[1]), before[1], atol=0.1)


def batch_of(inputs: dict[str, Tensor], seed: int) -> Batch:
    return Batch((), inputs, torch.zeros(1, 1, dtype=torch.long), (sounds(1, seed),))


@torch.no_grad()
def hidden_states(base: Any, batches: list[Batch], number: int) -> Tensor:
    """The states after a layer, as the base itself gives them."""
    caught: list[Tensor] = []
    layer = base.get_decoder().layers[number - 1]
    hook = layer.register_forward_hook(lambda _m, _a, out: caught.append(out))
    for batch in batches:
        base(**batch.inputs)
    hook.remove()
    return torch.cat(caught, 1)[0]


@torch.no_grad()
def asked(pathway: AudioPathway, number: int, states: Tensor) -> Tensor:
    block = pathway.block(number)
    return block.query(block.hidden_norm(states[None]))


def test_only_the_norms_before_the_queries_are_frozen() -> None:
    pathway = awake_pathway()
    NullSpace(pathway, 0.97)
    frozen = {name for name, weight in pathway.named_parameters() if not weight.requires_grad}
    assert frozen == {f"blocks.{n}.hidden_norm.{part}" for n in (1, 3) for part in ("weight", "bias")}


def test_it_leaks_what_it_says() -> None:
    """An unchanged query does not keep the output: the values move it."""
    pathway = awake_pathway(layers=(1,))
    null_space = protecting(pathway, torch.eye(WIDTH))  # no query may change at all
    hidden, tokens = torch.randn(1, 4, WIDTH), torch.randn(1, 8, WIDTH)
    before = pathway.block(1)(hidden, tokens)
    move(pathway, "query")
    null_space.project(pathway)
    assert torch.allclose(pathway.block(1)(hidden, tokens), before, atol=1e-5)
    move(pathway, "value")
    null_space.project(pathway)
    assert not torch.allclose(pathway.block(1)(hidden, tokens), before, atol=0.1)
