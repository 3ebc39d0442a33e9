"""Retention by weights: what the loop does with it, from the step alone, and again after a resume."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from safe_data.core.errors import InputError
from safe_train.base.backbone import Backbone
from safe_train.batches import Loader
from safe_train.corpora import Corpora
from safe_train.pathway.model import SafeModel
from safe_train.presets import preset_config
from safe_train.questions import Questions, read_questions
from safe_train.retention import weights
from safe_train.retention.weights import WeightRetention, unrelated_rows

Build = Callable[..., WeightRetention]


@pytest.fixture
def build(model: SafeModel, loader: Loader, monkeypatch: pytest.MonkeyPatch) -> Build:
    monkeypatch.setattr(weights, "FISHER_ROWS", 3)
    monkeypatch.setattr(weights, "NULL_SPACE_ROWS", 4)

    def new(preset: str = "all_retention", **changes: object) -> WeightRetention:
        config = preset_config(preset, shards=(), backbone="b", out=Path("o"), **changes)
        return WeightRetention(config, model, loader, Accelerator())

    return new


def move(model: SafeModel, by: float = 0.1) -> None:
    with torch.no_grad():
        for weight in model.pathway.parameters():
            if weight.requires_grad:
                weight += by


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_what_it_holds_follows_from_seed_and_step(build: Build) -> None:
    states = []
    for seed, step in ((0, 50), (0, 50), (0, 75), (1, 50)):
        torch.manual_seed(len(states))  # whatever the surroundings did before
        retention = build(seed=seed)
        retention.prepare(step)
        states.append(retention.state())
    assert same(states[0], states[1])
    for other in states[2:]:
        assert not torch.equal(
            states[0]["fisher/blocks.1.query.weight"], other["fisher/blocks.1.query.weight"]
        )


def test_the_fisher_information_is_estimated_at_its_interval(build: Build, model: SafeModel) -> None:
    retention = build(fisher_interval=10)
    retention.prepare(10)
    before = retention.state()
    move(model)
    retention.prepare(11)
    assert same(retention.state(), before)
    retention.prepare(20)
    after = retention.state()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("fisher/") for name in changed)  # the null space is collected once


def test_preparing_leaves_no_trace_in_the_step(build: Build, model: SafeModel) -> None:
    model.pathway.train()
    state = torch.get_rng_state()
    build().prepare(0)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.pathway.training
    assert all(weight.grad is None for weight in model.pathway.parameters())
    assert not model.pathway.block(1).query._forward_pre_hooks


def test_the_penalty_is_in_the_loss_and_in_the_gradient(build: Build, model: SafeModel) -> None:
    retention = build("fisher", fisher_weight=3.0)
    retention.prepare(0)
    move(model, 0.1)
    trained = dict(model.pathway.named_parameters())
    name = "blocks.1.output.weight"
    trained[name].grad = torch.ones_like(trained[name])
    losses = retention.penalise({"loss": 2.0, "cross_entropy": 2.0})
    state = retention.state()
    information = {one: state[f"fisher/{one}"] for one in trained}
    assert losses["fisher"] == pytest.approx(0.5 * 0.01 * sum(float(f.sum()) for f in information.values()))
    assert losses["loss"] == pytest.approx(2 + 3 * losses["fisher"])
    assert losses["cross_entropy"] == 2.0
    assert torch.allclose(trained[name].grad, 1 + 3 * 0.1 * information[name], rtol=1e-4)
    key = "blocks.1.key.weight"
    assert torch.allclose(trained[key].grad, 3 * 0.1 * information[key], rtol=1e-4, atol=1e-12)


def test_what_the_null_space_freezes_has_no_fisher_information(build: Build) -> None:
    norm = "fisher/blocks.1.hidden_norm.weight"
    assert norm in build("fisher").state()
    assert norm not in build("all_retention").state()


def test_a_projection_needs_no_penalty(build: Build, model: SafeModel) -> None:
    retention = build("nullspace")
    retention.prepare(0)
    query = model.pathway.block(1).query.weight
    before = query.detach().clone()
    directions = retention.state()["protected/1"]
    assert retention.penalise({"loss": 2.0}) == {"loss": 2.0}
    move(model, 0.1)
    retention.project()
    assert torch.allclose((query - before) @ directions, torch.zeros(()), atol=1e-5)
    assert not torch.equal(query, before)


def test_a_restored_one_goes_on(build: Build, model: SafeModel) -> None:
    first, second = build(), None
    first.prepare(0)
    move(model)
    second = build()  # its first values would be the moved ones
    second.restore(first.state())
    assert same(second.state(), first.state())
    assert second.penalise({"loss": 0.0})["fisher"] == first.penalise({"loss": 0.0})["fisher"] > 0
    second.prepare(1)
    assert same(second.state(), first.state())


def test_a_state_that_lacks_something(build: Build) -> None:
    message = "the last saved state lacks 'start/1'; remove its folder, and the run goes on from the state"
    with pytest.raises(InputError, match=message):
        build().restore({})


def test_where_nothing_is_asked_for_nothing_is_done(build: Build, model: SafeModel) -> None:
    retention = build("kl")
    retention.prepare(0)
    move(model)
    before = {name: weight.detach().clone() for name, weight in model.pathway.named_parameters()}
    retention.project()
    assert retention.penalise({"loss": 2.0}) == {"loss": 2.0}
    assert same(dict(model.pathway.named_parameters()), before)
    assert all(weight.requires_grad for weight in model.pathway.parameters())
    assert retention.state() == {}
    retention.restore({})


def test_without_vl_questions_there_is_nothing_to_keep(
    audio_only: Path, model: SafeModel, backbone: Backbone
) -> None:
    config = preset_config("fisher", shards=(), backbone="b", out=Path("o"))
    heard = Loader(read_questions(Corpora([audio_only], "train"), quiet=True), backbone.processor)
    with pytest.raises(
        InputError, match="audio_only: every question needs the sound; fisher_weight and null"
    ):
        WeightRetention(config, model, heard, Accelerator())


def test_rows_are_vl_questions_with_unrelated_sounds(questions: Questions) -> None:
    rows = unrelated_rows(questions, 20, np.random.default_rng(0))
    corpora = questions.corpora
    assert len({row.question for row in rows}) == len(rows) == 20
    for row in rows:
        assert row.role == "vl"
        assert not questions.needs_audio[row.question]
        assert corpora.has_audio[row.heard]
        assert corpora.group[row.heard] != corpora.group[questions.clip[row.question]]
    everything = unrelated_rows(questions, 10_000, np.random.default_rng(0))
    assert len(everything) == (~questions.needs_audio).sum()
