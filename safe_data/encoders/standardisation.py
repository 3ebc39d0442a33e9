"""Standardisation: the mean and deviation of embeddings on a train split, in a file beside the weights."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.core.files import write_bytes

FILE = "standardisation.safetensors"
PARTS = ("mean", "deviation")
FEWEST = 2  # embeddings; one has no deviation
# In deviations. A dimension that hardly moved on the train split has a tiny deviation, and a sound that moves
# it would get a number that float16 does not hold; of real sounds none came near this.
LIMIT = 1000.0

Vector = Float32[ndarray, " dims"]


@dataclass(frozen=True)
class Standardisation:
    """What is subtracted from each dimension of an embedding, and then divided by."""

    mean: Vector
    deviation: Vector

    def apply(self, embedding: Vector) -> Vector:
        """The embedding in deviations from the mean, within ±1000; a deviation of 0 counts as 1."""
        divisor = np.where(self.deviation == 0, np.float32(1), self.deviation)
        with np.errstate(over="ignore"):  # an infinite quotient is limited, and NaN stays
            scaled: Vector = np.clip((embedding - self.mean) / divisor, -LIMIT, LIMIT)
        return scaled

    def write(self, directory: Path) -> Path:
        """Write the file that `read_standardisation` finds, and return its path.

        Raises:
            InputError: the disk is full, or may not be written to.
        """
        from safetensors.numpy import save

        return write_bytes(directory / FILE, save({"mean": self.mean, "deviation": self.deviation}))

    @property
    def sha256(self) -> str:
        """The hash of the numbers, whatever else the file says."""
        parts = (self.mean.astype("<f4").tobytes(), self.deviation.astype("<f4").tobytes())
        return hashlib.sha256(b"".join(parts)).hexdigest()


def read_standardisation(directory: Path, dims: int) -> Standardisation | None:
    """Read the standardisation that lies in a directory; None where there is none.

    Raises:
        InputError: the file cannot be read, or does not hold float32 `mean` and `deviation` of this length,
            finite, and no deviation below 0.
    """
    path = directory / FILE
    if not path.exists():
        return None
    from safetensors import SafetensorError
    from safetensors.numpy import load

    fix = "fit it again"
    try:
        tensors = load(path.read_bytes())
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}; {fix}") from error
    if set(tensors) != {*PARTS}:
        raise InputError(f"{path}: holds {sorted(tensors)[:4]}, not {' and '.join(PARTS)}; {fix}")
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32 or tensor.shape != (dims,):
            raise InputError(
                f"{path}: {name!r} is {tensor.dtype} of shape {tensor.shape}, not float32 of ({dims},); {fix}"
            )
        if not np.isfinite(tensor).all() or (name == "deviation" and (tensor < 0).any()):
            raise InputError(f"{path}: {name!r} is not finite, or below 0; {fix}")
    return Standardisation(tensors["mean"], tensors["deviation"])


def standardisation_of(embeddings: Iterable[Vector]) -> Standardisation:
    """The mean and the deviation (of the whole, not of a sample) of each dimension, in one pass.

    **Source:** Welford 1962, "Note on a method for calculating corrected sums of squares and products".

    Raises:
        InputError: there are fewer than two embeddings, or one is not finite.
    """
    count, mean, squares = 0, np.zeros(1), np.zeros(1)
    for count, embedding in enumerate(embeddings, 1):
        if not np.isfinite(embedding).all():
            raise InputError(f"embedding {count} is not finite; check the weights, and the sound for NaN")
        step: Float64[ndarray, " dims"] = embedding.astype(np.float64) - mean
        mean = mean + step / count
        squares = squares + step * (embedding - mean)
    if count < FEWEST:
        raise InputError(f"a standardisation is fitted on {count} sounds; give at least {FEWEST}")
    return Standardisation(mean.astype(np.float32), np.sqrt(squares / count).astype(np.float32))
