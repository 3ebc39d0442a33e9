"""Server: where an endpoint is, the key to it, and how a request is sent until it is answered or given up.

What is worth asking again is asked again by urllib3's rules: after exponential backoff with jitter, or when
the server says in Retry-After.
"""

import os
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec

from safe_data.core.errors import InputError
from safe_eval.run_options import ModelOptions

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager, Retry

OWN_KEY, OPENAI_KEY = "SAFE_EVAL_API_KEY", "OPENAI_API_KEY"
LOOPBACK = ("localhost", "127.0.0.1", "::1")

_BUSY = frozenset((408, 409, 425, 429, 500, 502, 503, 504, 529))  # may answer when asked again
_FIRST_BACKOFF_SECONDS, _JITTER_SECONDS, _LONGEST_BACKOFF_SECONDS = 0.5, 0.5, 60
_LONGEST_RETRY_AFTER_SECONDS = 600
_MAX_REPLY_BYTES = 2**24
_PIECE_BYTES = 2**16


class Reply(NamedTuple):
    """The last thing that a server said to one request, or what was in the way of its saying anything."""

    status: int
    data: bytes
    error: str | None
    attempts: int
    is_absent: bool = False  # nothing listens there

    @property
    def tries(self) -> str:
        """What an error says of how often it was tried."""
        return f" (tried {self.attempts} times)" if self.attempts > 1 else ""


class Server:
    """Sends requests to one server, several at a time, and keeps its key to itself."""

    def __init__(self, url: str, options: ModelOptions) -> None:
        self.url = url
        self._timeout_seconds, self._attempts = options.timeout_seconds, options.attempts
        self._key = _key(url)
        self._pool = _pool(url, options)

    @property
    def has_key(self) -> bool:
        """Whether a key is sent."""
        return self._key is not None

    def ask(self, method: str, path: str, body: bytes | None = None, attempts: int | None = None) -> Reply:
        """Send a request until it is answered, refused, or was sent as often as allowed."""
        from urllib3.exceptions import (
            ConnectTimeoutError,
            HTTPError,
            InvalidHeader,
            MaxRetryError,
            NewConnectionError,
        )

        url, retry, tries = f"{self.url}{path}", _retry(attempts or self._attempts), 0
        while True:
            response, error, data = None, None, b""
            tries += 1
            try:
                response, data = self._send(method, url, body)
                if response.status not in _BUSY and not _is_cut_off(response, data):
                    return Reply(response.status, data, None, tries)
            except HTTPError as problem:
                error = problem
            try:
                retry = retry.increment(method, url, response=response, error=error)
            except (MaxRetryError, HTTPError):
                if response is None:
                    is_absent = isinstance(error, ConnectTimeoutError | NewConnectionError)
                    return Reply(0, b"", self.without_key(_problem(error)), tries, is_absent)
                return Reply(response.status, data, None, tries)
            try:
                retry.sleep(response)
            except InvalidHeader:  # a Retry-After that says nothing
                retry.sleep()

    def _send(self, method: str, url: str, body: bytes | None) -> tuple["BaseHTTPResponse", bytes]:
        """Send a request once and read the reply, in the time of one request and in bounded memory."""
        from urllib3.exceptions import DecodeError, ReadTimeoutError

        deadline = time.monotonic() + self._timeout_seconds
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        response = self._pool.request(
            method, url, body=body, headers=headers, preload_content=False, retries=False, redirect=False
        )
        data = bytearray()
        try:
            while piece := response.read1(_PIECE_BYTES):
                data += piece
                if len(data) > _MAX_REPLY_BYTES:
                    raise DecodeError(f"the reply is longer than {_MAX_REPLY_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise ReadTimeoutError(None, url, "the reply takes too long")  # type: ignore[arg-type]
        except BaseException:
            response.close()  # what is left of it must not be taken for the next reply
            raise
        response.release_conn()
        return response, bytes(data)

    def without_key(self, text: str) -> str:
        """A server may repeat the key that it does not accept."""
        return text if self._key is None else text.replace(self._key, "***")


def _key(url: str) -> str | None:
    """The key of the environment; the one that is meant for OpenAI does not travel in the clear."""
    parts = urlsplit(url)
    is_safe = parts.scheme == "https" or parts.hostname in LOOPBACK
    key = os.environ.get(OWN_KEY) or (os.environ.get(OPENAI_KEY) if is_safe else None)
    key = (key or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise InputError(f"the key in {OWN_KEY} or {OPENAI_KEY} has characters that no key has; set it again")
    return key or None


def _pool(url: str, options: ModelOptions) -> "PoolManager":
    """Connections that stay open for the next request, through the proxy of the environment if it has one."""
    from urllib3 import PoolManager, ProxyManager, Timeout

    timeout, at_once = Timeout(total=options.timeout_seconds), options.concurrency
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy and parts.hostname not in LOOPBACK and not proxy_bypass(parts.hostname or ""):
        return ProxyManager(proxy, maxsize=at_once, timeout=timeout)
    return PoolManager(maxsize=at_once, timeout=timeout)


def _retry(attempts: int) -> "Retry":
    from urllib3 import Retry

    return Retry(
        attempts - 1,
        allowed_methods=None,  # an answer may be asked for twice
        backoff_factor=_FIRST_BACKOFF_SECONDS,
        backoff_jitter=_JITTER_SECONDS,
        backoff_max=_LONGEST_BACKOFF_SECONDS,
        retry_after_max=_LONGEST_RETRY_AFTER_SECONDS,
    )


def _is_cut_off(response: "BaseHTTPResponse", data: bytes) -> bool:
    """Whether a completion broke off where nobody told its length."""
    if response.status != 200:
        return False
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except msgspec.DecodeError:
        return True
    return False


def _problem(error: Exception | None) -> str:
    """What was in the way of a reply; urllib3's own words begin with an object's address."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError

    if isinstance(error, NewConnectionError):
        return "no server answers there"
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return "no reply in time (--timeout-seconds)"
    return f"{type(error).__name__}: {error}"
