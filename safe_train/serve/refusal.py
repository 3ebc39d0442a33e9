"""Refusal: why a request is not answered, in the shape of OpenAI's errors.

Source: OpenAI's API reference and its Python client's `APIError`: `message`, `type`, `param`, `code`.
"""

import traceback
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import Response

from safe_data.core.terminal import complain

BAD, KEYLESS, MISSING, WRONG_METHOD, SLOW = 400, 401, 404, 405, 408
TOO_LARGE, WRONG_MEDIA, FULL, FAILED, CLOSING, TOO_LATE = 413, 415, 429, 500, 503, 504
JSON = "application/json"
_TYPES = {
    KEYLESS: "authentication_error",
    FULL: "rate_limit_error",
    FAILED: "server_error",
    CLOSING: "server_error",
    TOO_LATE: "server_error",
}


class Refusal(Exception):  # noqa: N818 - most are the client's error, and some are no error at all
    """A request that is not answered: the status, what is wrong, and in which field."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = dict(headers or {})

    @property
    def body(self) -> bytes:
        """The reply.

        >>> Refusal(429, "try again", code="queue_full").body
        b'{"error":{"message":"try again","type":"rate_limit_error","param":null,"code":"queue_full"}}'
        """
        kind = _TYPES.get(self.status, "invalid_request_error")
        error: dict[str, Any] = {
            "message": self.message,
            "type": kind,
            "param": self.param,
            "code": self.code,
        }
        return msgspec.json.encode({"error": error})


def bad(message: str, param: str, code: str = "invalid_value") -> Refusal:
    """A field that cannot be taken."""
    return Refusal(BAD, message, param=param, code=code)


def defect_reply(error: Exception) -> Response:
    """The reply where we failed; what went wrong is only for the server's log."""
    complain("".join(traceback.format_exception(error)).splitlines())
    return refused_reply(Refusal(FAILED, "a defect of the server; its log says more", code="internal_error"))


def refused_reply(refused: Refusal) -> Response:
    """The reply that says why there is no answer."""
    return Response(refused.body, refused.status, refused.headers, JSON)
