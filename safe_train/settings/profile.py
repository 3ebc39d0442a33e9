"""The settings of a profile: what is measured of a checkpoint or a plan, how long, and what it must reach."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from safe_data.core.errors import InputError, check_above_zero, check_at_least_one, check_seed
from safe_train.settings.adaptation import AdaptationConfig
from safe_train.settings.backbone import AskingConfig, BackboneConfig, LoadingConfig
from safe_train.settings.data import DataConfig
from safe_train.settings.learning import LossConfig, OptimConfig
from safe_train.settings.pathway import PathwayConfig
from safe_train.settings.train import TrainConfig

FEWEST_REPEATS = 8  # fewer times have no interval of 99 %


@dataclass(frozen=True)
class ProfiledData(DataConfig):
    """The dataset whose questions and sounds are used."""

    shards: tuple[Path, ...] = field(default=(), metadata={"option": "data"})
    """folder of a dataset, as in training"""


@dataclass(frozen=True)
class MeasuringConfig:
    """How much is measured, and what it must reach.

    Raises:
        InputError: a number outside the range that its option names.
    """

    asked_split: str = "test"
    """split whose questions are asked and whose sounds are encoded; --split is the one of training passes"""

    most_rows: int = 128
    """rows of the largest forward pass that is tried, at least 1; the ladder doubles up to it, and ends early
    where memory or time does"""

    repeats: int = 9
    """timed passes of each size, in turns, at least 8; a first one is not counted"""

    ladder_seconds: float = 60.0
    """seconds that a ladder of sizes may take, above 0; there is one of training and one of answers"""

    questions: int = 120
    """questions asked alone for the latency, at least 8; the interval of a 95th percentile needs 104"""

    sounds: int = 48
    """sounds that are read from the cache and encoded anew, at least 8"""

    card_gb: float | None = None
    """memory of a card in GB (10⁹ bytes), such as 80 (default: that of the device that is measured)"""

    headroom: float = 0.1
    """share of the card's memory that must stay free, from 0 to below 1"""

    memory_error: float = 0.05
    """the largest relative error of the straight line that predicts memory from rows, above 0"""

    samples_per_second: float | None = None
    """questions a second that training must reach (default: no goal, so that is not measured)"""

    latency_limit: float = 1.1
    """how many times as long an answer may take with a sound as without, above 1"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "most_rows")
        check_above_zero(self, "ladder_seconds", "memory_error")
        for name in ("card_gb", "samples_per_second"):
            if getattr(self, name) is not None:
                check_above_zero(self, name)
        for name in ("repeats", "questions", "sounds"):
            if getattr(self, name) < FEWEST_REPEATS:
                raise InputError(f"{name}={getattr(self, name)}: must be at least {FEWEST_REPEATS}")
        if not 0 <= self.headroom < 1:
            raise InputError(f"headroom={self.headroom}: must be at least 0 and below 1")
        if not self.latency_limit > 1:
            raise InputError(f"latency_limit={self.latency_limit}: must be above 1; 10 % more is 1.1")


@dataclass(frozen=True)
class ProfileConfig:
    """What is profiled: a checkpoint, or a plan by the options of stage A. Its `run` section is not read.

    Raises:
        InputError: no dataset is named.
    """

    UNREAD: ClassVar[Any] = TrainConfig

    backbone: BackboneConfig

    out: Path
    """folder of profile.json, profile.md and the charts"""

    checkpoint: Path | None = field(default=None, metadata={"positional": True})
    """folder written by `safe-train stage-a` (default: an untrained pathway, as the options say)"""

    data: ProfiledData = field(default_factory=ProfiledData)

    loading: LoadingConfig = field(default_factory=LoadingConfig)

    asking: AskingConfig = field(default_factory=AskingConfig)

    pathway: PathwayConfig = field(default_factory=PathwayConfig)

    loss: LossConfig = field(default_factory=LossConfig)

    optim: OptimConfig = field(default_factory=OptimConfig)

    adaptation: AdaptationConfig = field(default_factory=AdaptationConfig)

    measuring: MeasuringConfig = field(default_factory=MeasuringConfig)

    seed: int = 0
    """seed of the questions that are drawn and of an untrained pathway, 0 or more"""

    trackers: tuple[str, ...] = field(default=("tensorboard",), metadata={"option": "tracker"})
    """where the curves are logged too: tensorboard, mlflow, wandb (offline), or none"""

    quiet: bool = False
    """show no progress"""

    force: bool = False
    """replace a profile that is there (default: refuse it)"""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if not self.data.shards:
            raise InputError("data=[]: name the folder of a dataset with --data; its questions are asked")
