"""The settings of learning: the loss that is minimised, and how."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from safe_data.core.errors import InputError, check_above_zero, check_at_least_one, check_choices

Schedule = Literal["cosine", "constant"]
GateWarmUp = Literal["none", "linear", "cosine", "step"]


@dataclass(frozen=True)
class LossConfig:
    """What is minimised: cross-entropy of the audio questions, plus what keeps the base's answers.

    Raises:
        InputError: a number outside the range that its option names.
    """

    kl_weight: float = 1.0
    """weight of the KL divergence from the base, relative to the cross-entropy; 0 or more; 0 lets the
    base's answers drift"""

    temperature: float = 2.0
    """softmax temperature of the KL divergence, above 0; higher counts unlikely tokens more"""

    fisher_weight: float = 0.0
    """weight of elastic weight consolidation, which holds the pathway's weights near their first values; 0 or
    more; weaker than the KL divergence; 0: none"""

    fisher_interval: int = 25
    """steps between estimates of the Fisher information of these weights, at least 1"""

    null_space_energy: float | None = None
    """share of the energy of VL questions' hidden states, above 0 and below 1, such as 0.97, for which the
    queries must not change; weaker than the KL divergence; null: none"""

    def __post_init__(self) -> None:
        check_above_zero(self, "temperature")
        check_at_least_one(self, "fisher_interval")
        for name in ("kl_weight", "fisher_weight"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name}={getattr(self, name)}: must be 0 or more")
        energy = self.null_space_energy
        if energy is not None and not 0 < energy < 1:
            raise InputError(f"null_space_energy={energy}: must be above 0 and below 1")


@dataclass(frozen=True)
class OptimConfig:
    """How the pathway is trained.

    Raises:
        InputError: a number outside the range that its option names, no such choice, or both --steps and
            --epochs.
    """

    steps: int | None = field(default=None, metadata={"instead_of": "epochs"})
    """number of training steps (global batches); 0 leaves everything untrained; or give --epochs"""

    epochs: float | None = field(default=None, metadata={"instead_of": "steps"})
    """passes over the audio questions, above 0 (default, without --steps: 1)"""

    batch_size: int = 64
    """questions in each global batch, over all processes, at least 1"""

    rows_per_forward: int = 16
    """the most questions in one forward pass of one process, at least 1; it bounds memory, not the batch:
    gradients accumulate"""

    precision: str | None = None
    """bf16: compute in bfloat16 where that is safe (autocast), the base and the teacher too; the weights stay
    as they are; fp16 is refused (default: each part computes in the precision of its weights)"""

    activation_checkpointing: bool = False
    """keep only what enters each decoder layer, and compute the layer again for the gradients: far less
    memory, about half more time"""

    projector_lr: float = 2e-4
    """peak learning rate of the projector, above 0"""

    fusion_lr: float = 1e-4
    """peak learning rate of the cross-attentions, above 0"""

    schedule: Schedule = "cosine"
    """the learning rates after warm-up: cosine decay to 0, or constant"""

    warm_up_steps: int = 100
    """steps over which the learning rates rise linearly, 0 or more"""

    weight_decay: float = 0.0
    """decoupled weight decay of AdamW, 0 or more"""

    clip_norm: float = 1.0
    """largest norm of the gradient, above 0; a larger gradient is scaled down"""

    gate_warm_up: GateWarmUp = "none"
    """how the gate opens in training: at once, linearly, as half a cosine, or at once after the warm-up at a
    tenth; predictions have it fully open"""

    gate_warm_up_steps: int = 2000
    """steps until the gate is fully open, at least 1"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "batch_size", "rows_per_forward", "gate_warm_up_steps")
        check_above_zero(self, "projector_lr", "fusion_lr", "clip_norm")
        check_choices(self, schedule=get_args(Schedule), gate_warm_up=get_args(GateWarmUp))
        if self.precision == "fp16":
            raise InputError(
                "precision=fp16: needs loss scaling, which is missing here; choose bf16; on a device without "
                "bfloat16 leave it out, and load the base with dtype=float16"
            )
        if self.precision is not None:
            check_choices(self, precision=("bf16",))
        if self.steps is not None and self.epochs is not None:
            raise InputError(f"steps={self.steps} and epochs={self.epochs}: give one of them")
        if self.epochs is not None:
            check_above_zero(self, "epochs")
        for name in ("steps", "warm_up_steps", "weight_decay"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise InputError(f"{name}={value}: must be 0 or more")
