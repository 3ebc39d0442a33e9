"""A tiny LLaMA with random weights in a GGUF file, whose tokenizer has every byte and a few words."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

WIDTH, DEEP, LAYERS, HEADS, KEY_HEADS = 32, 64, 2, 4, 2
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
WORDS = ("kind", "yes", "no", "bird", "tool", "noise", "animal", "user", "assistant", "What", "picture")
Weights = dict[str, ndarray]


def byte_letters() -> list[str]:
    """The letter by which GPT-2's tokenizers write each byte: itself where it can be seen."""
    seen = {*range(33, 127), *range(161, 173), *range(174, 256)}
    rest = iter(range(256, 512))
    return [chr(byte) if byte in seen else chr(next(rest)) for byte in range(256)]


def vocabulary() -> tuple[list[str], list[str]]:
    """The tokens in the order of their numbers, and the merges that make words of letters."""
    tokens, merges = [*SPECIAL, *byte_letters()], []
    for word in WORDS:
        parts = [(word[: end - 1], word[end - 1]) for end in range(2, len(word) + 1)]
        for left, right in (*parts, ("Ġ", word)):
            if left + right not in tokens:
                tokens.append(left + right)
                merges.append(f"{left} {right}")
    return tokens, merges


def random_llama(seed: int = 0) -> Weights:
    """Weights by the names of GGUF."""
    rng = np.random.default_rng(seed)
    key = WIDTH // HEADS * KEY_HEADS
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (len(vocabulary()[0]), WIDTH),
        "output_norm.weight": (WIDTH,),
    }
    for layer in range(LAYERS):
        shapes |= {
            f"blk.{layer}.attn_norm.weight": (WIDTH,),
            f"blk.{layer}.attn_q.weight": (WIDTH, WIDTH),
            f"blk.{layer}.attn_k.weight": (key, WIDTH),
            f"blk.{layer}.attn_v.weight": (key, WIDTH),
            f"blk.{layer}.attn_output.weight": (WIDTH, WIDTH),
            f"blk.{layer}.ffn_norm.weight": (WIDTH,),
            f"blk.{layer}.ffn_gate.weight": (DEEP, WIDTH),
            f"blk.{layer}.ffn_up.weight": (DEEP, WIDTH),
            f"blk.{layer}.ffn_down.weight": (WIDTH, DEEP),
        }
    return {
        name: (rng.normal(size=shape) * 0.3 + (len(shape) == 1)).astype(np.float32)
        for name, shape in shapes.items()
    }


def save_gguf(
    path: Path, weights: Weights | None = None, *, quantized: bool = False, arch: str = "llama"
) -> Path:
    """Write the model; if quantized, its matrices but for the words have four bits (Q4_1)."""
    from gguf import GGMLQuantizationType, GGUFWriter, quants

    tokens, merges = vocabulary()
    path.parent.mkdir(parents=True, exist_ok=True)
    writer: Any = GGUFWriter(path, arch)
    writer.add_name("tiny")
    writer.add_context_length(256)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(DEEP)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in SPECIAL else 1 for token in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    for name, weight in (weights or random_llama()).items():
        if quantized and weight.ndim == 2 and name.startswith("blk."):
            kind = GGMLQuantizationType.Q4_1
            writer.add_tensor(name, quants.quantize(weight, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
