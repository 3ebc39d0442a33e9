"""The settings of the audio pathway, which its checkpoints hold too."""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from safe_data.core.errors import InputError, check_above_zero, check_at_least_one, check_choices

Location = Literal["input", "early", "middle", "late"]
Design = Literal["low_rank", "lora"]


@dataclass(frozen=True)
class PathwayConfig:
    """The shape of the audio pathway.

    Raises:
        InputError: a size below 1, heads that do not divide the rank, a layer named twice or below 1, a
            scale outside its range, or no such design or location.
    """

    layers: tuple[int, ...] = field(default=(), metadata={"option": "layer"})
    """number of a decoder layer that hears, counted from 1, or 0 alone for the input of the first; one
    the backbone does not have is refused; without any: see --location"""

    location: Location | None = None
    """where to fuse if no --layer is given: input (before the first layer), or four layers of the early,
    middle or late third (default: four layers, evenly spaced up to the last)"""

    tokens: int | tuple[int, ...] = 8
    """audio tokens per clip, at least 1; several encoders share them. Given several times, such as 4, 8 and
    12, each step trains one of these numbers, and an answer may use any; fewer are the first of more"""

    design: Design = "low_rank"
    """low_rank: queries, keys and values of `rank` dimensions, 4·width·rank parameters a layer; lora: a full
    frozen attention with low-rank updates, 8·width·rank parameters a layer"""

    rank: int = 16
    """low_rank: inner dimensions, all heads together, a multiple of --heads; lora: rank of each update"""

    heads: int = 4
    """attention heads of each cross-attention, at least 1"""

    bottleneck: int | None = 1024
    """dimensions of the projector's hidden layers; null: as wide as the language model"""

    depth: int = 2
    """linear layers of the projector, at least 2"""

    tanh_scale: float | None = None
    """the projector's output is tanh times this, such as 10 or 2; null: it is linear"""

    input_norm: bool = True
    """normalise each embedding before the projector (LayerNorm)"""

    hidden_norm: bool = True
    """normalise the hidden states that ask (LayerNorm)"""

    token_norm: bool = True
    """normalise the audio tokens (LayerNorm); it hides the scale of the projector's output"""

    residual_scale: float | None = None
    """initial value of a learned factor of each attention's output; null: no factor"""

    max_residual_scale: float = 1.0
    """the most that this factor can become, above --residual-scale"""

    dropout: float = 0.0
    """dropout in the projector and on each attention's output, from 0 to below 1"""

    standardise: bool = True
    """subtract the mean of the training embeddings, divide by their deviation, and store both"""

    def __post_init__(self) -> None:
        _check_budgets(self.tokens)
        check_at_least_one(self, "rank", "heads")
        check_choices(self, design=get_args(Design))
        if self.location is not None:
            check_choices(self, location=get_args(Location))
        if self.bottleneck is not None:
            check_at_least_one(self, "bottleneck")
        if self.depth < 2:
            raise InputError(f"depth={self.depth}: must be at least 2")
        if self.design == "low_rank" and self.rank % self.heads:
            raise InputError(f"rank={self.rank} does not divide among heads={self.heads}; choose a multiple")
        if self.layers and self.location is not None:
            raise InputError(
                f"layers={list(self.layers)} and location={self.location}: give one of them; in a file "
                "behind a preset, `layer: []` leaves it to the location"
            )
        from_zero = self.layers != (0,) and min(self.layers, default=1) < 1  # who counts from 0 is told so
        if len(set(self.layers)) != len(self.layers) or from_zero:
            raise InputError(f"layers={list(self.layers)}: name each layer once, counting from 1")
        if self.tanh_scale is not None:
            check_above_zero(self, "tanh_scale")
        check_above_zero(self, "max_residual_scale")
        if self.residual_scale is not None and not (
            0 < self.residual_scale < self.max_residual_scale < math.inf
        ):
            raise InputError(
                f"residual_scale={self.residual_scale}: must be above 0 and below "
                f"max_residual_scale={self.max_residual_scale}"
            )
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout={self.dropout}: must be at least 0 and below 1")

    @property
    def budgets(self) -> tuple[int, ...]:
        """The numbers of audio tokens that are trained, in ascending order.

        >>> PathwayConfig(tokens=4).budgets, PathwayConfig(tokens=(4, 8, 12)).budgets
        ((4,), (4, 8, 12))
        """
        return self.tokens if isinstance(self.tokens, tuple) else (self.tokens,)

    @property
    def most_tokens(self) -> int:
        """The audio tokens that the projectors make: the largest budget."""
        return self.budgets[-1]


def _check_budgets(tokens: int | tuple[int, ...]) -> None:
    budgets = tokens if isinstance(tokens, tuple) else (tokens,)
    shown = list(budgets) if isinstance(tokens, tuple) else tokens
    if not all(budget >= 1 for budget in budgets):
        raise InputError(f"tokens={shown}: must be at least 1")
    if not budgets or list(budgets) != sorted(set(budgets)):
        raise InputError(f"tokens={shown}: name each number of tokens once, in ascending order")
