"""Work: what a training stage hands to the loop, which knows no stage."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from safe_train.batches import Batch, Loader
from safe_train.pathway.model import SafeModel
from safe_train.retention.distillation import Teacher
from safe_train.retention.weights import WeightRetention
from safe_train.stages.evaluation import Evaluation
from safe_train.stages.sampler import StepSampler


class Counts(NamedTuple):
    """What the losses of a global batch are divided by: tokens to learn, and tokens to keep."""

    learn: int
    keep: int


@dataclass(frozen=True)
class Work:
    """What a stage trains on, and what its loss is.

    `losses` takes the model (which may be wrapped), a batch, the teacher's logits for the rows that do not
    learn (None if there is no teacher), and the counts of the whole batch. It gives the loss of these rows as
    `loss`, and its parts. `watch` is called after each evaluation with the number of steps before it, and may
    raise to end the run, whose folder then holds no checkpoint.
    """

    name: str
    model: SafeModel
    sampler: StepSampler
    loader: Loader
    teacher: Teacher | None
    losses: Callable[[Any, Batch, Tensor | None, Counts], dict[str, Tensor]]
    evaluation: Evaluation | None
    weights: WeightRetention
    watch: Callable[[int], None] | None = None
