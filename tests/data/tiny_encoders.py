"""Tiny audio models with random weights, saved as real checkpoints, and sounds for them."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from numpy import ndarray

TEXT = {
    "vocab_size": 8,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "intermediate_size": 8,
    "max_position_embeddings": 8,
}
TOWER = {
    "patch_embeds_hidden_size": 8,
    "depths": [1, 2, 1, 1],
    "num_attention_heads": [1, 2, 2, 2],
    "hidden_size": 64,
}
# As wide as the real ones: here the sums of a matrix product do depend on the batch and on the threads.
WIDE_TOWER = {"depths": [1, 1, 1, 1]}
WHISPER_SECONDS = 3


def save_clap(
    directory: Path,
    *,
    fused: bool = False,
    wide: bool = False,
    text: dict[str, int] | None = None,
    **extractor: Any,
) -> Path:
    """A CLAP with 24-d embeddings whose output varies with its input like a trained model's.

    `text` are sizes of its text tower, where a tokenizer is to fit it.
    """
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    audio = {**(WIDE_TOWER if wide else TOWER), "enable_fusion": fused}
    width = 512 if wide else 24
    config = ClapConfig(text_config=TEXT | (text or {}), audio_config=audio, projection_dim=width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = ClapModel(config)
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 or "bias" in name:
                torch.nn.init.normal_(parameter, std=0.05 if wide else 0.3)
    decibels = model.audio_model.audio_encoder.batch_norm
    decibels.running_mean.fill_(-40)
    decibels.running_var.fill_(400)
    model.save_pretrained(directory)
    truncation = "fusion" if fused else "rand_trunc"
    ClapFeatureExtractor(**{"truncation": truncation, **extractor}).save_pretrained(directory)
    return directory


def save_whisper(directory: Path, seed: int = 0, **extractor: Any) -> Path:
    """A Whisper of 16-d states that hears 3 seconds at a time."""
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    config = WhisperConfig(
        vocab_size=16,
        num_mel_bins=20,
        d_model=16,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_source_positions=WHISPER_SECONDS * 50,
        max_target_positions=8,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = WhisperForConditionalGeneration(config)
        for parameter in model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(directory)
    settings = {"feature_size": 20, "chunk_length": WHISPER_SECONDS, **extractor}
    WhisperFeatureExtractor(**settings).save_pretrained(directory)
    return directory


def sound(seconds: float, sample_rate_hz: int, seed: int = 0) -> Float32[ndarray, " samples"]:
    """Tones that come and go over noise, 60 dB between the loud and the quiet parts."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
    tones = sum(np.sin(2 * np.pi * hertz * time) for hertz in rng.uniform(80, 7000, 5))
    swell = 10 ** (-3 * (0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.1, 2) * time)))
    samples: Float32[ndarray, " samples"] = (0.1 * swell * (tones + rng.standard_normal(len(time)))).astype(
        "f4"
    )
    return samples
