"""Fluency errors of captions, and the two metrics that they lower: FENSE and SPIDEr-FL.

Source: Zhou et al. 2022, "Can Audio Captions Be Evaluated with Image Caption Metrics?", section 3.2, and its
code, blmoistawinde/fense, evaluator.py: a BERT with six outputs (add_tail, repeat_event, repeat_adv,
remove_conj, remove_verb, error) reads a caption in lower case without punctuation. The caption has an error
if the probability of the last, `error`, is above 0.9. An error takes 0.9 of a score: of sentence-BERT
similarity in FENSE, of SPIDEr in SPIDEr-FL (DCASE 2023, felixgontier/dcase-2023-baseline, metrics.py).
aac-metrics 0.5.4 has the same in functional/fer.py, fense.py and spider_fl.py.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.encoders.inference import device
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

ERRORS = ("add_tail", "repeat_event", "repeat_adv", "remove_conj", "remove_verb", "error")
THRESHOLD, PENALTY = 0.9, 0.9
_LONGEST = 64  # tokens
_ERROR = ERRORS[-1]
_RELEASED = "*.ckpt"  # as FENSE releases its weights
_HEAD, _BODY = "clf.", "encoder."
_UNUSED = "encoder.embeddings.position_ids"  # a constant that older versions of transformers stored
_PUNCTUATION = re.compile(r"[^\w\s]")


def open_fluency(source: str) -> TextModel:
    """Open a detector of fluency errors: a directory, or an id on the hub.

    It holds config.json and the tokenizer of the BERT, and the weights: FENSE's released .ckpt, or
    model.safetensors with the same names, or a sequence classifier of transformers with a label `error`.

    Raises:
        InputError: there is no such model, or it does not say where captions have errors.
    """
    directory = model_directory(source, "fluency detector", (_RELEASED,))
    tokenizer = load_tokenizer(directory)
    architectures = (read_settings(directory / "config.json") or {}).get("architectures") or ()
    if any(str(name).endswith("ForSequenceClassification") for name in architectures):
        forward = _classifier(directory)
    else:
        forward = _released(directory)
    return TextModel(
        source=source,
        directory=directory,
        sha256=files_sha256(directory, (_RELEASED,)),
        tokenizer=tokenizer,
        longest=_LONGEST,
        prepare=lambda text: _PUNCTUATION.sub("", text).lower(),
        forward=forward,
    )


def fluency_errors(candidates: Sequence[str], model: TextModel) -> Float[ndarray, " candidates"]:
    """1 for each caption with a fluency error, 0 for the others."""
    errors: Float[ndarray, " candidates"] = (model.encode(candidates)[:, 0] > THRESHOLD).astype(float)
    return errors


def penalised(
    scores: Float[ndarray, " candidates"], errors: Float[ndarray, " candidates"]
) -> Float[ndarray, " candidates"]:
    """Scores, of which a caption with an error keeps a tenth.

    >>> import numpy as np
    >>> penalised(np.array([0.5, 0.5]), np.array([0.0, 1.0])).round(9).tolist()
    [0.5, 0.05]
    """
    kept: Float[ndarray, " candidates"] = scores * (1 - PENALTY * errors)
    return kept


def _classifier(directory: Path) -> Any:
    """A sequence classifier of transformers, whose label `error` counts."""
    from transformers import AutoModelForSequenceClassification

    model = load_encoder(directory, AutoModelForSequenceClassification)
    labels = {str(name).lower(): int(place) for place, name in model.config.id2label.items()}
    if _ERROR not in labels:
        raise InputError(
            f"{directory / 'config.json'}: none of its labels ({', '.join(labels)}) is {_ERROR!r}; "
            "give a detector of fluency errors, such as FENSE's, or name its label so in id2label"
        )
    place = labels[_ERROR]
    return lambda tokens: model(**tokens).logits[:, place : place + 1].sigmoid()


def _released(directory: Path) -> Any:
    """FENSE's own model: a linear layer on the first state of a BERT, without its pooler."""
    import torch
    from transformers import AutoConfig, AutoModel

    weights = _weights(directory)
    heads = {name.removeprefix(_HEAD): weight for name, weight in weights.items() if name.startswith(_HEAD)}
    body = {name.removeprefix(_BODY): weight for name, weight in weights.items() if name.startswith(_BODY)}
    if set(heads) != {"weight", "bias"} or len(heads["weight"]) != len(ERRORS):
        raise InputError(
            f"{directory}: is no detector of fluency errors: expected weights clf.weight and clf.bias of "
            f"{len(ERRORS)} outputs, as FENSE releases them"
        )
    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True)
        model = AutoModel.from_config(config, dtype=torch.float32)
        absent = [name for name in model.state_dict() if name not in body and "pooler" not in name]
        model.load_state_dict(model.state_dict() | body)
    except Exception as error:  # transformers raises many kinds of exception
        said = " ".join(str(error).split())[:300]
        raise InputError(f"{directory}: the weights do not fit config.json: {said}") from None
    if absent:
        raise InputError(
            f"{directory}: lacks {len(absent)} weights, such as encoder.{absent[0]}; fetch it again"
        )
    model = model.eval().requires_grad_(False).to(device())
    weight, bias = heads["weight"][-1:].to(device()), heads["bias"][-1:].to(device())

    def forward(tokens: "dict[str, Tensor]") -> "Tensor":
        first: Tensor = model(**tokens).last_hidden_state[:, 0]
        return (first @ weight.T + bias).sigmoid()

    return forward


def _weights(directory: Path) -> "dict[str, Tensor]":
    """The weights of a directory by name, in float32; a .ckpt is read without running what it holds."""
    import torch
    from safetensors.torch import load_file

    from safe_data.encoders.checkpoints import weight_files

    released = sorted(directory.glob(_RELEASED))
    try:
        if released:
            stored = torch.load(released[0], map_location="cpu", weights_only=True)["state_dict"]
        else:
            stored = {k: v for file in weight_files(directory) for k, v in load_file(file).items()}
        return {name: weight.float() for name, weight in stored.items() if name != _UNUSED}
    except InputError:
        raise
    except Exception as error:  # a damaged or hostile file fails in many ways
        said = " ".join(str(error).split())[:300]
        name = released[0].name if released else "model.safetensors"
        raise InputError(f"{directory / name}: cannot be read as weights: {said}") from None
