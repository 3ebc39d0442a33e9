"""What a whole process takes: its wall and processor time, and the most memory it held."""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# A child's peak memory includes what its parent held at the start, so this small parent starts the command.
_WAITS = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
wall = time.perf_counter() - start
print(json.dumps([status, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


class Taken(NamedTuple):
    """Seconds and MB of one process, start-up included."""

    wall_seconds: float
    processor_seconds: float
    peak_mb: float


def program(name: str) -> Path:
    """An installed command of this environment."""
    return Path(sys.executable).with_name(name)


def run(
    command: Sequence[str | Path],
    *,
    allowed: Collection[int] = (0,),
    environment: Mapping[str, str] | None = None,
) -> Taken:
    """Run a command to its end and throw its output away.

    Raises:
        RuntimeError: its exit code is not allowed, so its time means nothing.
    """
    waiting = [sys.executable, "-I", "-S", "-c", _WAITS, *map(str, command)]
    done = subprocess.run(waiting, stdout=subprocess.PIPE, check=True, env=environment)
    status, *taken = json.loads(done.stdout)
    if os.waitstatus_to_exitcode(status) not in allowed:
        raise RuntimeError(f"{' '.join(map(str, command))} failed")
    return Taken(*taken)


def own_peak_mb() -> float:
    """The most memory this process has held since its start."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
