"""SafeModel: the base does not change, whatever its architecture and precision; the pathway learns."""

import copy
import hashlib
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import two_processes
from tiny_models import DIMS, awake_pathway, llava_inputs, sounds, tiny_llava

from safe_data.core.errors import InputError
from safe_train.base.adaptation import adapt
from safe_train.base.backbone import decoder_layers
from safe_train.pathway.fusion import CrossAttentionBlock
from safe_train.pathway.model import (
    AudioPathway,
    SafeModel,
    fused_layers,
    hidden_width,
    layer_device,
    new_pathway,
)
from safe_train.pathway.request import token_places
from safe_train.settings.adaptation import AdaptationConfig
from safe_train.settings.pathway import PathwayConfig

ROWS = 2
LANGUAGE = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4}
EYES = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}


def digest(base: Any) -> str:
    tensors = sorted(base.state_dict().items())
    return hashlib.sha256(b"".join(n.encode() + t.numpy().tobytes() for n, t in tensors)).hexdigest()


def tiny_blip2(language: str) -> tuple[Any, dict[str, torch.Tensor]]:
    from transformers import Blip2Config, Blip2ForConditionalGeneration

    text = {
        "opt": {"model_type": "opt", **LANGUAGE, "ffn_dim": 64, "word_embed_proj_dim": 32, "dropout": 0.1},
        "t5": {"model_type": "t5", "vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 4},
    }[language]
    config = Blip2Config(
        vision_config={**EYES, "image_size": 8, "patch_size": 4},
        qformer_config={
            **LANGUAGE,
            "num_hidden_layers": 1,
            "intermediate_size": 64,
            "encoder_hidden_size": 24,
        },
        text_config={**text, "num_heads": 4} if language == "t5" else text,
        num_query_tokens=4,
        image_token_index=60,
    )
    inputs = llava_inputs(ROWS)
    if language == "t5":
        inputs["decoder_input_ids"] = torch.randint(3, 60, (ROWS, 3))
    return Blip2ForConditionalGeneration(config), inputs


def tiny_qwen2_vl() -> tuple[Any, dict[str, torch.Tensor]]:
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    config = Qwen2VLConfig(
        text_config={
            **LANGUAGE,
            "num_key_value_heads": 2,
            "intermediate_size": 64,
            "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
        },
        vision_config={
            "depth": 1,
            "embed_dim": 32,
            "hidden_size": 32,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 4,
            "spatial_merge_size": 2,
            "temporal_patch_size": 1,
        },
        image_token_id=60,
        vision_start_token_id=61,
        vision_end_token_id=62,
        video_token_id=63,
    )
    inputs = llava_inputs(ROWS)  # 4×4 patches, merged 2×2: four tokens a picture
    inputs["pixel_values"] = torch.randn(ROWS * 16, 3 * 4 * 4)
    inputs["image_grid_thw"] = torch.tensor([[1, 4, 4]] * ROWS)
    inputs["mm_token_type_ids"] = (inputs["input_ids"] == 60).int()
    return Qwen2VLForConditionalGeneration(config), inputs


ARCHITECTURES = {
    "llava": lambda: (tiny_llava(), llava_inputs(ROWS)),
    "blip2-opt": lambda: tiny_blip2("opt"),
    "blip2-t5": lambda: tiny_blip2("t5"),
    "qwen2-vl": tiny_qwen2_vl,
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_unchanged_on_every_architecture(architecture: str) -> None:
    torch.manual_seed(0)
    base, inputs = ARCHITECTURES[architecture]()
    base.train()  # as a model fresh from its constructor may be; SafeModel must see to it
    before_weights = digest(base)
    for layers in ((1, 2, 3, 4), (0,)):
        pathway = awake_pathway(layers=layers, width=hidden_width(base), tokens=(3, 4))
        model = SafeModel(base, pathway)
        before = base(**inputs).logits
        with model.fuse(audio=sounds(ROWS), gate=0.0):
            assert torch.equal(base(**inputs).logits, before)
        for gate, tokens in (([1.0, 0.0], None), (1.0, [3, 0])):
            with model.fuse(audio=sounds(ROWS), gate=gate, tokens=tokens):
                heard = model(**inputs).logits
            assert not torch.allclose(heard[0], before[0])
            assert torch.equal(heard[1], before[1])
        model.detach()
        assert torch.equal(base(**inputs).logits, before)
    assert digest(base) == before_weights


def test_a_half_precision_base_hears_through_a_full_precision_pathway() -> None:
    base = tiny_llava().to(torch.bfloat16)
    inputs = llava_inputs(ROWS)
    inputs["pixel_values"] = inputs["pixel_values"].to(torch.bfloat16)
    before = base(**inputs).logits
    pathway = awake_pathway()
    with SafeModel(base, pathway).fuse(audio=sounds(ROWS), gate=[0.0, 1.0]):
        heard = base(**inputs).logits
        heard[1].square().mean().backward()
    assert heard.dtype == torch.bfloat16
    assert torch.equal(heard[0], before[0])
    assert not torch.equal(heard[1], before[1])
    assert {p.grad.dtype for p in pathway.parameters() if p.grad is not None} == {torch.float32}


def test_the_base_is_no_part_of_what_is_trained(llava) -> None:
    names = set(llava.state_dict())
    pathway = awake_pathway()
    model = SafeModel(llava.train(), pathway)
    assert not any(p.requires_grad for p in llava.parameters())
    assert not llava.training
    model.train()
    assert not llava.training
    assert model.pathway.training
    assert set(llava.state_dict()) == names
    assert {id(p) for p in model.parameters()} == {id(p) for p in pathway.parameters()}
    assert set(model.state_dict()) == {f"pathway.{name}" for name in pathway.state_dict()}
    assert model.to(torch.float64).base.dtype == torch.float32
    model.to(torch.float32)


def test_the_model_is_its_base_with_or_without_a_request(llava) -> None:
    inputs = llava_inputs(ROWS)
    model = SafeModel(llava, awake_pathway(tokens=(2, 8)))
    assert torch.equal(model(**inputs).logits, llava(**inputs).logits)
    for gate, tokens in ((1.0, None), ([0.5, 1.0], [2, 8]), (0.0, None)):
        with model.fuse(audio=sounds(ROWS), gate=gate, tokens=tokens):
            assert torch.equal(model(**inputs).logits, llava(**inputs).logits)


def test_a_budget_is_a_pathway_of_so_many_tokens(llava) -> None:
    inputs = llava_inputs(ROWS)
    whole = awake_pathway(tokens=(1, 2, 5, 6))
    model = SafeModel(llava, whole)
    found = {}
    for budget in (1, 2, 5, 6):
        with model.fuse(audio=sounds(ROWS), tokens=budget), torch.no_grad():
            found[budget] = llava(**inputs).logits
    with model.fuse(audio=sounds(ROWS), tokens=torch.tensor([[1, 1, 0, 0, 0, 0]] * ROWS)):
        assert torch.allclose(llava(**inputs).logits, found[2], atol=1e-5)
    with model.fuse(audio=sounds(ROWS)), torch.no_grad():
        assert torch.equal(llava(**inputs).logits, found[6])
    with model.fuse(audio=sounds(ROWS), tokens=[5, 1]):
        mixed = llava(**inputs).logits
    assert torch.allclose(mixed[0], found[5][0], atol=1e-5)
    assert torch.allclose(mixed[1], found[1][1], atol=1e-5)
    model.detach()
    for budget in (1, 2, 5):
        cut = SafeModel(llava, cut_to(whole, budget))
        with cut.fuse(audio=sounds(ROWS)):
            assert torch.allclose(llava(**inputs).logits, found[budget], atol=1e-5)
        cut.detach()
    assert not torch.allclose(found[1], found[6], atol=1e-2)


def cut_to(pathway: AudioPathway, tokens: int) -> AudioPathway:
    """The pathway with only its first tokens."""
    weights = dict(pathway.state_dict())
    last = max(name for name in weights if name.startswith("projectors.0.layers"))[: -len(".weight")]
    for kind in (".weight", ".bias"):
        weights[last + kind] = weights[last + kind][: tokens * pathway.width]
    cut = awake_pathway(tokens=tokens)
    cut.load_state_dict(weights)
    return cut


def test_a_gate_can_be_learnt(llava) -> None:
    """A gate that is told which of two rows should hear opens for it, and closes for the other."""
    inputs = llava_inputs(ROWS)
    model = SafeModel(llava, awake_pathway())
    plain = llava(**inputs).logits
    with model.fuse(audio=sounds(ROWS)), torch.no_grad():
        wanted = torch.stack([model(**inputs).logits[0], plain[1]])
    raw = torch.zeros(ROWS, requires_grad=True)
    optimizer = torch.optim.Adam([raw], lr=0.5)
    for _ in range(15):
        with model.fuse(audio=sounds(ROWS), gate=raw.sigmoid()):
            loss = (model(**inputs).logits - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    gate = raw.sigmoid().tolist()
    assert gate[0] > 0.9
    assert gate[1] < 0.1


def test_two_encoders_share_the_tokens_of_a_clip(llava) -> None:
    inputs = llava_inputs(ROWS)
    shapes = ((DIMS,), (6, 5))
    pathway = awake_pathway(tokens=5, shapes=shapes)
    assert [projector.num_audio_tokens for projector in pathway.projectors] == [3, 2]
    assert [projector.sequence for projector in pathway.projectors] == [False, True]
    model = SafeModel(llava, pathway)
    vector, states = sounds(ROWS), torch.randn(ROWS, 6, 5)
    assert [keys.shape[2] for keys, _ in pathway((vector, states)).values()] == [5, 5]
    with model.fuse(audio=(vector, states)), torch.no_grad():
        both = llava(**inputs).logits
    for audio in ((vector, -states), (-vector, states)):
        with model.fuse(audio=audio), torch.no_grad():
            assert not torch.allclose(llava(**inputs).logits, both, atol=1e-3)


@pytest.mark.parametrize("encoders", [1, 2, 3])
def test_a_smaller_budget_is_the_first_tokens_of_each_encoder(llava, encoders: int) -> None:
    """So it is contained in each larger one: what is heard by it does not change when there are more."""
    shapes = ((DIMS,), (6, 5), (7,))[:encoders]
    pathway = awake_pathway(tokens=(3, 4, 8), shapes=shapes)
    model = SafeModel(llava, pathway)
    audio = tuple(torch.randn(ROWS, *shape) for shape in shapes)
    made = {tokens: pathway(audio, tokens)[1][0][0, 0] for tokens in (3, 4, 8)}
    for fewer, more in ((3, 4), (3, 8), (4, 8)):
        assert len(made[fewer]) == fewer
        places = token_places(more, encoders) < fewer
        assert torch.equal(made[more][places], made[fewer])
    assert torch.equal(pathway(audio)[1][0][0, 0], made[8])
    inputs = llava_inputs(ROWS)
    with torch.no_grad():
        with model.fuse(audio=audio, tokens=[8, 3]):
            mixed = llava(**inputs).logits
        for row, tokens in enumerate((8, 3)):
            with model.fuse(audio=audio, tokens=tokens):
                assert torch.allclose(llava(**inputs).logits[row], mixed[row], atol=1e-5)


@pytest.mark.parametrize("tokens", [3, [4, 3], [5, 0]])
def test_a_budget_that_was_not_trained_is_refused(llava, tokens: object) -> None:
    model = SafeModel(llava, awake_pathway(tokens=(4, 8)))
    message = r"^[35] audio tokens: not trained; give 0, 4 or 8$"
    with pytest.raises(InputError, match=message), model.fuse(audio=sounds(ROWS), tokens=tokens):
        pass
    with model.fuse():  # nothing is left of it
        assert torch.equal(model(**llava_inputs(ROWS)).logits, llava(**llava_inputs(ROWS)).logits)


@pytest.mark.parametrize(
    ("tokens", "shapes", "message"),
    [
        (1, ((12,), (6, 5)), "1 audio tokens for 2 encoders; give each at least one"),
        ((2, 3), ((12,), (6, 5), (7,)), "2 audio tokens for 3 encoders; give each at least one"),
        (4, (), "4 audio tokens for 0 encoders"),
        (4, ((2, 3, 4),), r"an embedding of shape \(2, 3, 4\); give one vector \(dims,\), or a sequence"),
        (4, ((0,),), r"an embedding of shape \(0,\)"),
    ],
)
def test_encoders_that_cannot_be_heard(tokens: Any, shapes: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        awake_pathway(tokens=tokens, shapes=shapes)


def gradients_of(model: SafeModel, inputs: dict[str, torch.Tensor], **request: Any) -> list[torch.Tensor]:
    model.zero_grad()
    with model.fuse(audio=sounds(len(inputs["input_ids"])), **request):
        model(**inputs, use_cache=False).logits.square().mean().backward()
    return [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize("whole_layers", [False, True])
def test_activation_checkpointing_gives_the_same_gradients(
    whole_layers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tiny_llava()
    inputs = llava_inputs(ROWS)
    model = SafeModel(base, awake_pathway(tokens=(3, 8)))
    layers, runs, heard = decoder_layers(base), [], CrossAttentionBlock.heard
    layers[1].self_attn.register_forward_hook(lambda *_: runs.append("layer"))
    monkeypatch.setattr(CrossAttentionBlock, "heard", lambda *given: runs.append("fusion") or heard(*given))
    plain = gradients_of(model, inputs, gate=[1.0, 0.5], tokens=[8, 3])
    assert sorted(runs) == ["fusion", "fusion", "layer"]
    if whole_layers:  # with their hooks, as earlier versions of transformers do
        kind = type(layers[0])
        call = partial(torch.utils.checkpoint.checkpoint, use_reentrant=False)
        original = kind.__call__
        monkeypatch.setattr(kind, "__call__", lambda self, *a, **n: call(partial(original, self, **n), *a))
    else:
        base.activation_checkpointing_enable()
        for layer in layers:
            layer.training = True  # only then does it fire; its parts have no dropout
    again = gradients_of(model, inputs, gate=[1.0, 0.5], tokens=[8, 3])
    assert runs.count("layer") == 1 + 2
    assert runs.count("fusion") == 2 + (4 if whole_layers else 2)
    assert all(torch.equal(one, other) for one, other in zip(plain, again, strict=True))


@pytest.mark.slow  # two processes train as one in every test run, in stages/test_distributed.py
def test_two_processes_have_the_gradients_of_one(llava, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    script = Path(two_processes.__file__)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, script, tmp_path], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    model, rows = SafeModel(llava, two_processes.pathway()), two_processes.ROWS
    with model.fuse(audio=sounds(rows), gate=two_processes.GATES, tokens=two_processes.BUDGETS):
        two_processes.answered(model(**llava_inputs(rows)).logits).backward()
    averaged = [load_file(tmp_path / f"{rank}.safetensors") for rank in range(2)]
    for name, parameter in model.named_parameters():
        assert torch.equal(averaged[0][name], averaged[1][name])
        assert torch.allclose(averaged[0][name], parameter.grad, rtol=1e-4, atol=1e-5)
        assert parameter.grad.abs().sum() > 0


def test_a_layer_computes_where_accelerates_hook_says() -> None:
    layer = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    assert layer_device(layer) == torch.device("cpu")
    assert layer_device(layer.to("meta")) == torch.device("meta")

    class Hook:
        execution_device: Any = None

    class Several:
        hooks = (Hook(), Hook())

    layer[0]._hf_hook = Hook()  # one that moves nothing
    assert layer_device(layer) == torch.device("meta")
    layer[1]._hf_hook = Several()
    Several.hooks[1].execution_device = "cuda:3"
    assert layer_device(layer) == torch.device("cuda", 3)
    layer._hf_hook = Hook()
    layer._hf_hook.execution_device = "cpu"
    assert layer_device(layer) == torch.device("cpu")


def test_a_base_whose_weights_wait_elsewhere_hears_the_same(llava) -> None:
    from accelerate import cpu_offload

    inputs = llava_inputs(ROWS)
    waiting = cpu_offload(copy.deepcopy(llava), execution_device=torch.device("cpu"))
    assert next(decoder_layers(waiting)[0].parameters()).device.type == "meta"
    found = []
    for base in (llava, waiting):
        model = SafeModel(base, awake_pathway())
        assert {p.device.type for p in model.parameters()} == {"cpu"}
        with model.fuse(audio=sounds(ROWS)), torch.no_grad():
            found.append(model(**inputs).logits)
    assert torch.equal(*found)


def test_each_cross_attention_lies_where_its_layer_computes(llava) -> None:
    """Layers 3 and 4 are elsewhere; here `meta` is elsewhere, which takes tensors and forgets them."""

    class Hook:
        execution_device = "meta"

    for layer in decoder_layers(llava)[2:]:
        layer._hf_hook = Hook()
    try:
        pathway = SafeModel(llava, awake_pathway(layers=(1, 2, 3, 4))).pathway
    finally:
        for layer in decoder_layers(llava)[2:]:
            del layer._hf_hook
    where = [next(pathway.block(number).parameters()).device.type for number in (1, 2, 3, 4)]
    assert where == ["cpu", "cpu", "meta", "meta"]
    assert {p.device.type for p in pathway.projectors.parameters()} == {"cpu"}
    heard = pathway((sounds(ROWS),))
    assert [keys.device.type for keys, _ in heard.values()] == where


@pytest.mark.parametrize(
    ("location", "available", "layers"),
    [
        ("input", 24, (0,)),
        ("early", 24, (2, 4, 6, 8)),
        ("middle", 24, (10, 12, 14, 16)),
        ("late", 24, (18, 20, 22, 24)),
        (None, 24, (6, 12, 18, 24)),
        (None, 40, (10, 20, 30, 40)),
        (None, 3, (1, 2, 3)),
        ("middle", 2, (2,)),
        ("early", 1, (1,)),
    ],
)
def test_where_to_fuse(location: Any, available: int, layers: tuple[int, ...]) -> None:
    assert fused_layers(PathwayConfig(location=location), available) == layers
    assert fused_layers(PathwayConfig(layers=(3,)), available) == (3,)


@pytest.mark.parametrize("location", [None, "early", "middle", "late"])
def test_layers_are_apart_and_there_in_any_model(location: Any) -> None:
    for available in range(1, 90):
        layers = fused_layers(PathwayConfig(location=location), available)
        assert list(layers) == sorted(set(layers))
        assert 1 <= layers[0] <= layers[-1] <= available
        assert len(layers) == 4 or available < 12
    thirds = [fused_layers(PathwayConfig(location=one), 30) for one in ("early", "middle", "late")]
    assert sorted(sum(thirds, ())) == list(dict.fromkeys(sum(thirds, ())))


def test_detached_the_base_has_no_hooks(llava) -> None:
    model = SafeModel(llava, awake_pathway())
    assert len(llava.get_decoder().layers[0]._forward_hooks) == 1
    model.detach()
    assert not any(layer._forward_hooks for layer in llava.get_decoder().layers)


def test_a_request_ends_with_its_block_even_on_an_error(llava) -> None:
    inputs = llava_inputs(ROWS)
    before = llava(**inputs).logits
    model = SafeModel(llava, awake_pathway())
    with pytest.raises(RuntimeError), model.fuse(audio=sounds(ROWS)):
        raise RuntimeError
    assert torch.equal(llava(**inputs).logits, before)


def test_a_request_within_a_request(llava) -> None:
    inputs = llava_inputs(ROWS)
    model = SafeModel(llava, awake_pathway())
    with model.fuse(audio=sounds(ROWS)):
        outer = llava(**inputs).logits
        with (
            pytest.raises(InputError, match="another request is still active"),
            model.fuse(audio=-sounds(ROWS)),
        ):
            pass
        assert torch.equal(llava(**inputs).logits, outer)


def test_a_request_that_does_not_fit_changes_nothing(llava) -> None:
    inputs = llava_inputs(ROWS)
    before = llava(**inputs).logits
    model = SafeModel(llava, awake_pathway())
    for request in ({"audio": torch.zeros(2, 7)}, {"audio": sounds(2), "tokens": 9}):
        with pytest.raises(InputError, match="give"), model.fuse(**request):
            pass
        assert torch.equal(llava(**inputs).logits, before)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            (4, 5),
            r"layers=\[4, 5\]: LlavaForConditionalGeneration has 4 decoder layers, counted from 1; "
            "choose among 1 to 4",
        ),
        ((0, 1), r"layers=\[0, 1\]: name each layer once, counting from 1"),
        ((2, 2), "name each layer once"),
        ((), r"layers=\[\]: LlavaForConditionalGeneration has 4"),
    ],
)
def test_layers_count_from_one(llava, layers: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SafeModel(llava, awake_pathway(layers=layers))


def test_a_pathway_of_another_model(llava) -> None:
    with pytest.raises(InputError, match="pathway is 16 wide and LlavaForConditionalGeneration is 32"):
        SafeModel(llava, awake_pathway(width=16))


@pytest.mark.parametrize("design", ["low_rank", "lora"])
def test_a_new_pathway_is_drawn_from_the_seed_alone(llava, design: Any) -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    config = PathwayConfig(design=design)
    first = new_pathway(config, llava, [(DIMS,)], seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    again = new_pathway(config, llava, [(DIMS,)], seed=3)
    other = new_pathway(config, llava, [(DIMS,)], seed=4)
    assert all(torch.equal(*pair) for pair in zip(first.parameters(), again.parameters(), strict=True))
    assert all(torch.equal(*pair) for pair in zip(first.buffers(), again.buffers(), strict=True))
    drawn = [one.projector().layers[0].weight for one in (first, other)]
    drawn += [one.block(1).query.weight for one in (first, other)]
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[2], drawn[3])
    assert first.config.layers == (1, 2, 3, 4)


def test_lora_draws_other_frozen_weights_for_each_layer_and_part(llava) -> None:
    pathway = new_pathway(PathwayConfig(design="lora", layers=(1, 2)), llava, [(DIMS,)], seed=3)
    weights = [getattr(pathway.block(n), part).weight for n in (1, 2) for part in ("query", "key", "value")]
    assert len({tensor.numpy().tobytes() for tensor in weights}) == 6


def test_without_a_picture_its_projector_has_a_gradient_of_0(llava: Any) -> None:
    """Processes wait for each other's gradients: none may be missing in a pass of one of them."""
    adaptation = adapt(llava, AdaptationConfig(base="full"))
    model = SafeModel(llava, awake_pathway((0,)), adaptation)
    words = {"input_ids": torch.arange(3, 13).view(2, 5)}
    with model.fuse(audio=sounds(2)):
        model(**words).logits.square().mean().backward()
    missing = [name for name, weight in model.named_parameters() if weight.grad is None]
    assert missing == []
    assert not any(weight.grad.any() for weight in adaptation.sometimes)
    with torch.no_grad(), model.fuse(audio=sounds(2)):
        assert torch.equal(model(**words).logits, llava(**words).logits)
    llava.zero_grad()
    model.detach()
    assert not any(weight.requires_grad for weight in llava.parameters())


def test_what_is_trained_of_the_base_is_among_the_parameters_once(llava: Any) -> None:
    plain = SafeModel(llava, awake_pathway((0,)))
    assert [name for name, _ in plain.named_parameters() if not name.startswith("pathway.")] == []
    plain.detach()
    adaptation = adapt(llava, AdaptationConfig(base="lora"))
    model = SafeModel(llava, awake_pathway((0,)), adaptation)
    found = {id(weight) for name, weight in model.named_parameters() if name.startswith("adapted.")}
    assert found == {id(weight) for weight in adaptation.weights.values()}
    assert len(list(model.parameters())) == len(list(plain.parameters())) + len(adaptation.weights)
    model.detach()
