"""Configs of models to audit, published ones and tiny ones, and what a real pass of a tiny one keeps."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from transformers import Blip2Config, CLIPVisionConfig, LlamaConfig, LlavaConfig, OPTConfig, Qwen2VLConfig

from safe_eval.models.generation import last_logits
from safe_train.audit.live import Live
from safe_train.audit.memory import Sizes
from safe_train.pathway.model import SafeModel
from safe_train.retention.distillation import distillation_loss

WIDTH, LAYERS, VOCABULARY, PATCHES, DIMS = 64, 4, 300, 16, 12
TEXT = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": 160,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
SEEING = {
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 4,
}


def published_llava(*, large: bool) -> LlavaConfig:
    """LLaVA-1.5 of 7 or 13 billion parameters, by the fields of its config.json on the hub."""
    text = LlamaConfig(
        vocab_size=32064,
        hidden_size=5120 if large else 4096,
        intermediate_size=13824 if large else 11008,
        num_hidden_layers=40 if large else 32,
        num_attention_heads=40 if large else 32,
        max_position_embeddings=4096,
        rms_norm_eps=1e-5,
    )
    vision = CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=336,
        patch_size=14,
        projection_dim=768,
        vocab_size=32000,
    )
    return LlavaConfig(vision_config=vision, text_config=text, image_token_index=32000, dtype="float16")


def tiny_llava() -> LlavaConfig:
    return LlavaConfig(
        vision_config=CLIPVisionConfig(**SEEING),
        text_config=LlamaConfig(**TEXT),
        image_token_index=VOCABULARY - 1,
        image_seq_length=PATCHES,
    )


def tiny_qwen() -> Qwen2VLConfig:
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4}
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": WIDTH, "num_heads": 2, "patch_size": 4}
    return Qwen2VLConfig(text_config={**TEXT, "rope_parameters": rope}, vision_config=vision)


def tiny_blip2() -> Blip2Config:
    former = {
        "vocab_size": 20,
        "hidden_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "encoder_hidden_size": 24,
    }
    text = OPTConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        ffn_dim=160,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        word_embed_proj_dim=WIDTH,
        max_position_embeddings=512,
    )
    return Blip2Config(vision_config=SEEING, qformer_config=former, text_config=text.to_dict())


TINY = {"llava": tiny_llava, "qwen2-vl": tiny_qwen, "blip-2": tiny_blip2}


@contextmanager
def keeping(model: SafeModel, speaker: Any) -> Iterator[dict[int, int]]:
    """The bytes of each storage that operations save for the backward pass, without weights."""
    weights = {*speaker.parameters(), *speaker.buffers(), *model.pathway.parameters()}
    known = {tensor.untyped_storage().data_ptr() for tensor in weights}
    kept: dict[int, int] = {}
    alive = []  # a storage that was freed would lend its place to another

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(storage)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


def really_kept(model: SafeModel, speaker: Any, sizes: Sizes) -> int:
    """The bytes that the forward pass of a real step saves for its backward pass, on the CPU."""
    taught = teach(speaker, sizes)
    with keeping(model, speaker) as kept:
        loss_of(model, speaker, sizes, taught)
        return sum(kept.values())


def really_alive(model: SafeModel, speaker: Any, sizes: Sizes) -> int:
    """The bytes that are alive between the forward and the backward pass of a real step, on the CPU."""
    taught = teach(speaker, sizes)
    with Live([*speaker.parameters(), *speaker.buffers(), *model.pathway.parameters()]) as live:
        loss = loss_of(model, speaker, sizes, taught)
        alive = live.now
    assert loss.requires_grad
    return alive


def inputs_of(rows: int, sizes: Sizes) -> dict[str, torch.Tensor]:
    """Prompts of words, of which the first is padded."""
    ids = torch.randint(5, 200, (rows, sizes.positions), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[0, :3] = 0
    return {"input_ids": ids, "attention_mask": mask}


def teach(speaker: Any, sizes: Sizes) -> torch.Tensor | None:
    """The teacher's logits."""
    if not sizes.kept:
        return None
    with torch.no_grad():
        return last_logits(speaker, inputs_of(sizes.kept, sizes), sizes.answer_positions, speaker)


def loss_of(model: SafeModel, speaker: Any, sizes: Sizes, taught: torch.Tensor | None) -> torch.Tensor:
    """The loss of stage A."""
    inputs, tokens = inputs_of(sizes.rows, sizes), sizes.answer_positions
    with model.fuse(audio=torch.randn(sizes.rows, DIMS), gate=1.0):
        logits = last_logits(model, inputs, tokens, speaker)
        learns = torch.arange(sizes.rows) >= sizes.kept
        answers = inputs["input_ids"][learns][:, -tokens:].flatten()
        loss = F.cross_entropy(logits[learns].flatten(0, 1), answers)
        if taught is not None:
            real = torch.ones(sizes.kept, tokens, dtype=torch.bool)
            loss = loss + distillation_loss(logits[~learns], taught, real, 2.0)
    return loss
