"""The cross-attention, and what it does to a base: nothing where the gate is closed."""

import hashlib
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import DIMS, PATCHES, awake_pathway, llava_inputs, sounds

from safe_data.core.errors import InputError
from safe_train.pathway import fusion
from safe_train.pathway.fusion import CrossAttentionBlock, frozen_weight
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.pathway.projector import AudioProjector
from safe_train.settings.pathway import PathwayConfig

ROWS = 3
GENERATION = {"max_new_tokens": 6, "do_sample": False}
DESIGNS = ("low_rank", "lora")
PARTS = ("query", "key", "value", "output")


def block(design: str = "low_rank", *, awake: bool = True, **settings: object) -> CrossAttentionBlock:
    torch.manual_seed(0)
    made = CrossAttentionBlock(16, 4, design=design, rank=4, name="a", **settings)
    if awake:
        torch.nn.init.normal_(getattr(made.output, "up", made.output).weight)
    return made


def hidden_and_tokens(rows: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(rows, 5, 16, generator=generator), torch.randn(rows, 3, 16, generator=generator)


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_plans_call() -> None:
    made = CrossAttentionBlock(hidden_size=768, num_attention_heads=12)
    hidden, tokens = torch.randn(2, 10, 768), torch.randn(2, 8, 768)
    assert made(hidden, tokens).shape == (2, 10, 768)
    assert torch.equal(made(hidden, tokens), hidden)  # untrained, it adds nothing


@pytest.mark.parametrize(("design", "published"), [("low_rank", 5_242_880), ("lora", 10_485_760)])
def test_the_published_size_of_four_layers_of_a_13b_model(
    design: str, published: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fusion, "frozen_weight", lambda width, name: np.zeros((1, 1), np.float32))  # 3 s
    with torch.device("meta"):
        made = CrossAttentionBlock(5120, 8, design=design, rank=64, hidden_norm=False, token_norm=False)
    assert 4 * parameters(made) == published


def test_norms_and_the_scale_of_the_residual_are_optional() -> None:
    bare = block(hidden_norm=False, token_norm=False)
    assert not [name for name, _ in bare.named_parameters() if "norm" in name or "scale" in name]
    assert parameters(bare) == 4 * 16 * 4
    assert parameters(block(hidden_norm=True, token_norm=False)) == parameters(bare) + 2 * 16
    assert parameters(block(hidden_norm=True, token_norm=True)) == parameters(bare) + 4 * 16
    assert parameters(block(hidden_norm=False, token_norm=False, residual_scale=0.1)) == parameters(bare) + 1


def test_a_norm_hides_the_scale_of_what_it_normalises() -> None:
    hidden, tokens = hidden_and_tokens()
    normed, bare = block(), block(hidden_norm=False, token_norm=False)
    assert torch.allclose(normed(hidden, tokens), normed(hidden, 10 * tokens), atol=1e-4)
    assert not torch.allclose(bare(hidden, tokens), bare(hidden, 10 * tokens), atol=1e-2)


@pytest.mark.parametrize("design", DESIGNS)
def test_an_untrained_block_is_silent_at_every_gate(design: str) -> None:
    hidden, tokens = hidden_and_tokens()
    made = block(design, awake=False, residual_scale=0.3)
    for gate in (1.0, 0.5, [1.0, 0.0]):
        assert torch.equal(made(hidden, tokens, gate), hidden)


@pytest.mark.parametrize(("initial", "maximum"), [(0.05, 0.3), (0.3, 1.0), (0.5, 2.0)])
def test_the_residual_scale_begins_where_it_is_told_and_never_passes_its_maximum(
    initial: float, maximum: float
) -> None:
    hidden, tokens = hidden_and_tokens()
    plain, scaled = block(), block(residual_scale=initial, max_residual_scale=maximum)
    assert scaled.scale.item() == pytest.approx(initial)
    heard = plain(hidden, tokens) - hidden
    assert torch.allclose(scaled(hidden, tokens) - hidden, initial * heard, atol=1e-5)
    assert scaled.raw_scale is not None
    for raw in (-1e30, -50.0, 0.0, 50.0, 1e30):
        scaled.raw_scale.data.fill_(raw)
        assert 0 <= scaled.scale.item() <= np.float32(maximum)
    assert torch.allclose(scaled(hidden, tokens) - hidden, maximum * heard, atol=1e-5)


def test_heads_that_do_not_divide_the_attention() -> None:
    with pytest.raises(InputError, match="3 heads do not divide the 4 dimensions of a low_rank attention"):
        CrossAttentionBlock(16, 3, rank=4)
    with pytest.raises(InputError, match="3 heads do not divide the 16 dimensions of a lora attention"):
        CrossAttentionBlock(16, 3, rank=3, design="lora")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"design": "lowrank"}, "design 'lowrank': did you mean 'low_rank'?"),
        ({"rank": 0}, "4 heads of rank 0, 16 wide: give at least 1 each"),
        ({"num_attention_heads": 0}, "0 heads of rank 0, 16 wide: give at least 1 each"),
        ({"residual_scale": 2.0}, "residual_scale=2.0: must be above 0 and below max_residual_scale=1.0"),
        ({"residual_scale": 0.0}, "residual_scale=0.0: must be above 0 and below max_residual_scale=1.0"),
    ],
)
def test_a_block_that_would_be_another_or_nan(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        CrossAttentionBlock(**{"hidden_size": 16, "num_attention_heads": 4, **settings})
    assert str(caught.value) == message


def test_dropout_works_in_training_only() -> None:
    hidden, tokens = hidden_and_tokens()
    made = block(dropout=0.5).eval()
    assert torch.equal(made(hidden, tokens), made(hidden, tokens))
    made.train()
    heard = made(hidden, tokens) - hidden
    assert (heard == 0).float().mean().item() == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize("design", DESIGNS)
def test_masked_tokens_are_not_attended_to(design: str) -> None:
    hidden, tokens = hidden_and_tokens()
    made = block(design)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    masked = made(hidden, tokens, 1.0, mask)
    assert torch.allclose(masked[:1], made(hidden[:1], tokens[:1, :2]), atol=1e-6)
    assert torch.allclose(masked[1:], made(hidden[1:], tokens[1:, :1]), atol=1e-6)


def test_the_weights_of_lora_that_stay_are_not_stored_and_follow_from_the_name() -> None:
    made = block("lora")
    assert {name.split(".")[-2] for name in made.state_dict() if "norm" not in name} == {"down", "up"}
    again, other = (CrossAttentionBlock(16, 4, design="lora", rank=4, name=name) for name in ("a", "b"))
    for other_block in (again, other):
        other_block.load_state_dict(made.state_dict())
    hidden, tokens = hidden_and_tokens()
    assert torch.equal(made(hidden, tokens), again(hidden, tokens))
    assert not torch.allclose(made(hidden, tokens), other(hidden, tokens), atol=1e-2)


def test_gradients_of_lora_reach_the_pairs_alone() -> None:
    made = block("lora", hidden_norm=False, token_norm=False)
    before = {name: buffer.clone() for name, buffer in made.named_buffers()}
    assert before.keys() == {"query.weight", "key.weight", "value.weight"}
    made(*hidden_and_tokens()).square().sum().backward()
    trained = {name for name, parameter in made.named_parameters() if parameter.grad is not None}
    assert trained == {f"{part}.{half}.weight" for part in PARTS for half in ("down", "up")}
    assert all(buffer.grad is None and torch.equal(buffer, before[n]) for n, buffer in made.named_buffers())


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 700), st.text(max_size=5))
def test_frozen_weights_are_uniform_and_a_function_of_the_name(width: int, name: str) -> None:
    weight = frozen_weight(width, name)
    assert weight.shape == (width, width)
    assert weight.dtype == np.float32
    assert np.abs(weight).max() <= np.float32(1 / np.sqrt(width))
    assert np.array_equal(weight, frozen_weight(width, name))
    if width > 100:
        assert weight.std() * np.sqrt(3 * width) == pytest.approx(1, rel=0.02)
        assert abs(weight.mean()) * np.sqrt(3 * width) < 5 / width
        other = frozen_weight(width, name + "'")
        assert abs(np.corrcoef(weight.ravel(), other.ravel())[0, 1]) < 6 / width


