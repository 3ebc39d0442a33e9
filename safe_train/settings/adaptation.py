"""The settings of what is trained of the base itself: nothing for SAFE, something for some baselines."""

from dataclasses import dataclass
from typing import Literal, get_args

from safe_data.core.errors import InputError, check_above_zero, check_at_least_one, check_choices

Trained = Literal["frozen", "lora", "full"]
LoraTargets = Literal["attention", "attention_mlp"]


@dataclass(frozen=True)
class AdaptationConfig:
    """What is trained of the base itself. SAFE trains nothing of it; the others are baselines.

    Raises:
        InputError: a number outside the range that its option names, or no such choice.
    """

    base: Trained = "frozen"
    """frozen: nothing, as for SAFE; lora: low-rank updates of the decoder, always on; full: the language
    model and the projector of pictures; the vision tower is always frozen"""

    lora_targets: LoraTargets = "attention"
    """linear layers of the decoder that get an update: attention, or attention_mlp"""

    lora_rank: int = 16
    """rank of each update, at least 1"""

    lora_alpha: int = 32
    """factor of each update, divided by its rank, at least 1"""

    lora_dropout: float = 0.05
    """dropout before each update, from 0 to below 1; only in training"""

    base_lr: float = 2e-4
    """peak learning rate of what is trained of the base, above 0; full needs a smaller one, such as 2e-5"""

    def __post_init__(self) -> None:
        check_choices(self, base=get_args(Trained), lora_targets=get_args(LoraTargets))
        check_at_least_one(self, "lora_rank", "lora_alpha")
        check_above_zero(self, "base_lr")
        if not 0 <= self.lora_dropout < 1:
            raise InputError(f"lora_dropout={self.lora_dropout}: must be at least 0 and below 1")
