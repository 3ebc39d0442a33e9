"""Tiny models with random weights but real architectures: what holds for them holds for any weights."""

from typing import Any

import torch

from safe_train.pathway.model import AudioPathway
from safe_train.settings.backbone import AskingConfig
from safe_train.settings.pathway import PathwayConfig
from safe_train.toy.recipe import Recipe

torch.set_num_threads(1)

DIMS = 12
IMAGE_TOKEN, PAD, END = 60, 0, 1
TEXT = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 2,
    "eos_token_id": END,
    "pad_token_id": PAD,
}
VISION = {
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 8,
    "patch_size": 4,
}
PATCHES = 4
SHORT = AskingConfig(answer_tokens=4)  # an untaught backbone seldom ends an answer by itself
QUICK_RECIPE = Recipe(
    pictures=60, rows=16, told_rows=4, guessed_rows=2, vision_steps=3, language_steps=4, held_out_questions=20
)


def tiny_llava() -> Any:
    """A LLaVA of 4 decoder layers whose pictures are 8×8 and become 4 tokens."""
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    torch.manual_seed(0)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**VISION),
        text_config=LlamaConfig(**TEXT),
        image_token_index=IMAGE_TOKEN,
    )
    model = LlavaForConditionalGeneration(config).eval()
    # A random model may generate "<image>", which then has no picture.
    model.generation_config.suppress_tokens = [IMAGE_TOKEN]
    model.generation_config.pad_token_id = PAD
    return model


def llava_inputs(rows: int, seed: int = 0, left_padding: int = 0) -> dict[str, torch.Tensor]:
    """Random prompts of a picture and five words, padded on the left if asked."""
    generator = torch.Generator().manual_seed(seed)
    words = torch.randint(3, IMAGE_TOKEN, (rows, 5), generator=generator)
    ids = torch.cat([torch.full((rows, PATCHES), IMAGE_TOKEN), words], 1)
    mask = torch.ones_like(ids)
    if left_padding:
        ids = torch.cat([torch.full((rows, left_padding), PAD), ids], 1)
        mask = torch.cat([torch.zeros(rows, left_padding, dtype=mask.dtype), mask], 1)
    pixels = torch.randn(rows, 3, 8, 8, generator=generator)
    return {"input_ids": ids, "attention_mask": mask, "pixel_values": pixels}


def awake_pathway(
    layers: tuple[int, ...] = (1, 3),
    width: int = 32,
    shapes: tuple[tuple[int, ...], ...] = ((DIMS,),),
    **settings: Any,
) -> AudioPathway:
    """A pathway whose outputs are no longer zero, as after training."""
    torch.manual_seed(0)
    config = PathwayConfig(layers=layers, **{"bottleneck": 16, **settings})
    return wake(AudioPathway(config, shapes=shapes, width=width))


def wake(pathway: AudioPathway) -> AudioPathway:
    """Give each cross-attention of a new pathway an output that is not zero."""
    with torch.no_grad():
        for number in pathway.config.layers:
            output = pathway.block(number).output
            torch.nn.init.normal_(getattr(output, "up", output).weight)
    return pathway


def sounds(rows: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, DIMS, generator=torch.Generator().manual_seed(seed))
