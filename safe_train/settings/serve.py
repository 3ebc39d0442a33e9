"""The settings of a server."""

from dataclasses import dataclass, field
from typing import Literal

from safe_data.core.errors import InputError, check_above_zero, check_at_least_one
from safe_train.settings.backbone import Attention, Dtype, PathwayPrecision, Quantization
from safe_train.settings.predict import SAFE, SAVED, PredictConfig

_MIB = 2**20


@dataclass(frozen=True)
class ServeConfig:
    """Where a checkpoint is served, how its requests are batched, and what it takes.

    Raises:
        InputError: a number outside the range that its option names, or a gate that `predict` refuses.
    """

    host: str = "127.0.0.1"
    """address to listen at; only this machine can reach the default"""

    port: int = 8000
    """port to listen at; 0 takes a free one"""

    name: str = SAFE
    """name that requests ask the checkpoint by"""

    batch_size: int = 8
    """the most requests that are answered together; with 1, an answer is that of `predict --batch-size 1` to
    the last bit"""

    wait_ms: float = 10.0
    """how long the first request of a batch waits for others, 0 or more"""

    queue_size: int = 64
    """the most requests that are there at once, waiting or being answered; one more is refused with 429"""

    timeout_seconds: float = 60.0
    """how long a request may take from its first byte; then it is refused with 408 or 504, and gives up its
    place"""

    body_mb: float = 32.0
    """the longest body of a request in MiB; a longer one is refused with 413"""

    picture_pixels: int = 2**24
    """the most pixels of a picture"""

    sound_seconds: float = 60.0
    """the longest sound"""

    prompt_characters: int = 8000
    """the longest text of a question"""

    cache_mb: int = 256
    """memory for pictures that are asked about again, and as much for prompts and for features, in MiB"""

    gate: str = SAVED
    """which questions hear their sound: saved (those that the checkpoint's own gate lets, or all if it has
    none), always or never"""

    tokens: int | None = None
    """audio tokens with --gate always, a number that was trained (default: the most)"""

    influence: bool = False
    """tell influence_kl where no gate needs a state, by one more pass with the gate shut (default: it is null
    there)"""

    encoders: tuple[str, ...] = field(default=(), metadata={"option": "encoder"})
    """an encoder of the checkpoint and where its weights are, such as clap:DIR (default: what the checkpoint
    says); another encoder or version is refused"""

    dtype: Dtype | None = None
    """precision of the frozen model; auto: the one it was saved in (default: as in training)"""

    device_map: str | None = None
    """where the frozen model lies: auto, or one device, such as cpu or cuda:1 (default: one device)"""

    quantization: Quantization | Literal["none"] | None = None
    """load the frozen model's matrices in fewer bits: int8 by torchao, on any device; 8bit or 4bit by
    bitsandbytes, which needs CUDA; or none (default: as in training)"""

    pathway_precision: PathwayPrecision = "float32"
    """precision of the audio pathway, which was trained in float32; int8 rounds its matrices by torchao"""

    attention: Attention | None = None
    """implementation of the frozen model's attention (default: the choice of transformers)"""

    answer_tokens: int | None = None
    """the most tokens that an answer may have, at least 1; no request can ask for more (default: as in
    training)"""

    quiet: bool = False
    """say nothing but errors"""

    def __post_init__(self) -> None:
        check_at_least_one(
            self, "batch_size", "queue_size", "picture_pixels", "prompt_characters", "cache_mb"
        )
        check_above_zero(self, "timeout_seconds", "body_mb", "sound_seconds")
        if not 0 <= self.port < 2**16:
            raise InputError(f"port={self.port}: a port is 0 to 65535")
        if not 0 <= self.wait_ms < float("inf"):
            raise InputError(f"wait_ms={self.wait_ms}: must be 0 or more, and finite")
        if self.queue_size < self.batch_size:
            raise InputError(
                f"queue_size={self.queue_size}: must be at least batch_size={self.batch_size}, or no batch "
                "is ever full"
            )
        self.asking_as()

    @property
    def body_bytes(self) -> int:
        """The longest body of a request."""
        return round(self.body_mb * _MIB)

    @property
    def cache_bytes(self) -> int:
        """The bound of each memory of what was asked before."""
        return self.cache_mb * _MIB

    def asking_as(self) -> PredictConfig:
        """The settings of the predictions that are served."""
        return PredictConfig(
            name=self.name,
            batch_size=self.batch_size,
            gate=self.gate,
            tokens=self.tokens,
            influence=self.influence,
            encoders=self.encoders,
            dtype=self.dtype,
            device_map=self.device_map,
            quantization=self.quantization,
            pathway_precision=self.pathway_precision,
            attention=self.attention,
            answer_tokens=self.answer_tokens,
            quiet=self.quiet,
        )
