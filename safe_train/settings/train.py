"""The settings of a training run.

`TrainConfig` is all that a training run depends on, in sections; it is stored whole with the run as
options.yaml. The docstring below each field is the help of its command-line option. `metadata` names an
option that differs from its field, and the one that it stands instead of.
"""

from dataclasses import dataclass, field
from pathlib import Path

from safe_data.core.errors import InputError, check_at_least_one, check_seed
from safe_train.settings.adaptation import AdaptationConfig
from safe_train.settings.backbone import AskingConfig, BackboneConfig, LoadingConfig
from safe_train.settings.data import DataConfig
from safe_train.settings.learning import LossConfig, OptimConfig
from safe_train.settings.pathway import PathwayConfig


@dataclass(frozen=True)
class RunConfig:
    """Where and how a run goes; only the seed and what ends it change what is learnt.

    Raises:
        InputError: a number outside the range that its option names.
    """

    out: Path
    """folder of the checkpoint, the losses and the state; the same command continues a stopped run"""

    seed: int = 0
    """seed of the initial weights, the batches and the dropout, 0 or more"""

    eval_steps: int = 200
    """steps between evaluations on the validation split; 0: never"""

    drift_warning: float = 0.005
    """warn if VL questions that hear silence or an irrelevant sound are shown to lose more accuracy than this
    (0.005 is half a point): if the one-sided 95 % lower bound of the loss is above it; 0 or more"""

    drift_stop: float | None = 0.01
    """stop if they are shown to lose more than this, and write the best state before as the adapter; null:
    never"""

    checkpoint_steps: int = 200
    """steps between saved states, at least 1"""

    trackers: tuple[str, ...] = field(default=("tensorboard",), metadata={"option": "tracker"})
    """where curves are logged: tensorboard, mlflow, wandb (offline), or none"""

    spike_factor: float = 20.0
    """stop if a loss exceeds this many times the median of the last 100, and 1 nat; above 1"""

    quiet: bool = False
    """show no progress"""

    force: bool = False
    """start over, and overwrite what OUT holds of another run"""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_at_least_one(self, "checkpoint_steps")
        if self.eval_steps < 0:
            raise InputError(f"eval_steps={self.eval_steps}: must be 0 or more")
        for name in ("drift_warning", "drift_stop"):
            share = getattr(self, name)
            if share is not None and not 0 <= share < 1:
                raise InputError(f"{name}={share}: must be at least 0 and below 1; one point is 0.01")
        if not self.spike_factor > 1:
            raise InputError(f"spike_factor={self.spike_factor}: must be above 1")


@dataclass(frozen=True)
class TrainConfig:
    """All that a training run depends on.

    Raises:
        InputError: the base is trained, and weights of the pathway are to be held.
    """

    data: DataConfig
    backbone: BackboneConfig
    run: RunConfig
    loading: LoadingConfig = field(default_factory=LoadingConfig)
    asking: AskingConfig = field(default_factory=AskingConfig)
    pathway: PathwayConfig = field(default_factory=PathwayConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    adaptation: AdaptationConfig = field(default_factory=AdaptationConfig)

    def __post_init__(self) -> None:
        holds = self.loss.fisher_weight or self.loss.null_space_energy is not None
        if self.adaptation.base != "frozen" and holds:
            raise InputError(
                f"base={self.adaptation.base}: fisher_weight and null_space_energy hold the audio pathway "
                "alone, and a base that is trained drifts; keep its answers with kl_weight"
            )
