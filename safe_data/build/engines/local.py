"""The local engine: run pieces in processes on this machine, and replace a process that dies.

One worker works in this process. Several workers are separate processes, spawned rather than forked; they end
whenever this process ends. Each uses one BLAS thread; or as many as this process, where bytes depend on it.
"""

import multiprocessing
import os
import signal
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import cast

from threadpoolctl import threadpool_limits

from safe_data.build.engines.piece import ATTEMPTS, Advance, Load, P, R, Run, Tick, gave_up, load_once
from safe_data.core.errors import InputError
from safe_data.core.interruption import end_with_parent

_PATIENCE_SECONDS = 5.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@contextmanager
def local_engine(workers: int, *, one_thread: bool = True) -> Iterator[Run]:
    """Run up to `workers` pieces at a time, each in its own process; with 1, in this one.

    All processes start at the first piece, so that they load what they need at the same time.
    """
    if workers == 1:
        yield _run_here
        return
    pool: list[_Worker] = []

    def run(work: Callable[[P, Tick, Load], R], pieces: Sequence[P], advance: Advance) -> list[R]:
        try:
            return _run(pool, workers, work, pieces, advance, ONE_THREAD if one_thread else {})
        except BaseException:  # workers must have ended before their files are cleared away
            _end(pool)
            raise

    try:
        yield run
    finally:
        _let_end(pool)


def _run_here(work: Callable[[P, Tick, Load], R], pieces: Sequence[P], advance: Advance) -> list[R]:
    with threadpool_limits(1):
        return [work(piece, lambda: advance(1), load_once) for piece in pieces]


@dataclass
class _Worker:
    """A process, the pipe to it, the number of its piece, and how often that piece has ticked."""

    process: SpawnProcess
    pipe: Connection
    piece: int | None = None
    ticks: int = 0


def _run(
    pool: list[_Worker],
    workers: int,
    work: Callable[[P, Tick, Load], R],
    pieces: Sequence[P],
    advance: Advance,
    environment: dict[str, str],
) -> list[R]:
    waiting = deque(range(len(pieces)))
    deaths: Counter[int] = Counter()
    results: dict[int, R] = {}
    while len(results) < len(pieces):
        pool += [_start(environment) for _ in range(workers - len(pool))]
        for worker in pool:
            if worker.piece is None and waiting:
                worker.piece, worker.ticks = waiting.popleft(), 0
                with suppress(OSError):  # it died while idle; reading from it below will say so
                    worker.pipe.send((work, pieces[worker.piece]))
        busy = {worker.pipe: (worker, worker.piece) for worker in pool if worker.piece is not None}
        for pipe in wait(list(busy)):
            worker, piece = busy[cast(Connection, pipe)]
            try:
                kind, value = worker.pipe.recv()
            except (EOFError, OSError):
                pool.remove(worker)
                reason = _death(worker)
                advance(-worker.ticks)
                deaths[piece] += 1
                if deaths[piece] == ATTEMPTS:
                    raise gave_up(pieces[piece].name, reason) from None
                waiting.appendleft(piece)
                continue
            if kind == "tick":
                worker.ticks += 1
                advance(1)
            elif kind == "result":
                results[piece], worker.piece = value, None
            else:
                raise value
    return [results[piece] for piece in range(len(pieces))]


def _start(environment: dict[str, str]) -> _Worker:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    resource_tracker.ensure_running()  # otherwise start() runs it, and unblocks the signal again
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # workers inherit it: only we act on Ctrl-C
    try:
        with _environment(environment):
            process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    theirs.close()
    return _Worker(process, ours)


@contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    before = os.environ.copy()
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _let_end(pool: list[_Worker]) -> None:
    """Close the pipes, at which idle workers clean up and end; those that do not are killed."""
    for worker in pool:
        worker.pipe.close()
    for worker in pool:
        worker.process.join(_PATIENCE_SECONDS)
    _end(pool)


def _end(pool: list[_Worker]) -> None:
    for worker in pool:
        worker.process.kill()
    for worker in pool:
        worker.process.join()
        worker.pipe.close()
    pool.clear()


def _death(worker: _Worker) -> str:
    """Wait for the end of a worker, close its pipe, and say how it ended."""
    worker.process.join()
    worker.pipe.close()
    code = worker.process.exitcode or 0
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def _serve(pipe: Connection) -> None:
    """The main loop of a worker: receive pieces, send ticks and results, until the pipe is closed."""
    end_with_parent()
    while True:
        try:
            work, piece = pipe.recv()
        except EOFError:
            return
        try:
            _tell(pipe, "result", work(piece, lambda: _tell(pipe, "tick"), load_once))
        except (InputError, OSError, MemoryError) as error:
            _tell(pipe, "error", error)
        except Exception:  # other exceptions may not survive pickling
            _tell(pipe, "error", RuntimeError(f"in a worker: {traceback.format_exc()}"))


def _tell(pipe: Connection, kind: str, value: object = None) -> None:
    try:
        pipe.send((kind, value))
    except BrokenPipeError:  # the parent is gone
        os._exit(1)
