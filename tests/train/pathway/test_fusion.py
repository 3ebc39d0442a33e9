"""The frozen base stays itself: a closed gate, saving, training mode, beams and caches leave it unchanged."""

import pytest
import torch
from tiny_models import DIMS, PATCHES, awake_pathway, llava_inputs, sounds

from safe_data.core.errors import InputError
from safe_train.config import PathwayConfig
from safe_train.pathway.fusion import LowRankCrossAttention
from safe_train.pathway.model import SafeModel, new_pathway

ROWS = 3
GENERATION = {"max_new_tokens": 6, "do_sample": False}


def test_a_closed_gate_gives_the_layers_own_tensors(llava) -> None:
    inputs = llava_inputs(ROWS)
    before = llava(**inputs).logits
    model = SafeModel(llava, awake_pathway())
    layer, seen = llava.get_decoder().layers[0], []
    recorder = layer.register_forward_hook(lambda _m, _a, output: seen.append(output))
    for audio, gate in [(None, 1.0), (sounds(ROWS), 0.0), (sounds(ROWS), [0.0] * ROWS)]:
        with model.fuse(audio=audio, gate=gate):
            assert torch.equal(llava(**inputs).logits, before)
    recorder.remove()
    assert torch.equal(llava(**inputs).logits, before)
    assert all(torch.equal(output, seen[0]) for output in seen)


def test_a_new_pathway_is_the_base_at_every_gate(llava) -> None:
    inputs = llava_inputs(ROWS)
    before = llava(**inputs).logits
    with SafeModel(llava, new_pathway(PathwayConfig(), llava, DIMS, seed=0)).fuse(
        audio=sounds(ROWS), gate=1.0
    ):
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


def test_rows_of_a_batch_have_gates_of_their_own(llava) -> None:
    inputs = llava_inputs(ROWS)
    before = llava(**inputs).logits
    model = SafeModel(llava, awake_pathway())
    with model.fuse(audio=sounds(ROWS), gate=1.0):
        opened = llava(**inputs).logits
    with model.fuse(audio=sounds(ROWS), gate=[0.0, 1.0, 0.0]):
        mixed = llava(**inputs).logits
    assert torch.equal(mixed[[0, 2]], before[[0, 2]])
    assert torch.equal(mixed[1], opened[1])
    assert not torch.allclose(mixed[1], before[1])


def test_a_closed_row_survives_an_infinite_sound(llava) -> None:
    inputs = llava_inputs(2)
    before = llava(**inputs).logits
    audio = sounds(2)
    audio[0] = float("inf")
    with SafeModel(llava, awake_pathway()).fuse(audio=audio, gate=[0.0, 1.0]):
        assert torch.equal(llava(**inputs).logits[0], before[0])


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
    inputs = llava_inputs(ROWS)
    model = SafeModel(llava, awake_pathway())
    with model.fuse(audio=sounds(ROWS), gate=[1.0, 0.0, 0.5]):
        together = llava.generate(**inputs, **GENERATION, num_beams=beams)
    for row, gate in enumerate([1.0, 0.0, 0.5]):
        with model.fuse(audio=sounds(ROWS)[row : row + 1], gate=gate):
            alone = llava.generate(
                **{k: v[row : row + 1] for k, v in inputs.items()}, **GENERATION, num_beams=beams
            )
        assert torch.equal(together[row, : alone.shape[1]], alone[0])


def test_the_audio_is_looked_up_once_a_request(llava, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = LowRankCrossAttention.keys_values
    monkeypatch.setattr(
        LowRankCrossAttention, "keys_values", lambda self, tokens: calls.append(1) or original(self, tokens)
    )
    with SafeModel(llava, awake_pathway(layers=(1, 3))).fuse(audio=sounds(ROWS)):
        llava.generate(**llava_inputs(ROWS), **GENERATION)
    assert len(calls) == 2


def test_recorded_hidden_states_are_the_fused_ones(llava) -> None:
    inputs = llava_inputs(ROWS)
    before = llava(**inputs, output_hidden_states=True).hidden_states
    with SafeModel(llava, awake_pathway(layers=(2,))).fuse(audio=sounds(ROWS)):
        heard = llava(**inputs, output_hidden_states=True).hidden_states
    assert torch.equal(heard[1], before[1])
    assert not torch.allclose(heard[2], before[2])


def test_one_sound_for_two_and_a_half_prompts(llava) -> None:
    model = SafeModel(llava, awake_pathway())
    with (
        model.fuse(audio=sounds(2)),
        pytest.raises(InputError, match="layer 1: 3 sequences for 2 sounds; give one sound per prompt"),
    ):
        llava(**llava_inputs(3))


def test_gradients_reach_the_pathway_and_nothing_else(llava) -> None:
    inputs = llava_inputs(ROWS)
    pathway = awake_pathway()
    with SafeModel(llava, pathway).fuse(audio=sounds(ROWS)):
        llava(**inputs).logits[:, PATCHES:].square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in pathway.parameters())
    assert all(p.grad is None for p in llava.parameters())