def test_frozen_weights_never_change_between_versions() -> None:
    drawn = hashlib.sha256(frozen_weight(300, "0/8/query").astype("<f4").tobytes()).hexdigest()
    assert drawn == "adab6d09f8606311db3bb171251d0987a98336347cfca232127ae295864472d0"


def test_a_closed_gate_gives_the_layers_own_tensors(llava) -> None:
    inputs = llava_inputs(ROWS)
    before = llava(**inputs).logits
    model = SafeModel(llava, awake_pathway())
    layer, seen, returned = llava.get_decoder().layers[0], [], []
    forward = layer.forward
    layer.forward = lambda *args, **named: returned.append(forward(*args, **named)) or returned[-1]
    recorder = layer.register_forward_hook(lambda _m, _a, output: seen.append(output))
    cases = [(None, 1.0, None), (sounds(ROWS), 0.0, None), (sounds(ROWS), [0.0] * ROWS, None)]
    for audio, gate, tokens in [*cases, (sounds(ROWS), 1.0, 0), (sounds(ROWS), [1, 0, 0], [0, 8, 8])]:
        with model.fuse(audio=audio, gate=gate, tokens=tokens):
            assert torch.equal(llava(**inputs).logits, before)
            assert torch.equal(model(**inputs).logits, before)
    recorder.remove()
    del layer.forward
    assert torch.equal(llava(**inputs).logits, before)
    assert len(seen) == len(returned) == 10
    assert all(output is given for output, given in zip(seen, returned, strict=True))


