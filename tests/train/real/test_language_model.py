"""A language model is what its GGUF file holds, its matrices of four bits made float32."""

import json
from pathlib import Path

import pytest
import torch
from tiny_archives import placed
from tiny_language import HEADS, KEY_HEADS, SPECIAL, Weights, random_llama, save_gguf, vocabulary
from torch import Tensor

from safe_data.core.errors import InputError
from safe_train.real.language_model import BEGIN, END, LanguageModel, read_gguf

gguf = pytest.importorskip("gguf")

# By GGUF's names, those of transformers.
NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


@pytest.fixture(scope="module")
def weights() -> Weights:
    return random_llama()


@pytest.fixture(scope="module")
def exact(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return read_gguf(save_gguf(tmp_path_factory.mktemp("exact") / "tiny.gguf", weights))


@pytest.fixture(scope="module")
def quantized(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    file = tmp_path_factory.mktemp("quantized") / "tiny-q4_1.gguf"
    return read_gguf(save_gguf(file, weights, quantized=True))


def by_our_names(weights: Weights) -> dict[str, Tensor]:
    """The weights by the names of transformers, with pairs of rotated rows where it wants them."""
    renamed = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
    found = {}
    for name, weight in weights.items():
        part = name.removesuffix(".weight")
        made = torch.from_numpy(weight)
        if part.startswith("blk."):
            _, layer, part = part.split(".")
            if part in ("attn_q", "attn_k"):
                heads = HEADS if part == "attn_q" else KEY_HEADS
                # Rows 0, 1, 2, 3 … of a head are pairs; transformers has the first of each, then the second.
                made = torch.cat([rows[start::2] for rows in made.chunk(heads) for start in (0, 1)])
            found[f"model.layers.{layer}.{NAMES[part]}.weight"] = made
        else:
            found[f"{renamed[part]}.weight"] = made
    found["lm_head.weight"] = found["model.embed_tokens.weight"]
    return found


def test_weights_of_float32_are_those_of_the_file(exact: LanguageModel, weights: Weights) -> None:
    state, wanted = exact.model.state_dict(), by_our_names(weights)
    assert state.keys() == wanted.keys()
    assert {weight.dtype for weight in state.values()} == {torch.float32}
    assert [name for name, weight in wanted.items() if not torch.equal(state[name], weight)] == []


def test_weights_of_four_bits_are_what_the_rounding_left_of_them(
    quantized: LanguageModel, weights: Weights
) -> None:
    kind = gguf.GGMLQuantizationType.Q4_1
    rounded = {
        name: gguf.quants.dequantize(gguf.quants.quantize(weight, kind), kind)
        if weight.ndim == 2 and name.startswith("blk.")
        else weight
        for name, weight in weights.items()
    }
    state, wanted = quantized.model.state_dict(), by_our_names(rounded)
    assert [name for name, weight in wanted.items() if not torch.equal(state[name], weight)] == []
    error = state["model.layers.0.mlp.up_proj.weight"] - torch.from_numpy(weights["blk.0.ffn_up.weight"])
    assert 0 < error.abs().max() < 0.15


def test_it_is_an_ordinary_llama_of_the_size_of_the_file(exact: LanguageModel) -> None:
    config = exact.model.config
    assert type(exact.model).__name__ == "LlamaForCausalLM"
    assert (config.num_attention_heads, config.num_key_value_heads) == (HEADS, KEY_HEADS)
    assert (config.vocab_size, config.rms_norm_eps) == (len(vocabulary()[0]), pytest.approx(1e-5))
    assert config.rope_parameters["rope_theta"] == 10_000
    assert exact.model.get_input_embeddings().weight is exact.model.get_output_embeddings().weight
    assert not exact.model.training


@pytest.mark.parametrize(
    "text", ["What kind of picture? yes", "ünïcode 数 \n\ttab", " two  spaces ", "12.5 %"]
)
def test_text_is_read_and_written_back(exact: LanguageModel, text: str) -> None:
    ids = exact.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert exact.tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text
    assert max(ids) < len(vocabulary()[0])


def test_words_and_marks_are_one_token_each(exact: LanguageModel) -> None:
    tokens, _ = vocabulary()
    said = exact.tokenizer(f"{BEGIN}user kind{END}", add_special_tokens=False)["input_ids"]
    assert said == [1, tokens.index("user"), tokens.index("Ġkind"), 2]
    assert exact.tokenizer("yes")["input_ids"] == [tokens.index("yes")]  # nothing is put before it
    assert exact.tokenizer.convert_ids_to_tokens([0, 1, 2]) == list(SPECIAL)
    assert exact.tokenizer.eos_token == END


def test_it_is_saved_as_an_ordinary_checkpoint(quantized: LanguageModel, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    quantized.model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert "quantization_config" not in config
    assert config["dtype"] == "float32"
    assert [file.name for file in tmp_path.glob("*.safetensors")] == ["model.safetensors"]
    again = AutoModelForCausalLM.from_pretrained(tmp_path).state_dict()
    assert all(torch.equal(again[name], weight) for name, weight in quantized.model.state_dict().items())


def test_what_is_no_gguf_or_cut_off_is_refused(tmp_path: Path) -> None:
    whole = save_gguf(tmp_path / "whole.gguf").read_bytes()
    broken = (b"", b"GGUF", b"no model", whole[:100], whole[:2_000], whole[: len(whole) // 2], whole[:-500])
    for number, data in enumerate(broken):
        file = placed(tmp_path / f"{number}" / "cut.gguf", data)
        with pytest.raises(InputError, match=r"cut\.gguf: holds no language model"):
            read_gguf(file)
    with pytest.raises(InputError, match=r"missing\.gguf: holds no language model"):
        read_gguf(tmp_path / "missing.gguf")


def test_another_family_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"other\.gguf: holds (a |no language model)"):
        read_gguf(save_gguf(tmp_path / "other.gguf", arch="qwen2"))
