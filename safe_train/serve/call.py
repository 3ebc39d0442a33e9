"""Call: one request that was accepted, from the place it takes to the end of its reply.

The model's thread tells what it has through `tell`; the event loop waits for it no longer than the request
may take, and no longer than its client stays.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any
from uuid import uuid4

from fastapi import Request
from starlette.requests import ClientDisconnect

from safe_train.serve.line import Line, Outcome, Waiting
from safe_train.serve.refusal import TOO_LATE, Refusal

Told = str | Outcome  # the text so far, or what became of the question


class Call:
    """What is known of a request while it is there; `freed` is called once, when it gives up its place."""

    def __init__(self, request: Request, timeout_seconds: float, freed: Callable[[], None]) -> None:
        self.id = f"chatcmpl-{uuid4().hex}"
        self.request = request
        self.began = monotonic()
        self._timeout_seconds, self._freed = timeout_seconds, freed
        self._loop = asyncio.get_running_loop()
        self._told: asyncio.Queue[Told] = asyncio.Queue()
        self._gone: asyncio.Future[None] | None = None
        self._line: Line | None = None
        self._waiting: Waiting | None = None
        self.is_over = False

    @property
    def seconds(self) -> float:
        """How long it has been there."""
        return monotonic() - self.began

    @property
    def left_seconds(self) -> float:
        """How long it may still take."""
        return max(0.0, self._timeout_seconds - self.seconds)

    def tell(self, told: Told) -> None:
        """Hand something over from another thread."""
        try:
            self._loop.call_soon_threadsafe(self._told.put_nowait, told)
        except RuntimeError:  # the loop was closed: nobody waits any more
            return

    def join(self, line: Line, waiting: Waiting) -> None:
        """Wait for the model, and watch whether the client goes away."""
        self._line, self._waiting = line, waiting
        self._gone = asyncio.ensure_future(_gone(self.request))
        line.join(waiting)

    async def next(self) -> Told:
        """The next thing that is told.

        Raises:
            Refusal: the request takes too long.
            ClientDisconnect: nobody waits for the reply.
        """
        getting = asyncio.ensure_future(self._told.get())
        watched: set[asyncio.Future[Any]] = {getting} if self._gone is None else {getting, self._gone}
        try:
            await asyncio.wait(watched, timeout=self.left_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not getting.done():
                getting.cancel()
        if getting.done() and not getting.cancelled():
            return getting.result()
        if self._gone is not None and self._gone.done():
            raise ClientDisconnect
        raise Refusal(
            TOO_LATE,
            f"no answer within {self._timeout_seconds:g} s (--timeout-seconds); try again",
            code="timeout",
        )

    async def outcome(self) -> Outcome:
        """What became of the question."""
        while not isinstance(told := await self.next(), Outcome):
            pass
        return told

    def stop_watching(self) -> None:
        """Leave it to who sends the reply to see that the client goes away."""
        if self._gone is not None:
            self._gone.cancel()
            self._gone = None

    def end(self) -> None:
        """Give up the place, and leave the line if the question still waits."""
        if self.is_over:
            return
        self.is_over = True
        self.stop_watching()
        if self._line is not None and self._waiting is not None:
            self._line.leave(self._waiting)
        self._freed()


async def _gone(request: Request) -> None:
    """Wait until the client goes away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
