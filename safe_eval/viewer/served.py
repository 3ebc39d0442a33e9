"""Served: the viewer as a web application of this machine, under an address that nobody can guess.

It reads runs and writes notes, and nothing else. Nothing is loaded from elsewhere, by the page's policy too.
"""

import secrets
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from safe_data.core.errors import InputError
from safe_eval.viewer.answers import Answers, NotThereError

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

HOSTS = ("127.0.0.1", "localhost")
_LONGEST_BODY = 64 * 1024  # bytes of a note, as JSON
_TOKEN_BYTES = 18

# The page is its own files alone; a picture may also be a data URI, as the charts have them.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".flac": "audio/flac",
    ".csv": "text/csv; charset=utf-8",
}


def new_token() -> str:
    """A name that nobody can guess, for the address of a viewer."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def make_app(answers: Answers, token: str) -> "Starlette":
    """The application: everything lies under `/TOKEN/`, and other addresses are 404."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.routing import Route

    def is_ours(request: "Request") -> bool:
        return secrets.compare_digest(request.path_params["token"].encode(), token.encode())

    def read(request: "Request") -> "Response":
        """What is asked for is made in a thread, since it may take some time."""
        if not is_ours(request):
            return _said(404, _NO_ADDRESS)
        return _answer(
            lambda: _file(answers, request.path_params["path"], request.query_params.multi_items())
        )

    async def note(request: "Request") -> "Response":
        if not is_ours(request):
            return _said(404, _NO_ADDRESS)
        # A page of another origin cannot send this type without being asked first, and it is refused then.
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _said(415, "content-type: must be application/json")
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _LONGEST_BODY:
                return _said(413, f"a note is at most {_LONGEST_BODY} bytes")
        from starlette.concurrency import run_in_threadpool

        return await run_in_threadpool(lambda: _answer(lambda: (answers.write_note(body), "data/notes.json")))

    return Starlette(
        routes=[
            Route("/{token}/data/notes", note, methods=["POST"]),
            Route("/{token}/{path:path}", read, methods=["GET", "HEAD"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[*HOSTS])],
        exception_handlers={404: _missing, 405: _missing},
    )


_NO_ADDRESS = "no such address; open the one that `safe-eval view` printed"


def _file(answers: Answers, path: str, query: list[tuple[str, str]]) -> tuple[bytes, str]:
    """What lies at a path, and the name that tells its type."""
    path = path or "index.html"
    content = answers.read(path, query)
    return content, path if PurePosixPath(path).suffix in TYPES else f"{path}.json"


def _answer(make: Callable[[], tuple[bytes, str]]) -> "Response":
    """A reply, or the reason why there is none."""
    from starlette.responses import Response

    try:
        content, name = make()
    except NotThereError as error:
        return _said(404, str(error))
    except InputError as error:
        return _said(400, str(error))
    headers = dict(HEADERS)
    return Response(content, media_type=TYPES[PurePosixPath(name).suffix], headers=headers)


def _said(status: int, why: str) -> "Response":
    from starlette.responses import Response

    body = msgspec.json.encode({"error": why})
    return Response(body, status, media_type=TYPES[".json"], headers=HEADERS)


async def _missing(_: "Request", error: Any) -> "Response":
    return _said(error.status_code, _NO_ADDRESS)
