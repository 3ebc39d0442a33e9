"""Language model: SmolLM2-135M-Instruct out of a GGUF file, as an ordinary LLaMA of transformers.

Its matrices were quantized to four bits (Q4_1) and are made float32 again: these are not the weights that
were published, but what the rounding left of them.

Source: Allal et al. 2025 (arXiv 2502.02737).
"""

import contextlib
import io
from pathlib import Path
from typing import Any, NamedTuple

from safe_data.core.errors import InputError, require_extra

BEGIN, END = "<|im_start|>", "<|im_end|>"


class LanguageModel(NamedTuple):
    """A causal language model, and its tokenizer."""

    model: Any
    tokenizer: Any


def read_gguf(file: Path) -> LanguageModel:
    """Read a language model of the LLaMA family.

    Raises:
        InputError: the package gguf is missing, or the file holds no such model.
    """
    require_extra("reading a GGUF file", "train,real", "gguf", "torch", "transformers")
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    where = {"gguf_file": file.name, "local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(file.parent, **where)
        with contextlib.redirect_stderr(io.StringIO()):  # its bar cannot be turned off
            found = AutoModelForCausalLM.from_pretrained(file.parent, dtype="float32", **where)
    except Exception as error:  # transformers raises many kinds of exception
        raise InputError(f"{file}: holds no language model that can be read: {error}") from None
    if not isinstance(found, LlamaForCausalLM):
        raise InputError(f"{file}: holds a {type(found).__name__}, not a LLaMA")
    settings = found.config.to_dict()
    settings.pop("quantization_config", None)  # what was made float32 is saved as float32
    config = LlamaConfig.from_dict(settings)
    model = LlamaForCausalLM(config)
    model.load_state_dict(found.state_dict())
    return LanguageModel(model.eval(), tokenizer)
