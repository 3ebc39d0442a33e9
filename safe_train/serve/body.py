"""Body: reads what a request sends, within a number of bytes and a time."""

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect

from safe_train.serve.refusal import SLOW, TOO_LARGE, WRONG_MEDIA, Refusal

_DRAIN_SECONDS = 5.0  # that a refused request may go on sending


def check_json(request: Request) -> None:
    """Refuse what is not sent as JSON: a page of another site can send anything else without being asked.

    Raises:
        Refusal: it is not.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(
            WRONG_MEDIA,
            f"content-type {kind[:60] or '(none)'}: send application/json",
            code="unsupported_media_type",
        )


async def read_body(request: Request, most_bytes: int, seconds: float) -> bytes:
    """Read a body.

    Raises:
        Refusal: it is too long, or does not come in time.
        ClientDisconnect: the client went away.
    """
    declared = request.headers.get("content-length", "0")
    data = bytearray()
    is_too_long = declared.isdecimal() and int(declared) > most_bytes
    try:
        async with asyncio.timeout(seconds):
            if not is_too_long:
                async for piece in request.stream():
                    data += piece
                    if is_too_long := len(data) > most_bytes:
                        break
    except TimeoutError:
        raise Refusal(SLOW, "the body did not come in time (--timeout-seconds)", code="timeout") from None
    if is_too_long:
        data.clear()
        await drained(request, most_bytes)
        raise Refusal(
            TOO_LARGE,
            f"the body is longer than {most_bytes / 2**20:g} MiB (--body-mb)",
            code="request_too_large",
        )
    return bytes(data)


async def drained(request: Request, most_bytes: int) -> None:
    """Read what a refused request still sends, for a while: many clients read the reply only after that."""
    read = 0
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for piece in request.stream():
                read += len(piece)
                if read > most_bytes:
                    return
    except (TimeoutError, ClientDisconnect):
        return
