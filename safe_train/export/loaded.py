"""Loaded: a published pathway on its base, which answers questions about files, for other programs.

    safe = load_safe("ORG/pathway", backbone="ORG/base")
    safe.answer("What is making this sound?", picture="street.jpg", sound="street.wav").text

Only safetensors and JSON are read. No code of a repository is run, so no `trust_remote_code` is needed.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from safe_data.core.errors import InputError, MediaError
from safe_data.encoders.checkpoints import checkpoint_directory
from safe_data.media.decode import decode_audio
from safe_data.media.picture import decode_image
from safe_data.records import Example
from safe_eval.models.model import Answer, Input
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.loading import place
from safe_train.base.prompts import Picture
from safe_train.checkpoint import CONFIG, WEIGHTS, Checkpoint, attach_checkpoint, read_checkpoint
from safe_train.gates.gate import Gate
from safe_train.pathway.model import SafeModel
from safe_train.predict.chosen_gate import chosen_gate
from safe_train.predict.predict import wanted_encoders
from safe_train.predict.predictor import Predictor
from safe_train.settings.predict import PredictConfig

if TYPE_CHECKING:
    from safe_data.media.sound import Sound

_FILES = [WEIGHTS, CONFIG, "gate/*", "lora/*", "base/*"]
Media = str | Path | bytes  # a file, or its bytes


@dataclass(frozen=True)
class Safe:
    """A base with an audio pathway, and its gate. `model.fuse` lets the base hear in your own code."""

    checkpoint: Checkpoint
    backbone: Backbone
    model: SafeModel
    gate: Gate
    predictor: Predictor
    settings: PredictConfig

    def answer(
        self,
        question: str,
        *,
        picture: Media | None = None,
        sound: Media | None = None,
        choices: tuple[str, ...] = (),
    ) -> Answer:
        """Answer one question about a picture, a sound, both or neither.

        The answer is that of `safe-train predict --batch-size 1`, to the bit. `consulted` says whether the
        gate let it hear. With `choices`, it has the probability of each.

        Raises:
            InputError: a file cannot be read, or is no picture or no sound.
        """
        return self.predictor.answer([_input(question, picture, sound, choices)])[0]

    def embed(self, sound: Media) -> tuple[Tensor, ...]:
        """The embeddings of a sound, a batch of one per encoder: what `model.fuse` takes.

        Raises:
            InputError: the file cannot be read, or is no sound.
        """
        return self.predictor.embeddings([_input("", None, sound)])


def load_safe(
    source: str | Path,
    *,
    backbone: str | Path,
    encoders: Sequence[str] = (),
    device: str | torch.device | None = None,
    **options: Any,
) -> Safe:
    """Load a published pathway, and attach it to the base it was made for.

    Args:
        source: folder of the pathway, or its hub id
        backbone: its base, as a directory or a hub id; any other is refused
        encoders: where the weights of an encoder are, such as clap:DIR, if the pathway does not say
        device: where to compute (default: the accelerator, if there is one)
        options: settings of `PredictConfig`, such as gate, tokens, dtype, quantization, pathway_precision or
            answer_tokens

    Raises:
        InputError: the pathway is damaged, does not fit the base or an encoder, or there is no such setting.
    """
    try:
        settings = PredictConfig(encoders=tuple(encoders), **options)
    except TypeError as error:
        raise InputError(f"load_safe: {str(error).partition(') ')[2] or error}") from None
    checkpoint = read_checkpoint(checkpoint_directory(str(source), "SAFE", _FILES))
    loading = settings.loading(checkpoint.config.loading)
    base = load_backbone(backbone, loading)
    target = device or torch.accelerator.current_accelerator() or "cpu"
    place(base.model, loading, torch.device(target))
    model = attach_checkpoint(checkpoint, base, settings.pathway_precision)
    gate = chosen_gate(checkpoint.folder, checkpoint.config.pathway, settings.gate, settings.tokens).gate
    wanted = wanted_encoders(checkpoint, settings.encoders)
    asking = settings.asking(checkpoint.config.asking)
    predictor = Predictor(
        model,
        base,
        wanted,
        name=settings.name,
        asking=asking,
        batch_size=1,
        gate=gate,
        influence=settings.influence,
    )
    predictor.prepare(None, ())
    return Safe(checkpoint, base, model, gate, predictor, settings)


def _input(question: str, picture: Media | None, sound: Media | None, choices: tuple[str, ...] = ()) -> Input:
    shown = None if picture is None else _picture(picture)
    heard = None if sound is None else _sound(sound)
    return Input(
        example=Example(id="asked", task="vqa", prompt=question, references=(), choices=choices or None),
        picture=None if shown is None else shown.load,
        picture_sha256=None if shown is None else shown.sha256,
        sound=None if heard is None else lambda: heard,
        sound_is=None if heard is None else "own",
        gate=0.0 if heard is None else 1.0,  # without a sound, nothing is decided
    )


def _bytes(given: Media, what: str) -> tuple[bytes, str]:
    if isinstance(given, bytes):
        return given, f"the {what}"
    try:
        return Path(given).read_bytes(), str(given)
    except OSError as error:
        raise InputError(f"{given}: cannot be read ({error.strerror}); give the file of a {what}") from None


def _picture(given: Media) -> Picture:
    data, name = _bytes(given, "picture")
    try:
        decoded = decode_image(data)
    except MediaError as error:
        raise InputError(f"{name}: {error}") from None
    return Picture(hashlib.sha256(data).hexdigest(), partial(_same, decoded))


def _sound(given: Media) -> "Sound":
    data, name = _bytes(given, "sound")
    try:
        return decode_audio(data)
    except MediaError as error:
        raise InputError(f"{name}: {error}") from None


def _same(decoded: Any) -> Any:
    return decoded
