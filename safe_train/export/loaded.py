"""Loaded: a published pathway on its base, which answers questions about files, for other programs.

    safe = load_safe("ORG/pathway", backbone="ORG/base")
    safe.answer("What is making this sound?", picture="street.jpg", sound="street.wav").text

Only safetensors and JSON are read. No code of a repository is run, so no `trust_remote_code` is needed.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from safe_data.core.errors import InputError, MediaError
from safe_data.encoders.checkpoints import checkpoint_directory
from safe_data.encoders.encoder import AudioEncoder
from safe_data.media.decode import decode_audio
from safe_data.media.picture import decode_image
from safe_eval.models.model import Answer
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.loading import input_device, place
from safe_train.base.prompts import Picture, Prompts
from safe_train.base.vision import Vision
from safe_train.checkpoint import CONFIG, WEIGHTS, Checkpoint, attach_checkpoint, read_checkpoint
from safe_train.gates.gate import Gate
from safe_train.pathway.model import SafeModel
from safe_train.predict.chosen_gate import chosen_gate
from safe_train.predict.consultation import Consultation
from safe_train.predict.predict import wanted_encoders
from safe_train.predict.sounds import load_wanted
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
    encoders: Sequence[AudioEncoder]
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
        asking = self.settings.asking(self.checkpoint.config.asking)
        shown = None if picture is None else _picture(picture)
        asked = Question(asking.worded(question, "vqa"), shown, choices or None)
        heard = None if sound is None else self.embed(sound)

        def listen(_rows: Sequence[int]) -> tuple[Tensor, ...]:
            if heard is None:
                raise ValueError("a question without a sound was listened to")
            return heard

        base = self.model.base
        prompts = Prompts(self.backbone.processor, asking)
        dialogue = Dialogue(base, self.backbone.processor, prompts, vision=Vision(base))
        gates = [0.0 if heard is None else 1.0]
        consultation = Consultation(self.model, self.gate, [asked], gates, listen)
        inputs = dialogue.encode([asked])
        if self.gate.needs_state and heard is not None:
            answers = consultation.answer(dialogue, inputs, consultation.shut(dialogue, inputs))
        else:
            answers = consultation.answer_at_once(dialogue, inputs)
        (found,) = consultation.told(
            dialogue.score([asked], answers, consultation.hearing), None, timed=False
        )
        return found

    def embed(self, sound: Media) -> tuple[Tensor, ...]:
        """The embeddings of a sound, a batch of one per encoder: what `model.fuse` takes.

        Raises:
            InputError: the file cannot be read, or is no sound.
        """
        decoded = _sound(sound)
        device, found = input_device(self.model.base), []
        for encoder in self.encoders:
            made = encoder.encode([decoded.resampled(encoder.sample_rate_hz).samples])
            found.append(torch.from_numpy(made.astype(np.float32)).to(device))
        return tuple(found)


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
    return Safe(
        checkpoint,
        base,
        attach_checkpoint(checkpoint, base, settings.pathway_precision),
        chosen_gate(checkpoint.folder, checkpoint.config.pathway, settings.gate, settings.tokens).gate,
        [load_wanted(one) for one in wanted_encoders(checkpoint, settings.encoders)],
        replace(settings, batch_size=1),
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
