"""EfficientNet-lite0 with random weights, by the names of its file, and what it makes of pictures.

Written from the papers alone, so that it can tell whether the tower of transformers computes the same.
Source: Tan & Le 2019 (arXiv 1905.11946), table 1; the lite variants of https://github.com/tensorflow/tpu.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

# Of each stage: width of kernels, stride of its first block, how much a block widens, channels, blocks.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM, TOP = 32, 1280
EPSILON = 1e-3
Weights = dict[str, Tensor]


def random_lite0(seed: int = 0) -> Weights:
    """Weights whose output varies with its input; and a classifier, which nobody wants."""
    drawn = torch.Generator().manual_seed(seed)
    weights: Weights = {}

    def convolution(name: str, after: int, before: int, kernel: int) -> None:
        shape = (after, before, kernel, kernel)
        deviation = (2 / (before * kernel**2)) ** 0.5
        weights[f"{name}.weight"] = torch.randn(shape, generator=drawn) * deviation

    def norm(name: str, width: int) -> None:
        weights[f"{name}.weight"] = 1 + 0.2 * torch.randn(width, generator=drawn)
        weights[f"{name}.bias"] = 0.3 * torch.randn(width, generator=drawn)
        weights[f"{name}.running_mean"] = 0.1 * torch.randn(width, generator=drawn)
        weights[f"{name}.running_var"] = 0.5 + torch.rand(width, generator=drawn)
        weights[f"{name}.num_batches_tracked"] = torch.tensor(7)

    convolution("_conv_stem", STEM, 3, 3)
    norm("_bn0", STEM)
    width, block = STEM, 0
    for kernel, _, widens, after, blocks in STAGES:
        for _ in range(blocks):
            name, wide = f"_blocks.{block}", width * widens
            if widens > 1:
                convolution(f"{name}._expand_conv", wide, width, 1)
                norm(f"{name}._bn0", wide)
            convolution(f"{name}._depthwise_conv", wide, 1, kernel)
            norm(f"{name}._bn1", wide)
            convolution(f"{name}._project_conv", after, wide, 1)
            norm(f"{name}._bn2", after)
            width, block = after, block + 1
    convolution("_conv_head", TOP, width, 1)
    norm("_bn1", TOP)
    weights["_fc.weight"], weights["_fc.bias"] = torch.zeros(10, TOP), torch.zeros(10)
    return weights


def save_lite0(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(random_lite0(seed), path)
    return path


@torch.no_grad()
def lite0(weights: Mapping[str, Tensor], pixels: Tensor) -> Tensor:
    """The last layer before pooling: pictures, 1280 channels, rows, columns."""

    def norm(seen: Tensor, name: str) -> Tensor:
        mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return F.batch_norm(seen, mean, variance, scale, shift, eps=EPSILON)

    seen = F.conv2d(_same(pixels, 3, 2), weights["_conv_stem.weight"], stride=2)
    seen, block = F.relu6(norm(seen, "_bn0")), 0
    for kernel, first_stride, widens, _, blocks in STAGES:
        for place in range(blocks):
            name, stride, before = f"_blocks.{block}", 1 if place else first_stride, seen
            if widens > 1:
                wide = F.conv2d(seen, weights[f"{name}._expand_conv.weight"])
                seen = F.relu6(norm(wide, f"{name}._bn0"))
            filters = weights[f"{name}._depthwise_conv.weight"]
            deep = F.conv2d(_same(seen, kernel, stride), filters, stride=stride, groups=len(filters))
            seen = F.relu6(norm(deep, f"{name}._bn1"))
            seen = norm(F.conv2d(seen, weights[f"{name}._project_conv.weight"]), f"{name}._bn2")
            seen = before + seen if place else seen
            block += 1
    return F.relu6(norm(F.conv2d(seen, weights["_conv_head.weight"]), "_bn1"))


def _same(seen: Tensor, kernel: int, stride: int) -> Tensor:
    """Pad as TensorFlow does for "SAME": as little as gives ceil(size / stride), the odd pixel at the end."""
    size = seen.shape[-1]
    lacking = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    before, after = lacking // 2, lacking - lacking // 2
    return F.pad(seen, (before, after, before, after))
