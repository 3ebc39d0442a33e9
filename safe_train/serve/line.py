"""Line: the questions that wait for the model, and the one thread that answers them in batches.

A batch is what waits when the model is free: at most so many, and the first waits a little for others. What
is in the line is answered, unless who asked leaves it; a batch that fails is asked again one by one, so that
one question fails.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

from safe_eval.models.model import Answer, Input

Ask = Callable[[Sequence[Input]], Sequence[Answer]]


class Outcome(NamedTuple):
    """What became of a question: its answer, or the error in its place."""

    answer: Answer | None
    error: Exception | None


@dataclass(eq=False)
class Waiting:
    """A question in the line; `deliver` is called once, by the model's thread."""

    given: Input
    deliver: Callable[[Outcome], None]
    since: float = 0.0


class Line:
    """Answers questions in batches on one thread; any thread may join the line.

    `seen` is told of the size of each batch.
    """

    def __init__(
        self, ask: Ask, *, batch_size: int, wait_seconds: float, seen: Callable[[int], None] | None = None
    ) -> None:
        self._ask, self._batch_size, self._wait_seconds = ask, batch_size, wait_seconds
        self._seen = seen or (lambda _: None)
        self._waiting: deque[Waiting] = deque()
        self._changed = threading.Condition()
        self._ends = False
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """How many wait; those that are being answered do not."""
        return len(self._waiting)

    @property
    def is_alive(self) -> bool:
        """Whether there is someone to answer."""
        return self._thread.is_alive()

    def join(self, waiting: Waiting) -> None:
        """Stand at the end of the line."""
        with self._changed:
            waiting.since = monotonic()
            self._waiting.append(waiting)
            self._changed.notify()

    def leave(self, waiting: Waiting) -> bool:
        """Leave the line; False if the question is being answered or was answered, which is not stopped."""
        with self._changed:
            try:
                self._waiting.remove(waiting)
            except ValueError:
                return False
            self._changed.notify()
            return True

    def end(self) -> None:
        """Answer what still waits, and stop."""
        with self._changed:
            self._ends = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._next():
            self._seen(len(batch))
            self._answer(batch)

    def _next(self) -> list[Waiting]:
        """The next batch; empty at the end."""
        with self._changed:
            while not self._ends:
                if self._waiting:
                    left = self._waiting[0].since + self._wait_seconds - monotonic()
                    if left <= 0 or len(self._waiting) >= self._batch_size:
                        break
                    self._changed.wait(left)
                else:
                    self._changed.wait()
            count = min(len(self._waiting), self._batch_size)
            return [self._waiting.popleft() for _ in range(count)]

    def _answer(self, batch: Sequence[Waiting]) -> None:
        try:
            answers = list(self._ask([one.given for one in batch]))
            if len(answers) != len(batch):
                raise ValueError(f"{len(answers)} answers to {len(batch)} questions")
        except Exception as error:  # a model can fail in any way; the other questions must not suffer
            if len(batch) == 1:
                batch[0].deliver(Outcome(None, error))
                return
            for one in batch:
                self._answer([one])
            return
        for one, answer in zip(batch, answers, strict=True):
            one.deliver(Outcome(answer, None))
