"""The settings of safe_train's commands.

`TrainConfig` is all that a training run depends on, in six sections; it is stored whole with the run as
options.yaml. The docstring below each field is the help of its command-line option. `metadata` names an
option that differs from its field, and the one that it stands instead of.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from safe_data.core.errors import InputError, check_above_zero, check_at_least_one, check_choices, check_seed
from safe_data.sampling.mixture import exact_shares
from safe_train.pathway_config import PathwayConfig

CONDITIONS = ("full", "mute_audio", "swap_audio", "gate_off")
ROLES = ("audio", "vl", "muted")
Schedule = Literal["cosine", "constant"]
GateWarmUp = Literal["none", "linear", "cosine", "step"]


@dataclass(frozen=True)
class DataConfig:
    """What is trained on.

    A batch holds questions in three roles: `audio` questions with their own sound (loss: cross-entropy), `vl`
    questions with an unrelated sound or silence, and `muted` audio questions with silence (loss of both: KL
    divergence from the base).

    Raises:
        InputError: a number outside the range that its option names, or no weight above 0.
    """

    shards: tuple[Path, ...] = field(metadata={"positional": True})
    """folders of one or several datasets; each name may occur once"""

    encoder: tuple[str, ...] = ()
    """name of the cached embeddings to hear by; with two names, both are heard (default: the only one)"""

    weights: dict[str, float] = field(default_factory=lambda: {"audio": 0.4, "vl": 0.4, "muted": 0.2})
    """relative share of each role in a batch: audio, vl, muted; NAME/audio and so on name the questions of
    one dataset; ignored if there is a --curriculum"""

    curriculum: Path | None = None
    """YAML file of training stages, each with its own weights; see safe_data/sampling/curriculum_file.py"""

    silent_fraction: float = 0.25
    """share of the vl questions that get silence instead of an unrelated sound, from 0 to 1"""

    split: str = "train"
    """split of every dataset to train on"""

    validation_split: str = "val"
    """split that is evaluated during training; datasets without it are left out"""

    validation_questions: int = 200
    """questions of each kind (audio, vl) in an evaluation, at least 1"""

    workers: int = 2
    """threads that prepare the next batches, at least 1"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "validation_questions", "workers")
        if not 0 <= self.silent_fraction <= 1:
            raise InputError(f"silent_fraction={self.silent_fraction}: must be in [0, 1]")
        if len(set(self.encoder)) < len(self.encoder):
            raise InputError(f"encoder={list(self.encoder)}: name each encoder once")
        exact_shares(self.weights)


@dataclass(frozen=True)
class BackboneConfig:
    """The frozen vision-language model."""

    source: str = field(metadata={"option": "backbone"})
    """vision-language model, as a directory written by save_pretrained or as a hub id"""

    @property
    def name(self) -> str:
        """Its name in checkpoints."""
        return Path(self.source).resolve().name


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
    """number of training steps (global batches), at least 1; or give --epochs"""

    epochs: float | None = field(default=None, metadata={"instead_of": "steps"})
    """passes over the audio questions, above 0 (default, without --steps: 1)"""

    batch_size: int = 64
    """questions in each global batch, over all processes, at least 1"""

    rows_per_forward: int = 16
    """the most questions in one forward pass of one process, at least 1; it bounds memory, not the batch:
    gradients accumulate"""

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
        if self.steps is not None and self.epochs is not None:
            raise InputError(f"steps={self.steps} and epochs={self.epochs}: give one of them")
        if self.steps is not None:
            check_at_least_one(self, "steps")
        if self.epochs is not None:
            check_above_zero(self, "epochs")
        for name in ("warm_up_steps", "weight_decay"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name}={getattr(self, name)}: must be 0 or more")


@dataclass(frozen=True)
class RunConfig:
    """Where and how a run goes; nothing here but the seed changes what is learnt.

    Raises:
        InputError: a number outside the range that its option names.
    """

    out: Path
    """folder of the checkpoint, the losses and the state; the same command continues a stopped run"""

    seed: int = 0
    """seed of the initial weights, the batches and the dropout, 0 or more"""

    eval_steps: int = 200
    """steps between evaluations on the validation split; 0: never"""

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
        if not self.spike_factor > 1:
            raise InputError(f"spike_factor={self.spike_factor}: must be above 1")


@dataclass(frozen=True)
class TrainConfig:
    """All that a training run depends on."""

    data: DataConfig
    backbone: BackboneConfig
    run: RunConfig
    pathway: PathwayConfig = field(default_factory=PathwayConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)


@dataclass(frozen=True)
class PredictConfig:
    """What a checkpoint is asked, and under which conditions."""

    conditions: tuple[str, ...] = field(default=CONDITIONS, metadata={"option": "condition"})
    """what is done to the input: full, mute_audio, swap_audio, gate_off, noise_audio, snr_<n>db (n in dB) or
    mute_vision; an unknown one is refused"""

    split: str = "test"
    """split of the dataset; one it does not have is refused"""

    encoders: tuple[str, ...] = field(default=(), metadata={"option": "encoder"})
    """an encoder of the checkpoint and where its weights are, such as clap:DIR (default: what the checkpoint
    says); loaded only for conditions that change a sound; another encoder or version is refused"""

    seed: int = 0
    """seed of the conditions' noise and swaps, 0 or more"""

    batch_size: int = 32
    """questions per batch, at least 1; more is faster and takes more memory"""

    latency: bool = False
    """measure latency_ms: ask every question alone and remember no picture, which is slow, and no two runs
    have the same bytes (default: latency_ms is null, as questions of a batch have no time of their own)"""

    allow_other_dataset: bool = False
    """answer a dataset that the checkpoint was not trained on (default: refuse it)"""

    quiet: bool = False
    """show no progress"""

    force: bool = False
    """start over, and replace a predictions file that is of another run (default: refuse it)"""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.batch_size < 1:
            raise InputError(f"batch_size={self.batch_size}: must be at least 1")
