"""Small-data arms: which recipes the study compares, on how many seeds, and how long each learns.

Reference is LoRA of attention with rank 16, α 32 and dropout .05. Every other arm differs from it in one
thing: what is updated, a point of the grid of rank × α × dropout, or SpecAugment.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from safe_data.core.errors import InputError, did_you_mean
from safe_data.sources.synthetic.worlds import SPEECH
from safe_train.settings.adaptation import LoraTargets
from safe_train.settings.backbone import BackboneConfig
from safe_train.settings.finetune import (
    ClipsConfig,
    FinetuneConfig,
    FinetuneRunConfig,
    LearningConfig,
    LoraConfig,
)
from safe_train.toy.recipe import Recipe, recipe_for

REFERENCE, MLP = "attention", "attention_mlp"
SEEDS = (42, 123, 456)
FREQ_MASK, TIME_MASK, TIME_SHIFT_MS = 5, 10, 50.0
FRACTIONS, DEV = (0.85, 0.15), 0.2  # of train and test, and of train that is for the temperature
TRAIN_SHARE = FRACTIONS[0] * (1 - DEV)


@dataclass(frozen=True)
class Arm:
    """One recipe on several seeds."""

    name: str
    seeds: tuple[int, ...]
    targets: LoraTargets = "attention"
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    augmented: bool = False


@dataclass(frozen=True)
class Size:
    """How large the study is: clips, grid and steps.

    The rates, the projector and the batch are those of the toy; they were chosen before anything was judged.
    """

    clips: int
    steps: int
    grid: tuple[tuple[int, int, float], ...]
    batch_size: int = 64
    rate: float = 3e-3
    bottleneck: int = 64
    warm_up_steps: int = 20
    recipe: Recipe = field(default_factory=partial(recipe_for, SPEECH))  # of the toy
    seeds: tuple[int, ...] = SEEDS
    grid_seeds: tuple[int, ...] = SEEDS[:2]

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All arms, the reference first; the point of the grid that is the reference is no arm of its own."""
        reference = Arm(REFERENCE, self.seeds)
        points = [
            Arm(f"r{rank}-a{alpha}-d{dropout:g}", self.grid_seeds, rank=rank, alpha=alpha, dropout=dropout)
            for rank, alpha, dropout in self.grid
            if (rank, alpha, dropout) != (reference.rank, reference.alpha, reference.dropout)
        ]
        mlp = replace(reference, name=MLP, targets="attention_mlp")
        augmented = replace(reference, name="specaugment", seeds=self.grid_seeds, augmented=True)
        return (reference, mlp, *points, augmented)


_GRID = ((8, 16, 0.0), (8, 32, 0.05), (16, 32, 0.05), (16, 64, 0.1), (32, 32, 0.1), (32, 64, 0.0))
SIZES = {
    "small": Size(clips=1280, steps=100, grid=(_GRID[0], _GRID[2], _GRID[5])),
    "full": Size(clips=10_240, steps=600, grid=_GRID),
}


def find_size(name: str) -> Size:
    """The size of this name.

    Raises:
        InputError: there is none.
    """
    if name not in SIZES:
        hint = did_you_mean(name, SIZES, f"choose from {', '.join(SIZES)}")
        raise InputError(f"size={name!r}: no such size; {hint}")
    return SIZES[name]


def config_of(
    arm: Arm, size: Size, *, shards: Path, backbone: Path, out: Path, quiet: bool
) -> FinetuneConfig:
    """The fine-tuning of an arm."""
    return FinetuneConfig(
        clips=ClipsConfig(
            shards=shards,
            freq_mask=FREQ_MASK if arm.augmented else 0,
            time_mask=TIME_MASK if arm.augmented else 0,
            time_shift_ms=TIME_SHIFT_MS if arm.augmented else 0.0,
        ),
        backbone=BackboneConfig(str(backbone)),
        run=FinetuneRunConfig(out=out, seeds=arm.seeds, name=arm.name, predict_batch_size=64, quiet=quiet),
        lora=LoraConfig(
            lora_targets=arm.targets,
            lora_rank=arm.rank,
            lora_alpha=arm.alpha,
            lora_dropout=arm.dropout,
            bottleneck=size.bottleneck,
        ),
        learning=LearningConfig(
            steps=size.steps,
            batch_size=size.batch_size,
            rows_per_forward=size.batch_size,
            base_lr=size.rate,
            projector_lr=size.rate,
            warm_up_steps=size.warm_up_steps,
        ),
    )
