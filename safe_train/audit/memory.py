"""Memory: what a pass of stage A will take, by a run of the real model on the meta device.

A pass is that of the loop: the teacher's logits, the forward pass with the gate open, the losses, and the
backward pass beside gradients of an earlier pass. All rows are as long as the longest, with a mask, because
questions of several lengths are padded. The vision tower's pass is not in it: it keeps nothing, and it is
over before the decoder begins.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor

from safe_eval.models.generation import last_logits
from safe_train.audit.blueprint import META, nbytes
from safe_train.audit.live import FusedAttention, Live, checkpoint_layers
from safe_train.base.backbone import decoder_layers
from safe_train.pathway.model import SafeModel
from safe_train.retention.distillation import TEACHER_CACHE_BYTES, distillation_loss

_MOMENTS = 2  # of AdamW, as large as the gradient


class Sizes(NamedTuple):
    """The sizes of a forward pass: rows, of which `kept` keep the base's answers, and positions."""

    rows: int
    kept: int
    positions: int
    answer_positions: int


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The memory of training in bytes.

    `activations` are what the backward pass needs, `working` is what is alive beside them at the peak.
    """

    rows: int
    activation_checkpointing: bool
    base: int
    pathway: int
    gradients: int
    optimizer: int
    teacher_cache: int
    activations: int
    working: int

    @property
    def total(self) -> int:
        """All of it, at the peak of a pass."""
        lasting = self.base + self.pathway + self.gradients + self.optimizer + self.teacher_cache
        return lasting + self.activations + self.working


def measure(model: SafeModel, sizes: Sizes, *, checkpointing: bool, temperature: float = 2.0) -> Memory:
    """The memory of a pass of a model on the meta device, which is changed: use it for nothing else.

    Raises:
        InputError: the family has no activation checkpointing.
    """
    base, pathway = model.base, model.pathway
    trained = [parameter for parameter in pathway.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.grad = torch.empty_like(parameter)
    here = [*base.parameters(), *base.buffers()]
    beside = [*pathway.parameters(), *pathway.buffers()]
    gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
    speaker, inputs = _inputs(base, sizes)
    if speaker is not base:
        model.detach()
        model = SafeModel(speaker, pathway)
    if checkpointing:  # last: whoever attaches a pathway puts the base in eval mode
        checkpoint_layers(speaker, decoder_layers(speaker))
    live = Live([*here, *beside, *gradients, *inputs.values()])
    activations = _pass(model, inputs, sizes, live, temperature)
    return Memory(
        rows=sizes.rows,
        activation_checkpointing=checkpointing,
        base=nbytes(here),
        pathway=nbytes(beside),
        gradients=nbytes(gradients),
        optimizer=_MOMENTS * nbytes(gradients),
        teacher_cache=TEACHER_CACHE_BYTES if sizes.kept else 0,
        activations=activations,
        working=live.peak - activations,
    )


def largest(measured: Callable[[int], Memory], limit: float, most: int) -> Memory | None:
    """The memory of the most rows, up to `most`, that stay within a limit of bytes; None if not one does.

    >>> from safe_train.audit.memory import Memory
    >>> parts = dict.fromkeys(("pathway", "gradients", "optimizer", "teacher_cache", "working"), 0)
    >>> made = lambda rows: Memory(
    ...     rows=rows, activation_checkpointing=False, base=100, activations=7 * rows, **parts
    ... )
    >>> largest(made, 150, 100).rows, largest(made, 150, 4).rows, largest(made, 105, 9)
    (7, 4, None)
    """
    known: dict[int, Memory] = {}

    def fits(rows: int) -> bool:
        if rows not in known:
            known[rows] = measured(rows)
        return known[rows].total <= limit

    if not fits(1):
        return None
    if fits(most):
        return known[most]
    fitting, failing = 1, most
    while failing - fitting > 1:
        # Memory grows evenly with the rows, so the two ends tell almost exactly where the limit lies.
        low, high = known[fitting].total, known[failing].total
        guess = fitting + int((limit - low) / (high - low) * (failing - fitting))
        rows = min(max(guess, fitting + 1), failing - 1)
        if fits(rows):
            fitting = rows
            if rows + 1 < failing and not fits(rows + 1):
                failing = rows + 1
        else:
            failing = rows
    return known[fitting]


def _pass(
    model: SafeModel, inputs: Mapping[str, Tensor], sizes: Sizes, live: Live, temperature: float
) -> int:
    """Run a pass; the bytes that are alive between forward and backward."""
    audio = tuple(torch.empty(sizes.rows, *shape, device=META) for shape in model.pathway.shapes)
    with live, FusedAttention():
        taught = _taught(model.base, inputs, sizes)
        with model.fuse(audio=audio, gate=1.0):
            loss = _loss(_answer_logits(model, model.base, inputs, sizes), taught, sizes, temperature)
            activations = live.now
            loss.backward()  # type: ignore[no-untyped-call]
    return activations


def _inputs(base: Any, sizes: Sizes) -> tuple[Any, dict[str, Tensor]]:
    """The part of a base that takes embeddings of words, and its inputs."""
    embeddings = base.get_input_embeddings().weight
    shape = (sizes.rows, sizes.positions)
    inputs = {
        "inputs_embeds": torch.empty(*shape, embeddings.shape[1], dtype=embeddings.dtype, device=META),
        # A mask of two axes would be read, which the meta device cannot do.
        "attention_mask": torch.empty(sizes.rows, 1, *shape[1:], *shape[1:], dtype=torch.bool, device=META),
    }
    signature = inspect.signature(base.forward).parameters.values()
    if all(one.default is not one.empty for one in signature if one.kind is one.POSITIONAL_OR_KEYWORD):
        return base, inputs
    # BLIP-2 asks for pixels; its language model does not.
    return base.language_model, inputs | {"position_ids": torch.empty(shape, dtype=torch.long, device=META)}


@torch.no_grad()
def _taught(base: Any, inputs: Mapping[str, Tensor], sizes: Sizes) -> Tensor | None:
    """The teacher's logits of the rows that keep the base's answers."""
    if not sizes.kept:
        return None
    kept = {name: tensor[: sizes.kept] for name, tensor in inputs.items()}
    return _answer_logits(base, base, kept, sizes).clone()


def _answer_logits(called: Any, base: Any, inputs: Mapping[str, Tensor], sizes: Sizes) -> Tensor:
    """The logits of the answers; the inputs are copied, so that they live as long as the model holds them."""
    made = {name: tensor.clone() for name, tensor in inputs.items()}
    return last_logits(called, made, sizes.answer_positions, base)


def _loss(logits: Tensor, taught: Tensor | None, sizes: Sizes, temperature: float) -> Tensor:
    """The losses of stage A, with the rows that learn before those that keep."""
    tokens = sizes.answer_positions
    rows = torch.arange(sizes.rows, device=META)  # by number: a mask of unknown contents has no size
    learn, keep = rows[sizes.kept :], rows[: sizes.kept]
    loss = logits[:0].sum()
    if len(learn):
        answers = torch.empty(len(learn) * tokens, dtype=torch.long, device=META)
        loss = loss + F.cross_entropy(logits[learn].flatten(0, 1), answers, reduction="sum")
    if taught is not None:
        every = torch.arange(len(keep), device=META)
        loss = loss + distillation_loss(logits[keep], taught, every, temperature, len(keep) * tokens)
    return loss
