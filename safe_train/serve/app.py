"""App: the addresses of a server, and what each replies."""

from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from safe_train.serve.measures import CONTENT_TYPE
from safe_train.serve.refusal import CLOSING, JSON, MISSING, Refusal, defect_reply, refused_reply
from safe_train.serve.service import Service

ADDRESSES = ("/v1/chat/completions", "/v1/models", "/health", "/health/live", "/health/ready", "/metrics")


def make_app(service: Service) -> FastAPI:
    """The application of a service. Those under /v1 want the key, if there is one; the others do not."""
    # No page of documentation: it would have a browser load scripts from elsewhere.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    async def models(request: Request) -> Response:
        return _checked(service, request, {"object": "list", "data": [_model(service)]})

    async def model(request: Request, name: str) -> Response:
        if name != service.name:
            refused = Refusal(MISSING, f"model {name[:60]!r} is not served here", code="model_not_found")
            return refused_reply(refused)
        return _checked(service, request, _model(service))

    async def live(_: Request) -> Response:
        return _json({"status": "live"})

    async def ready(_: Request) -> Response:
        state = "ready" if service.is_ready else "stopping" if service.is_closing else "failed"
        facts = {
            "status": state,
            "model": service.name,
            "waiting": len(service.line),
            "places": service.places,
        }
        return _json(facts, 200 if service.is_ready else CLOSING)

    async def metrics(_: Request) -> Response:
        return Response(service.measures.text(), media_type=CONTENT_TYPE)

    app.add_api_route("/v1/chat/completions", service.complete, methods=["POST"], response_model=None)
    routes: dict[str, Callable[..., Any]] = {
        "/v1/models": models,
        "/v1/models/{name}": model,
        "/health": ready,
        "/health/live": live,
        "/health/ready": ready,
        "/metrics": metrics,
    }
    for path, reply in routes.items():
        app.add_api_route(path, reply, methods=["GET"], response_model=None)
    app.add_exception_handler(HTTPException, _no_address)
    app.add_exception_handler(Exception, _defect)
    return app


def _model(service: Service) -> dict[str, Any]:
    created = service.served.created
    return {"id": service.name, "object": "model", "created": created, "owned_by": "safe-train serve"}


def _checked(service: Service, request: Request, reply: dict[str, Any]) -> Response:
    try:
        service.check_key(request)
    except Refusal as refused:
        return refused_reply(refused)
    return _json(reply)


def _json(reply: dict[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(reply), status, media_type=JSON)


async def _no_address(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else MISSING
    said = f"{request.method} {request.url.path[:100]}: there are {', '.join(ADDRESSES)}"
    return refused_reply(Refusal(status, said, code="not_found"))


async def _defect(_: Request, error: Exception) -> Response:
    return defect_reply(error)
