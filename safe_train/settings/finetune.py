"""The settings of fine-tuning: LoRA of the decoder, and a projector that hands it the sound, as a classifier.

They are those settings of stage A that a classifier needs; the rest is the preset lora_only.
"""

from dataclasses import dataclass, field
from pathlib import Path

from safe_data.core.errors import InputError, check_seed
from safe_train.settings.adaptation import AdaptationConfig, LoraTargets
from safe_train.settings.backbone import AskingConfig, BackboneConfig, LoadingConfig
from safe_train.settings.data import DataConfig, QuestionTask
from safe_train.settings.learning import OptimConfig
from safe_train.settings.pathway import PathwayConfig
from safe_train.settings.predict import SAFE, PredictConfig

TASK: QuestionTask = "classify"


@dataclass(frozen=True)
class ClipsConfig:
    """The clips: their splits, and what they are heard by. Only questions of the task classify are asked.

    Raises:
        InputError: an encoder twice, or a mask or shift below 0.
    """

    shards: Path = field(metadata={"positional": True})
    """folder of the dataset"""

    encoder: tuple[str, ...] = ()
    """name of the cached embeddings to hear by, such as logmel or clap (default: the only one)"""

    split: str = "train"
    """split to train on"""

    dev_split: str = "dev"
    """split that the temperature is fitted on; `safe-data split --dev 0.2` takes it out of train by group"""

    test_split: str = "test"
    """split that is judged"""

    freq_mask: int = 0
    """most mel bands to mask of a sound (SpecAugment), 0 or more, such as 5"""

    time_mask: int = 0
    """most mel frames to mask of a sound, 0 or more, such as 10"""

    time_shift_ms: float = 0.0
    """most milliseconds to shift a sound, to either side, 0 or more, such as 50"""

    encoder_source: tuple[str, ...] = ()
    """an encoder and where its weights are, such as clap:DIR, only for masks and shifts (default: what the
    dataset says)"""

    def __post_init__(self) -> None:
        DataConfig(
            shards=(self.shards,),
            encoder=self.encoder,
            freq_mask=self.freq_mask,
            time_mask=self.time_mask,
            time_shift_ms=self.time_shift_ms,
            encoder_source=self.encoder_source,
        )


@dataclass(frozen=True)
class LoraConfig:
    """The low-rank updates of the decoder, and the projector before it.

    Raises:
        InputError: a number outside the range that its option names, or no such choice.
    """

    lora_targets: LoraTargets = "attention"
    """linear layers of the decoder that get an update: attention, or attention_mlp"""

    lora_rank: int = 16
    """rank of each update, at least 1"""

    lora_alpha: int = 32
    """factor of each update, divided by its rank, at least 1"""

    lora_dropout: float = 0.05
    """dropout before each update, from 0 to below 1; only in training"""

    tokens: int = 8
    """audio tokens per clip, at least 1"""

    bottleneck: int | None = 1024
    """dimensions of the projector's hidden layers; null: as wide as the language model"""

    dropout: float = 0.0
    """dropout in the projector, from 0 to below 1"""

    def __post_init__(self) -> None:
        AdaptationConfig("lora", self.lora_targets, self.lora_rank, self.lora_alpha, self.lora_dropout)
        PathwayConfig(tokens=self.tokens, bottleneck=self.bottleneck, dropout=self.dropout)


@dataclass(frozen=True)
class LearningConfig:
    """How long and how fast it learns.

    Raises:
        InputError: a number outside the range that its option names, or both --steps and --epochs.
    """

    steps: int | None = field(default=None, metadata={"instead_of": "epochs"})
    """number of training steps; or give --epochs"""

    epochs: float | None = field(default=None, metadata={"instead_of": "steps"})
    """passes over the clips, above 0 (default, without --steps: 1)"""

    batch_size: int = 64
    """clips in each global batch, over all processes, at least 1"""

    rows_per_forward: int = 16
    """the most clips in one forward pass of one process, at least 1"""

    precision: str | None = None
    """bf16: compute in bfloat16 where that is safe (default: in the precision of the weights)"""

    activation_checkpointing: bool = False
    """compute each decoder layer again for the gradients: far less memory, about half more time"""

    base_lr: float = 2e-4
    """peak learning rate of the updates, above 0"""

    projector_lr: float = 2e-4
    """peak learning rate of the projector, above 0"""

    warm_up_steps: int = 20
    """steps over which the learning rates rise linearly, 0 or more"""

    def __post_init__(self) -> None:
        OptimConfig(**{name: value for name, value in vars(self).items() if name != "base_lr"})
        AdaptationConfig(base_lr=self.base_lr)


@dataclass(frozen=True)
class FinetuneRunConfig:
    """Where it goes, and by what it is judged.

    Raises:
        InputError: no seed, or one twice or below 0; or a name that is none.
    """

    out: Path
    """folder of the runs and their answers; the same command continues a stopped run"""

    seeds: tuple[int, ...] = field(default=(42, 123, 456), metadata={"option": "seed"})
    """seed of the initial weights, the batches and the dropout, 0 or more; a run each, and the criteria need
    two"""

    criteria: str = "speech"
    """criteria file, or the name of one of safe_eval's, whose parameter `model` is --name"""

    name: str = SAFE
    """name of the model in predictions and scores"""

    checkpoint_steps: int = 200
    """steps between saved states, at least 1"""

    predict_batch_size: int = 32
    """questions per batch of answers, at least 1"""

    trackers: tuple[str, ...] = field(default=("none",), metadata={"option": "tracker"})
    """where curves are logged: tensorboard, mlflow, wandb (offline), or none"""

    quiet: bool = False
    """show no progress"""

    force: bool = False
    """start over, and overwrite what OUT holds of another run"""

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seed={[*self.seeds]}: name at least one seed, and each once")
        for seed in self.seeds:
            check_seed(seed)
        PredictConfig(name=self.name, batch_size=self.predict_batch_size)


@dataclass(frozen=True)
class FinetuneConfig:
    """All that a fine-tuning depends on.

    Raises:
        InputError: a number outside the range that its option names, no such choice, or a split twice.
    """

    clips: ClipsConfig
    backbone: BackboneConfig
    run: FinetuneRunConfig
    lora: LoraConfig = field(default_factory=LoraConfig)
    learning: LearningConfig = field(default_factory=LearningConfig)
    loading: LoadingConfig = field(default_factory=LoadingConfig)
    asking: AskingConfig = field(default_factory=AskingConfig)

    def __post_init__(self) -> None:
        splits = (self.clips.split, self.clips.dev_split, self.clips.test_split)
        if len(set(splits)) < len(splits):
            said = f"split={splits[0]}, dev_split={splits[1]}, test_split={splits[2]}"
            raise InputError(f"{said}: one is named twice; name three splits")
