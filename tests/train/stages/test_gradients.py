"""Gradient norms per component are those of a plain computation, and what is wrong is said once."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from safe_train.pathway.model import SafeModel
from safe_train.stages.gradients import GradientWatch, components_of, gradient_norms


def with_gradients(*gradients: list[float] | None) -> nn.Module:
    """A component with a parameter per list; one of None has no gradient."""
    module = nn.Module()
    for number, values in enumerate(gradients):
        parameter = nn.Parameter(torch.ones(2))
        parameter.grad = None if values is None else torch.tensor(values)
        module.register_parameter(f"p{number}", parameter)
    return module


def frozen(module: nn.Module) -> nn.Module:
    return module.requires_grad_(False)


def test_the_norm_is_over_all_parameters_of_a_component() -> None:
    norms = gradient_norms(
        {
            "projector": with_gradients([3.0, 0.0], [0.0, 4.0], None),
            "attention 2": with_gradients([-1e-9, 0.0]),
            "gate": with_gradients(None),
            "frozen": frozen(with_gradients(None)),
        }
    )
    assert norms == pytest.approx({"projector": 5.0, "attention 2": 1e-9, "gate": 0.0}, rel=1e-6)


def test_other_types_and_values_that_are_not_finite_are_measured() -> None:
    half = with_gradients([3.0, 4.0]).to(torch.bfloat16)
    half.p0.grad = torch.tensor([3.0, 4.0], dtype=torch.bfloat16)
    norms = gradient_norms({"half": half, "inf": with_gradients([math.inf, 1.0])})
    assert norms == {"half": 5.0, "inf": math.inf}
    assert math.isnan(gradient_norms({"nan": with_gradients([math.nan, 1.0])})["nan"])
    assert gradient_norms({}) == {}


def test_the_device_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = []

    def counted(name: str) -> Any:
        original = getattr(torch.Tensor, name)
        return lambda tensor, *args: (waits.append(name), original(tensor, *args))[1]

    for name in ("tolist", "item", "cpu", "numpy", "__bool__", "__float__"):
        monkeypatch.setattr(torch.Tensor, name, counted(name))
    gradient_norms({str(number): with_gradients([1.0, 2.0], [3.0, 4.0]) for number in range(8)})
    assert waits == ["tolist"]


def test_of_a_model_every_component_is_measured(model: SafeModel) -> None:
    components = components_of(model)
    assert list(components) == ["projector 1", "layer 1", "layer 2", "layer 3", "layer 4"]
    inputs = torch.ones(2, 5, dtype=torch.long)
    with model.fuse(audio=(torch.ones(2, 512),), gate=1.0):
        model.base(input_ids=inputs).logits.square().mean().backward()
    norms = gradient_norms(components)
    for name, module in components.items():
        squares = sum(float(parameter.grad.square().sum()) for parameter in module.parameters())
        assert norms[name] == pytest.approx(math.sqrt(squares), rel=1e-4)
        assert norms[name] > 0
    assert GradientWatch(model.base, vanishing_from=0).warnings(0, norms) == []


def test_a_vanishing_gradient_is_said_once_and_not_before_the_step_that_the_caller_names() -> None:
    watch = GradientWatch(nn.Linear(2, 2), vanishing_from=2)
    norms = {"projector": 0.0, "attention 2": 0.5}
    assert watch.warnings(1, norms) == []
    assert watch.warnings(2, norms) == [
        "step 2: the gradient of projector is 0; it learns nothing; "
        "is its gate closed, or has its loss no weight?"
    ]
    assert watch.warnings(3, norms) == []
    assert watch.warnings(4, norms | {"attention 2": 3.14e-9}) == [
        "step 4: the gradient of attention 2 is 3.1e-09; it learns nothing; "
        "is its gate closed, or has its loss no weight?"
    ]
    assert watch.warnings(5, {"gate": 1.1e-7}) == []


def test_a_gradient_that_is_not_finite_is_said_at_any_step() -> None:
    watch = GradientWatch(nn.Linear(2, 2), vanishing_from=100)
    said = watch.warnings(0, {"projector": math.inf, "attention 2": math.nan, "gate": 1.0})
    assert said == [
        "step 0: the gradient of projector is inf; lower the learning rate, or train in float32",
        "step 0: the gradient of attention 2 is nan; lower the learning rate, or train in float32",
    ]
    assert watch.warnings(1, {"projector": math.nan}) == []
    assert len(watch.warnings(100, {"projector": 0.0})) == 1  # another fault of the same component


def test_a_frozen_parameter_with_a_gradient_is_named() -> None:
    base = frozen(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
    watch = GradientWatch(base, vanishing_from=0)
    assert watch.warnings(0, {}) == []
    base[1].bias.grad = torch.zeros(2)
    assert watch.warnings(1, {}) == [
        "step 1: 1.bias of the frozen base got a gradient; freeze the base before training"
    ]
    assert watch.warnings(2, {}) == []
    for parameter in base.parameters():
        parameter.grad = torch.ones_like(parameter)
    assert GradientWatch(base, vanishing_from=0).warnings(3, {}) == [
        "step 3: 0.weight and 3 more parameters of the frozen base got a gradient; "
        "freeze the base before training"
    ]
