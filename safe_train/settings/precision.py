"""The settings of the measurement that compares the precisions of a base and its pathway."""

from dataclasses import dataclass, field
from typing import NamedTuple, get_args

from safe_data.core.errors import InputError, check_at_least_one, check_choices, check_seed
from safe_train.settings.backbone import Dtype, LoadingConfig, PathwayPrecision, Quantization
from safe_train.settings.predict import SAVED
from safe_train.settings.profile import FEWEST_REPEATS


class Loaded(NamedTuple):
    """How a base and its pathway are loaded at a precision."""

    dtype: Dtype
    quantization: Quantization | None
    pathway: PathwayPrecision


# What bitsandbytes leaves whole, and what it computes, is bfloat16; with torchao it is float32.
LOADED: dict[str, Loaded] = {
    "float32": Loaded("float32", None, "float32"),
    "bfloat16": Loaded("bfloat16", None, "bfloat16"),
    "float16": Loaded("float16", None, "float16"),
    "int8": Loaded("float32", "int8", "int8"),
    "8bit": Loaded("bfloat16", "8bit", "bfloat16"),
    "4bit": Loaded("bfloat16", "4bit", "bfloat16"),
}


@dataclass(frozen=True)
class PrecisionConfig:
    """Which precisions are compared, and how much is measured.

    Raises:
        InputError: no such precision, one twice, or a number outside the range that its option names.
    """

    precisions: tuple[str, ...] = field(default=tuple(LOADED), metadata={"option": "precision", "nargs": "+"})
    """precisions of base and pathway, the first being the one that the others are compared with: float32,
    bfloat16, float16; int8 by torchao; 8bit, 4bit by bitsandbytes, which needs CUDA"""

    pathway_precision: PathwayPrecision | None = None
    """one precision of the pathway beside every base (default: that of the base, and bfloat16 beside 8bit and
    4bit)"""

    split: str = "test"
    """split of the dataset; one it does not have is refused"""

    questions: int = 1000
    """questions that are answered and scored, evenly spaced (all of them if there are fewer), at least 1"""

    alone: int = 120
    """questions asked alone for the latency, at least 8; the interval of a 95th percentile needs 104"""

    batch_size: int = 32
    """questions in a batch, at least 1"""

    repeats: int = 9
    """timed batches of each precision, in turns with the first, at least 8"""

    gate: str = SAVED
    """which questions hear their sound: saved (those that the checkpoint's own gate lets, or all if it has
    none) or always"""

    device_map: str | None = None
    """where the base lies: auto, or one device, such as cpu or cuda:1 (default: one device)"""

    seed: int = 0
    """seed of the permutations behind p values, 0 or more"""

    allow_other_dataset: bool = False
    """ask a dataset that the checkpoint was not trained on (default: refuse it)"""

    quiet: bool = False
    """show no progress"""

    force: bool = False
    """replace a measurement that is there (default: refuse it)"""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_at_least_one(self, "questions", "batch_size")
        check_choices(self, gate=(SAVED, "always"))
        if self.pathway_precision is not None:
            check_choices(self, pathway_precision=get_args(PathwayPrecision))
        known = ", ".join(LOADED)
        if not self.precisions:
            raise InputError(f"precision=[]: name at least one of {known}")
        for place, name in enumerate(self.precisions):
            if name not in LOADED:
                raise InputError(f"precision={name}: is no precision; choose from {known}")
            if name in self.precisions[:place]:
                raise InputError(f"precision={name}: is named twice; name each once")
        for option in ("alone", "repeats"):
            if getattr(self, option) < FEWEST_REPEATS:
                raise InputError(f"{option}={getattr(self, option)}: must be at least {FEWEST_REPEATS}")

    def loading(self, precision: str) -> LoadingConfig:
        """How the base is loaded at a precision."""
        loaded = LOADED[precision]
        return LoadingConfig(dtype=loaded.dtype, device_map=self.device_map, quantization=loaded.quantization)

    def pathway(self, precision: str) -> PathwayPrecision:
        """The precision of the pathway beside it."""
        return self.pathway_precision or LOADED[precision].pathway
