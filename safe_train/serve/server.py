"""Server: load a checkpoint, listen, and stop gracefully: what was accepted is answered, and then it ends."""

import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import torch
import uvicorn
from accelerate import PartialState

from safe_data.core.errors import InputError
from safe_data.core.interruption import stopping
from safe_data.core.terminal import say
from safe_eval.models.processors import picture_token
from safe_train.base.backbone import backbone_folder, load_backbone
from safe_train.checkpoint import CONFIG, read_checkpoint
from safe_train.predict.predict import facts_of_run, gate_of, load_predictor, wanted_encoders
from safe_train.serve.app import make_app
from safe_train.serve.asked import Served
from safe_train.serve.service import Service
from safe_train.settings.serve import ServeConfig

KEY = "SAFE_SERVE_API_KEY"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_BACKLOG = 2048  # connections that the system keeps until they are taken
_SLOW_READER_SECONDS = 5  # that a reply may go on being sent after all were made
_GLANCE_SECONDS = 0.05


def serve_checkpoint(checkpoint: Path, *, backbone: str | Path, config: ServeConfig) -> None:
    """Serve a checkpoint until Ctrl-C or SIGTERM, and then answer what was accepted.

    Raises:
        InputError: the checkpoint does not fit the backbone, an encoder cannot be loaded, the key is none, or
            the port is taken.
        KeyboardInterrupt: a second Ctrl-C did not wait.
    """
    key = key_of_environment()
    with listening(config) as door, stopping() as stopped:
        served = load_served(checkpoint, backbone=backbone, config=config, key=key)
        if not stopped.is_set():
            run_service(Service(served, config), door, stopped, config)


def load_served(
    checkpoint: Path, *, backbone: str | Path, config: ServeConfig, key: str | None = None
) -> Served:
    """A checkpoint in its base, with its encoders, ready to be asked.

    Raises:
        InputError: the checkpoint does not fit the backbone, or an encoder cannot be loaded.
    """
    asking = config.asking_as()
    read = read_checkpoint(checkpoint)
    gate_of(read, asking)  # which finds out early that it cannot be used
    encoders = wanted_encoders(read, asking.encoders)
    state = PartialState(cpu=not torch.accelerator.is_available())
    base = load_backbone(backbone, asking.loading(read.config.loading))
    facts = facts_of_run(read, backbone_folder(backbone), asking, state)
    predictor = load_predictor(
        read, base, encoders, asking, state, facts, gate_times=True, cache_bytes=config.cache_bytes
    )
    predictor.prepare(None, ())
    asked = asking.asking(read.config.asking)
    return Served(
        predictor=predictor,
        answer_tokens=asked.answer_tokens,
        shows_pictures=asked.shows_pictures,
        context_tokens=_context_tokens(base.model),
        picture_token=picture_token(base.processor) or None,
        created=int((checkpoint / CONFIG).stat().st_mtime),
        key=key,
    )


def key_of_environment() -> str | None:
    """The key that requests must send; None where the environment has none.

    Raises:
        InputError: it has characters that no header can hold.
    """
    key = os.environ.get(KEY, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise InputError(f"{KEY}: has characters that no key has; set another one")
    return key or None


def listening(config: ServeConfig) -> socket.socket:
    """A socket at the address, which refuses connections until the model is loaded.

    Raises:
        InputError: the address is none, or taken.
    """
    door: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        door = socket.socket(family, kind, protocol)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(address)
    except OSError as error:
        if door is not None:
            door.close()
        raise InputError(
            f"{config.host}:{config.port}: cannot be listened at: {error.strerror or error}; choose another "
            "--host or --port"
        ) from None
    return door


def run_service(service: Service, door: socket.socket, stopped: threading.Event, config: ServeConfig) -> None:
    """Run a service at a socket until the event is set, and until what was accepted is answered.

    Raises:
        RuntimeError: it ended before, which is a defect.
    """
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(service),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=_SLOW_READER_SECONDS,
        )
    )
    # Not in the main thread, where uvicorn would stop listening at the first signal.
    running = threading.Thread(target=server.run, args=([door],), name="http", daemon=True)
    running.start()
    try:
        while not server.started and running.is_alive():
            time.sleep(_GLANCE_SECONDS)
        if server.started and not config.quiet:
            say(_opening(service, door), flush=True)
        # Not by waiting for the event: a handler that sets it must not meet its lock.
        while not stopped.is_set() and running.is_alive() and service.line.is_alive:
            time.sleep(_GLANCE_SECONDS)
        service.close()
        if not config.quiet and service.places:
            say([f"stopping: {service.places} requests are being answered first"], flush=True)
        patience = time.monotonic() + config.timeout_seconds
        while service.places and time.monotonic() < patience:
            time.sleep(_GLANCE_SECONDS)
    finally:
        server.should_exit = True
    running.join()
    has_model = service.line.is_alive
    service.end()
    if not (server.started and has_model and stopped.is_set()):
        raise RuntimeError("the server ended by itself; what it printed before says why")
    if not config.quiet:
        say(["stopped"], flush=True)


def _opening(service: Service, door: socket.socket) -> list[str]:
    """What is said when requests are taken."""
    host, port = door.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    lines = [f"serving {service.name} at http://{shown}:{port}/v1; Ctrl-C stops"]
    if service.served.key is None and service.config.host not in LOOPBACK:
        lines.append(f"anyone who reaches {shown} may ask: set {KEY} in the environment to want a key")
    return lines


def _context_tokens(base: Any) -> int | None:
    """How many tokens the decoder takes; None where its configuration does not say."""
    found = getattr(base.config.get_text_config(decoder=True), "max_position_embeddings", None)
    return found if isinstance(found, int) else None
