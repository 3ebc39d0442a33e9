"""Sentence-BERT similarity: how close a caption means what its references mean.

Source: Reimers and Gurevych 2019, "Sentence-BERT", section 3; Zhou et al. 2022, "Can Audio Captions Be
Evaluated with Image Caption Metrics?", section 3.1, and its code, blmoistawinde/fense, evaluator.py: the mean
over the references of the cosine of two embeddings. aac-metrics 0.5.4, functional/sbert_sim.py, is the same.
Captions are given to the model as they were written; `aac-metrics evaluate` first cuts them into tokens.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.scorers.captions.learned_metrics.text_model import (
    TextModel,
    files_sha256,
    load_encoder,
    load_tokenizer,
    model_directory,
    read_settings,
)

if TYPE_CHECKING:
    from torch import Tensor

_MODULES, _SENTENCES, _POOLING = "modules.json", "sentence_bert_config.json", "config.json"
_FILES = (_MODULES, _SENTENCES, f"*/{_POOLING}")
_KNOWN = ("Transformer", "Pooling", "Normalize")  # modules; lengths do not matter to a cosine
_MODES = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}  # as older files name them


def open_sentence_bert(source: str) -> TextModel:
    """Open a sentence-BERT: a directory as sentence-transformers saves it, or its id on the hub.

    A model without modules.json is pooled by the mean, as sentence-transformers does.

    Raises:
        InputError: there is no such model, or it needs more than a transformer and pooling.
    """
    directory = model_directory(source, "sentence-BERT", _FILES)
    pooling = _pooling(directory)
    settings = read_settings(directory / _SENTENCES) or {}
    tokenizer, model = load_tokenizer(directory), load_encoder(directory)
    lower = bool(settings.get("do_lower_case"))
    known = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", 512))

    def forward(tokens: "dict[str, Tensor]") -> "Tensor":
        return _pooled(model(**tokens).last_hidden_state, tokens["attention_mask"], pooling)

    return TextModel(
        source=source,
        directory=directory,
        sha256=files_sha256(directory, _FILES),
        tokenizer=tokenizer,
        longest=int(settings.get("max_seq_length") or known),
        prepare=lambda text: text.lower() if lower else text,
        forward=forward,
    )


def sbert_sim(
    candidates: Sequence[str], references: Sequence[Sequence[str]], model: TextModel
) -> Float[ndarray, " candidates"]:
    """The similarity of each caption to its references, in [−1, 1]."""
    return mean_cosines(
        model.encode(candidates),
        model.encode([text for texts in references for text in texts]),
        list(map(len, references)),
    )


def mean_cosines(
    candidates: Float32[ndarray, "candidates dims"],
    references: Float32[ndarray, "references dims"],
    counts: Sequence[int],
) -> Float[ndarray, " candidates"]:
    """The mean cosine of each candidate with its own references, of which it has `counts`.

    >>> mean_cosines(np.float32([[2, 0]]), np.float32([[1, 0], [0, 3]]), [2]).tolist()
    [0.5]
    """
    lengths_a, lengths_b = (np.linalg.norm(of, axis=1, keepdims=True) for of in (candidates, references))
    ours, theirs = candidates / np.maximum(lengths_a, 1e-12), references / np.maximum(lengths_b, 1e-12)
    owners = np.repeat(np.arange(len(counts)), counts)
    cosines = np.einsum("ij,ij->i", ours[owners], theirs, dtype=float)
    means: Float[ndarray, " candidates"] = np.bincount(owners, cosines, len(counts)) / np.array(counts)
    return np.asarray(np.clip(means, -1.0, 1.0))


def _pooling(directory: Path) -> str:
    """How the states of a model's tokens become one vector."""
    modules = read_settings(directory / _MODULES)
    if modules is None:
        return "mean"
    try:
        kinds = [str(module["type"]).rpartition(".")[2] for module in modules]
        folders = [str(module["path"]) for module in modules]
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{directory / _MODULES}: is no list of modules ({error!r}); fetch it again"
        ) from None
    if kinds[:1] != ["Transformer"] or not set(kinds) <= set(_KNOWN) or kinds.count("Pooling") > 1:
        raise InputError(
            f"{directory / _MODULES}: the modules are {', '.join(kinds)}; give a model of Transformer, "
            "Pooling and perhaps Normalize, such as paraphrase-TinyBERT-L6-v2"
        )
    if "Pooling" not in kinds:
        return "mean"
    folder = PurePosixPath(folders[kinds.index("Pooling")])
    if folder.is_absolute() or ".." in folder.parts or folders[0]:
        raise InputError(f"{directory / _MODULES}: names modules outside the model's own folder")
    return _pooling_mode(directory / folder / _POOLING)


def _pooling_mode(path: Path) -> str:
    settings: Any = read_settings(path)
    if not isinstance(settings, dict):
        raise InputError(f"{path}: no such settings of the pooling; fetch the model again")
    named = settings.get("pooling_mode")
    flags = {key.removeprefix("pooling_mode_") for key, value in settings.items() if value is True}
    modes = [named] if isinstance(named, str) else [mode for mode, old in _MODES.items() if old in flags]
    others = {flag for flag in flags if flag not in _MODES.values()} - {"include_prompt"}
    if len(modes) != 1 or modes[0] not in _MODES or (others and not named):
        raise InputError(f"{path}: expected one pooling of {', '.join(_MODES)}; give another model")
    return str(modes[0])


def _pooled(states: "Tensor", mask: "Tensor", pooling: str) -> "Tensor":
    if pooling == "cls":
        return states[:, 0]
    inside = mask.unsqueeze(-1).to(states.dtype)
    if pooling == "max":
        return states.masked_fill(inside == 0, float("-inf")).amax(dim=1)
    return (states * inside).sum(dim=1) / inside.sum(dim=1).clamp(min=1e-9)
