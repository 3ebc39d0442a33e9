"""Request: what one call of the base hears: the sounds, how far the gate is open, and how many tokens count.

It is the only state that changes, and it stays the same for the whole call. If the gate changed between the
prompt and the answer, the key-value cache would still hold states made with the earlier value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from safe_data.core.errors import InputError

Audio = Tensor | tuple[Tensor, ...]  # embeddings of shape (batch, …), one tensor per encoder
Gate = float | Sequence[float] | Tensor
Budget = int | Sequence[int] | Tensor
KeysValues = tuple[Float[Tensor, "batch heads tokens dims"], Float[Tensor, "batch heads tokens dims"]]
Fuse = Callable[[Tensor, int], Tensor]  # hidden states, the number of their layer → with what is heard


@dataclass
class Request:
    """One call of the base. Rows with a closed gate or no tokens keep the base's bits.

    `tokens` is the largest budget of a row; later tokens are not made into keys and values. `mask` says which
    of them each row attends to, and is None where all rows that hear attend to all. `is_open` says that all
    gates are 1 and need no gradient, which spares each layer and token the product.
    """

    audio: tuple[Tensor, ...]
    gate: Float[Tensor, ""] | Float[Tensor, " batch"]
    tokens: int
    mask: Bool[Tensor, "batch tokens"] | None
    is_open: bool = False
    keys_values: dict[int, KeysValues | Fuse] = field(default_factory=dict)


def new_request(
    audio: Audio,
    gate: Gate,
    tokens: Budget | None,
    *,
    shapes: Sequence[tuple[int, ...]],
    budgets: Sequence[int],
) -> Request | None:
    """Check what a call is to hear; None if it hears nothing.

    `shapes` are the shapes of one embedding of each encoder, `budgets` the numbers of tokens that the pathway
    was trained with, in ascending order.

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
    values, most, mask = gate_values(gate, batch), budgets[-1], None
    if tokens is not None:
        most, silent, mask = allowed_tokens(tokens, batch, encoders=len(shapes), budgets=budgets)
        if bool(silent.any()):
            closed = torch.zeros((), device=values.device)
            values = torch.where(silent.to(values.device), closed, values)
    if not bool((values > 0).any()):
        return None
    is_open = not values.requires_grad and bool((values == 1).all())
    return Request(tuple(sounds), values, most, mask, is_open)


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


def shares(tokens: int, encoders: int) -> list[int]:
    """How many of so many audio tokens each encoder makes; those of fewer tokens are the first of these.

    >>> shares(8, 3), shares(4, 3)
    ([3, 3, 2], [2, 1, 1])
    """
    share, more = divmod(tokens, encoders)
    return [share + (number < more) for number in range(encoders)]


class Allowed(NamedTuple):
    """What the rows may attend to: the most tokens of a row, the rows with none, a mask where rows differ.

    The mask is of the tokens of the largest budget, in the order of the encoders. A row with none attends to
    all, and has its gate closed: attention over no tokens would be NaN.
    """

    most: int
    silent: Bool[Tensor, " batch"]
    mask: Bool[Tensor, "batch tokens"] | None


def allowed_tokens(tokens: Budget, batch: int, *, encoders: int, budgets: Sequence[int]) -> Allowed:
    """Read a budget: 0 or one that was trained, for all rows or per row; or a 0/1 mask of all tokens.

    What a mask leaves need not have been trained. It takes a model apart, and does not say how a budget does.

    >>> allowed_tokens([0, 2, 4], batch=3, encoders=1, budgets=(2, 4)).mask.int().tolist()
    [[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 1]]
    >>> allowed_tokens([0, 2, 2], batch=3, encoders=1, budgets=(2, 4))
    Allowed(most=2, silent=tensor([ True, False, False]), mask=None)

    Raises:
        InputError: a number of tokens that was not trained, or a mask of another shape or with other values.
    """
    given: Int[Tensor, " ..."] = torch.as_tensor(tokens)
    if given.is_floating_point() and bool((given != given.round()).any()):
        wrong = given[given != given.round()][0].item()
        raise InputError(f"tokens {wrong:g}: a budget is a whole number of audio tokens")
    if given.dim() == 2:
        return _masked(given, (batch, budgets[-1]))
    if given.dim() > 2 or (given.dim() == 1 and len(given) != batch):
        raise InputError(
            f"tokens of shape {tuple(given.shape)} for a batch of {batch}; "
            "give one number, one per row, or a 0/1 mask"
        )
    rows = given.expand(batch).tolist()
    for number in rows:
        if number not in (0, *budgets):
            fewer = ", ".join(map(str, (0, *budgets[:-1])))
            raise InputError(f"{number:g} audio tokens: not trained; give {fewer} or {budgets[-1]}")
    most, silent = int(max(rows, default=0)), torch.tensor([number == 0 for number in rows])
    if {*rows} <= {0, most}:
        return Allowed(most, silent, None)
    each = torch.tensor([number or most for number in rows])
    return Allowed(most, silent, token_places(most, encoders) < each[:, None])


def _masked(given: Tensor, shape: tuple[int, int]) -> Allowed:
    if tuple(given.shape) != shape or not bool(((given == 0) | (given == 1)).all()):
        raise InputError(f"tokens of shape {tuple(given.shape)}: a mask is 0 or 1 and of shape {shape}")
    mask = given.bool()
    silent = ~mask.any(1)
    return Allowed(shape[1], silent, mask | silent[:, None])


def token_places(tokens: int, encoders: int) -> Int[Tensor, " tokens"]:
    """The place of each token, in the order of the encoders, when they give one in turn.

    >>> token_places(5, encoders=2).tolist()
    [0, 2, 4, 1, 3]
    """
    return torch.cat([torch.arange(first, tokens, encoders) for first in range(encoders)])
