"""Model families as tiny random checkpoints, in the layout and with the file names of their hub repositories.

`save_family` writes config.json, model.safetensors, generation_config.json and the tokenizer's files as
transformers does, and the processor's files by hand: with the class names that were published, which are not
always those that transformers 5 would write.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from safe_train.toy.words import vocabulary

WIDTH = 32
LAYERS = 2
FILES = dict[str, Any]
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
CLIP = {"image_mean": CLIP_MEAN, "image_std": CLIP_STD}
COMMON = {"do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "resample": 3}
EXTRA_WORDS = ("USER:", "ASSISTANT:", "Question:", "Answer:", "User:", "Assistant:", "answer", "en", "user")


@dataclass
class Words:
    """A family's tokenizer: its special tokens, those that its processor asks for by name, and its ends."""

    image: str
    pad: str = "<pad>"
    end: str = "</s>"
    begin: str | None = None
    adds_begin: bool = False
    adds_end: bool = False
    named: dict[str, str] = field(default_factory=dict)
    more: tuple[str, ...] = ()

    def ids(self) -> dict[str, int]:
        special = [self.pad, self.end, "<unk>", self.begin, self.image, *self.named.values(), *self.more]
        words = [word for word in vocabulary() if not word.startswith("<")]
        return {
            word: number
            for number, word in enumerate(dict.fromkeys(w for w in [*special, *words, *EXTRA_WORDS] if w))
        }

    @property
    def size(self) -> int:
        return len(self.ids())

    def text(self, **changes: Any) -> dict[str, Any]:
        """The sizes of a language model with these words."""
        ids = self.ids()
        return {
            "vocab_size": len(ids),
            "hidden_size": WIDTH,
            "intermediate_size": 48,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 1024,
            "bos_token_id": ids.get(self.begin or ""),
            "eos_token_id": ids[self.end],
            "pad_token_id": ids[self.pad],
        } | changes


@dataclass
class Tiny:
    """What is written of a family."""

    model: Any
    words: Words
    files: FILES


def save_family(name: str, folder: Path) -> Path:
    """Write the checkpoint of a family."""
    return save_tiny(FAMILIES[name], folder)


def save_tiny(make: Callable[[], Tiny], folder: Path) -> Path:
    """Write the checkpoint of what is made."""
    torch.manual_seed(0)
    tiny = make()
    with torch.no_grad():
        for parameter in tiny.model.parameters():
            if parameter.dim() > 1:  # larger than usual, so that what a prompt says changes the answer
                parameter.mul_(3)
                if not parameter.any():  # BLIP-2's query tokens: a layer norm of zeros has no useful gradient
                    parameter.normal_()
            elif parameter.numel() == 1:  # the gates of cross-attentions, which are closed at first
                parameter.fill_(0.5)
    tiny.model.save_pretrained(folder)
    save_tokenizer(tiny.words, folder)
    for file, content in tiny.files.items():
        text = content if isinstance(content, str) else json.dumps(content, indent=2)
        (folder / file).write_text(text, "utf-8")
    return folder


