"""Precision: a trained pathway with weights of fewer bits, for answers; it is always trained in float32.

What is heard is added to the hidden states in the base's precision, whatever the pathway's is, and a closed
gate adds nothing. So a lower precision moves answers that hear, and never those of the base.
"""

import torch
from torch import nn

from safe_train.base.int8 import to_int8
from safe_train.pathway.model import AudioPathway
from safe_train.settings.backbone import PathwayPrecision


def lower(pathway: AudioPathway, precision: PathwayPrecision) -> AudioPathway:
    """Lower the precision of a pathway in place, and return it.

    The mean and the deviation of the embeddings stay float32. With int8, so does all that is no matrix of a
    linear layer, and what is computed.

    Raises:
        InputError: torchao is not installed for int8.
    """
    if precision == "int8":
        to_int8(pathway)
    elif precision != "float32":
        kept = {number: _statistics(pathway, number) for number in range(len(pathway.projectors))}
        pathway.to(getattr(torch, precision))
        for number, statistics in kept.items():
            for name, value in statistics.items():
                pathway.projector(number).register_buffer(name, value)
    return pathway


def _statistics(pathway: AudioPathway, number: int) -> dict[str, torch.Tensor]:
    projector: nn.Module = pathway.projector(number)
    return {name: buffer.clone() for name, buffer in projector.named_buffers(recurse=False)}
