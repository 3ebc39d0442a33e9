"""Shuffling: whether maps change when the weights do, from the output down to the projector of the sound.

The numbers of each weight change places among themselves, so that their sizes stay the model's. The order
follows from a seed, and is undone in the end, to the last bit.

**Source:** Adebayo et al. 2018, "Sanity checks for saliency maps" (arXiv 1810.03292), section 3: cascading
randomisation, compared by rank correlation.
**Differs:** weights are shuffled in place and not drawn anew, and layers go in as many stages as are asked
for. The embeddings of words and picture, which the maps are of, stay as they are.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import nn

from safe_train.base.backbone import decoder_layers
from safe_train.explain.attribution import Gradients, integrated_gradients
from safe_train.explain.embedded import Embedded, Embedder
from safe_train.pathway.model import SafeModel

WORDS_PICTURE_SOUND, SOUND_NUMBERS = "words, picture and sound", "numbers of the sound's embedding"


class Stage(NamedTuple):
    """What is shuffled at one step, after all that was before."""

    name: str
    modules: tuple[nn.Module, ...]


class Similarity(NamedTuple):
    """How alike the maps of each question are before and after weights are shuffled down to a stage."""

    map: str
    stage: str
    correlations: Float64[ndarray, " questions"]


def cascade(model: SafeModel, stages: int) -> list[Stage]:
    """From the output embeddings down through the decoder, with its fused parts, to the projector."""
    layers, fused = decoder_layers(model.base), model.pathway.config.layers
    head = model.base.get_output_embeddings()
    found = [Stage("output", () if head is None else (head,))]
    numbers = list(range(len(layers), 0, -1))
    for part in np.array_split(numbers, min(stages, len(numbers))):
        modules: list[nn.Module] = []
        for number in part.tolist():
            modules.append(layers[number - 1])
            modules += [model.pathway.block(number)] if number in fused else []
        modules += [model.pathway.block(0)] if part[-1] == 1 and 0 in fused else []
        name = f"layer {part[0]}" if len(part) == 1 else f"layers {part[0]} to {part[-1]}"
        found.append(Stage(name, tuple(modules)))
    return [*found, Stage("projector", tuple(model.pathway.projectors))]


def pathway_stage(model: SafeModel) -> Stage:
    """The audio pathway alone, with the base as it is."""
    return Stage("audio pathway", (model.pathway,))


def can_shuffle(stages: Sequence[Stage]) -> bool:
    """Whether every weight is made of plain numbers, and not of blocks of 4 or 8 bits."""
    return all(
        weight.is_floating_point()
        for stage in stages
        for part in stage.modules
        for weight in part.parameters()
    )


@contextmanager
def shuffled(modules: Sequence[nn.Module], seed: int) -> Iterator[None]:
    """Within it, the numbers of each weight stand in another order."""
    weights = list({id(w): w for module in modules for w in module.parameters()}.values())
    done: list[int] = []
    try:
        for number, weight in enumerate(weights):
            flat = weight.data.flatten()
            weight.data.copy_(flat[_order(flat, seed, number)].view_as(weight))
            done.append(number)
        yield
    finally:
        for number in done:
            weight = weights[number]
            flat = weight.data.flatten()
            back = torch.empty_like(flat)
            back[_order(flat, seed, number)] = flat
            weight.data.copy_(back.view_as(weight))


def _order(flat: torch.Tensor, seed: int, number: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1_000_003 * seed + number)
    return torch.randperm(len(flat), generator=generator).to(flat.device)


def similarities(
    embedder: Embedder,
    questions: Sequence[Embedded],
    before: Sequence[Gradients],
    *,
    stages: int,
    steps: int,
    rows: int,
    seed: int,
) -> list[Similarity]:
    """Make the maps of these questions anew at each stage, and compare them with the whole model's."""
    found = []
    alone = pathway_stage(embedder.model)
    with shuffled(alone.modules, seed):
        after = [integrated_gradients(embedder, one, steps=steps, rows=rows) for one in questions]
    heard = [rank_correlation(a.sound, b.sound) for a, b in zip(before, after, strict=True)]
    found.append(Similarity(SOUND_NUMBERS, alone.name, np.array(heard)))
    modules: list[nn.Module] = []
    for stage in cascade(embedder.model, stages):
        modules += stage.modules
        with shuffled(modules, seed):
            after = [integrated_gradients(embedder, one, steps=steps, rows=rows) for one in questions]
        alike = [
            rank_correlation(a.units[held], b.units[held])
            for one, a, b in zip(questions, before, after, strict=True)
            for held in [attributed_units(one)]
        ]
        found.append(Similarity(WORDS_PICTURE_SOUND, stage.name, np.array(alike)))
    return found


def attributed_units(one: Embedded) -> ndarray:
    """The places of the units that can be absent: words, picture and sounds, not the template."""
    positions = (one.words | one.picture).cpu().numpy()
    return np.flatnonzero(np.concatenate([positions, np.ones(len(one.sounds), bool)]))


def rank_correlation(one: Float64[ndarray, " units"], other: Float64[ndarray, " units"]) -> float:
    """Spearman's rank correlation; 0 where one of them is constant.

    >>> rank_correlation(np.array([1.0, 2.0, 4.0]), np.array([0.0, 5.0, 9.0]))
    1.0
    """
    from scipy.stats import rankdata

    ranks = [rankdata(values) - (len(values) + 1) / 2 for values in (one, other)]
    size = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum())) if len(one) else 0.0
    return float(np.round((ranks[0] * ranks[1]).sum() / size, 12)) if size else 0.0
