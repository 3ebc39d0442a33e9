"""A small server of chat completions: it says what a test tells it to, and remembers what it was asked."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Say:
    """One reply: of a length that is announced, unless it is cut off without warning."""

    body: bytes | str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait_seconds: float = 0.0
    drip_seconds: float = 0.0  # between one byte and the next
    announced: int | None = None  # bytes; more than there are: the connection breaks
    is_open_ended: bool = False  # no length: whatever came until the connection closed


@dataclass
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    at_seconds: float


class MadeServer:
    """Says the replies of `script` one after another, then what `answer` makes of each request."""

    def __init__(self, script: list[Say], answer: Callable[[Any], Say]) -> None:
        self.script, self.answer = list(script), answer
        self.asked: list[Asked] = []
        self.models = Say('{"object": "list", "data": [{"id": "toy"}]}')
        self.most_at_once = self._at_once = 0
        self._lock = threading.Lock()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.http.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/v1"

    @property
    def completions(self) -> list[Asked]:
        return [one for one in self.asked if one.path.endswith("/chat/completions")]

    def reply(self, asked: Asked) -> Say:
        with self._lock:
            self.asked.append(asked)
            if asked.method == "GET":
                return self.models
            return self.script.pop(0) if self.script else self.answer(asked.body)

    def counted(self, change: int) -> None:
        with self._lock:
            self._at_once += change
            self.most_at_once = max(self.most_at_once, self._at_once)

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                self._reply("GET", None)

            def do_POST(self) -> None:
                self._reply("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _reply(self, method: str, body: Any) -> None:
                asked = Asked(method, self.path, dict(self.headers), body, time.monotonic())
                server.counted(1)
                try:
                    self._say(server.reply(asked))
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the client gave up
                finally:
                    server.counted(-1)

            def _say(self, say: Say) -> None:
                body = say.body.encode() if isinstance(say.body, str) else say.body
                time.sleep(say.wait_seconds)
                self.send_response(say.status)
                for name, value in say.headers.items():
                    self.send_header(name, value)
                if not say.is_open_ended:
                    self.send_header("Content-Length", str(say.announced or len(body)))
                self.close_connection = say.is_open_ended or say.announced is not None
                self.end_headers()
                for start in range(0, len(body), 1) if say.drip_seconds else ():
                    self.wfile.write(body[start : start + 1])
                    time.sleep(say.drip_seconds)
                self.wfile.write(b"" if say.drip_seconds else body)

        return Handler


def completion(content: Any, **fields: Any) -> Say:
    """A completion with one choice; `fields` are the message's, or those of the choice and of the whole."""
    message = {"role": "assistant", "content": content}
    if "refusal" in fields:
        message["refusal"] = fields.pop("refusal")
    choice = {"index": 0, "message": message, "finish_reason": fields.pop("finish_reason", "stop")}
    if "logprobs" in fields:
        choice["logprobs"] = {"content": [{"token": "x", "logprob": one} for one in fields.pop("logprobs")]}
    return Say(json.dumps({"object": "chat.completion", "choices": [choice], **fields}))


@contextmanager
def made_server(
    *script: Say, answer: Callable[[Any], Say] = lambda _: completion("blue")
) -> Iterator[MadeServer]:
    server = MadeServer(list(script), answer)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()
