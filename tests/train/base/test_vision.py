"""Vision: a base says the same by the features of a picture as by its pixels, in whatever batch."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny_models import PATCHES, TEXT, VISION, llava_inputs, tiny_llava

from safe_eval.models.token_batches import Inputs
from safe_train.base.prompts import Picture
from safe_train.base.vision import Vision

ROWS = 3
FOUR_BY_FOUR = {"patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 1, "num_heads": 2}
MROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
TOKENS = {"image_token_id": 60, "vision_start_token_id": 61, "vision_end_token_id": 62, "video_token_id": 63}


def qwen_inputs() -> Inputs:
    """Pictures of 4×4 patches in one flat stack, merged 2×2: four tokens a picture."""
    inputs = llava_inputs(ROWS)
    inputs["pixel_values"] = torch.randn(ROWS * 16, 48, generator=torch.Generator().manual_seed(0))
    inputs["image_grid_thw"] = torch.tensor([[1, 4, 4]] * ROWS)
    inputs["mm_token_type_ids"] = (inputs["input_ids"] == 60).int()
    return inputs


def tiny_qwen2() -> tuple[Any, Inputs]:
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    vision = {"depth": 1, "embed_dim": 32, "hidden_size": 32, "mlp_ratio": 2, **FOUR_BY_FOUR}
    text = {**TEXT, "rope_parameters": MROPE}
    config = Qwen2VLConfig(text_config=text, vision_config=vision, **TOKENS)
    return Qwen2VLForConditionalGeneration(config), qwen_inputs()


def tiny_qwen3() -> tuple[Any, Inputs]:
    """Its decoder also reads features of earlier layers of the vision tower."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 32,
        "out_hidden_size": 32,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0, 1],
        **FOUR_BY_FOUR,
    }
    text = {**TEXT, "head_dim": 8, "rope_parameters": MROPE}
    config = Qwen3VLConfig(text_config=text, vision_config=vision, **TOKENS)
    return Qwen3VLForConditionalGeneration(config), qwen_inputs()


