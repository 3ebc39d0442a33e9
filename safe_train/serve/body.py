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
    is_too_long, is_left = declared.isdecimal() and int(declared) > most_bytes, True
    try:
        async with asyncio.timeout(seconds):
            while is_left and not is_too_long:
                piece, is_left = await _next_piece(request)
                data += piece
                is_too_long = len(data) > most_bytes
    except TimeoutError:
        raise Refusal(SLOW, "the body did not come in time (--timeout-seconds)", code="timeout") from None
    if is_too_long:
        data.clear()
        await drained(request, most_bytes, is_left=is_left)
        raise Refusal(
            TOO_LARGE,
            f"the body is longer than {most_bytes / 2**20:g} MiB (--body-mb)",
            code="request_too_large",
        )
    return bytes(data)


async def drained(request: Request, most_bytes: int, *, is_left: bool = True) -> None:
    """Read what a refused request still sends, for a while: many clients read the reply only after that."""
    read = 0
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while is_left and read <= most_bytes:
                piece, is_left = await _next_piece(request)
                read += len(piece)
    except (TimeoutError, ClientDisconnect):
        return


async def _next_piece(request: Request) -> tuple[bytes, bool]:
    """The next piece of a body, and whether more comes."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), bool(message.get("more_body", False))
