"""The settings of predictions."""

from dataclasses import dataclass, field

from safe_data.core.errors import InputError, check_seed
from safe_eval.prediction import BASE

SAFE = "safe"
CONDITIONS = ("full", "mute_audio", "swap_audio", "gate_off")


@dataclass(frozen=True)
class PredictConfig:
    """What a checkpoint is asked, and under which conditions."""

    conditions: tuple[str, ...] = field(default=CONDITIONS, metadata={"option": "condition"})
    """what is done to the input: full, mute_audio, swap_audio, gate_off, noise_audio, snr_<n>db (n in dB) or
    mute_vision; an unknown one is refused"""

    name: str = SAFE
    """model name of the checkpoint's answers, such as lora_only, so that several can be scored together"""

    without_base: bool = False
    """do not ask the base, whose answers another file already has (default: ask it too)"""

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
        if not self.name.strip() or self.name == BASE or "/" in self.name:
            raise InputError(f"name={self.name!r}: name the checkpoint's answers, with no / and not base")
        if self.batch_size < 1:
            raise InputError(f"batch_size={self.batch_size}: must be at least 1")
