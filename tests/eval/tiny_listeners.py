"""Tiny random models that take sounds through their processors, in the layout of their hub repositories."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tiny_families import CHATML, FAMILIES, LLAMA_WORDS, Tiny, Words, save_tiny

AUDIO_ENCODER = {
    "d_model": 16,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "num_mel_bins": 16,
    "max_source_positions": 50,
}
EARS = {  # one second is heard
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": 16,
    "chunk_length": 1,
    "hop_length": 160,
    "n_fft": 400,
    "sampling_rate": 16000,
    "padding_side": "left",
    "padding_value": 0.0,
    "return_attention_mask": True,
}


def listening_chat(turn: str, media: Sequence[tuple[str, str]], answer: str) -> str:
    """A chat template with a place for each kind of medium; a system prompt stands before all turns."""
    opening, closing = turn.split("MESSAGE")
    kinds = "".join(
        f"{{% {'elif' if number else 'if'} part['type'] == '{kind}' %}}{token}"
        for number, (kind, token) in enumerate(media)
    )
    return (
        f"{{% for message in messages %}}{{% if message['role'] == 'user' %}}{opening}{{% endif %}}"
        f"{{% for part in message['content'] %}}{kinds}{{% else %}}{{{{ part['text'] }}}}"
        f"{{% endif %}}{{% endfor %}}{{% if message['role'] == 'user' %}}{closing}{{% else %}} {{% endif %}}"
        f"{{% endfor %}}{{% if add_generation_prompt %}}{answer}{{% endif %}}"
    )


def qwen2_audio() -> Tiny:
    """Qwen/Qwen2-Audio-7B-Instruct: it hears, and sees nothing."""
    from transformers import Qwen2AudioConfig, Qwen2AudioForConditionalGeneration

    named = {
        "audio_token": "<|AUDIO|>",
        "audio_bos_token": "<|audio_bos|>",
        "audio_eos_token": "<|audio_eos|>",
    }
    words = Words("<|AUDIO|>", pad="<|endoftext|>", end="<|im_end|>", named=named, more=("<|im_start|>",))
    config = Qwen2AudioConfig(
        audio_config={"model_type": "qwen2_audio_encoder", **AUDIO_ENCODER},
        text_config={"model_type": "qwen2", **words.text()},
        audio_token_index=words.ids()["<|AUDIO|>"],
    )
    sound = "<|audio_bos|><|AUDIO|><|audio_eos|>\n"
    return Tiny(
        Qwen2AudioForConditionalGeneration(config),
        words,
        {
            "preprocessor_config.json": {**EARS, "processor_class": "Qwen2AudioProcessor"},
            "chat_template.json": {"chat_template": listening_chat(CHATML[0], [("audio", sound)], CHATML[1])},
        },
    )


def omni() -> Tiny:
    """Qwen/Qwen2.5-Omni-7B: it hears and sees."""
    tiny = FAMILIES["Qwen2.5-Omni"]()
    media = [
        ("image", "<|vision_bos|><|IMAGE|><|vision_eos|>"),
        ("audio", "<|audio_bos|><|AUDIO|><|audio_eos|>"),
    ]
    template = listening_chat(CHATML[0], media, CHATML[1])
    return Tiny(tiny.model, tiny.words, tiny.files | {"chat_template.json": {"chat_template": template}})


def text_alone() -> Tiny:
    """A LLaMA: neither a processor nor a chat template."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return Tiny(LlamaForCausalLM(LlamaConfig(**LLAMA_WORDS.text())), LLAMA_WORDS, {})


MADE: dict[str, Any] = {
    "Qwen2-Audio": qwen2_audio,
    "Qwen2.5-Omni": omni,
    "LLaVA": FAMILIES["LLaVA"],
    "Llama 3.2 Vision": FAMILIES["Llama 3.2 Vision"],
    "LLaMA": text_alone,
}


def save_made(name: str, folder: Path) -> Path:
    """Write the checkpoint of a model."""
    folder.mkdir(parents=True)
    return save_tiny(MADE[name], folder)