def tiny_idefics3() -> tuple[Any, Inputs]:
    """It cuts a picture into two, each of one token."""
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration

    config = Idefics3Config(
        text_config={"model_type": "llama", **TEXT}, vision_config=VISION, scale_factor=2, image_token_id=60
    )
    words = llava_inputs(ROWS)["input_ids"][:, PATCHES:]
    ids = torch.cat([torch.full((ROWS, 2), 60), words], 1)
    pixels = torch.randn(ROWS, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(ROWS, 2, 8, 8, dtype=torch.bool)
    return Idefics3ForConditionalGeneration(config), {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "pixel_values": pixels,
        "pixel_attention_mask": mask,
    }


def tiny_blip2() -> tuple[Any, Inputs]:
    from transformers import Blip2Config, Blip2ForConditionalGeneration

    former = {"vocab_size": 64, "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 1}
    opt = {"model_type": "opt", **former, "ffn_dim": 64, "word_embed_proj_dim": 32}
    config = Blip2Config(
        vision_config=VISION,
        qformer_config={**former, "intermediate_size": 64, "encoder_hidden_size": VISION["hidden_size"]},
        text_config=opt,
        num_query_tokens=PATCHES,
        image_token_index=60,
    )
    return Blip2ForConditionalGeneration(config), llava_inputs(ROWS)


FAMILIES = {
    "llava": lambda: (tiny_llava(), llava_inputs(ROWS)),
    "qwen2-vl": tiny_qwen2,
    "qwen3-vl": tiny_qwen3,
    "idefics3": tiny_idefics3,
}


def made(family: Callable[[], tuple[Any, Inputs]]) -> tuple[Any, list[Inputs]]:
    """A base, and prompts of one row each."""
    torch.manual_seed(0)
    base, inputs = family()
    base.eval()
    base.generation_config.suppress_tokens = [60, 61, 62, 63]
    base.generation_config.pad_token_id = 0
    split = {name: tensor.chunk(ROWS) for name, tensor in inputs.items()}
    return base, [{name: parts[row] for name, parts in split.items()} for row in range(ROWS)]


def pictures(*names: str) -> list[Picture | None]:
    def refuse() -> Any:
        raise AssertionError

    return [Picture(name, refuse) for name in names]


def together(prompts: list[Inputs]) -> Inputs:
    return {name: torch.cat([prompt[name] for prompt in prompts]) for name in prompts[0]}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
@torch.no_grad()
def test_features_say_what_pixels_say(family: Callable[[], tuple[Any, Inputs]]) -> None:
    base, prompts = made(family)
    vision = Vision(base)
    for prompt, picture in zip(prompts, pictures("a", "b", "c"), strict=True):
        (blind,), seen = vision.look([prompt], [picture])
        assert not any(name.startswith("pixel") for name in blind)
        assert torch.equal(base(**blind, **seen).logits, base(**prompt).logits)
    blind, seen = vision.look(prompts, pictures("a", "b", "c"))
    pixels = together(prompts)
    assert torch.allclose(base(**together(blind), **seen).logits, base(**pixels).logits, atol=1e-5)
    options = {"do_sample": False, "max_new_tokens": 5}
    _, again = vision.look(prompts, pictures("a", "b", "c"))
    said = base.generate(**together(blind), **again, **options)
    assert torch.equal(said, base.generate(**pixels, **options))


@torch.no_grad()
def test_a_picture_is_looked_at_once() -> None:
    base, prompts = made(FAMILIES["llava"])
    looks = []
    base.model.vision_tower.register_forward_hook(lambda *_: looks.append(1))
    vision = Vision(base)
    vision.look(prompts, pictures("a", "b", "a"))
    tried = len(looks) - 2  # the first prompt, by features and by pixels
    for _ in range(3):
        vision.look(prompts, pictures("a", "b", "b"))
    assert len(looks) == 2 + tried
    forgetful = Vision(base, capacity_bytes=1)
    forgetful.look(prompts, pictures("a", "b", "c"))
    before = len(looks)
    forgetful.look(prompts, pictures("a", "b", "c"))
    assert len(looks) == before + 3


@torch.no_grad()
def test_prompts_without_a_picture_stand_beside_those_with_one() -> None:
    base, prompts = made(FAMILIES["llava"])
    words = {"input_ids": torch.tensor([[5, 6]]), "attention_mask": torch.tensor([[1, 1]])}
    vision = Vision(base)
    blind, seen = vision.look([words, prompts[1]], [None, *pictures("b")])
    assert blind[0].keys() == words.keys()
    assert len(seen["mm_encoder_outputs"]["image"].pooler_output) == 1
    assert vision.look([words], [None]) == ([words], {})


def test_a_family_that_reads_features_in_another_way_is_given_pixels() -> None:
    base, prompts = made(tiny_blip2)
    vision = Vision(base)
    for _ in range(2):
        given, seen = vision.look(prompts, pictures("a", "b", "c"))
        assert given == prompts
        assert seen == {}


@torch.no_grad()
def test_a_base_whose_logits_differ_by_features_is_given_pixels() -> None:
    base, prompts = made(FAMILIES["llava"])
    see = base.model.get_image_features

    def slightly_wrong(**inputs: Any) -> Any:
        features = see(**inputs)
        features.pooler_output = [one * 1.001 for one in features.pooler_output]
        return features

    vision = Vision(base)
    vision._see = slightly_wrong
    assert vision.look(prompts, pictures("a", "b", "c")) == (prompts, {})


def test_a_base_without_the_argument_is_given_pixels() -> None:
    class Bare(torch.nn.Module):
        base_model = None

        def forward(self, input_ids: Any) -> Any:
            return input_ids

    prompt = {"input_ids": torch.tensor([[1]]), "pixel_values": torch.zeros(1)}
    assert Vision(Bare()).look([prompt], pictures("a")) == ([prompt], {})
