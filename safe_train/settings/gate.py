"""The settings of a gate's fitting."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

from safe_data.core.errors import (
    InputError,
    check_above_zero,
    check_at_least_one,
    check_choices,
    check_seed,
    did_you_mean,
)

GateKind = Literal["always", "never", "entropy", "confidence", "margin", "linear", "mlp"]
Rule = Literal["upper", "point"]


@dataclass(frozen=True)
class GateConfig:
    """Which gate is fitted, and what it may lose.

    Raises:
        InputError: a number outside the range that its option names, or no such kind or rule.
    """

    kind: GateKind = "linear"
    """what decides: the base's entropy, confidence or margin; a logistic regression (linear) or a small
    network (mlp) on its entropy and its last hidden state; or always, or never"""

    compare: tuple[str, ...] = ()
    """another kind, such as entropy, to show beside it; only --kind is saved, as choosing among several by
    the same questions would spoil what its bound says"""

    rule: Rule = "upper"
    """how the threshold is chosen. upper: as little listening as keeps the upper bounds of the drops within
    their limits; point: as keeps the drops themselves, which often do not hold on other questions"""

    split: str = "gate"
    """split to fit on, which neither training nor test has seen; one the dataset does not have is refused"""

    tokens: int | None = None
    """audio tokens where the gate listens, a trained budget (default: the one whose mean score − alpha · cost
    is the largest)"""

    alpha: float = 0.05
    """score that the largest budget costs, when the tokens are chosen, 0 or more"""

    bound: float = 0.01
    """how much accuracy may be lost on audio questions against always listening, above 0"""

    vl_bound: float = 0.005
    """how much may be lost on VL questions against always listening, above 0"""

    confidence: float = 0.95
    """confidence of the one-sided bounds, and of the intervals, above 0.5 and below 1"""

    l2: float = 0.001
    """weight of the penalty on a learned gate's weights, above 0"""

    seed: int = 0
    """seed of the folds, of a network's first weights and of the intervals, 0 or more"""

    batch_size: int = 32
    """questions per batch while they are asked, at least 1"""

    latency_questions: int = 0
    """questions asked once more, alone, to measure what each budget costs in time (default: none)"""

    quiet: bool = False
    """show no progress"""

    allow_other_dataset: bool = False
    """fit on a dataset that the checkpoint was not trained on (default: refuse it)"""

    force: bool = False
    """replace a gate that is there (default: refuse it)"""

    def __post_init__(self) -> None:
        kinds = get_args(GateKind)
        check_choices(self, kind=kinds, rule=get_args(Rule))
        for kind in self.compare:
            if kind not in kinds:
                hint = did_you_mean(kind, kinds, f"choose from {', '.join(kinds)}")
                raise InputError(f"compare={kind!r}: is no choice; {hint}")
        check_seed(self.seed)
        check_at_least_one(self, "batch_size")
        check_above_zero(self, "bound", "vl_bound", "l2")
        if self.tokens is not None:
            check_at_least_one(self, "tokens")
        if not 0.5 < self.confidence < 1:
            raise InputError(f"confidence={self.confidence}: must be above 0.5 and below 1; 95 % is 0.95")
        if not 0 <= self.alpha < float("inf"):
            raise InputError(f"alpha={self.alpha}: must be 0 or more, and finite")
        if self.latency_questions < 0:
            raise InputError(f"latency_questions={self.latency_questions}: must be 0 or more")

    @property
    def kinds(self) -> tuple[GateKind, ...]:
        """The kind to save, and then those to show beside it, each once."""
        return tuple(dict.fromkeys((self.kind, *(cast(GateKind, kind) for kind in self.compare))))
