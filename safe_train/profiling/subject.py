"""Subject: the model, data and settings that are profiled, of a checkpoint or of a plan without one."""

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from safe_data.core.errors import InputError
from safe_eval.models.processors import pictures_apart
from safe_train.base.adaptation import adapt
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.loading import place
from safe_train.base.prompts import check_pictures
from safe_train.checkpoint import (
    Checkpoint,
    UsedEncoder,
    attach_checkpoint,
    check_dataset,
    read_checkpoint,
    used_encoders,
)
from safe_train.corpora import Corpora
from safe_train.gates.gate_files import FittedGate, read_gate
from safe_train.parity.pathways import woken
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.questions import Questions, read_questions
from safe_train.settings.profile import ProfileConfig

# What a checkpoint says of itself; its options are then those of its training.
_OF_CHECKPOINT = ("pathway", "asking", "loss", "optim")


@dataclass(frozen=True)
class Subject:
    """What is profiled. `config` holds the settings of the checkpoint where there is one.

    `trained_on` are the questions of training passes, `asked` those that are answered; `encoders` made their
    embeddings.
    """

    config: ProfileConfig
    backbone: Backbone
    checkpoint: Checkpoint | None
    gate: FittedGate | None
    trained_on: Questions
    asked: Questions
    encoders: tuple[UsedEncoder, ...]
    device: torch.device

    @property
    def corpora(self) -> Corpora:
        """The sounds and pictures that are asked about."""
        return self.asked.corpora

    def to_train(self) -> SafeModel:
        """The model with an untrained pathway, as training begins: how fast it is does not depend on weights.

        Detach it before another one is attached.
        """
        config, base = self.config, self.backbone.model
        pathway = new_pathway(config.pathway, base, self.corpora.shapes, config.seed)
        adaptation = adapt(base, config.adaptation, config.seed)
        return SafeModel(base, pathway, adaptation, recompute=config.optim.activation_checkpointing)

    def to_ask(self) -> SafeModel:
        """The model as it answers: the checkpoint, or a pathway whose outputs are not zero."""
        if self.checkpoint is not None:
            return attach_checkpoint(self.checkpoint, self.backbone)
        config, base = self.config, self.backbone.model
        pathway = woken(new_pathway(config.pathway, base, self.corpora.shapes, config.seed), config.seed)
        return SafeModel(base, pathway.eval(), adapt(base, config.adaptation, config.seed), folds=True)

    def questions_with_sounds(self, count: int) -> list[int]:
        """Evenly spaced questions whose clips have a sound, at most so many.

        Of a family that takes no batch of questions with and without a picture, those with one.

        Raises:
            InputError: there are none.
        """
        found = [n for n in range(len(self.asked)) if self.corpora.has_audio[self.asked.clip[n]]]
        if pictures_apart(self.backbone.processor):
            seen = [n for n in found if self.corpora.picture(int(self.asked.clip[n])) is not None]
            found = seen or found
        if not found:
            raise InputError(
                f"{self.corpora.names[0]}: no question of split {self.corpora.split!r} has a sound to hear; "
                "choose another with --asked-split"
            )
        return evenly(found, count)


def read_subject(config: ProfileConfig, *, device: torch.device) -> Subject:
    """Read what is profiled, and put the base on a device.

    Raises:
        InputError: the checkpoint, base or dataset cannot be read or do not fit, or an option says something
            else than the checkpoint.
    """
    checkpoint = None if config.checkpoint is None else read_checkpoint(config.checkpoint)
    if checkpoint is not None:
        config = _as_trained(config, checkpoint)
    names = config.data.encoder
    if checkpoint is not None:
        names = tuple(encoder.name for encoder in checkpoint.config.encoders)
    training = Corpora(config.data.shards, config.data.split, names)
    asked = Corpora(config.data.shards, config.measuring.asked_split, names)
    if checkpoint is not None:
        for dataset in training.sounding:  # only that its embeddings are the right ones
            check_dataset(checkpoint, dataset, allow_other=True)
    check_pictures(config.asking, [*training.datasets, *asked.datasets])
    gate = None if checkpoint is None else read_gate(checkpoint.folder)
    backbone = load_backbone(config.backbone.source, config.loading)
    place(backbone.model, config.loading, device)
    return Subject(
        config=config,
        backbone=backbone,
        checkpoint=checkpoint,
        gate=gate,
        trained_on=read_questions(training, quiet=True),
        asked=read_questions(asked, quiet=True),
        encoders=used_encoders(training.sounding),
        device=device,
    )


@contextmanager
def attached(model: SafeModel) -> Any:
    """A model whose hooks are removed at the end, and what it trained of the base with them."""
    try:
        yield model
    finally:
        model.detach()


def _as_trained(config: ProfileConfig, checkpoint: Checkpoint) -> ProfileConfig:
    """The settings with those of a checkpoint in place of the default ones.

    Raises:
        InputError: one was given that is neither the default nor the checkpoint's.
    """
    facts = checkpoint.config
    for name in _OF_CHECKPOINT:
        given, said = getattr(config, name), getattr(facts, name)
        if given not in (type(given)(), said):
            raise InputError(
                f"{checkpoint.folder}: says its own {name}, and other settings are given; leave out the "
                "checkpoint to profile a plan, or leave out --config and these options"
            )
    adaptation = facts.adapted.settings if facts.adapted else config.adaptation
    loading = config.loading
    if loading.dtype == "auto":
        loading = replace(loading, dtype=facts.loading.dtype)
    if loading.quantization is None:
        loading = replace(loading, quantization=facts.loading.quantization)
    said = {name: getattr(facts, name) for name in _OF_CHECKPOINT}
    return replace(config, adaptation=adaptation, loading=loading, **said)


def evenly(found: Sequence[int], count: int) -> list[int]:
    """Evenly spaced ones of these, at most so many.

    >>> evenly([3, 4, 5, 6, 7], 3)
    [3, 5, 7]
    """
    places = np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int)
    return [int(found[place]) for place in places]


def names_of(encoders: Sequence[UsedEncoder]) -> tuple[str, ...]:
    """The names of encoders."""
    return tuple(encoder.name for encoder in encoders)
