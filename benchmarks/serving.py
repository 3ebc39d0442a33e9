"""`safe-train serve`: requests a second and their times at 1, 8 and 32 clients, batched and one by one.

Two servers of one checkpoint run in processes of their own on this machine, and are asked in turns: one
answers up to 32 questions together, the other each alone. Each question has a picture and a sound. Then a
third, with few places, is asked by more clients than it has room for: each request must end in 200 or 429.
The checkpoint is random, always listens and seldom ends an answer before its eighth token;
SAFE_BENCHMARK_DEMO names a finished demo to serve instead. Clients share the cores with the servers.
"""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec
import numpy as np
from psutil import Process

from benchmarks.machine import describe
from benchmarks.timing import print_line, print_ratio
from safe_data.build.build import build_dataset
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.world import write_world
from safe_eval.models.chat import messages
from safe_eval.models.model import Input

CLIENTS, ROUNDS, REQUESTS, BATCH, ANSWER_TOKENS = (1, 8, 32), 3, 96, 32, 8
CASE_SECONDS = 30.0  # after which clients send nothing more
PLACES, CROWD, EACH = 8, 32, 8  # of the overload: requests that each client sends
_LOADING_SECONDS = 300


class Running(NamedTuple):
    """A server in a process of its own."""

    port: int
    pid: int

    @property
    def cpu_seconds(self) -> float:
        """The processor's time that it took so far."""
        times = Process(self.pid).cpu_times()
        return float(times.user + times.system)


class Target(NamedTuple):
    """What is served, and the questions that are asked."""

    adapter: Path
    backbone: Path
    bodies: list[bytes]


class Asked(NamedTuple):
    """What clients saw: the status and the seconds of each request, and how long it took in all."""

    statuses: list[int]
    seconds: list[float]
    wall_seconds: float
    cpu_seconds: float  # of the server

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.seconds) / self.wall_seconds

    @property
    def cpu_ms(self) -> float:
        """The server's time of the processor for each request; neighbours on the machine change it little."""
        return 1000 * self.cpu_seconds / len(self.seconds)


def main() -> None:
    """Print the rates and times of both servers, how they compare, and what becomes of too many requests."""
    print_line(benchmark="serving", **describe())
    with tempfile.TemporaryDirectory() as folder:
        target = _target(Path(folder))
        with ExitStack() as stack:
            batched = stack.enter_context(_server(target, "--batch-size", str(BATCH)))
            single = stack.enter_context(_server(target, "--batch-size", "1", "--wait-ms", "0"))
            for server in (batched, single):
                _ask(server, target.bodies, clients=8, requests=16)  # the first of a process are slower
            for clients in CLIENTS:
                _compare(target, batched, single, clients)
        _overload(target)


def _compare(target: Target, batched: Running, single: Running, clients: int) -> None:
    found: dict[Running, list[Asked]] = {batched: [], single: []}
    for _ in range(ROUNDS):
        for server, rounds in found.items():
            rounds.append(_ask(server, target.bodies, clients=clients, requests=REQUESTS))
    for server, size in ((batched, BATCH), (single, 1)):
        times = [1000 * taken for asked in found[server] for taken in asked.seconds]
        statuses = Counter(status for asked in found[server] for status in asked.statuses)
        print_line(
            benchmark="serving",
            what=f"{clients} clients, at most {size} answered together",
            requests=len(times),
            statuses={str(status): count for status, count in sorted(statuses.items())},
            requests_per_second=median(asked.rate for asked in found[server]),
            server_cpu_ms_per_request=median(asked.cpu_ms for asked in found[server]),
            p50_ms=float(np.quantile(times, 0.5)),
            p95_ms=float(np.quantile(times, 0.95)),
        )
    sizes = {"clients": clients, "batch": BATCH}
    what = f"batched against one by one, {clients} clients"
    rates = [[asked.rate for asked in found[server]] for server in (batched, single)]
    print_ratio("serving", what, "requests/s", *rates, sizes)
    costs = [[asked.cpu_ms for asked in found[server]] for server in (batched, single)]
    print_ratio("serving", what, "CPU ms/request", *costs, sizes)


