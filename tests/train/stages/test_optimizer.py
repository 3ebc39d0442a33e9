"""The optimizer has two rates that follow the step, and goes on to the bit from its saved tensors."""

import pytest
import torch
from tiny_models import awake_pathway, sounds

from safe_train.pathway.model import AudioPathway
from safe_train.settings.learning import OptimConfig
from safe_train.stages.optimizer import new_optimizer, optimizer_tensors, restore_optimizer, set_rates

OPTIM = OptimConfig(projector_lr=0.02, fusion_lr=0.004, warm_up_steps=2, weight_decay=0.1)


def take(pathway: AudioPathway, optimizer: torch.optim.Optimizer, step: int) -> None:
    """One step that changes every weight of the first projector."""
    set_rates(optimizer, step, 10, OPTIM)
    optimizer.zero_grad()
    pathway.projector(0)(sounds(3, seed=step)).square().sum().backward()
    optimizer.step()


def test_each_part_has_its_rate_at_each_step() -> None:
    pathway = awake_pathway()
    optimizer = new_optimizer(pathway, OPTIM)
    assert set_rates(optimizer, 0, 10, OPTIM) == pytest.approx({"projector_lr": 0.01, "fusion_lr": 0.002})
    rates = set_rates(optimizer, 5, 10, OPTIM)
    assert rates == pytest.approx({"projector_lr": 0.01, "fusion_lr": 0.002})
    assert [group["lr"] for group in optimizer.param_groups] == list(rates.values())
    constant = OptimConfig(projector_lr=0.02, fusion_lr=0.004, warm_up_steps=0, schedule="constant")
    assert set_rates(optimizer, 9, 10, constant) == {"projector_lr": 0.02, "fusion_lr": 0.004}
    trained = {id(one) for group in optimizer.param_groups for one in group["params"]}
    assert trained == {id(one) for one in pathway.parameters()}


def test_it_goes_on_to_the_bit() -> None:
    whole, parts = awake_pathway(), awake_pathway()
    optimizer = new_optimizer(whole, OPTIM)
    for step in range(3):
        take(whole, optimizer, step)
    saved = {name: tensor.clone() for name, tensor in optimizer_tensors(optimizer).items()}
    parts.load_state_dict({name: tensor.clone() for name, tensor in whole.state_dict().items()})
    resumed = new_optimizer(parts, OPTIM)
    assert optimizer_tensors(resumed) == {}
    restore_optimizer(resumed, saved)
    for step in range(3, 5):
        take(whole, optimizer, step)
        take(parts, resumed, step)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, parts.state_dict()[name]), name
    forgetful = new_optimizer(parts, OPTIM)
    take(whole, optimizer, 5)
    take(parts, forgetful, 5)
    weights = [dict(one.projector(0).named_parameters()) for one in (whole, parts)]
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