@pytest.mark.parametrize("design", DESIGNS)
def test_a_new_pathway_is_the_base_at_every_gate(llava, design: str) -> None:
    inputs = llava_inputs(ROWS)
    before = llava(**inputs).logits
    pathway = new_pathway(PathwayConfig(design=design), llava, [(DIMS,)], seed=0)
    with SafeModel(llava, pathway).fuse(audio=sounds(ROWS), gate=1.0):
        assert torch.equal(llava(**inputs).logits, before)


def test_an_open_gate_is_heard_and_half_open_is_between(llava) -> None:
    inputs = llava_inputs(ROWS)
    before = llava(**inputs).logits
    model = SafeModel(llava, awake_pathway())
    moved = []
    for gate in (0.01, 0.5, 1.0):
        with model.fuse(audio=sounds(ROWS), gate=gate):
            moved.append((llava(**inputs).logits - before).abs().mean().item())
    assert 0 < moved[0] < moved[1] < moved[2]


@pytest.mark.parametrize("design", DESIGNS)
def test_rows_of_a_batch_have_gates_of_their_own(llava, design: str) -> None:
    inputs = llava_inputs(ROWS)
    before = llava(**inputs).logits
    model = SafeModel(llava, awake_pathway(design=design))
    with model.fuse(audio=sounds(ROWS), gate=1.0):
        opened = llava(**inputs).logits
    with model.fuse(audio=sounds(ROWS), gate=[0.0, 1.0, 0.0]):
        mixed = llava(**inputs).logits
    assert torch.equal(mixed[[0, 2]], before[[0, 2]])
    assert torch.equal(mixed[1], opened[1])
    assert not torch.allclose(mixed[1], before[1])


