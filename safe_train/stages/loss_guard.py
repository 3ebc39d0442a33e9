"""LossGuard: stop a training whose loss is not finite or jumps, and name the batch."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from statistics import median

from safe_data.core.errors import InputError

WINDOW = 100  # losses that the median is of
KNOWN_BEFORE_SPIKES = 50  # losses; the first ones fall fast, and vary
SMALLEST_SPIKE_NATS = 1.0  # a trained model's median is near 0, where many times the median is still little
IDS_SHOWN = 5


Ids = Callable[[], Sequence[str]]  # the ids are read only for a message


class UnstableError(InputError):
    """A loss or a gradient is not finite, or a loss jumps: the run is stopped."""


class LossGuard:
    """Compares each step's loss with the median of the last 100.

    A training that was resumed guards alike if it gives the losses of the steps before.

    Args:
        spike_factor: how many times the median a loss may be; with `math.inf`, every finite loss is allowed
        earlier: losses of the steps before, at least the last 100

    Raises:
        InputError: the factor is not above 1.
    """

    def __init__(self, spike_factor: float, earlier: Sequence[float] = ()) -> None:
        if not spike_factor > 1:
            raise InputError(f"spike_factor={spike_factor}: must be above 1; with inf, no loss is a spike")
        self.spike_factor = spike_factor
        self.losses = deque(filter(math.isfinite, earlier), maxlen=WINDOW)

    def check(self, step: int, loss: float, ids: Ids) -> None:
        """Remember a step's loss.

        Processes that train together must all give the same loss, else one stops and the others wait for it.

        Args:
            step: number of the step
            loss: nats per token
            ids: gives the examples in the step's batch

        Raises:
            UnstableError: the loss is infinite or NaN, or above 1 nat and `spike_factor` times the median.
        """
        usual = f"median of the last {len(self.losses)}: {median(self.losses or [math.nan]):.3g}"
        if not math.isfinite(loss):
            against = f" ({usual})" if self.losses else ""
            raise UnstableError(f"step {step}: the loss is {loss}{against}; {_advice(ids)}")
        if len(self.losses) >= KNOWN_BEFORE_SPIKES:
            highest = max(SMALLEST_SPIKE_NATS, self.spike_factor * median(self.losses))
            if loss > highest:
                raise UnstableError(f"step {step}: the loss jumped to {loss:.3g} ({usual}); {_advice(ids)}")
        self.losses.append(loss)

    def check_gradient(self, step: int, norm: float, ids: Ids) -> None:
        """Check the norm of a step's gradient before it changes a weight: a loss can be finite without it.

        Raises:
            UnstableError: the norm is infinite or NaN.
        """
        if not math.isfinite(norm):
            raise UnstableError(f"step {step}: the norm of the gradient is {norm}; {_advice(ids)}")


def _advice(ids: Ids) -> str:
    """
    >>> _advice(lambda: ["a", "b"])
    'lower the learning rate, or look for faulty data with `safe-data check`; the batch: a, b'
    """
    named = ids()
    hidden = len(named) - IDS_SHOWN
    more = f" and {hidden} more" if hidden > 0 else ""
    batch = ", ".join(named[:IDS_SHOWN]) + more
    return f"lower the learning rate, or look for faulty data with `safe-data check`; the batch: {batch}"
