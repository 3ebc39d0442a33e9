"""Attribution: values that sum to what they divide, and none to what is not heard."""

from itertools import permutations

import numpy as np
import pytest
import torch
from explainers import explainer_of
from tiny_checkpoints import SHAPE

from safe_data.shards.dataset import ShardDataset
from safe_eval.models.generation import Generator
from safe_train.base.backbone import Backbone
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.prompts import stored_picture
from safe_train.explain.attention import attended
from safe_train.explain.attribution import integrated_gradients, shapley, shapley_of_players
from safe_train.explain.embedded import subsets
from safe_train.explain.explained import Explainer
from safe_train.explain.parts import TOKENS, Parting, has_event
from safe_train.gates.scored_questions import ScoredQuestion
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.predict.sounds import Sounds


def brute_force(worths: dict[tuple[bool, ...], float], players: int) -> np.ndarray:
    """The mean over all orders of what each player adds: Shapley's definition."""
    found = np.zeros(players)
    orders = list(permutations(range(players)))
    for order in orders:
        there = [False] * players
        for player in order:
            before = worths[tuple(there)]
            there[player] = True
            found[player] += (worths[tuple(there)] - before) / len(orders)
    return found


def test_shapley_values_are_those_of_the_definition() -> None:
    worths = torch.randn(8, generator=torch.Generator().manual_seed(0)).double()
    by_rows = {tuple(row.tolist()): float(worth) for row, worth in zip(subsets(3), worths, strict=True)}

    def game(rows: torch.Tensor) -> torch.Tensor:
        return torch.tensor([by_rows[tuple(row.tolist())] for row in rows])

    found = shapley(game, 3)
    assert found == pytest.approx(brute_force(by_rows, 3), abs=1e-6)
    assert found.sum() == pytest.approx(float(worths[-1] - worths[0]), abs=1e-6)


def test_many_players_are_sampled_and_still_sum_up() -> None:
    weights = torch.arange(1.0, 8.0)

    def game(rows: torch.Tensor) -> torch.Tensor:
        return (rows.double() @ weights.double()) + rows.all(1)

    found = shapley(game, 7, orders=4, seed=3)
    assert found.sum() == pytest.approx(29, abs=1e-4)
    assert np.array_equal(found, shapley(game, 7, orders=4, seed=3))
    assert (np.abs(found - weights.numpy()) <= 1).all()


def test_with_everything_there_it_is_the_model_that_answers(
    explainer: Explainer,
    asked: list[ScoredQuestion],
    model: SafeModel,
    backbone: Backbone,
    test_split: ShardDataset,
) -> None:
    """The log-likelihood of an answer of several tokens, as the scoring of choices computes it."""
    dialogue, generator = Dialogue(model.base, backbone.processor), Generator(model.base, backbone.processor)
    for question in asked[:3]:
        one = explainer.embed(question, "three red")
        whole = torch.ones(1, one.own.shape[1] + 1, dtype=torch.bool)
        found = float(explainer.embedder.likelihoods(one, whole)[0])
        prompt = Question(question.example.prompt, stored_picture(test_split, question.clip))
        with torch.no_grad(), model.fuse(audio=one.sounds, tokens=4):
            wanted = generator.log_likelihoods(dialogue.encode([prompt]), one.answer.tolist())
        assert found == pytest.approx(wanted[0], abs=1e-4)


def test_with_nothing_there_only_the_template_is_left(
    explainer: Explainer, asked: list[ScoredQuestion]
) -> None:
    """Two questions of one length with other words, pictures and sounds become the same."""
    by_length: dict[int, list[float]] = {}
    for question in asked:
        one = explainer.embed(question, "two")
        assert one.players == ("words", "picture", "sound")
        assert not bool((one.words & one.picture).any())
        none = one.of_players(torch.zeros(1, 3, dtype=torch.bool))
        found = float(explainer.embedder.likelihoods(one, none)[0])
        by_length.setdefault(one.own.shape[1], []).append(found)
    several = next(values for values in by_length.values() if len(values) > 1)
    assert several == pytest.approx([several[0]] * len(several), abs=1e-4)


def test_attributions_sum_to_the_difference(explainer: Explainer, asked: list[ScoredQuestion]) -> None:
    embedder = explainer.embedder
    one = explainer.embed(asked[1], "two")
    game = shapley_of_players(embedder, one)
    assert sum(game.values.values()) == pytest.approx(game.difference, abs=1e-5)
    few, many = (integrated_gradients(embedder, one, steps=steps, rows=32) for steps in (2, 96))
    assert many.difference == pytest.approx(game.difference, abs=1e-5)
    assert sum(many.by_player.values()) == pytest.approx(many.units.sum(), abs=1e-5)
    assert abs(many.delta) < abs(few.delta)
    assert abs(many.delta) < 0.05 * abs(many.difference) + 0.01
    assert many.sound.sum() == pytest.approx(many.by_player["sound"], abs=1e-5)
    assert all(weight.grad is None for weight in embedder.model.parameters())


