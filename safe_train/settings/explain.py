"""The settings of an explanation: which questions are explained, how finely, and what its maps must show."""

from dataclasses import dataclass, field
from typing import Literal

from safe_data.core.errors import (
    InputError,
    check_above_zero,
    check_at_least_one,
    check_choices,
    check_seed,
)
from safe_train.settings.backbone import Attention, Dtype, LoadingConfig


@dataclass(frozen=True)
class ExplainConfig:
    """What is explained.

    Raises:
        InputError: a number outside the range that its option names.
    """

    questions: int = 300
    """questions to explain at most, drawn as whole groups in the order of a hash of the seed"""

    split: str = "test"
    """split of the dataset; one it does not have is refused"""

    steps: int = 128
    """steps of integrated gradients, at least 2; more lower the error of completeness, and take longer"""

    segments: int = 4
    """parts of a sound, silenced one by one and together, at least 2; up to 5 are exact, more are sampled"""

    orders: int = 25
    """random orders in which more than 5 parts are added, at least 1"""

    checked: int = 100
    """of these questions, how many the sanity checks run on, at least 1; in the same order of groups"""

    random_orders: int = 5
    """random orders that a deletion curve is compared with, at least 1"""

    stages: int = 5
    """stages in which the weights are shuffled from the top, at least 1"""

    most_similar: float = 0.5
    """how alike the maps of a shuffled model may be: the upper end of the mean rank correlation, above 0 and
    below 1"""

    delta: float = 0.05
    """how large the mean error of completeness may be against the difference it should sum to, above 0"""

    classes: int = 12
    """of each kind of sound (what is heard, how often), the most frequent to offer pictures, at least 2"""

    confidence: float = 0.95
    """confidence of the intervals, above 0.5 and below 1"""

    encoders: tuple[str, ...] = field(default=(), metadata={"option": "encoder"})
    """an encoder of the checkpoint and where its weights are, such as clap:DIR (default: what the checkpoint
    says); without one, audio tokens are left out in place of parts of the sound"""

    dtype: Dtype | None = None
    """precision of the frozen model; auto: the one it was saved in (default: as in training)"""

    device_map: str | None = None
    """where the frozen model lies, as in predict (default: one device)"""

    quantization: Literal["8bit", "4bit", "none"] | None = None
    """load the frozen model in 8 or 4 bits, or in neither (default: as in training); its weights can then not
    be shuffled, and that check is not measured"""

    attention: Attention | None = None
    """implementation of the frozen model's attention (default: the choice of transformers)"""

    batch_size: int = 32
    """questions per batch, and rows of a pass with gradients, at least 1"""

    seed: int = 0
    """seed of the questions, the swapped sounds, random orders and shuffles, 0 or more"""

    allow_other_dataset: bool = False
    """explain answers about a dataset that the checkpoint was not trained on (default: refuse it)"""

    quiet: bool = False
    """show no progress"""

    force: bool = False
    """start over, and replace an explanation that is there (default: refuse it)"""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_at_least_one(self, "questions", "orders", "checked", "random_orders", "stages", "batch_size")
        check_above_zero(self, "delta")
        for name in ("steps", "segments", "classes"):
            if getattr(self, name) < 2:
                raise InputError(f"{name}={getattr(self, name)}: must be at least 2")
        if not 0 < self.most_similar < 1:
            raise InputError(f"most_similar={self.most_similar}: must be above 0 and below 1")
        if not 0.5 < self.confidence < 1:
            raise InputError(f"confidence={self.confidence}: must be above 0.5 and below 1; 95 % is 0.95")
        if self.quantization is not None:
            check_choices(self, quantization=("8bit", "4bit", "none"))

    def loading(self, trained: LoadingConfig) -> LoadingConfig:
        """How the base is loaded, where `trained` says how it was loaded in training."""
        bits = trained.quantization if self.quantization is None else self.quantization
        return LoadingConfig(
            dtype=self.dtype or trained.dtype,
            device_map=self.device_map,
            quantization=None if bits == "none" else bits,
            attention=self.attention,
        )