def _overload(target: Target) -> None:
    with _server(target, "--queue-size", str(PLACES), "--batch-size", str(PLACES)) as server:
        asked = _ask(server, target.bodies, clients=CROWD, requests=CROWD * EACH)
        statuses = Counter(asked.statuses)
        counted = _counted(server.port)
    answered = [1000 * s for s, status in zip(asked.seconds, asked.statuses, strict=True) if status == 200]
    lost = len(asked.statuses) - statuses[200] - statuses[429]
    print_line(
        benchmark="serving",
        what=f"overload: {CROWD} clients, {PLACES} places, nobody asks again",
        requests=len(asked.statuses),
        answered=statuses[200],
        refused_429=statuses[429],
        lost=lost,
        counted_by_server=counted,
        p95_ms_of_answered=float(np.quantile(answered, 0.95)),
        goal="lost = 0",
        met=lost == 0 and counted == {str(status): count for status, count in sorted(statuses.items())},
    )


def _ask(server: Running, bodies: Sequence[bytes], *, clients: int, requests: int) -> Asked:
    """Ask in a closed loop: each client sends its next question when it has its reply."""
    began, spent = time.monotonic(), server.cpu_seconds
    share = -(-requests // clients)

    def client(number: int) -> list[tuple[int, float]]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        found = []
        for turn in range(share):
            if time.monotonic() - began > CASE_SECONDS:
                break
            body = bodies[(number * share + turn) % len(bodies)]
            started = time.perf_counter()
            try:
                connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
                with connection.getresponse() as reply:
                    reply.read()
                    status = reply.status
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0  # lost
            found.append((status, time.perf_counter() - started))
        connection.close()
        return found

    with ThreadPoolExecutor(clients) as pool:
        found = [one for told in pool.map(client, range(clients)) for one in told]
    wall_seconds = time.monotonic() - began
    spent = server.cpu_seconds - spent
    return Asked([status for status, _ in found], [seconds for _, seconds in found], wall_seconds, spent)


def _counted(port: int) -> dict[str, int]:
    """The replies by status, as the server counts them."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    begin = 'safe_requests_total{status="'
    found = (line.removeprefix(begin).split('"} ') for line in lines if line.startswith(begin))
    return {status: round(float(count)) for status, count in sorted(found)}


@contextmanager
def _server(target: Target, *options: str) -> Iterator[Running]:
    """A server in a process of its own. It must end well when it is told to stop."""
    words = ["serve", str(target.adapter), "--backbone", str(target.backbone), "--port", "0", *options]
    command = [sys.executable, "-m", "safe_train", *words, "--answer-tokens", str(ANSWER_TOKENS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or "http://" not in (line := process.stdout.readline()):
                raise RuntimeError("the server did not start")
            port = int(line.partition("http://")[2].partition("/")[0].rpartition(":")[2])
            yield Running(port, process.pid)
            process.terminate()
            if process.wait(_LOADING_SECONDS) != 0:
                raise RuntimeError(f"the server ended with {process.returncode}")
        finally:
            process.kill()


def _target(folder: Path) -> Target:
    demo = os.environ.get("SAFE_BENCHMARK_DEMO")
    if demo is not None:
        root = Path(demo)
        return Target(root / "adapter", root / "backbone", _bodies(root / "shards"))
    from benchmarks.made_checkpoint import write_checkpoint

    write_world(folder / "world", clips=48, seed=0)
    build_dataset(folder / "world", folder / "shards")
    adapter, backbone = write_checkpoint(folder, folder / "shards")
    return Target(adapter, backbone, _bodies(folder / "shards"))


def _bodies(shards: Path) -> list[bytes]:
    """Requests with the questions of a test split."""
    split, found = ShardDataset(shards, "test"), []
    for index in range(min(len(split), REQUESTS)):
        sound, image = split.audio(index), split.image(index)
        for example in split.record(index).examples:
            given = Input(
                example,
                picture=None if image is None else lambda image=image: image,
                sound=None if sound is None else lambda sound=sound: sound,
            )
            found.append(
                msgspec.json.encode({"model": "safe", "messages": messages(given, example.prompt, None)})
            )
    return found
