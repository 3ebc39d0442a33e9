"""ClapText: the text tower of a CLAP checkpoint, whose vectors lie beside those of its audio tower.

It is only read from where it lies: a dataset names its CLAP, and to look at a dataset downloads nothing.
"""

import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.encoders.checkpoints import HUB_ID, load_weights, open_checkpoint
from safe_data.encoders.clap import clap_fingerprint
from safe_data.encoders.inference import device, one_thread

if TYPE_CHECKING:
    from transformers import ClapTextModelWithProjection

TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "vocab.txt")  # one of them is there if there is any

_BATCH = 32
_FORMATS = ("float32", "bfloat16")  # in which the sounds may have been embedded
_EMBEDDINGS = ("word_embeddings.", "position_embeddings.", "token_type_embeddings.", "LayerNorm.")
_PARTS = (
    *(f"text_model.embeddings.{name}" for name in _EMBEDDINGS),  # not its constants: some files lack them
    *("text_model.encoder.", "text_model.pooler.", "text_projection."),
)


def local_clap(source: str) -> Path | None:
    """The directory of a checkpoint that is on this machine, or in the hub's cache; None if it is in neither.

    `source` is a directory or a hub id, as `ClapEncoder` takes it.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return path
    if not HUB_ID.fullmatch(source) or importlib.util.find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source, local_files_only=True))
    except Exception:  # of several libraries, and each says that it is not in the cache
        return None


class ClapText:
    """Encode captions as unit vectors that can be compared with the pooled vectors of `ClapEncoder`.

    Captions are encoded once each, sorted by length, so that their order does not matter. What is longer than
    the model reads is cut off.

    **Source:** Wu et al. 2023, arXiv 2211.06687; transformers' ClapModel.get_text_features.
    """

    def __init__(self, directory: Path) -> None:
        """Open the checkpoint in a directory.

        Raises:
            InputError: torch or transformers is missing, or it is not a usable CLAP checkpoint.
        """
        self._directory = directory
        self._checkpoint = open_checkpoint(str(directory), "clap")
        from transformers import ClapConfig

        self._config = self._checkpoint.parse(ClapConfig).text_config

    def fits(self, fingerprint: str) -> bool:
        """Whether the audio tower of this checkpoint computed the pooled embeddings of this fingerprint."""
        return fingerprint in {clap_fingerprint(self._checkpoint, "clap", form) for form in _FORMATS}

    @property
    def has_tokenizer(self) -> bool:
        return any((self._directory / name).is_file() for name in TOKENIZER_FILES)

    def encode(self, captions: Sequence[str]) -> Float32[ndarray, "captions dims"]:
        """One unit vector per caption.

        Raises:
            InputError: the tokenizer or the weights cannot be used.
        """
        import torch

        tokenizer, model = self._tokenizer, self._model
        unique = sorted(set(captions), key=lambda caption: (len(caption), caption))
        longest = self._config.max_position_embeddings - self._config.pad_token_id - 1
        vectors: dict[str, ndarray] = {}
        with one_thread(), torch.inference_mode():
            for start in range(0, len(unique), _BATCH):
                batch = unique[start : start + _BATCH]
                tokens = tokenizer(
                    batch,
                    padding=True,
                    truncation=True,
                    max_length=min(tokenizer.model_max_length, longest),
                    return_tensors="pt",
                ).to(device())
                ids = tokens["input_ids"]
                made = model(ids, tokens["attention_mask"], token_type_ids=torch.zeros_like(ids)).text_embeds
                directions = torch.nn.functional.normalize(made.float(), dim=-1).cpu().numpy()
                vectors |= dict(zip(batch, directions, strict=True))
        found: Float32[ndarray, "captions dims"] = np.stack([vectors[caption] for caption in captions])
        if not np.isfinite(found).all():
            raise InputError(f"{self._directory}: gives vectors that are not finite; check its weights")
        return found

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        if not self.has_tokenizer:  # transformers would make up one that knows no word
            names = ", ".join(TOKENIZER_FILES)
            raise InputError(f"{self._directory}: has no tokenizer; save its files there ({names})")
        try:
            tokenizer = AutoTokenizer.from_pretrained(
                self._directory, local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # transformers raises many kinds of exception
            short = " ".join(str(error).split())[:300]
            raise InputError(f"{self._directory}: its tokenizer cannot be read: {short}") from None
        if len(tokenizer) > self._config.vocab_size:
            raise InputError(
                f"{self._directory}: the tokenizer has {len(tokenizer)} tokens and the model "
                f"{self._config.vocab_size}; save the tokenizer of this model there"
            )
        return tokenizer

    @cached_property
    def _model(self) -> "ClapTextModelWithProjection":
        from transformers import ClapTextModelWithProjection

        def build() -> ClapTextModelWithProjection:
            model = ClapTextModelWithProjection(self._config)
            del model.text_model.embeddings.position_ids, model.text_model.embeddings.token_type_ids
            return model

        model = load_weights(build, self._checkpoint.weights, {part: part for part in _PARTS})
        return model.to(device())