def save_tokenizer(words: Words, folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json: one token a word, special tokens as the family's."""
    from tokenizers import AddedToken, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from tokenizers.processors import TemplateProcessing

    ids = words.ids()
    tokenizer = Tokenizer(WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    special = [words.pad, words.end, "<unk>", words.begin, words.image, *words.named.values(), *words.more]
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in special if token]
    )
    begin = [words.begin] if words.adds_begin and words.begin else []
    end = [words.end] if words.adds_end else []
    if begin or end:
        tokenizer.post_processor = TemplateProcessing(
            single=[*begin, "$A", *end], special_tokens=[(token, ids[token]) for token in [*begin, *end]]
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": words.pad,
        "eos_token": words.end,
        "unk_token": "<unk>",
        "bos_token": words.begin,
        "extra_special_tokens": words.named,
        **words.named,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1024,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")


def chat(turn: str, image: str, answer: str, before: str = "") -> str:
    """A chat template: `turn` holds the whole message at MESSAGE."""
    before = "{{ bos_token }}" if before == "bos" else before
    opening, closing = turn.split("MESSAGE")
    return (
        f"{before}{{% for message in messages %}}{opening}"
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
        "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
        f"{image}{{% else %}}{{{{ part['text'] }}}}{{% endif %}}{{% endfor %}}{{% endif %}}{closing}"
        f"{{% endfor %}}{{% if add_generation_prompt %}}{answer}{{% endif %}}"
    )


CHATML = ("<|im_start|>user\nMESSAGE<|im_end|>\n", "<|im_start|>assistant\n")
VICUNA = chat("USER: MESSAGE ", "<image>\n", "ASSISTANT:")
LLAMA_WORDS = Words(
    "<image>", begin="<s>", adds_begin=True, named={"image_token": "<image>"}
)  # as LLaVA's: Vicuna's tokenizer and one more token


def clip_vision(**changes: Any) -> dict[str, Any]:
    return {
        "model_type": "clip_vision_model",
        "hidden_size": 24,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 16,
        "patch_size": 8,
        "projection_dim": 24,
    } | changes


def siglip_vision(**changes: Any) -> dict[str, Any]:
    return clip_vision(model_type="siglip_vision_model") | changes


def llava() -> Tiny:
    """llava-hf/llava-1.5-7b-hf."""
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    return Tiny(
        LlavaForConditionalGeneration(
            LlavaConfig(
                vision_config=clip_vision(),
                text_config={"model_type": "llama", **LLAMA_WORDS.text()},
                image_token_index=LLAMA_WORDS.ids()["<image>"],
            )
        ),
        LLAMA_WORDS,
        {
            "preprocessor_config.json": {
                **COMMON,
                **CLIP,
                "crop_size": {"height": 16, "width": 16},
                "do_center_crop": True,
                "image_processor_type": "CLIPImageProcessor",
                "processor_class": "LlavaProcessor",
                "size": {"shortest_edge": 16},
            },
            "processor_config.json": {
                "image_token": "<image>",
                "num_additional_image_tokens": 1,
                "patch_size": 8,
                "processor_class": "LlavaProcessor",
                "vision_feature_select_strategy": "default",
            },
            "chat_template.json": {"chat_template": VICUNA},
        },
    )


def llava_original() -> Tiny:
    """llava-hf/llava-1.5-7b-hf, as first published: without a chat template and processor_config.json."""
    tiny = llava()
    del tiny.files["chat_template.json"], tiny.files["processor_config.json"]
    return tiny


def llava_next() -> Tiny:
    """llava-hf/llava-v1.6-vicuna-7b-hf."""
    from transformers import LlavaNextConfig, LlavaNextForConditionalGeneration

    pinpoints = [[16, 32], [32, 16], [32, 32], [48, 16], [16, 48]]
    return Tiny(
        LlavaNextForConditionalGeneration(
            LlavaNextConfig(
                vision_config=clip_vision(),
                text_config={"model_type": "llama", **LLAMA_WORDS.text()},
                image_token_index=LLAMA_WORDS.ids()["<image>"],
                image_grid_pinpoints=pinpoints,
                image_seq_length=4,
            )
        ),
        LLAMA_WORDS,
        {
            "preprocessor_config.json": {
                **COMMON,
                **CLIP,
                "aspect_ratio_setting": "anyres",
                "crop_size": {"height": 16, "width": 16},
                "do_center_crop": True,
                "do_pad": True,
                "image_grid_pinpoints": pinpoints,
                "image_processor_type": "LlavaNextImageProcessor",
                "processor_class": "LlavaNextProcessor",
                "size": {"shortest_edge": 16},
            },
            "processor_config.json": {
                "image_token": "<image>",
                "num_additional_image_tokens": 1,
                "patch_size": 8,
                "processor_class": "LlavaNextProcessor",
                "vision_feature_select_strategy": "default",
            },
            "chat_template.json": {"chat_template": VICUNA},
        },
    )


def llava_onevision() -> Tiny:
    """llava-hf/llava-onevision-qwen2-0.5b-ov-hf."""
    from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration

    pinpoints = [[16, 16], [16, 32], [32, 16], [32, 32], [48, 16], [16, 48]]
    words = Words(
        "<image>",
        pad="<|endoftext|>",
        end="<|im_end|>",
        named={"image_token": "<image>", "video_token": "<video>"},
        more=("<|im_start|>",),
    )
    return Tiny(
        LlavaOnevisionForConditionalGeneration(
            LlavaOnevisionConfig(
                vision_config=siglip_vision(vision_use_head=False),
                text_config={"model_type": "qwen2", **words.text()},
                image_token_index=words.ids()["<image>"],
                video_token_index=words.ids()["<video>"],
                image_grid_pinpoints=pinpoints,
            )
        ),
        words,
        {
            "preprocessor_config.json": {
                **COMMON,
                **HALF,
                "do_pad": True,
                "image_grid_pinpoints": pinpoints,
                "image_processor_type": "LlavaOnevisionImageProcessor",
                "processor_class": "LlavaOnevisionProcessor",
                "size": {"height": 16, "width": 16},
            },
            "video_preprocessor_config.json": {
                **COMMON,
                **HALF,
                "video_processor_type": "LlavaOnevisionVideoProcessor",
                "processor_class": "LlavaOnevisionProcessor",
                "size": {"height": 16, "width": 16},
            },
            "processor_config.json": {
                "image_token": "<image>",
                "num_image_tokens": 4,
                "processor_class": "LlavaOnevisionProcessor",
                "video_token": "<video>",
                "vision_aspect_ratio": "anyres_max_9",
                "vision_feature_select_strategy": "full",
            },
            "chat_template.json": {"chat_template": chat(CHATML[0], "<image>\n", CHATML[1])},
        },
    )


def blip2(text: dict[str, Any], words: Words) -> Tiny:
    from transformers import Blip2Config, Blip2ForConditionalGeneration

    sizes = {"hidden_size": 24, "num_attention_heads": 2, "intermediate_size": 32, "num_hidden_layers": 1}
    return Tiny(
        Blip2ForConditionalGeneration(
            Blip2Config(
                vision_config={**sizes, "image_size": 16, "patch_size": 8},
                qformer_config={**sizes, "vocab_size": 40, "encoder_hidden_size": 24},
                text_config=text,
                num_query_tokens=3,
                image_token_index=words.ids()["<image>"],
            )
        ),
        words,
        {
            "preprocessor_config.json": {
                **COMMON,
                **CLIP,
                "image_processor_type": "BlipImageProcessor",
                "processor_class": "Blip2Processor",
                "size": {"height": 16, "width": 16},
            },
            "processor_config.json": {
                "image_token": {
                    "__type": "AddedToken",
                    "content": "<image>",
                    "lstrip": False,
                    "normalized": False,
                    "rstrip": False,
                    "single_word": False,
                    "special": True,
                },
                "num_query_tokens": 3,
                "processor_class": "Blip2Processor",
            },
        },
    )


def blip2_opt() -> Tiny:
    """Salesforce/blip2-opt-2.7b: its end token also begins a prompt, and the model ends with another."""
    words = Words("<image>", begin="</s>", adds_begin=True)
    ids = words.ids()
    text = {
        "model_type": "opt",
        "vocab_size": len(ids),
        "hidden_size": WIDTH,
        "ffn_dim": 48,
        "word_embed_proj_dim": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "max_position_embeddings": 256,
        "bos_token_id": ids["</s>"],
        "eos_token_id": ids["red"],
        "pad_token_id": ids["<pad>"],
    }
    return blip2(text, words)


def blip2_t5() -> Tiny:
    """Salesforce/blip2-flan-t5-xl."""
    words = Words("<image>", adds_end=True)
    ids = words.ids()
    text = {
        "model_type": "t5",
        "vocab_size": len(ids),
        "d_model": WIDTH,
        "d_kv": 8,
        "d_ff": 48,
        "num_layers": LAYERS,
        "num_decoder_layers": LAYERS,
        "num_heads": 4,
        "feed_forward_proj": "gated-gelu",
        "eos_token_id": ids["</s>"],
        "pad_token_id": ids["<pad>"],
        "decoder_start_token_id": ids["<pad>"],
    }
    return blip2(text, words)


QWEN_WORDS = Words(
    "<|image_pad|>",
    pad="<|endoftext|>",
    end="<|im_end|>",
    more=("<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|video_pad|>"),
)
QWEN_CHAT = chat(CHATML[0], "<|vision_start|><|image_pad|><|vision_end|>", CHATML[1])
MROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
QWEN_GRID = {"patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 2}


def qwen_tokens(words: Words = QWEN_WORDS) -> dict[str, int]:
    ids = words.ids()
    return {
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
    }


def qwen_pictures(**settings: Any) -> FILES:
    return {
        **COMMON,
        **CLIP,
        "merge_size": 2,
        "patch_size": 4,
        "temporal_patch_size": 2,
        "image_processor_type": "Qwen2VLImageProcessor",
        **settings,
    }


def qwen2_vl() -> Tiny:
    """Qwen/Qwen2-VL-2B-Instruct."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    vision = {"depth": 1, "embed_dim": 32, "hidden_size": WIDTH, "mlp_ratio": 2, "num_heads": 2, **QWEN_GRID}
    config = Qwen2VLConfig(
        text_config=QWEN_WORDS.text(rope_parameters=MROPE), vision_config=vision, **qwen_tokens()
    )
    pictures = qwen_pictures(min_pixels=64, max_pixels=1024, processor_class="Qwen2VLProcessor")
    return Tiny(
        Qwen2VLForConditionalGeneration(config),
        QWEN_WORDS,
        {"preprocessor_config.json": pictures, "chat_template.json": {"chat_template": QWEN_CHAT}},
    )


def qwen2_5_vision() -> dict[str, Any]:
    return {
        "depth": 2,
        "hidden_size": 32,
        "out_hidden_size": WIDTH,
        "intermediate_size": 32,
        "num_heads": 2,
        "window_size": 8,
        "fullatt_block_indexes": [1],
        **QWEN_GRID,
    }


def qwen2_5_vl() -> Tiny:
    """Qwen/Qwen2.5-VL-3B-Instruct."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    config = Qwen2_5_VLConfig(
        text_config=QWEN_WORDS.text(rope_parameters=MROPE), vision_config=qwen2_5_vision(), **qwen_tokens()
    )
    pictures = qwen_pictures(min_pixels=64, max_pixels=1024, processor_class="Qwen2_5_VLProcessor")
    return Tiny(
        Qwen2_5_VLForConditionalGeneration(config),
        QWEN_WORDS,
        {"preprocessor_config.json": pictures, "chat_template.json": {"chat_template": QWEN_CHAT}},
    )


def qwen3_vl() -> Tiny:
    """Qwen/Qwen3-VL-2B-Instruct."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 32,
        "out_hidden_size": WIDTH,
        "num_heads": 2,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0, 1],
        **QWEN_GRID,
    }
    config = Qwen3VLConfig(
        text_config=QWEN_WORDS.text(rope_parameters=MROPE, head_dim=8), vision_config=vision, **qwen_tokens()
    )
    size = {"longest_edge": 1024, "shortest_edge": 64}
    named = {"processor_class": "Qwen3VLProcessor", "size": size, **HALF}
    return Tiny(
        Qwen3VLForConditionalGeneration(config),
        QWEN_WORDS,
        {
            "preprocessor_config.json": qwen_pictures(**named)
            | {"image_processor_type": "Qwen2VLImageProcessorFast"},
            "video_preprocessor_config.json": {
                "merge_size": 2,
                "patch_size": 4,
                "temporal_patch_size": 2,
                "video_processor_type": "Qwen3VLVideoProcessor",
                **named,
            },
            "chat_template.json": {"chat_template": QWEN_CHAT},
        },
    )


def qwen2_5_omni() -> Tiny:
    """Qwen/Qwen2.5-Omni-7B, of which the thinker is loaded; without the parts that speak."""
    from transformers import Qwen2_5OmniConfig, Qwen2_5OmniForConditionalGeneration

    named = {
        "image_token": "<|IMAGE|>",
        "audio_token": "<|AUDIO|>",
        "video_token": "<|VIDEO|>",
        "vision_bos_token": "<|vision_bos|>",
        "vision_eos_token": "<|vision_eos|>",
        "audio_bos_token": "<|audio_bos|>",
        "audio_eos_token": "<|audio_eos|>",
    }
    words = Words("<|IMAGE|>", pad="<|endoftext|>", end="<|im_end|>", named=named, more=("<|im_start|>",))
    ids = words.ids()
    thinker = {
        "audio_config": {
            "d_model": 16,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 16,
            "num_mel_bins": 16,
            "output_dim": WIDTH,
            "max_source_positions": 50,
        },
        "vision_config": qwen2_5_vision(),
        "text_config": words.text(rope_parameters=MROPE),
        "audio_token_index": ids["<|AUDIO|>"],
        "image_token_index": ids["<|IMAGE|>"],
        "video_token_index": ids["<|VIDEO|>"],
        "vision_start_token_id": ids["<|vision_bos|>"],
        "vision_end_token_id": ids["<|vision_eos|>"],
        "audio_start_token_id": ids["<|audio_bos|>"],
        "audio_end_token_id": ids["<|audio_eos|>"],
        "pad_token_id": ids["<|endoftext|>"],
    }
    config = Qwen2_5OmniConfig(thinker_config=thinker, enable_audio_output=False)
    pictures = qwen_pictures(
        min_pixels=64,
        max_pixels=1024,
        processor_class="Qwen2_5OmniProcessor",
        feature_extractor_type="WhisperFeatureExtractor",
        feature_size=16,
        chunk_length=1,
        hop_length=160,
        n_fft=400,
        sampling_rate=16000,
        padding_side="left",
        padding_value=0.0,
        return_attention_mask=True,
    )
    template = chat(CHATML[0], "<|vision_bos|><|IMAGE|><|vision_eos|>", CHATML[1])
    return Tiny(
        Qwen2_5OmniForConditionalGeneration(config),
        words,
        {"preprocessor_config.json": pictures, "chat_template.json": {"chat_template": template}},
    )


def gemma3() -> Tiny:
    """google/gemma-3-4b-it: both its chat template and its tokenizer write a BOS."""
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    named = {
        "image_token": "<image_soft_token>",
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
    }
    words = Words(
        "<image_soft_token>",
        end="<eos>",
        begin="<bos>",
        adds_begin=True,
        named=named,
        more=("<start_of_turn>", "<end_of_turn>"),
    )
    ids = words.ids()
    config = Gemma3Config(
        text_config=words.text(
            head_dim=8, sliding_window=8, layer_types=["sliding_attention", "full_attention"]
        ),
        vision_config=siglip_vision(vision_use_head=False),
        mm_tokens_per_image=4,
        boi_token_index=ids["<start_of_image>"],
        eoi_token_index=ids["<end_of_image>"],
        image_token_index=ids["<image_soft_token>"],
    )
    turn = "<start_of_turn>user\nMESSAGE<end_of_turn>\n"
    return Tiny(
        Gemma3ForConditionalGeneration(config),
        words,
        {
            "preprocessor_config.json": {
                **HALF,
                "do_convert_rgb": None,
                "do_normalize": True,
                "do_pan_and_scan": None,
                "do_rescale": True,
                "do_resize": True,
                "image_processor_type": "Gemma3ImageProcessor",
                "image_seq_length": 4,
                "processor_class": "Gemma3Processor",
                "resample": 2,
                "size": {"height": 16, "width": 16},
            },
            "processor_config.json": {"image_seq_length": 4, "processor_class": "Gemma3Processor"},
            "chat_template.json": {
                "chat_template": chat(turn, "<start_of_image>", "<start_of_turn>model\n", "bos")
            },
        },
    )


IDEFICS_TOKENS = ("<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
ROWS_AND_COLUMNS = tuple(f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5))


def idefics_pictures(kind: str) -> FILES:
    return {
        **COMMON,
        **HALF,
        "do_image_splitting": True,
        "do_pad": True,
        "image_processor_type": f"{kind}ImageProcessor",
        "max_image_size": {"longest_edge": 16},
        "processor_class": f"{kind}Processor",
        "resample": 1,
        "size": {"longest_edge": 48},
    }


def idefics3() -> Tiny:
    """HuggingFaceM4/Idefics3-8B-Llama3: both its chat template and its tokenizer write a BOS."""
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration

    words = Words(
        "<image>",
        end="<|end_of_text|>",
        begin="<|begin_of_text|>",
        adds_begin=True,
        more=(*IDEFICS_TOKENS, *ROWS_AND_COLUMNS),
    )
    config = Idefics3Config(
        text_config={"model_type": "llama", **words.text()},
        vision_config=clip_vision(model_type="idefics3_vision"),
        scale_factor=2,
        image_token_id=words.ids()["<image>"],
        pad_token_id=words.ids()["<pad>"],
    )
    turn = "User:MESSAGE<end_of_utterance>\n"
    return Tiny(
        Idefics3ForConditionalGeneration(config),
        words,
        {
            "preprocessor_config.json": idefics_pictures("Idefics3"),
            "processor_config.json": {"image_seq_len": 1, "processor_class": "Idefics3Processor"},
            "chat_template.json": {"chat_template": chat(turn, "<image>", "Assistant:", "<|begin_of_text|>")},
        },
    )


def smolvlm() -> Tiny:
    """HuggingFaceTB/SmolVLM2-500M-Video-Instruct: its chat template writes a BOS."""
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration

    words = Words(
        "<image>",
        pad="<|im_end|>",
        end="<end_of_utterance>",
        begin="<|im_start|>",
        named={
            "image_token": "<image>",
            "fake_image_token": "<fake_token_around_image>",
            "global_image_token": "<global-img>",
            "end_of_utterance_token": "<end_of_utterance>",
        },
        more=ROWS_AND_COLUMNS,
    )
    config = SmolVLMConfig(
        text_config={"model_type": "llama", **words.text()},
        vision_config=clip_vision(model_type="smolvlm_vision"),
        scale_factor=2,
        image_token_id=words.ids()["<image>"],
        pad_token_id=words.ids()["<|im_end|>"],
    )
    video = {"max_frames": 64, "fps": 1, "video_size": {"longest_edge": 16}}
    return Tiny(
        SmolVLMForConditionalGeneration(config),
        words,
        {
            "preprocessor_config.json": idefics_pictures("SmolVLM") | {"video_sampling": video},
            "processor_config.json": {"image_seq_len": 1, "processor_class": "SmolVLMProcessor"},
            "chat_template.json": {
                "chat_template": chat(
                    "User: MESSAGE<end_of_utterance>\n", "<image>", "Assistant:", "<|im_start|>"
                )
            },
        },
    )


def internvl() -> Tiny:
    """OpenGVLab/InternVL3-1B-hf."""
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    named = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    words = Words("<IMG_CONTEXT>", pad="<|endoftext|>", end="<|im_end|>", named=named, more=("<|im_start|>",))
    config = InternVLConfig(
        text_config={"model_type": "qwen2", **words.text()},
        vision_config={
            "hidden_size": 24,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": [16, 16],
            "patch_size": [8, 8],
        },
        image_token_id=words.ids()["<IMG_CONTEXT>"],
        image_seq_length=1,
    )
    pictures = {
        **COMMON,
        **CLIP,
        "crop_to_patches": False,
        "min_patches": 1,
        "max_patches": 4,
        "size": {"height": 16, "width": 16},
        "processor_class": "InternVLProcessor",
    }
    return Tiny(
        InternVLForConditionalGeneration(config),
        words,
        {
            "preprocessor_config.json": pictures | {"image_processor_type": "GotOcr2ImageProcessorFast"},
            "video_preprocessor_config.json": pictures | {"video_processor_type": "InternVLVideoProcessor"},
            "processor_config.json": {"image_seq_length": 1, "processor_class": "InternVLProcessor"},
            "chat_template.jinja": chat(CHATML[0], "<IMG_CONTEXT>\n", CHATML[1]),
        },
    )


def paligemma() -> Tiny:
    """google/paligemma-3b-mix-224: no chat template, and its processor writes the BOS itself."""
    from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration

    places = tuple(f"<loc{number:04d}>" for number in range(1024)) + tuple(
        f"<seg{number:03d}>" for number in range(128)
    )
    words = Words("<image>", end="<eos>", begin="<bos>", adds_begin=True, more=places)
    config = PaliGemmaConfig(
        text_config={"model_type": "gemma", **words.text(head_dim=8)},
        vision_config=siglip_vision(vision_use_head=False, projection_dim=WIDTH),
        image_token_index=words.ids()["<image>"],
        projection_dim=WIDTH,
        hidden_size=WIDTH,
    )
    return Tiny(
        PaliGemmaForConditionalGeneration(config),
        words,
        {
            "preprocessor_config.json": {
                **HALF,
                "do_convert_rgb": None,
                "do_normalize": True,
                "do_rescale": True,
                "do_resize": True,
                "image_processor_type": "SiglipImageProcessor",
                "image_seq_length": 4,
                "processor_class": "PaliGemmaProcessor",
                "resample": 3,
                "size": {"height": 16, "width": 16},
            }
        },
    )


def mllama() -> Tiny:
    """meta-llama/Llama-3.2-11B-Vision-Instruct: no file names its processor, two writers add a BOS."""
    from transformers import MllamaConfig, MllamaForConditionalGeneration

    words = Words(
        "<|image|>",
        pad="<|finetune_right_pad_id|>",
        end="<|eot_id|>",
        begin="<|begin_of_text|>",
        adds_begin=True,
        more=("<|start_header_id|>", "<|end_header_id|>", "<|python_tag|>"),
    )
    rope = {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 512,
    }
    config = MllamaConfig(
        text_config=words.text(num_hidden_layers=4, cross_attention_layers=[1, 3], rope_parameters=rope),
        vision_config={
            "hidden_size": 24,
            "attention_heads": 2,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_global_layers": 1,
            "intermediate_layers_indices": [0, 1],
            "vision_output_dim": 72,
            "image_size": 16,
            "patch_size": 8,
            "max_num_tiles": 4,
            "supported_aspect_ratios": [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]],
        },
        image_token_index=words.ids()["<|image|>"],
    )
    turn = "<|start_header_id|>user<|end_header_id|>\n\nMESSAGE<|eot_id|>"
    answer = "<|start_header_id|>assistant<|end_header_id|>\n\n"
    return Tiny(
        MllamaForConditionalGeneration(config),
        words,
        {
            "preprocessor_config.json": {
                **COMMON,
                **CLIP,
                "do_pad": True,
                "image_processor_type": "MllamaImageProcessor",
                "max_image_tiles": 4,
                "resample": 2,
                "size": {"height": 16, "width": 16},
            },
            "chat_template.json": {"chat_template": chat(turn, "<|image|>", answer, "bos")},
        },
    )


FAMILIES: dict[str, Callable[[], Tiny]] = {
    "LLaVA": llava,
    "LLaVA, no chat template": llava_original,
    "LLaVA-NeXT": llava_next,
    "LLaVA-OneVision": llava_onevision,
    "BLIP-2 OPT": blip2_opt,
    "BLIP-2 T5": blip2_t5,
    "Qwen2-VL": qwen2_vl,
    "Qwen2.5-VL": qwen2_5_vl,
    "Qwen3-VL": qwen3_vl,
    "Qwen2.5-Omni": qwen2_5_omni,
    "Gemma 3": gemma3,
    "Idefics3": idefics3,
    "SmolVLM2": smolvlm,
    "InternVL3": internvl,
    "PaliGemma": paligemma,
    "Llama 3.2 Vision": mllama,
}