def test_a_model_that_ignores_its_sound_gives_it_nothing(
    backbone: Backbone, test_split: ShardDataset, sounds: Sounds, asked: list[ScoredQuestion]
) -> None:
    """An untrained pathway is silent: every map of the sound is 0, whatever the attention does."""
    deaf = SafeModel(backbone.model, new_pathway(SHAPE, backbone.model, [(512,)], seed=0))
    explainer = explainer_of(deaf, backbone, test_split, sounds)
    found = explainer.explain(asked[1], "two")
    assert found.gradients["sound"] == 0
    assert found.shapley["sound"] == pytest.approx(0, abs=1e-6)
    assert found.given_words["sound"] == pytest.approx(0, abs=1e-6)
    assert found.parts == pytest.approx([0] * 4, abs=1e-6)
    assert found.layer_added == (0, 0, 0, 0)
    assert np.array(found.weights).sum(-1) == pytest.approx(1, abs=1e-4)
    assert max(map(max, found.largest)) > 0.25  # it attends all the same


def test_what_heads_add_is_what_the_layer_adds(explainer: Explainer, asked: list[ScoredQuestion]) -> None:
    embedder, model = explainer.embedder, explainer.embedder.model
    one = explainer.embed(asked[1], "two")
    looked = attended(embedder, one)
    block, state = model.pathway.block(2), torch.randn(1, 3, 64)
    keys_values = model.pathway(one.sounds, 4)[2]
    with torch.no_grad():
        weights, added = block.attended(state, keys_values)
        assert torch.allclose(added.sum(1), block.heard(state, keys_values), atol=1e-5)
    assert weights.sum(-1).detach().numpy() == pytest.approx(1, abs=1e-5)
    assert looked.weights.shape == (4, 2, 4)
    assert ((looked.entropy >= 0) & (looked.entropy <= 1 + 1e-9)).all()
    assert (looked.layer_added <= looked.added.sum(1) + 1e-9).all()


def test_the_state_that_is_attended_from_is_that_before_anything_is_added(
    explainer: Explainer, asked: list[ScoredQuestion]
) -> None:
    """What the first fused layer reads is the base's own state, which only a hook before ours sees."""
    embedder, one = explainer.embedder, explainer.embed(asked[1], "two")
    block = embedder.model.pathway.block(1)
    with torch.no_grad():
        seen = []
        layer = embedder.model.base.get_decoder().layers[0]
        with embedder._reading(one.own):
            hook = layer.register_forward_hook(
                lambda _m, _a, out: seen.append(out[0] if isinstance(out, tuple) else out)
            )
            embedder.model.base(**one.inputs)
            hook.remove()
        shares, _ = block.attended(
            seen[0][:, one.last : one.last + 1], embedder.model.pathway(one.sounds, 4)[1]
        )
    assert attended(embedder, one).weights[0] == pytest.approx(shares[0, :, 0].numpy(), abs=1e-5)


def test_without_an_encoder_audio_tokens_are_the_parts(
    model: SafeModel,
    backbone: Backbone,
    test_split: ShardDataset,
    sounds: Sounds,
    asked: list[ScoredQuestion],
) -> None:
    explainer = explainer_of(model, backbone, test_split, sounds, Parting(TOKENS, 4, "no encoder"))
    found = explainer.explain(asked[1], "two")
    one = explainer.embed(asked[1], "two")
    masks = torch.tensor([[0, 0, 0, 0], [1, 1, 1, 1]])
    rows = tuple(sound.expand(2, -1) for sound in one.sounds)
    with torch.no_grad():
        shut, open_ = explainer.embedder.likelihood(
            one, one.own.expand(2, -1, -1), rows, tokens=masks
        ).tolist()
    assert sum(found.parts) == pytest.approx(open_ - shut, abs=1e-4)
    assert found.events is None


def test_events_are_found_in_their_parts(asked: list[ScoredQuestion]) -> None:
    record = asked[0].record
    there = has_event(record, 4, 1.0)
    assert there is not None
    assert there.sum() == len(record.events)  # the world has a slot of a quarter of a second for each event
    assert has_event(record.model_copy(update={"events": ()}), 4, 1.0) is None
