"""The settings of predictions."""

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from safe_data.core.errors import InputError, check_at_least_one, check_choices, check_seed, did_you_mean
from safe_eval.prediction import BASE
from safe_train.settings.backbone import (
    AskingConfig,
    Attention,
    Dtype,
    LoadingConfig,
    PathwayPrecision,
    Quantization,
)
from safe_train.settings.data import QuestionTask

SAFE = "safe"
SAVED = "saved"
GATES = (SAVED, "always", "never")
CONDITIONS = ("full", "mute_audio", "swap_audio", "gate_off")


@dataclass(frozen=True)
class PredictConfig:
    """What a checkpoint is asked, and under which conditions."""

    conditions: tuple[str, ...] = field(default=CONDITIONS, metadata={"option": "condition"})
    """what is done to the input: full, mute_audio, swap_audio, gate_off, snr_<n>db and others
    (docs/modality.md); an unknown one is refused"""

    name: str = SAFE
    """model name of the checkpoint's answers, such as lora_only, so that several can be scored together"""

    without_base: bool = False
    """do not ask the base, whose answers another file already has (default: ask it too)"""

    split: str = "test"
    """split of the dataset; one it does not have is refused"""

    tasks: tuple[QuestionTask, ...] = field(default=(), metadata={"option": "task"})
    """questions to ask, by task: vqa, caption or classify (default: all)"""

    encoders: tuple[str, ...] = field(default=(), metadata={"option": "encoder"})
    """an encoder of the checkpoint and where its weights are, such as clap:DIR (default: what the checkpoint
    says); loaded only for conditions that change a sound; another encoder or version is refused"""

    dtype: Dtype | None = None
    """precision of the frozen model; auto: the one it was saved in (default: as in training)"""

    device_map: str | None = None
    """where the frozen model lies: auto, balanced, balanced_low_0 or sequential spread it over the devices of
    one process; or one device, such as cpu or cuda:1 (default: one device a process)"""

    quantization: Quantization | Literal["none"] | None = None
    """load the frozen model's matrices in fewer bits: int8 by torchao, on any device; 8bit or 4bit by
    bitsandbytes, which needs CUDA; or none (default: as in training)"""

    pathway_precision: PathwayPrecision = "float32"
    """precision of the audio pathway, which was trained in float32; int8 rounds its matrices by torchao"""

    attention: Attention | None = None
    """implementation of the frozen model's attention (default: the choice of transformers)"""

    answer_tokens: int | None = None
    """the most tokens that an answer may have, at least 1 (default: as in training)"""

    seed: int = 0
    """seed of the conditions' noise and swaps, 0 or more"""

    batch_size: int = 32
    """questions per batch, at least 1; more is faster and takes more memory"""

    gate: str = SAVED
    """which questions hear their sound: saved (those that the checkpoint's own gate lets, or all if it has
    none), always or never; for the twin that always listens add --name NAME_always_on
    and --tokens with those of the gate"""

    tokens: int | None = None
    """audio tokens with --gate always, a number that was trained (default: the most)"""

    influence: bool = False
    """measure influence_kl where no gate needs a state, by one more pass with the gate shut (default: it is
    null there)"""

    latency: bool = False
    """measure latency_ms and gate_ms: ask every question alone and remember no picture, which is slow, and no
    two runs have the same bytes (default: null, as questions of a batch have no time of their own)"""

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
        check_at_least_one(self, "batch_size")
        if self.gate not in GATES:
            hint = did_you_mean(self.gate, GATES, f"choose from {', '.join(GATES)}")
            raise InputError(
                f"gate={self.gate!r}: {hint}; another kind is fitted into the checkpoint by `safe-train gate "
                "fit`, and is then its saved gate"
            )
        if self.tokens is not None:
            check_at_least_one(self, "tokens")
            if self.gate != "always":
                raise InputError(f"tokens={self.tokens}: goes with --gate always, not with {self.gate}")
        if self.answer_tokens is not None:
            check_at_least_one(self, "answer_tokens")
        if self.quantization is not None:
            check_choices(self, quantization=(*get_args(Quantization), "none"))
        check_choices(self, pathway_precision=get_args(PathwayPrecision))

    def loading(self, trained: LoadingConfig) -> LoadingConfig:
        """How the base is loaded, where `trained` says how it was loaded in training.

        What it computes follows from its precision; where it lies and how it attends belongs to a machine.

        Raises:
            InputError: no such choice.
        """
        bits = trained.quantization if self.quantization is None else self.quantization
        return LoadingConfig(
            dtype=self.dtype or trained.dtype,
            device_map=self.device_map,
            quantization=None if bits == "none" else bits,
            attention=self.attention,
        )

    def asking(self, trained: AskingConfig) -> AskingConfig:
        """How the base is asked, where `trained` says how it was asked in training."""
        return trained if self.answer_tokens is None else replace(trained, answer_tokens=self.answer_tokens)
