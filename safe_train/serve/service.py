"""Service: takes requests for completions, and replies; on the event loop, while one thread asks the model.

A request takes a place before its body is read, so that what is there at once is bounded. What has a place is
answered, refused for a reason of its own, or given up by its client; it is never dropped.
"""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from safe_data.core.terminal import complain
from safe_eval.models.model import Answer
from safe_eval.runner.row import in_one_line
from safe_train.serve import refusal as status
from safe_train.serve.asked import Asked, Served, read_asked
from safe_train.serve.body import check_json, drained, read_body
from safe_train.serve.call import Call
from safe_train.serve.completion import DONE, Completion, event
from safe_train.serve.line import Line, Outcome, Waiting
from safe_train.serve.measures import Measures
from safe_train.serve.refusal import JSON, Refusal, defect_reply, refused_reply
from safe_train.settings.serve import ServeConfig

_EVENTS = "text/event-stream"
_CLIENT_GONE = 499  # as nginx counts them; nobody reads the reply
_READERS = 4  # threads that decode media and encode prompts


class Service:
    """Answers with one checkpoint. `closing` refuses what is new; `end` answers what is left, and stops."""

    def __init__(self, served: Served, config: ServeConfig) -> None:
        self.served, self.config, self.measures = served, config, Measures()
        self.is_closing = False
        self._places = 0
        self._readers = ThreadPoolExecutor(_READERS, "reader")
        self.line = Line(
            served.predictor.answer,
            batch_size=config.batch_size,
            wait_seconds=config.wait_ms / 1000,
            seen=self.measures.batch,
        )
        self.measures.watch(waiting=lambda: len(self.line), places=lambda: self._places)

    @property
    def name(self) -> str:
        """The name that requests ask the checkpoint by."""
        return self.config.name

    @property
    def places(self) -> int:
        """How many requests are there."""
        return self._places

    @property
    def is_ready(self) -> bool:
        """Whether a request would be taken now, unless all places are."""
        return self.line.is_alive and not self.is_closing

    def close(self) -> None:
        """Refuse requests from now on; those that are there are answered."""
        self.is_closing = True

    def end(self) -> None:
        """Answer what still waits, and stop the threads."""
        self.close()
        self.line.end()
        self._readers.shutdown(wait=False, cancel_futures=True)

    def check_key(self, request: Request) -> None:
        """Refuse a request without the key, if there is one; in a time that tells nothing of it.

        Raises:
            Refusal: the key is missing, or another one.
        """
        if self.served.key is None:
            return
        given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not hmac.compare_digest(given.encode(), self.served.key.encode()):
            said = "is not accepted" if given else "is missing: send Authorization: Bearer KEY"
            raise Refusal(
                status.KEYLESS,
                f"the key {said}",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )

    async def complete(self, request: Request) -> Response:
        """Reply to a request for a completion."""
        try:
            reply = await self._complete(request)
        except Refusal as refused:
            reply = refused_reply(refused)
        except ClientDisconnect:
            reply = Response(status_code=_CLIENT_GONE)
        except Exception as error:  # a defect costs one request
            reply = defect_reply(error)
        self.measures.replied(reply.status_code)
        return reply

    async def _complete(self, request: Request) -> Response:
        self.check_key(request)
        check_json(request)
        call = await self._accepted(request)
        replied: Response | None = None
        try:
            replied = await self._reply(call)
            return replied
        finally:
            if not isinstance(replied, _Stream):  # which ends the call when it was sent
                call.end()

    async def _accepted(self, request: Request) -> Call:
        """Give a request a place.

        Raises:
            Refusal: the server stops, or all places are taken.
        """
        refused: Refusal | None = None
        if not self.is_ready:
            refused = Refusal(
                status.CLOSING, "the server stops", code="server_stopping", headers={"Retry-After": "5"}
            )
        elif self._places >= self.config.queue_size:
            refused = Refusal(
                status.FULL,
                f"{self._places} requests are there already (--queue-size); try again",
                code="queue_full",
                headers={"Retry-After": "1"},
            )
        if refused is not None:
            await drained(request, self.config.body_bytes)
            raise refused
        self._places += 1
        return Call(request, self.config.timeout_seconds, self._free)

    def _free(self) -> None:
        self._places -= 1

    async def _reply(self, call: Call) -> Response:
        data = await read_body(call.request, self.config.body_bytes, call.left_seconds)
        loop = asyncio.get_running_loop()
        reading = loop.run_in_executor(self._readers, read_asked, data, call, self.served, self.config)
        try:
            async with asyncio.timeout(call.left_seconds):
                asked = await reading
        except TimeoutError:
            raise Refusal(status.TOO_LATE, "the request was not read in time", code="timeout") from None
        created = int(time.time())
        completion = Completion(call.id, created, self.name, asked.prompt_tokens)
        call.join(self.line, Waiting(asked.given, call.tell))
        if asked.chat.stream:
            first = await call.next()
            if isinstance(first, Outcome):
                self._answer_in(first)  # so that an error has its status
            call.stop_watching()
            return _Stream(self._events(call, asked, completion, first), call)
        answer = self._answer_in(await call.outcome())
        self.measures.answered(answer, call.seconds, had_sound=asked.given.sound is not None)
        return Response(completion.whole(answer, self._pieces(asked, answer)), media_type=JSON)

    async def _events(
        self, call: Call, asked: Asked, completion: Completion, told: str | Outcome
    ) -> AsyncIterator[bytes]:
        """The chunks of a stream: the words of the text as they come, its end, and what was used."""
        sent = ""
        yield completion.piece("", is_first=True)
        try:
            while not isinstance(told, Outcome):
                # The last word may go on, and what is said cannot be taken back.
                settled = told[: told.rfind(" ") + 1]
                if settled.startswith(sent) and len(settled) > len(sent):
                    yield completion.piece(settled[len(sent) :])
                    sent = settled
                told = await call.next()
            answer = self._answer_in(told)
        except Refusal as refused:
            yield event(refused.body)
            return
        if rest := answer.text[len(sent) :]:
            yield completion.piece(rest)
        yield completion.last(answer, self._pieces(asked, answer))
        if asked.chat.tells_usage:
            yield completion.usage_chunk(answer)
        yield DONE
        self.measures.answered(answer, call.seconds, had_sound=asked.given.sound is not None)

    def _pieces(self, asked: Asked, answer: Answer) -> list[str] | None:
        if not asked.chat.logprobs or answer.said is None:
            return None
        return self.served.predictor.pieces_of(answer.said.tokens)

    def _answer_in(self, outcome: Outcome) -> Answer:
        """The answer.

        Raises:
            Refusal: there is none, as the model failed.
        """
        error = outcome.error
        if outcome.answer is None or outcome.answer.error is not None:
            why = in_one_line(error) if error else str(outcome.answer and outcome.answer.error)
            complain([f"safe-train serve: the model failed: {why}"])
            raise Refusal(status.FAILED, "the model failed at this question", code="model_failed")
        return outcome.answer


class _Stream(StreamingResponse):
    """Events that keep the place of their call until they were sent, or the client went away."""

    def __init__(self, events: AsyncIterator[bytes], call: Call) -> None:
        super().__init__(events, media_type=_EVENTS, headers={"Cache-Control": "no-store"})
        self._call = call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._call.end()
