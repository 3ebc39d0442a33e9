"""Pathways: those that parity attaches to the base, trained ones or fresh ones that are not silent."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch

from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_train.base.backbone import Backbone
from safe_train.checkpoint import attach_checkpoint, read_checkpoint
from safe_train.pathway.model import AudioPathway, SafeModel, new_pathway
from safe_train.pathway.precision import lower
from safe_train.settings.backbone import AskingConfig
from safe_train.settings.parity import ParityConfig

EMBEDDING = 512  # numbers of an embedding where the dataset has none: CLAP's


class Tried(NamedTuple):
    """A pathway by its name, and how to attach it."""

    name: str
    attach: Callable[[], SafeModel]


def asking_of(config: ParityConfig) -> AskingConfig:
    """How the base is asked: as the checkpoints' was in training, or as the settings say.

    Raises:
        InputError: a checkpoint is none, or two were asked in different ways.
    """
    asked = [read_checkpoint(folder).config.asking for folder in config.checkpoints]
    if any(one != asked[0] for one in asked):
        names = " and ".join(map(str, config.checkpoints))
        raise InputError(f"{names}: were trained with different prompts; compare one at a time")
    return asked[0] if asked else config.asking


def tried_pathways(config: ParityConfig, backbone: Backbone, dataset: ShardDataset) -> list[Tried]:
    """The checkpoints, or a fresh pathway of each seed.

    Raises:
        InputError: a checkpoint is none, or the base has no such layer.
    """
    if config.checkpoints:
        read = [(str(folder), read_checkpoint(folder)) for folder in config.checkpoints]
        for name, one in read:
            if one.config.adapted:
                raise InputError(
                    f"{name}: its base was trained (base={one.config.adapted.settings.base}), so its gate "
                    "does not give back the base; compare what was trained beside a frozen one"
                )
        return [
            Tried(name, partial(attach_checkpoint, one, backbone, config.pathway_precision))
            for name, one in read
        ]
    shape = tuple(dataset.encoder["shape"]) if dataset.encoder else (EMBEDDING,)

    def fresh(seed: int) -> SafeModel:
        pathway = new_pathway(config.pathway, backbone.model, [shape], seed)
        return SafeModel(backbone.model, lower(woken(pathway, seed), config.pathway_precision).eval())

    return [Tried(f"seed {seed}", partial(fresh, seed)) for seed in config.seeds]


def woken(pathway: AudioPathway, seed: int) -> AudioPathway:
    """Give each cross-attention random outputs in place of zeros, which no gate would have to hold back."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for number in pathway.config.layers:
            output = pathway.block(number).output
            for weight in getattr(output, "up", output).parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator))
    return pathway
