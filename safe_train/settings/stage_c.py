"""The settings of stage C: who teaches the small gate, and what it may lose by being small."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from safe_data.core.errors import check_above_zero, check_choices, check_seed
from safe_train.settings.stage_b import AskedConfig

Teacher = Literal["policy", "oracle"]


@dataclass(frozen=True)
class StageCConfig(AskedConfig):
    """How a student is fitted and judged.

    Raises:
        InputError: a number outside the range that its option names, or no such choice.
    """

    teacher: Teacher = "policy"
    """whose choices are learned: those of the policy of stage B, learned anew for each fold with the same
    settings; or the best choice of each question, which no gate can know (oracle)"""

    extra: float = 0.003
    """how much accuracy the student may lose beyond its teacher, on audio and on VL questions, above 0"""

    seed: int = 0
    """seed of the student's first weights and of the intervals, 0 or more"""

    stage_b: Path | None = None
    """folder of stage B's results (default: CHECKPOINT/stage_b)"""

    out: Path | None = None
    """folder of the results (default: CHECKPOINT/stage_c)"""

    quiet: bool = False
    """show no progress"""

    force: bool = False
    """replace the checkpoint's gate, and results that are there (default: refuse it)"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choices(self, teacher=get_args(Teacher))
        check_above_zero(self, "extra")
        check_seed(self.seed)
