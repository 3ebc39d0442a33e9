"""Vision tower: EfficientNet-lite0's weights in the EfficientNet of transformers.

The lite networks have no squeeze-and-excitation, which that class cannot leave out: its last layer gets a
bias so high that the sigmoid is exactly 1 in float32, so that it multiplies by 1. They cut activations off
at 6 (ReLU6), and do not scale the first and the last layer.

Source: Tan & Le 2019 (arXiv 1905.11946); the lite variants of https://github.com/tensorflow/tpu, whose
weights the package holds as a pickle, which is read with `weights_only`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from safe_data.core.errors import InputError

FEATURES = 1280
PATCH_SIDE = 32  # pixels of a picture that one position of the last layer stands for
MEAN, DEVIATION = 127 / 255, 128 / 255  # of the pixels that it was trained on
_OPEN = 30.0  # 1 / (1 + exp(-30)) rounds to 1 in float32
# Our name of a part of each block: the name of the weights' file, and whether it is a batch norm.
_PARTS = {
    "expansion.expand_conv": ("_expand_conv", False),
    "expansion.expand_bn": ("_bn0", True),
    "depthwise_conv.depthwise_conv": ("_depthwise_conv", False),
    "depthwise_conv.depthwise_norm": ("_bn1", True),
    "projection.project_conv": ("_project_conv", False),
    "projection.project_bn": ("_bn2", True),
}
_LONGEST_REASON = 200  # characters
_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def vision_config() -> Any:
    """The configuration of EfficientNet-lite0; `hidden_size` is what a projector asks for."""
    from transformers import EfficientNetConfig

    config = EfficientNetConfig(
        width_coefficient=1.0,
        depth_coefficient=1.0,
        hidden_act="relu6",
        hidden_dim=FEATURES,
        dropout_rate=0.0,
        drop_connect_rate=0.0,
    )
    config.hidden_size = FEATURES
    return config


def load_weights(tower: Any, file: Path) -> None:
    """Give a tower of `vision_config` the weights of a .pth file.

    Raises:
        InputError: the file holds other weights, or no weights alone.
    """
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
        weights = renamed(found, len(tower.encoder.blocks))
        missing = tower.load_state_dict(weights, strict=False).missing_keys
    except Exception as error:  # a damaged or hostile file fails in many ways
        said = " ".join(str(error).split())[:_LONGEST_REASON]
        raise InputError(f"{file}: does not hold the weights of EfficientNet-lite0: {said}") from None
    if unexpected := [name for name in missing if "squeeze_excite" not in name]:
        raise InputError(f"{file}: lacks {', '.join(sorted(unexpected)[:3])}")
    _open_squeeze_excite(tower)


def renamed(found: Mapping[str, Tensor], blocks: int) -> dict[str, Tensor]:
    """The weights by the names that transformers gives them; the classifier is left out.

    Raises:
        KeyError: one is missing.
    """
    return dict(_renamed(found, blocks))


def _renamed(found: Mapping[str, Tensor], blocks: int) -> Iterator[tuple[str, Tensor]]:
    yield from _part(found, "embeddings.convolution", "_conv_stem", is_norm=False)
    yield from _part(found, "embeddings.batchnorm", "_bn0", is_norm=True)
    for block in range(blocks):
        for ours, (theirs, is_norm) in _PARTS.items():
            if block == 0 and ours.startswith("expansion"):
                continue  # the first block does not widen
            yield from _part(
                found, f"encoder.blocks.{block}.{ours}", f"_blocks.{block}.{theirs}", is_norm=is_norm
            )
    yield from _part(found, "encoder.top_conv", "_conv_head", is_norm=False)
    yield from _part(found, "encoder.top_bn", "_bn1", is_norm=True)


def _part(
    found: Mapping[str, Tensor], ours: str, theirs: str, *, is_norm: bool
) -> Iterator[tuple[str, Tensor]]:
    for name in _NORM if is_norm else ("weight",):
        yield f"{ours}.{name}", found[f"{theirs}.{name}"]


@torch.no_grad()
def _open_squeeze_excite(tower: Any) -> None:
    for block in tower.encoder.blocks:
        for convolution in (block.squeeze_excite.reduce, block.squeeze_excite.expand):
            convolution.weight.zero_()
            convolution.bias.zero_()
        block.squeeze_excite.expand.bias.fill_(_OPEN)