def test_a_closed_row_survives_an_infinite_sound_and_an_overflowing_state(llava) -> None:
    inputs = llava_inputs(2)
    before = llava(**inputs).logits
    audio = sounds(2)
    audio[0] = float("inf")
    with SafeModel(llava, awake_pathway()).fuse(audio=audio, gate=[0.0, 1.0]):
        assert torch.equal(llava(**inputs).logits[0], before[0])
    made = block()
    hidden, tokens = hidden_and_tokens()
    hidden[0, :3, :2] = torch.tensor([[float("inf"), -0.0], [float("nan"), -0.0], [-float("inf"), 0.0]])
    kept = made(hidden, tokens, [0.0, 1.0])[0]
    assert torch.equal(kept.view(torch.int32), hidden[0].view(torch.int32))  # the sign of zero too


@pytest.mark.parametrize("beams", [1, 3])
def test_the_cache_changes_no_answer(llava, beams: int) -> None:
    inputs = llava_inputs(ROWS, left_padding=2)
    model = SafeModel(llava, awake_pathway())
    answers = []
    for use_cache in (True, False):
        with model.fuse(audio=sounds(ROWS), gate=1.0):
            answers.append(llava.generate(**inputs, **GENERATION, num_beams=beams, use_cache=use_cache))
    assert torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[0], llava.generate(**inputs, **GENERATION, num_beams=beams))


@pytest.mark.parametrize("beams", [1, 3])
def test_a_row_is_answered_as_it_would_be_alone(llava, beams: int) -> None:
    inputs = llava_inputs(4)
    model = SafeModel(llava, awake_pathway(tokens=(2, 4)))
    gates, budgets = [1.0, 0.0, 0.5, 1.0], [4, 4, 2, 0]
    plain = llava.generate(**inputs, **GENERATION, num_beams=beams)
    with model.fuse(audio=sounds(4), gate=gates, tokens=budgets):
        together = llava.generate(**inputs, **GENERATION, num_beams=beams)
    for row, (gate, tokens) in enumerate(zip(gates, budgets, strict=True)):
        with model.fuse(audio=sounds(4)[row : row + 1], gate=gate, tokens=tokens):
            alone = llava.generate(
                **{k: v[row : row + 1] for k, v in inputs.items()}, **GENERATION, num_beams=beams
            )
        assert torch.equal(together[row, : alone.shape[1]], alone[0])
    assert torch.equal(together[[1, 3]], plain[[1, 3]])
    assert not torch.equal(together[0], plain[0])


def test_several_answers_to_a_prompt_hear_its_sound(llava) -> None:
    inputs = llava_inputs(2)
    model = SafeModel(llava, awake_pathway(tokens=(3, 8)))
    repeated = {name: value.repeat_interleave(3, 0) for name, value in inputs.items()}
    with model.fuse(audio=sounds(2), gate=[1.0, 0.5], tokens=[8, 3]):
        found = llava(**repeated).logits
        each = llava(**inputs).logits
    assert torch.allclose(found, each.repeat_interleave(3, 0), atol=1e-5)


@pytest.mark.parametrize("through_the_model", [True, False])
def test_the_audio_is_looked_up_once_a_request(
    llava, monkeypatch: pytest.MonkeyPatch, through_the_model: bool
) -> None:
    calls = []
    for kind, name in ((CrossAttentionBlock, "keys_values"), (AudioProjector, "forward")):
        original = getattr(kind, name)
        monkeypatch.setattr(
            kind, name, lambda self, x, _name=name, _call=original: calls.append(_name) or _call(self, x)
        )
    model = SafeModel(llava, awake_pathway(layers=(1, 3)))
    with model.fuse(audio=sounds(ROWS)):
        assert calls == []
        if through_the_model:
            model(**llava_inputs(ROWS))
        llava.generate(**llava_inputs(ROWS), **GENERATION)
        llava(**llava_inputs(ROWS))
    assert sorted(calls) == ["forward", "keys_values", "keys_values"]
    with model.fuse(audio=sounds(ROWS)):
        llava(**llava_inputs(ROWS))
    assert len(calls) == 6


