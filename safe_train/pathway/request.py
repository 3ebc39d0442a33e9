"""Request: what one call of the base hears: the sounds, how far the gate is open, and how many tokens count.

It is the only state that changes, and it stays the same for the whole call. If the gate changed between the
prompt and the answer, the key-value cache would still hold states made with the earlier value.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from safe_data.core.errors import InputError

Audio = Tensor | tuple[Tensor, ...]  # embeddings of shape (batch, …), one tensor per encoder
Gate = float | Sequence[float] | Tensor
Budget = int | Sequence[int] | Tensor
KeysValues = tuple[Float[Tensor, "batch heads tokens dims"], Float[Tensor, "batch heads tokens dims"]]


@dataclass
class Request:
    """One call of the base. Rows with a closed gate or no tokens keep the base's bits.

    `is_open` says that all gates are 1 and need no gradient, which spares each layer and token the product.
    """

    audio: tuple[Tensor, ...]
    gate: Float[Tensor, ""] | Float[Tensor, " batch"]
    mask: Bool[Tensor, "batch tokens"] | None
    is_open: bool = False
    keys_values: dict[int, KeysValues] = field(default_factory=dict)


def new_request(
    audio: Audio, gate: Gate, tokens: Budget | None, *, shapes: Sequence[tuple[int, ...]], available: int
) -> Request | None:
    """Check what a call is to hear; None if it hears nothing.

    `shapes` are the shapes of one embedding of each encoder, `available` the tokens that the pathway makes.

    Raises:
        InputError: the embeddings, the gate or the budget do not fit.
    """
    sounds = audio if isinstance(audio, tuple) else (audio,)
    found = [tuple(sound.shape[1:]) for sound in sounds]
    rows = {len(sound) for sound in sounds}
    if found != [tuple(shape) for shape in shapes] or len(rows) != 1:
        given = ", ".join(str(tuple(sound.shape)) for sound in sounds)
        wanted = ", ".join(f"(batch, {', '.join(map(str, shape))})" for shape in shapes)
        raise InputError(f"audio of shape {given}; give embeddings of shape {wanted}")
    (batch,) = rows
    values, mask = gate_values(gate, batch), token_mask(tokens, batch, available)
    if mask is not None:
        # A row without tokens has its gate closed; attention over no tokens would be NaN.
        silent = ~mask.any(1)
        values = torch.where(silent.to(values.device), torch.zeros((), device=values.device), values)
        mask = mask | silent[:, None]
    if not bool((values > 0).any()):
        return None
    is_open = not values.requires_grad and bool((values == 1).all())
    return Request(tuple(sounds), values, mask, is_open)


def gate_values(gate: Gate, batch: int) -> Float[Tensor, ""] | Float[Tensor, " batch"]:
    """The gate as one number for the batch, or one number per row; a tensor keeps its gradient.

    Raises:
        InputError: a value is outside [0, 1] or NaN, or the number of values is not the batch size.
    """
    values = torch.as_tensor(gate, dtype=torch.float32)
    if values.dim() > 1 or (values.dim() == 1 and len(values) != batch):
        raise InputError(
            f"gate of shape {tuple(values.shape)} for a batch of {batch}; give one number, or one per row"
        )
    wrong = values.detach()[~((values >= 0) & (values <= 1))]  # also catches NaN
    if wrong.numel():
        raise InputError(f"gate {wrong.flatten()[0].item():g} is outside [0, 1]; 0 is off and 1 is fully on")
    return values


def token_mask(tokens: Budget | None, batch: int, available: int) -> Bool[Tensor, "batch tokens"] | None:
    """Which audio tokens each row attends to, from a number of tokens for all rows or per row, or a 0/1 mask.

    >>> token_mask([0, 2, 3], batch=3, available=3).int().tolist()
    [[0, 0, 0], [1, 1, 0], [1, 1, 1]]

    Raises:
        InputError: a number outside 0 to `available`, or a mask of another shape or with other values.
    """
    if tokens is None:
        return None
    given: Int[Tensor, " ..."] = torch.as_tensor(tokens)
    if given.is_floating_point() and bool((given != given.round()).any()):
        wrong = given[given != given.round()][0].item()
        raise InputError(f"tokens {wrong:g}: a budget is a whole number of audio tokens")
    if given.dim() == 2:
        if tuple(given.shape) != (batch, available) or not bool(((given == 0) | (given == 1)).all()):
            raise InputError(
                f"tokens of shape {tuple(given.shape)}: a mask is 0 or 1 and of shape {(batch, available)}"
            )
        return given.bool()
    if given.dim() > 2 or (given.dim() == 1 and len(given) != batch):
        raise InputError(
            f"tokens of shape {tuple(given.shape)} for a batch of {batch}; "
            "give one number, one per row, or a 0/1 mask"
        )
    if bool(((given < 0) | (given > available)).any()):
        wrong = given[(given < 0) | (given > available)].flatten()[0].item()
        raise InputError(f"{wrong:g} audio tokens: this pathway makes {available}; give 0 to {available}")
    return torch.arange(available, device=given.device) < given.reshape(-1, 1).expand(batch, 1)
