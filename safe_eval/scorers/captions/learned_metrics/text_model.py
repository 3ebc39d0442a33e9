"""Text model: a pretrained encoder of sentences, from a directory or the Hugging Face hub.

The hub is asked only if a user names an id there. torch and transformers are loaded with the model. Sentences
are encoded once each, in the order of their lengths and letters, so the order of the rows does not matter.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from safe_data.core.errors import InputError, require_extra
from safe_data.core.files import file_sha256
from safe_data.encoders.checkpoints import CONFIG, INDEX, WEIGHTS, checkpoint_directory, weight_files
from safe_data.encoders.inference import device, one_thread

if TYPE_CHECKING:
    from torch import Tensor

TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer*", "vocab*", "merges.txt"),
    *("special_tokens_map.json", "*.model"),
)
_FILES = (CONFIG, WEIGHTS, *TOKENIZER_FILES, INDEX, "model-*-of-*.safetensors")
_BATCH = 32
_CONSTANTS = ("embeddings.position_ids", "embeddings.token_type_ids")  # that some files leave out

Vectors = Float32[ndarray, "texts dims"]


@dataclass(frozen=True)
class TextModel:
    """The files of a model, and what makes a vector of each row of tokens."""

    source: str  # the path or the id by which it was named
    directory: Path
    sha256: str  # of all its files
    tokenizer: Any
    longest: int  # tokens; the rest of a sentence is cut off
    prepare: Callable[[str], str]  # what is done to a text first
    forward: "Callable[[dict[str, Tensor]], Tensor]"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One vector per text, in float32.

        Raises:
            InputError: a vector is not finite.
        """
        import torch

        texts = list(map(self.prepare, texts))
        unique = sorted(set(texts), key=lambda text: (len(text), text))
        parts = []
        with one_thread(), torch.inference_mode():
            for start in range(0, len(unique), _BATCH):
                tokens = self.tokenizer(
                    unique[start : start + _BATCH],
                    padding=True,
                    truncation=True,
                    max_length=self.longest,
                    return_tensors="pt",
                ).to(device())
                parts.append(self.forward(dict(tokens)).float().cpu().numpy())
        vectors = np.concatenate(parts)
        if not np.isfinite(vectors).all():
            raise InputError(f"{self.directory}: gives vectors that are not finite; check its weights")
        row_of = {text: row for row, text in enumerate(unique)}
        rows: Vectors = vectors[[row_of[text] for text in texts]]
        return rows


def model_directory(source: str, kind: str, more: Sequence[str] = ()) -> Path:
    """The directory of a model, fetched if `source` is an id on the hub.

    Raises:
        InputError: torch or transformers is missing, or there is no such model.
    """
    require_extra(f"the {kind}", "train", "torch", "transformers", "safetensors")
    return checkpoint_directory(source, kind, [*_FILES, *more])


def load_tokenizer(directory: Path) -> Any:
    """The tokenizer that lies beside a model.

    Raises:
        InputError: there is none, transformers cannot read it, or it has more tokens than the model.
    """
    from transformers import AutoTokenizer

    if not any(path.is_file() for pattern in TOKENIZER_FILES for path in directory.glob(pattern)):
        raise InputError(f"{directory}: has no tokenizer; save its files (tokenizer.json or vocab.txt) there")
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    except Exception as error:  # transformers raises many kinds of exception
        raise InputError(f"{directory}: its tokenizer cannot be read: {_short(error)}") from None
    known = (read_settings(directory / CONFIG) or {}).get("vocab_size")
    if isinstance(known, int) and len(tokenizer) > known:
        raise InputError(
            f"{directory}: the tokenizer has {len(tokenizer)} tokens and the model {known}; "
            "save the tokenizer of this model there"
        )
    return tokenizer


def load_encoder(directory: Path, build: Any = None, config: Any = None) -> Any:
    """The model of a directory, by AutoModel or another class of transformers, in float32.

    AutoModel's pooler may be missing: only what another class is made of must be there.

    Raises:
        InputError: the weights are pickled, do not fit config.json, or some are missing.
    """
    import torch
    from transformers import AutoModel
    from transformers.utils import logging

    weight_files(directory)
    may_be_missing = _CONSTANTS if build else (*_CONSTANTS, "pooler.")
    quiet, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # what it would report is checked below
    logging.disable_progress_bar()
    try:
        model, found = (build or AutoModel).from_pretrained(
            directory,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # transformers raises many kinds of exception
        raise InputError(f"{directory}: cannot be loaded: {_short(error)}") from None
    finally:
        logging.set_verbosity(quiet)
        if bars:
            logging.enable_progress_bar()
    absent = sorted(found["missing_keys"])
    missing = [name for name in absent if not any(part in name for part in may_be_missing)]
    if missing:
        raise InputError(f"{directory}: lacks {len(missing)} weights, such as {missing[0]}; fetch it again")
    return model.eval().requires_grad_(False).to(device())


def files_sha256(directory: Path, more: Sequence[str] = ()) -> str:
    """One hash of the configuration, the weights and the tokenizer of a model."""
    names = sorted(
        {path for pattern in (*_FILES, *more) for path in directory.glob(pattern) if path.is_file()}
    )
    parts = [[path.relative_to(directory).as_posix(), file_sha256(path)] for path in names]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read_settings(path: Path) -> Any:
    """A JSON file of a model; None if there is none.

    Raises:
        InputError: it is not JSON.
    """
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON: {_short(error)}; fetch the file again") from None


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
