"""The Ray engine: run pieces as Ray tasks, with the encoders in a pool of actors.

If a worker or node dies, its piece runs again elsewhere. A task decodes and writes while its actor encodes;
on a cluster with GPUs each actor gets one. Every node must be able to reach the source and the dataset.
"""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jaxtyping import Float16, Float32
from numpy import ndarray

from safe_data.build.engines.piece import ATTEMPTS, Advance, Load, P, R, Run, Tick, gave_up, load_once
from safe_data.core.errors import InputError, require_extra
from safe_data.shards.layout import Encoding

Send = Callable[[Any, Any, Any], Any]  # work, piece and actor → the reference of the result

HALF = 0.5  # CPU for a task, and the other half for its actor: together they are one worker
CONNECT_SECONDS = 10


@contextmanager
def ray_engine(workers: int, address: str | None, *, whole: bool = False) -> Iterator[Run]:
    """Run up to `workers` pieces at a time on the cluster at an address, or on a Ray started here.

    With `whole`, pieces are worked on inside the actors, which have the GPUs and as many threads as we do.

    Raises:
        InputError: Ray is not installed, or the cluster cannot be reached.
    """
    ray = _import_ray()
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, workers, address)
    try:
        actors = _actors(ray, workers, whole=whole)
        task = ray.remote(num_cpus=HALF, max_retries=ATTEMPTS - 1)(_work)
        send: Send = _to_actor if whole else task.remote

        def run(work: Callable[[P, Tick, Load], R], pieces: Sequence[P], advance: Advance) -> list[R]:
            return _run(ray, send, actors, work, pieces, advance)

        yield run
    finally:
        if ours:
            ray.shutdown()


def _run(
    ray: Any,
    send: Send,
    actors: Sequence[Any],
    work: Callable[[P, Tick, Load], R],
    pieces: Sequence[P],
    advance: Advance,
) -> list[R]:
    """Give a piece to each free actor until all are done."""
    free, started = list(actors), 0
    running: dict[Any, tuple[int, Any]] = {}
    results: dict[int, R] = {}
    try:
        while len(results) < len(pieces):
            while free and started < len(pieces):
                actor = free.pop(0)
                running[send(work, pieces[started], actor)] = started, actor
                started += 1
            for reference in ray.wait(list(running))[0]:
                piece, actor = running.pop(reference)
                results[piece] = _result(ray, reference, pieces[piece].name)
                free.append(actor)
                advance(pieces[piece].steps)
    finally:
        for reference in running:
            ray.cancel(reference, force=send is not _to_actor)
    return [results[piece] for piece in range(len(pieces))]


def _result(ray: Any, reference: Any, name: str) -> Any:
    errors = ray.exceptions
    try:
        return ray.get(reference)
    except errors.RayTaskError as error:
        if isinstance(error.cause, errors.RayActorError):
            raise gave_up(name, "the encoder's") from error
        raise error.cause from error
    except (
        errors.RayActorError,
        errors.WorkerCrashedError,
        errors.OutOfMemoryError,
        errors.NodeDiedError,
    ) as error:
        raise gave_up(name, type(error).__name__) from error


def _work(work: Callable[[P, Tick, Load], R], piece: P, actor: Any) -> R:
    """The body of a Ray task: work on a piece with the encoders of an actor."""
    return work(piece, lambda: None, lambda spec: _Elsewhere(spec, actor))


def _to_actor(work: Any, piece: Any, actor: Any) -> Any:
    return actor.work.remote(work, piece)


class _Encoders:
    """The body of a Ray actor: the encoders of one process, or all the work on its pieces."""

    def work(self, work: Callable[[P, Tick, Load], R], piece: P) -> R:
        return work(piece, lambda: None, load_once)

    def encoding(self, spec: str) -> Encoding:
        return Encoding.of(load_once(spec))

    def encode(self, spec: str, clips: list[Float32[ndarray, " samples"]]) -> Float16[ndarray, "clips ..."]:
        result: Float16[ndarray, "clips ..."] = load_once(spec).encode(clips)
        return result


@dataclass(frozen=True)
class _Elsewhere:
    """An AudioEncoder that calls an actor."""

    spec: str
    actor: Any

    @cached_property
    def _encoding(self) -> Encoding:
        import ray

        found: Encoding = ray.get(self.actor.encoding.remote(self.spec))
        return found

    @property
    def name(self) -> str:
        return self._encoding.name

    @property
    def fingerprint(self) -> str:
        return self._encoding.fingerprint

    @property
    def sample_rate_hz(self) -> int:
        return self._encoding.sample_rate_hz

    @property
    def shape(self) -> tuple[int, ...]:
        return self._encoding.shape

    def encode(self, clips: Sequence[Float32[ndarray, " samples"]]) -> Float16[ndarray, "clips ..."]:
        import ray

        result: Float16[ndarray, "clips ..."] = ray.get(self.actor.encode.remote(self.spec, list(clips)))
        return result


def _actors(ray: Any, workers: int, *, whole: bool) -> list[Any]:
    gpu = 1 if ray.cluster_resources().get("GPU", 0) >= 1 else 0
    cpus = 1 if whole else HALF
    options: dict[str, Any] = {
        "num_cpus": cpus,
        "num_gpus": gpu,
        "max_restarts": -1,
        "max_task_retries": ATTEMPTS - 1,
    }
    threads = os.environ.get("OMP_NUM_THREADS")
    if whole and threads is not None:  # else Ray says how many
        options["runtime_env"] = {"env_vars": {"OMP_NUM_THREADS": threads}}
    remote = ray.remote(**options)(_Encoders)
    return [remote.remote() for _ in range(workers)]


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # one that fails is reported by us
    require_extra("the ray engine", "ray", "ray")
    import ray

    return ray


def _connect(ray: Any, workers: int, address: str | None) -> None:
    here: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False} if address is None else {}
    try:
        if address is not None:
            _reach(address)
        ray.init(address or "local", log_to_driver=False, logging_level="ERROR", **here)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"Ray at {address or 'this machine'} cannot be reached ({reason})") from error


def _reach(address: str) -> None:
    """Fail at once if nothing listens at an address; Ray would take minutes to find out."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
