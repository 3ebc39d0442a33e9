"""A CLAP checkpoint with random weights and a full-size audio tower, for benchmarks without a download."""

from pathlib import Path


def write_random_clap(directory: Path, seed: int = 0) -> Path:
    """Save a ClapModel whose audio tower has the default size (27.5 M weights, 28.2 M with its projection).

    The text tower is as small as possible: encoding sounds never reads it.
    """
    import torch
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel
    from transformers.utils import logging

    text = {"vocab_size": 8, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = ClapConfig(text_config={**text, "intermediate_size": 8, "max_position_embeddings": 8})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ClapModel(config)
    logging.disable_progress_bar()  # it would also show without a terminal
    model.save_pretrained(directory)
    ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(directory)
    return directory
