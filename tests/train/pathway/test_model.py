"""SafeModel: the base does not change, whatever its architecture and precision."""

import hashlib
from typing import Any

import pytest
import torch
from tiny_models import DIMS, awake_pathway, llava_inputs, sounds, tiny_llava

from safe_data.core.errors import InputError
from safe_train.config import PathwayConfig
from safe_train.pathway.model import SafeModel, hidden_width, new_pathway

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
    pathway = awake_pathway(layers=(1, 2, 3, 4), width=hidden_width(base))
    before_weights = digest(base)
    model = SafeModel(base, pathway)
    before = base(**inputs).logits
    with model.fuse(audio=sounds(ROWS), gate=0.0):
        assert torch.equal(base(**inputs).logits, before)
    with model.fuse(audio=sounds(ROWS), gate=[1.0, 0.0]):
        heard = base(**inputs).logits
    assert not torch.allclose(heard[0], before[0])
    assert torch.equal(heard[1], before[1])
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
    model = SafeModel(llava.train(), awake_pathway())
    assert not any(p.requires_grad for p in llava.parameters())
    assert not llava.training
    model.pathway.train()
    assert not llava.training
    assert set(llava.state_dict()) == names
    assert all(not name.startswith("base") for name in model.pathway.state_dict())


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
    model = SafeModel(llava, awake_pathway())
    with (
        model.fuse(audio=sounds(ROWS)),
        pytest.raises(InputError, match="another request is still active"),
        model.fuse(audio=sounds(ROWS)),
    ):
        pass


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


def test_an_embedding_of_another_encoder(llava) -> None:
    model = SafeModel(llava, awake_pathway())
    with (
        pytest.raises(InputError, match=r"audio of shape \(2, 7\); give embeddings of shape \(batch, 12\)"),
        model.fuse(audio=torch.zeros(2, 7)),
    ):
        pass


def test_a_new_pathway_is_drawn_from_the_seed_alone(llava) -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = new_pathway(PathwayConfig(), llava, DIMS, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    again = new_pathway(PathwayConfig(), llava, DIMS, seed=3).state_dict()
    other = new_pathway(PathwayConfig(), llava, DIMS, seed=4).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in first.state_dict().items())
    assert not torch.equal(first.projector.down.weight, other["projector.down.weight"])
    assert first.config.layers == (1, 2, 3, 4)
