"""The settings of the proof that a closed gate leaves the base as it was."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, get_args

from safe_data.core.errors import InputError, check_above_zero, check_at_least_one, check_choices, check_seed
from safe_train.settings.backbone import AskingConfig, BackboneConfig, LoadingConfig, PathwayPrecision
from safe_train.settings.pathway import PathwayConfig
from safe_train.settings.train import TrainConfig


@dataclass(frozen=True)
class ParityConfig:
    """What is compared, and how far it may differ. The file of a training run may give backbone and pathway.

    Raises:
        InputError: a number outside the range that its option names.
    """

    UNREAD: ClassVar[Any] = TrainConfig  # the other sections of its files are passed over

    data: Path
    """folder of the dataset whose VL questions are asked; it needs no sounds"""

    backbone: BackboneConfig

    loading: LoadingConfig = field(default_factory=LoadingConfig)

    asking: AskingConfig = field(default_factory=AskingConfig)

    pathway: PathwayConfig = field(default_factory=PathwayConfig)

    checkpoints: tuple[Path, ...] = field(default=(), metadata={"option": "checkpoint", "nargs": "+"})
    """trained pathways to attach, folders written by `safe-train stage-a` (default: fresh ones, with random
    weights where training begins at zero)"""

    pathway_precision: PathwayPrecision = "float32"
    """precision of the pathways; int8 rounds their matrices by torchao"""

    seeds: tuple[int, ...] = field(default=(0, 1, 2), metadata={"nargs": "+"})
    """seed of a fresh pathway, 0 or more"""

    split: str = "test"
    """split of the dataset; one it does not have is refused"""

    samples: int = 1000
    """VL questions, spread evenly over the split (all of them if there are fewer), at least 1"""

    batch_size: int = 16
    """questions in a batch, at least 1"""

    bound: float = 1e-5
    """the largest difference of a logit that still counts as none, above 0"""

    time_limit: float = 1.01
    """how many times as long a closed gate may take as the base, above 1"""

    repeats: int = 30
    """paired repeats of the same batch that are timed, at least 8; more narrow the interval"""

    strict_time: bool = False
    """exit with 2 if the time is not shown to be within its limit (default: say so)"""

    out: Path | None = None
    """JSON file to write"""

    quiet: bool = False
    """show no progress"""

    force: bool = False
    """replace a file that is there (default: refuse it)"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "samples", "batch_size")
        check_above_zero(self, "bound")
        check_choices(self, pathway_precision=get_args(PathwayPrecision))
        for seed in self.seeds:
            check_seed(seed)
        if not self.checkpoints and not self.seeds:
            raise InputError("seeds=[]: give one at least, or a --checkpoint")
        if self.repeats < 8:
            raise InputError(f"repeats={self.repeats}: must be at least 8")
        if not self.time_limit > 1:
            raise InputError(f"time_limit={self.time_limit}: must be above 1")
