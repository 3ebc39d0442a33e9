"""The settings of stage B: which policy is learned, and by which reward it is judged."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from safe_data.core.errors import InputError, check_above_zero, check_at_least_one, check_choices, check_seed

Method = Literal["full_information", "reinforce", "doubly_robust", "ips"]
Cost = Literal["tokens", "latency"]
Irrelevance = Literal["consulted", "influenced"]


@dataclass(frozen=True)
class AskedConfig:
    """Where the outcomes come from, and what a gate may lose. Stage B and stage C share it.

    Raises:
        InputError: a number outside the range that its option names.
    """

    data: Path | None = None
    """folder of the dataset whose questions are asked at every budget (default: the outcomes that the
    checkpoint's gate folder holds)"""

    backbone: str | None = None
    """model the checkpoint was trained for, as a directory or a hub id; needed only where questions must be
    asked"""

    outcomes: Path | None = None
    """table of outcomes to learn from instead (outcomes.parquet)"""

    split: str = "gate"
    """split to ask, which neither training nor test has seen; one the dataset does not have is refused"""

    batch_size: int = 32
    """questions per batch while they are asked, at least 1"""

    latency_questions: int = 0
    """questions asked once more, alone, to measure what each budget costs in time (default: none)"""

    allow_other_dataset: bool = False
    """learn from a dataset that the checkpoint was not trained on (default: refuse it)"""

    bound: float = 0.01
    """how much accuracy may be lost on audio questions against always listening, above 0"""

    vl_bound: float = 0.005
    """how much may be lost on VL questions; also by listening always at a budget, or no policy may choose it;
    above 0"""

    confidence: float = 0.95
    """confidence of the one-sided bounds, and of the intervals, above 0.5 and below 1"""

    folds: int = 5
    """parts of the split by group; each is judged by a policy that was learned on the others; at least 2"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "batch_size")
        check_above_zero(self, "bound", "vl_bound")
        if self.data is not None and self.outcomes is not None:
            raise InputError("data and outcomes: give one of them, the dataset to ask or the table to read")
        if self.latency_questions < 0:
            raise InputError(f"latency_questions={self.latency_questions}: must be 0 or more")
        if not 0.5 < self.confidence < 1:
            raise InputError(f"confidence={self.confidence}: must be above 0.5 and below 1; 95 % is 0.95")
        if self.folds < 2:
            raise InputError(f"folds={self.folds}: must be at least 2")


@dataclass(frozen=True)
class StageBConfig(AskedConfig):
    """How a policy is learned, judged and scanned.

    Raises:
        InputError: a number outside the range that its option names, or no such choice.
    """

    method: Method = "full_information"
    """full_information learns from every budget's outcome; reinforce draws its choices, or weighs logged
    ones; doubly_robust and ips learn from one tried budget per question"""

    log: Path | None = None
    """Parquet file of what was tried: example_id, tokens, propensity; not for full_information (default: for
    a method that needs a log, one is drawn from the outcomes, every budget as likely)"""

    alpha: float = 0.05
    """score that the dearest budget costs, 0 or more"""

    gamma: float = 0.02
    """score that listening costs where it is irrelevant, 0 or more"""

    cost: Cost = "tokens"
    """what a budget costs: its share of the largest, or of the latency that the largest adds"""

    irrelevance: Irrelevance = "consulted"
    """what counts as irrelevant: to listen to a question that needs no sound, or only where that moves the
    first token by more than 0.1 nat (influenced)"""

    budgets: tuple[int, ...] = field(default=(), metadata={"nargs": "+"})
    """budgets to choose from, 0 and trained ones, such as 0 4 (default: all that were asked)"""

    steps: int | None = None
    """steps of learning, at least 1 (default: 200, and 2,000 for reinforce without a log)"""

    seeds: tuple[int, ...] = field(default=(0, 1, 2), metadata={"option": "seed", "nargs": "+"})
    """seeds of policies, 0 or more, over which results are shown; the policy of the first is kept"""

    scan_alphas: tuple[float, ...] = field(
        default=(0.0, 0.03, 0.05, 0.1, 0.2, 0.4), metadata={"option": "scan_alpha", "nargs": "+"}
    )
    """values of alpha whose policies are compared, each with every scan gamma"""

    scan_gammas: tuple[float, ...] = field(
        default=(0.0, 0.02, 0.1), metadata={"option": "scan_gamma", "nargs": "+"}
    )
    """values of gamma whose policies are compared"""

    resamples: int = 10_000
    """resamples of the joint intervals, at least 100"""

    trackers: tuple[str, ...] = field(default=("tensorboard",), metadata={"option": "tracker"})
    """where the curves of learning are logged: tensorboard, mlflow, wandb (offline), or none"""

    out: Path | None = None
    """folder of the results (default: CHECKPOINT/stage_b)"""

    quiet: bool = False
    """show no progress"""

    force: bool = False
    """replace the checkpoint's gate, and results that are there (default: refuse it)"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choices(
            self,
            method=get_args(Method),
            cost=get_args(Cost),
            irrelevance=get_args(Irrelevance),
        )
        for name in ("alpha", "gamma"):
            check_weights(name, (getattr(self, name),))
        check_weights("scan_alphas", self.scan_alphas)
        check_weights("scan_gammas", self.scan_gammas)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seeds={list(self.seeds)}: give at least one, and each once")
        for seed in self.seeds:
            check_seed(seed)
        if self.log is not None and self.method == "full_information":
            raise InputError(
                f"log={str(self.log)!r}: full_information learns from all outcomes and reads no log; choose "
                "doubly_robust, ips or reinforce"
            )
        if self.steps is not None:
            check_at_least_one(self, "steps")
        if self.resamples < 100:
            raise InputError(f"resamples={self.resamples}: must be at least 100")


def check_weights(name: str, weights: Sequence[float]) -> None:
    """Refuse weights of a reward that are negative or not finite.

    Raises:
        InputError: one of them is, or there is none.
    """
    if not weights:
        raise InputError(f"{name}=[]: give at least one")
    for weight in weights:
        if not 0 <= weight < float("inf"):
            raise InputError(f"{name}={weight}: must be 0 or more, and finite")
