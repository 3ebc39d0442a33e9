"""Base model: a vision-language model of stock transformers classes, put together from packages.

A FastVLM takes the last layer of a convolutional network as it is, one token a position; a LLaVA would want
the layers of a transformer. Its projector is new, and sees nothing until it is taught (`projector.py`).
"""

from pathlib import Path
from typing import Any, NamedTuple

import torch

from safe_train.real.language_model import BEGIN, END, LanguageModel
from safe_train.real.vision_tower import DEVIATION, MEAN, PATCH_SIDE, load_weights, vision_config

IMAGE = "<image>"
SIDE = 64  # pixels; 4 tokens a picture, where 128 pixels would be 16
TOKENS = (SIDE // PATCH_SIDE) ** 2
_SEED = 0  # of the untaught projector, and of the word that stands for a picture
# The template of the language model begins with a system prompt, which each question would pay for.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    f"{BEGIN}{{{{ message['role'] }}}}\n"
    "{% for part in message['content'] %}"
    f"{{{{ '{IMAGE}' if part['type'] == 'image' else part['text'] }}}}"
    "{% endfor %}"
    f"{END}\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}"
    f"{BEGIN}assistant\n"
    "{% endif %}"
)


class BaseModel(NamedTuple):
    """A vision-language model and its processor."""

    model: Any
    processor: Any


def assemble(language: LanguageModel, vision_weights: Path) -> BaseModel:
    """A vision-language model whose projector is untaught; the language model's own words stay as they are.

    Raises:
        InputError: the weights are of another vision tower.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return _assemble(language, vision_weights)


def _assemble(language: LanguageModel, vision_weights: Path) -> BaseModel:
    from transformers import FastVlmConfig, FastVlmForConditionalGeneration

    tokenizer = language.tokenizer
    tokenizer.add_special_tokens({"additional_special_tokens": [IMAGE]})
    tokenizer.padding_side = "left"
    words = language.model
    words.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    image = tokenizer.convert_tokens_to_ids(IMAGE)
    config = FastVlmConfig(
        vision_config=vision_config(),
        text_config=words.config,
        image_token_index=image,
        image_seq_length=TOKENS,
        tie_word_embeddings=True,
    )
    model = FastVlmForConditionalGeneration(config)
    load_weights(model.model.vision_tower, vision_weights)
    model.model.language_model.load_state_dict(words.model.state_dict())
    model.tie_weights()
    end = tokenizer.convert_tokens_to_ids(END)
    model.generation_config.update(eos_token_id=end, pad_token_id=end, suppress_tokens=[image])
    return BaseModel(model.eval().requires_grad_(False), _processor(tokenizer))


def _processor(tokenizer: Any) -> Any:
    """What prepares pictures of 64 × 64 pixels, without a crop, and questions."""
    from transformers import LlavaProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    pictures = CLIPImageProcessorPil(
        size={"height": SIDE, "width": SIDE},
        do_center_crop=False,
        image_mean=[MEAN] * 3,
        image_std=[DEVIATION] * 3,
    )
    return LlavaProcessor(
        image_processor=pictures,
        tokenizer=tokenizer,
        patch_size=PATCH_SIDE,
        vision_feature_select_strategy="full",
        image_token=IMAGE,
        chat_template=CHAT_TEMPLATE,
    )
