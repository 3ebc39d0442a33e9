"""Tiny text models with made weights, saved as real checkpoints: a sentence-BERT, FENSE's error detector."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tiny_encoders import save_clap

WORDS = (
    *("a", "dog", "barks", "rain", "falls", "on", "the", "tin", "roof", "two", "men", "talk", "while"),
    *("wind", "blows", "cat", "sleeps", "and", ".", ","),
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}


def save_sentence_bert(directory: Path, pooling: str = "mean", longest: int | None = None) -> Path:
    """As sentence-transformers saves one: a transformer, and its pooling in a folder of its own."""
    _bert(seed=1).save_pretrained(directory)
    save_tokenizer(directory)
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    flags = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}
    settings = {f"pooling_mode_{flag}": mode == pooling for mode, flag in flags.items()}
    (directory / "1_Pooling").mkdir()
    write(directory / "1_Pooling/config.json", {"word_embedding_dimension": SIZES["hidden_size"]} | settings)
    write(directory / "modules.json", modules)
    write(directory / "sentence_bert_config.json", {"max_seq_length": longest or 32, "do_lower_case": False})
    return directory


def save_fluency(directory: Path, *, released: bool = False) -> Path:
    """FENSE's detector, as its release on GitHub (`released`) or with the same weights as safetensors."""
    body = _bert(seed=2)
    body.config.save_pretrained(directory)
    save_tokenizer(directory)
    state = {f"encoder.{name}": weight.contiguous() for name, weight in body.state_dict().items()}
    rng = np.random.default_rng(3)
    state["clf.weight"] = torch.from_numpy(rng.normal(0, 2, (6, 16)).astype("f4"))
    state["clf.bias"] = torch.full((6,), -15.0)  # some sentences have an error, some have none
    if released:
        state["encoder.embeddings.position_ids"] = torch.arange(64)[None]
        torch.save(
            {"model_type": "tiny", "num_classes": 6, "state_dict": state}, directory / "echecker_tiny.ckpt"
        )
    else:
        save_file(state, directory / "model.safetensors")
    return directory


def save_clap_that_reads(directory: Path) -> Path:
    """A CLAP whose text tower has a tokenizer."""
    sizes = {"vocab_size": len(SPECIAL) + len(WORDS), "max_position_embeddings": 40, "pad_token_id": 0}
    save_clap(directory, text=sizes)
    save_tokenizer(directory)
    return directory


def save_classifier(directory: Path, labels: tuple[str, ...] = ("fine", "error")) -> Path:
    """A sequence classifier of transformers."""
    from transformers import BertForSequenceClassification

    config = _config()
    config.id2label = dict(enumerate(labels))
    _filled(BertForSequenceClassification(config), seed=4).save_pretrained(directory)
    save_tokenizer(directory)
    return directory


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), "utf-8")


def _config() -> Any:
    from transformers import BertConfig

    return BertConfig(vocab_size=len(SPECIAL) + len(WORDS), max_position_embeddings=64, **SIZES)


def _bert(seed: int) -> Any:
    from transformers import BertModel

    return _filled(BertModel(_config()), seed)


def _filled(model: Any, seed: int) -> Any:
    """Weights large enough that different sentences give different vectors."""
    rng = np.random.default_rng(seed)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data = torch.from_numpy(rng.normal(0, 1, parameter.shape).astype("f4"))
    return model.eval()


def save_tokenizer(directory: Path) -> None:
    from transformers import BertTokenizerFast

    directory.mkdir(parents=True, exist_ok=True)
    vocab = {word: place for place, word in enumerate([*SPECIAL, *WORDS])}
    BertTokenizerFast(vocab=vocab).save_pretrained(directory)
