"""Fisher: right in expectation over all labels, and a penalty that can be computed by hand."""

from itertools import product

import pytest
import torch
from accelerate import Accelerator
from tiny_models import awake_pathway
from torch import Tensor

from safe_train.base.backbone import Backbone
from safe_train.batches import Batch, Loader
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.questions import Asked
from safe_train.retention.distillation import answer_logits
from safe_train.retention.fisher import Fisher, sampled_labels, squared_gradients
from safe_train.settings.pathway import PathwayConfig

INPUTS = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def logistic(value: float = 0.7) -> tuple[Tensor, Tensor, Tensor]:
    """A weight, the logits of three tokens with two labels each, and the probability of the first label."""
    weight = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    logits = torch.stack([weight * INPUTS, torch.zeros_like(INPUTS)], 1)
    return weight, logits, logits.detach().softmax(-1)[:, 0]


def squared(labels: Tensor) -> float:
    weight, logits, _ = logistic()
    return squared_gradients(logits, labels, [weight])[0].item()


def closed_form() -> float:
    _, _, p = logistic()
    return float((p * (1 - p) * INPUTS.square()).sum())


def test_over_all_labels_the_square_of_a_rows_gradient_is_its_fisher_information() -> None:
    _, logits, _ = logistic()
    chances = logits.detach().softmax(-1)
    expected = sum(
        float(chances[range(3), labels].prod()) * squared(torch.tensor(labels))
        for labels in product(range(2), repeat=3)
    )
    assert expected == pytest.approx(closed_form(), rel=1e-12)


def test_the_information_of_one_token_by_hand() -> None:
    """With logits (w, 0) at w = ln 3, p = 3/4: the gradient of ln p is 1/4, that of ln (1 − p) is −3/4.

    Their squares are 1/16 and 9/16; labels drawn by p give 3/4 · 1/16 + 1/4 · 9/16 = 3/16 = p (1 − p).
    """
    weight = torch.tensor(1.0986122886681098, dtype=torch.float64, requires_grad=True)
    logits = torch.stack([weight, torch.zeros((), dtype=torch.float64)])[None]
    squares = [squared_gradients(logits, torch.tensor([n]), [weight])[0].item() for n in range(2)]
    assert squares == pytest.approx([1 / 16, 9 / 16])
    generator = torch.Generator().manual_seed(0)
    drawn = [sampled_labels(logits, generator).item() for _ in range(4000)]
    assert sum(squares[int(label)] for label in drawn) / 4000 == pytest.approx(3 / 16, rel=0.06)


def test_labels_of_the_data_would_not_give_it() -> None:
    assert squared(torch.tensor([0, 0, 0])) != pytest.approx(closed_form(), rel=0.05)


def test_sampled_labels_give_it_on_average() -> None:
    _, logits, p = logistic()
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([sampled_labels(logits, generator) for _ in range(2000)])
    assert torch.allclose((drawn == 0).double().mean(0), p, atol=0.04)
    squares = {labels: squared(torch.tensor(labels)) for labels in product(range(2), repeat=3)}
    mean = sum(squares[tuple(labels)] for labels in drawn.tolist()) / len(drawn)
    assert mean == pytest.approx(closed_form(), rel=0.1)


def test_a_weight_without_influence_has_none() -> None:
    weight, logits, _ = logistic()
    idle = torch.ones(2, requires_grad=True)
    assert squared_gradients(logits, torch.tensor([0, 1, 0]), [weight, idle])[1].tolist() == [0.0, 0.0]


def rows(loader: Loader, count: int = 3) -> list[tuple[Batch, int]]:
    asked = [Asked(int(question), "vl", number, 0) for number, question in enumerate(vl_of(loader)[:count])]
    return [(loader.batch([row]), seed) for seed, row in enumerate(asked)]


def vl_of(loader: Loader) -> list[int]:
    return loader.questions.pool("vl").tolist()


def fisher_of(pathway_fisher: Fisher) -> dict[str, Tensor]:
    state = pathway_fisher.state()
    return {name.removeprefix("fisher/"): t for name, t in state.items() if name.startswith("fisher/")}


def test_it_is_the_mean_over_the_tokens_of_all_rows(model: SafeModel, loader: Loader) -> None:
    fisher, drawn = Fisher(model.pathway), rows(loader)
    fisher.estimate(model, drawn, Accelerator())
    sums = {name: torch.zeros_like(weight) for name, weight in model.pathway.named_parameters()}
    tokens = 0
    for batch, seed in drawn:
        with model.fuse(audio=batch.audio):
            logits = answer_logits(model.base, batch)[0]
        labels = sampled_labels(logits, torch.Generator().manual_seed(seed))
        model.pathway.zero_grad()
        (-logits.log_softmax(-1)[range(len(labels)), labels].sum()).backward()
        for name, weight in model.pathway.named_parameters():
            sums[name] += weight.grad.square()
        tokens += len(labels)
    found = fisher_of(fisher)
    assert found.keys() == sums.keys()
    assert all(torch.allclose(found[name], sums[name] / tokens, rtol=1e-3, atol=1e-12) for name in sums)
    assert all(found[name].any() for name in found)


def test_of_an_untrained_pathway_only_the_outputs_have_any(backbone: Backbone, loader: Loader) -> None:
    pathway = new_pathway(PathwayConfig(bottleneck=16), backbone.model, [(512,)], seed=0)
    model = SafeModel(backbone.model, pathway)
    fisher = Fisher(pathway)
    fisher.estimate(model, rows(loader), Accelerator())
    some = {name for name, tensor in fisher_of(fisher).items() if tensor.any()}
    assert some == {f"blocks.{number}.output.weight" for number in pathway.config.layers}


def test_the_penalty_is_half_the_squared_distance_by_fisher_information() -> None:
    pathway = awake_pathway()
    fisher = Fisher(pathway)
    assert fisher.penalty(pathway).item() == 0
    state = fisher.state()
    state["fisher/blocks.1.query.weight"] = torch.full_like(pathway.block(1).query.weight, 8.0)
    fisher.restore(state)
    assert fisher.penalty(pathway).item() == 0  # nothing has moved
    with torch.no_grad():
        pathway.block(1).query.weight[0, 0] += 0.5
        pathway.block(3).query.weight[0, 0] += 100.0  # without Fisher information
    penalty = fisher.penalty(pathway)
    assert penalty.item() == pytest.approx(0.5 * 8 * 0.25)
    penalty.backward()
    gradient = pathway.block(1).query.weight.grad
    assert gradient[0, 0].item() == pytest.approx(8 * 0.5)
    assert gradient.count_nonzero() == 1
