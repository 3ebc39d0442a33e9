"""The settings of an audit: those of the run that is planned, and the budgets that it must keep."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from safe_data.core.errors import InputError, check_above_zero, check_at_least_one
from safe_train.settings.adaptation import AdaptationConfig
from safe_train.settings.backbone import AskingConfig, BackboneConfig, LoadingConfig
from safe_train.settings.data import DataConfig
from safe_train.settings.learning import LossConfig, OptimConfig
from safe_train.settings.pathway import PathwayConfig
from safe_train.settings.train import RunConfig

CLAP_SHAPE = "512"

_SHAPE = re.compile(r"[1-9]\d{0,8}(x[1-9]\d{0,8})?")


@dataclass(frozen=True)
class AuditedData(DataConfig):
    """What will be trained on; the shards may not exist yet."""

    shards: tuple[Path, ...] = field(default=(), metadata={"positional": True})
    """folders of the datasets, which tell the shape of an embedding (default: see --embedding)"""


@dataclass(frozen=True)
class AuditedRun(RunConfig):
    """How the run will go."""

    out: Path | None = None  # type: ignore[assignment]  # an audit need not be written
    """JSON file to write the audit to; in a folder: audit.json (default: none)"""


@dataclass(frozen=True)
class BudgetConfig:
    """What the audit compares with, and what it cannot know without weights and shards.

    Raises:
        InputError: a number outside the range that its option names.
    """

    most_trainable: int | None = None
    """the most parameters that may be trained, such as 50000000 (default: not checked)"""

    least_trainable: int | None = None
    """the fewest parameters that must be trained, such as 10000000 (default: not checked)"""

    most_share: float | None = None
    """the largest share of all parameters that may be trained, such as 0.002 (default: not checked)"""

    embedding: tuple[str, ...] = ()
    """shape of an embedding of each encoder, such as 512 or 1500x768 (default: that of the shards; without
    shards 512, as CLAP's)"""

    positions: int | None = None
    """positions of a sequence: picture, question and answer (default: the picture's by the config, and 44)"""

    answer_positions: int = 16
    """of these, the answer's, at least 1"""

    card_gb: float | None = None
    """memory of a card in GB (10⁹ bytes), such as 80: the rows_per_forward that fits (default: not asked)"""

    headroom: float = 0.1
    """share of the card's memory that must stay free, from 0 to below 1"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "answer_positions")
        for name in ("most_trainable", "least_trainable", "most_share", "card_gb"):
            if getattr(self, name) is not None:
                check_above_zero(self, name)
        if self.positions is not None and self.positions <= self.answer_positions:
            raise InputError(
                f"positions={self.positions}: must be more than the {self.answer_positions} of the answer"
            )
        if not 0 <= self.headroom < 1:
            raise InputError(f"headroom={self.headroom}: must be at least 0 and below 1")
        for shape in self.embedding:
            if not _SHAPE.fullmatch(shape):
                raise InputError(f"embedding={shape!r}: give a shape such as 512 or 1500x768")

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of one embedding of each encoder."""
        return tuple(tuple(map(int, shape.split("x"))) for shape in self.embedding or (CLAP_SHAPE,))


@dataclass(frozen=True)
class AuditConfig:
    """A training run that is planned, and its budgets."""

    backbone: BackboneConfig
    data: AuditedData = field(default_factory=AuditedData)
    run: AuditedRun = field(default_factory=AuditedRun)
    loading: LoadingConfig = field(default_factory=LoadingConfig)
    asking: AskingConfig = field(default_factory=AskingConfig)
    pathway: PathwayConfig = field(default_factory=PathwayConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    adaptation: AdaptationConfig = field(default_factory=AdaptationConfig)
    audit: BudgetConfig = field(default_factory=BudgetConfig)
