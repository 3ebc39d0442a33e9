"""The backbone: loaded from its directory in its own precision, with its decoder layers found."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import TEXT, tiny_llava
from torch import nn

from safe_data.core.errors import InputError
from safe_train.base.backbone import decoder_layers, load_backbone
from safe_train.toy.words import make_processor


def tiny_blip2(family: str) -> Any:
    from transformers import (
        Blip2Config,
        Blip2ForConditionalGeneration,
        Blip2QFormerConfig,
        Blip2VisionConfig,
        OPTConfig,
        T5Config,
    )

    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16, "num_hidden_layers": 1}
    texts = {
        "opt": OPTConfig(
            vocab_size=64,
            hidden_size=32,
            ffn_dim=32,
            num_hidden_layers=3,
            num_attention_heads=2,
            word_embed_proj_dim=32,
            max_position_embeddings=64,
        ),
        "t5": T5Config(
            vocab_size=64, d_model=32, d_kv=16, d_ff=32, num_layers=2, num_decoder_layers=3, num_heads=2
        ),
    }
    config = Blip2Config(
        vision_config=Blip2VisionConfig(**sizes, image_size=8, patch_size=4).to_dict(),
        qformer_config=Blip2QFormerConfig(**sizes, vocab_size=64, encoder_hidden_size=16).to_dict(),
        text_config=texts[family].to_dict(),
        num_query_tokens=2,
    )
    return Blip2ForConditionalGeneration(config)


def tiny_qwen2_vl() -> Any:
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    config = Qwen2VLConfig(
        text_config={**TEXT, "num_hidden_layers": 3, "rope_parameters": rope},
        vision_config={"embed_dim": 16, "hidden_size": 32, "depth": 1, "num_heads": 2, "mlp_ratio": 1},
    )
    return Qwen2VLForConditionalGeneration(config)


@pytest.mark.parametrize(
    ("make", "layer", "count"),
    [
        (tiny_llava, "LlamaDecoderLayer", 4),
        (lambda: tiny_blip2("opt"), "OPTDecoderLayer", 3),
        (lambda: tiny_blip2("t5"), "T5Block", 3),
        (tiny_qwen2_vl, "Qwen2VLDecoderLayer", 3),
    ],
    ids=["llava", "blip2-opt", "blip2-t5", "qwen2-vl"],
)
def test_decoder_layers_of_each_family(make: Any, layer: str, count: int) -> None:
    layers = decoder_layers(make())
    assert [type(module).__name__ for module in layers] == [layer] * count


def test_a_model_without_decoder_layers_is_named() -> None:
    with pytest.raises(InputError, match=r"Linear: no decoder layers in layers, model.layers.*backbone.py"):
        decoder_layers(nn.Linear(2, 2))


def test_a_backbone_keeps_the_precision_it_was_saved_in(tmp_path: Path) -> None:
    tiny_llava().to(torch.bfloat16).save_pretrained(tmp_path)
    make_processor().save_pretrained(tmp_path)
    assert {p.dtype for p in load_backbone(tmp_path).model.parameters()} == {torch.bfloat16}


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere' is not a directory; give one that holds config.json"):
        load_backbone(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds no model checkpoint .*save_pretrained"):
        load_backbone(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "llava"}')
    with pytest.raises(InputError, match="is not a vision-language model that can be loaded"):
        load_backbone(tmp_path)


def test_a_hub_id_that_cannot_be_had_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        InputError, match=r"'someone/absent' is not a directory, nor could it be had from the hub"
    ):
        load_backbone("someone/absent")


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    model = tiny_llava()
    model.save_pretrained(tmp_path)
    make_processor().save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="safetensors"):
        load_backbone(tmp_path)