def test_recorded_hidden_states_are_the_fused_ones(llava) -> None:
    inputs = llava_inputs(ROWS)
    before = llava(**inputs, output_hidden_states=True).hidden_states
    with SafeModel(llava, awake_pathway(layers=(2,))).fuse(audio=sounds(ROWS)):
        heard = llava(**inputs, output_hidden_states=True).hidden_states
    assert torch.equal(heard[1], before[1])
    assert not torch.allclose(heard[2], before[2])


def test_the_input_of_the_first_layer_can_hear(llava) -> None:
    inputs = llava_inputs(ROWS)
    before = llava(**inputs).logits
    first, entered = llava.get_decoder().layers[0], []
    recorder = first.register_forward_pre_hook(lambda _m, args: entered.append(args[0]))
    llava(**inputs)
    model = SafeModel(llava, awake_pathway(layers=(0,)))
    with model.fuse(audio=sounds(ROWS), gate=[1.0, 0.0, 1.0]):
        heard = llava(**inputs).logits
    recorder.remove()
    plain, fused = entered
    block_of_input = model.pathway.block(0)
    with torch.no_grad():
        tokens = model.pathway.projector()(sounds(ROWS))
        assert torch.allclose(fused, block_of_input(plain, tokens, [1.0, 0.0, 1.0]), atol=1e-6)
    assert torch.equal(heard[1], before[1])
    assert not torch.allclose(heard[0], before[0])
    with model.fuse(audio=sounds(ROWS), gate=0.0):
        assert torch.equal(llava(**inputs).logits, before)
    model.detach()
    assert not first._forward_pre_hooks


def test_one_sound_for_one_and_a_half_prompts(llava) -> None:
    model = SafeModel(llava, awake_pathway())
    with (
        model.fuse(audio=sounds(2)),
        pytest.raises(InputError, match="layer 1: 3 sequences for 2 sounds; give one sound per prompt"),
    ):
        llava(**llava_inputs(3))


@pytest.mark.parametrize("design", DESIGNS)
def test_gradients_reach_the_pathway_and_nothing_else(llava, design: str) -> None:
    inputs = llava_inputs(ROWS)
    pathway = awake_pathway(design=design, residual_scale=0.3)
    for module in pathway.modules():  # the updates' first halves begin to learn when the second halves did
        if hasattr(module, "up"):
            torch.nn.init.normal_(module.up.weight)
    with SafeModel(llava, pathway).fuse(audio=sounds(ROWS)):
        llava(**inputs).logits[:, PATCHES:].square().mean().backward()
    unmoved = [n for n, p in pathway.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert unmoved == []
    assert all(p.grad is None for p in llava.parameters())


def test_rows_without_tokens_leave_the_gradients_of_the_others(llava) -> None:
    inputs = llava_inputs(ROWS)
    gradients = []
    for kept, budget in ((slice(None), [8, 0, 3]), ([0, 2], [8, 3])):
        pathway = awake_pathway(tokens=(3, 8))
        with SafeModel(llava, pathway).fuse(audio=sounds(ROWS)[kept], tokens=budget):
            logits = llava(**{name: value[kept] for name, value in inputs.items()}).logits
            logits[:, PATCHES:].square().sum().backward()
        gradients.append([p.grad for p in pathway.parameters()])
        for layer in llava.get_decoder().layers:
            layer._forward_hooks.clear()
    for with_empty_row, without in zip(*gradients, strict=True):
        assert with_empty_row.isfinite().all()
        assert torch.allclose(with_empty_row, without, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"residual_scale": 0.3}])
def test_a_gate_that_is_fully_open_spares_products_and_changes_no_bit(
    llava, settings: dict[str, Any]
) -> None:
    inputs = llava_inputs(ROWS)
    model = SafeModel(llava, awake_pathway(**settings))
    found = []
    for gate in (1.0, [1.0] * ROWS, torch.ones(ROWS, requires_grad=True)):
        with model.fuse(audio=sounds(ROWS), gate=gate):
            found.append(llava(**inputs).logits)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])  # which needs a gradient, and takes the long way
    assert found[2].grad_fn is not None
