"""The settings of safe_train's commands: the audio pathway's shape, stage A, and prediction.

The docstring below each field is the help of its command-line option. `metadata` names an option that differs
from its field: an option that may be given several times is singular.
"""

from dataclasses import dataclass, field

from safe_data.core.errors import InputError, check_seed

DEFAULT_FUSED_LAYERS = 4
CONDITIONS = ("full", "mute_audio", "swap_audio", "gate_off")


@dataclass(frozen=True)
class PathwayConfig:
    """The shape of the audio pathway.

    Raises:
        InputError: a size below 1, heads that do not divide the rank, or a layer named twice or below 1.
    """

    layers: tuple[int, ...] = field(default=(), metadata={"option": "layer"})
    """number of a decoder layer that hears, counted from 1; one the backbone does not have is refused;
    without any: four layers, evenly spaced up to the last"""

    tokens: int = 4
    """audio tokens per clip, at least 1"""

    rank: int = 8
    """inner dimensions of each cross-attention, all heads together; a multiple of --heads"""

    heads: int = 2
    """attention heads of each cross-attention, at least 1"""

    bottleneck: int = 128
    """dimensions of the projector's hidden layer, at least 1"""

    def __post_init__(self) -> None:
        for name in ("tokens", "rank", "heads", "bottleneck"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: must be at least 1")
        if self.rank % self.heads:
            raise InputError(f"rank={self.rank} does not divide among heads={self.heads}; choose a multiple")
        if len(set(self.layers)) != len(self.layers) or min(self.layers, default=1) < 1:
            raise InputError(f"layers={list(self.layers)}: name each layer once, counting from 1")


@dataclass(frozen=True)
class StageAConfig:
    """How stage A trains the pathway.

    A batch holds audio questions with their own sound (loss: cross-entropy), vision questions with an
    unrelated sound, and audio questions with silence (loss of both: KL divergence from the base).

    Raises:
        InputError: a number outside the range that its option names.
    """

    steps: int = 800
    """number of training steps (batches), at least 1"""

    audio_rows: int = 32
    """audio questions with their own sound in each batch, at least 1"""

    vision_rows: int = 32
    """vision questions with an unrelated sound in each batch, at least 1"""

    muted_rows: int = 16
    """audio questions with silence in each batch, at least 1"""

    silent_fraction: float = 0.25
    """share of the vision questions that get silence instead of an unrelated sound, from 0 to 1"""

    learning_rate: float = 3e-3
    """peak learning rate of AdamW, after warm-up and before cosine decay, above 0; too high, the loss
    becomes infinite or NaN and training stops"""

    kl_weight: float = 3.0
    """weight of the KL divergence from the base, relative to the cross-entropy; 0 or more; 0 lets the
    base's answers drift"""

    temperature: float = 2.0
    """softmax temperature of the KL divergence, above 0; higher counts unlikely tokens more"""

    seed: int = 0
    """seed of the initial weights and of the batches, 0 or more"""

    def __post_init__(self) -> None:
        for name in ("steps", "audio_rows", "vision_rows", "muted_rows"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: must be at least 1")
        for name in ("learning_rate", "temperature"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name}={getattr(self, name)}: must be above 0")
        if not self.kl_weight >= 0:
            raise InputError(f"kl_weight={self.kl_weight}: must be 0 or more")
        if not 0 <= self.silent_fraction <= 1:
            raise InputError(f"silent_fraction={self.silent_fraction}: must be in [0, 1]")
        check_seed(self.seed)


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


def spread_layers(available: int) -> tuple[int, ...]:
    """Four evenly spaced layers, the last included; all layers if there are fewer than four.

    >>> spread_layers(32), spread_layers(2)
    ((8, 16, 24, 32), (1, 2))
    """
    wanted = min(DEFAULT_FUSED_LAYERS, available)
    return tuple(round(available * (i + 1) / wanted) for i in range(wanted))
