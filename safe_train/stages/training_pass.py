"""Training pass: the forward and backward pass of a part of a batch, as the loop and a profile run it."""

from collections.abc import Callable, Sequence
from typing import Any

from accelerate import Accelerator
from torch import Tensor

from safe_train.batches import Batch
from safe_train.pathway.model import SafeModel
from safe_train.retention.distillation import Teacher
from safe_train.stages.work import Counts

Losses = Callable[[Any, Batch, Tensor | None, Counts], dict[str, Tensor]]  # see `Work`


def training_pass(
    model: SafeModel,
    called: Any,
    batch: Batch,
    counts: Counts,
    *,
    losses: Losses,
    teacher: Teacher | None,
    gate: float,
    tokens: int,
    accelerator: Accelerator,
) -> dict[str, Tensor]:
    """Add the gradients of a batch that is on the base's device; return the parts of its loss.

    `called` is the model, or accelerate's wrapper around it.
    """
    kept = tuple(row for row in batch.asked if row.role != "audio")
    with accelerator.autocast():  # the teacher rounds as the student does
        taught = teacher.logits(kept) if teacher and kept else None
    # Backward inside the request, as activation checkpointing may run hooks again; outside of autocast, as
    # its operations have the types of the forward pass.
    with model.fuse(audio=batch.audio, gate=gate, tokens=tokens):
        with accelerator.autocast():
            found = losses(called, batch, taught, counts)
        # Processes average their gradients; the losses are parts of one sum.
        accelerator.backward(found["loss"] * accelerator.num_processes)
    return found


def answer_tokens(batches: Sequence[Batch]) -> Counts:
    """The tokens to learn and to keep, by which the losses of a global batch are divided."""
    learn = sum(int(batch.real[batch.learns].sum()) for batch in batches)
    both = sum(int(batch.real.sum()) for batch in batches)
    return Counts(learn, both - learn)
