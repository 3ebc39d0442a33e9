"""Machine: what a profile ran on. No name of a host, user or folder is among its facts."""

import os
import platform
from pathlib import Path

import msgspec

from safe_data.core.cores import cores
from safe_data.core.options_file import TRAIN, installed_versions

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The device that computes, its memory in bytes, and what else may explain a time.

    `loads` is how many processes wanted a core in the minute before the profile, and in its last: above the
    number of cores, others slowed it. `card_bytes` is the memory of the device that passes take.
    """

    device: str
    processor: str
    cores: int
    threads: int
    memory_bytes: int
    card_bytes: int
    loads: tuple[float, ...]
    system: str
    python: str
    versions: dict[str, str]


def describe(device: str, loads: tuple[float, ...]) -> Machine:
    """The facts of this machine, for a device such as cpu or cuda:0."""
    import torch

    memory = memory_bytes()
    on_card = torch.device(device).type == "cuda"
    return Machine(
        device=torch.cuda.get_device_name(device) if on_card else "CPU",
        processor=processor(),
        cores=cores(),
        threads=torch.get_num_threads(),
        memory_bytes=memory,
        card_bytes=torch.cuda.get_device_properties(device).total_memory if on_card else memory,
        loads=tuple(round(load, 2) for load in loads),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        versions=installed_versions(TRAIN),
    )


def load() -> tuple[float, ...]:
    """How many processes wanted a core in the last minute; nothing where the system does not tell."""
    return os.getloadavg()[:1] if hasattr(os, "getloadavg") else ()


def memory_bytes() -> int:
    """The memory that this process may use: of the machine, or of its container where that has less."""
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _CGROUP_LIMIT.read_text("ascii").strip() if _CGROUP_LIMIT.is_file() else "max"
    return min(pages, int(limit)) if limit.isdecimal() else pages


def resident_bytes() -> int | None:
    """The memory that this process holds now; None where the system does not tell."""
    return _said_in(Path("/proc/self/status"), "VmRSS:")


def available_bytes() -> int | None:
    """The memory that this machine can still give; None where the system does not tell."""
    return _said_in(Path("/proc/meminfo"), "MemAvailable:")


def _said_in(file: Path, name: str) -> int | None:
    """A number of kB in a file of Linux, as bytes."""
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(name)), None)


def processor() -> str:
    """Its name where the system tells, with the family and model that a cloud leaves out of it."""
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return platform.processor() or platform.machine()
    facts = dict(line.split(":", 1) for line in path.read_text().split("\n\n")[0].splitlines() if ":" in line)
    known = {name.strip(): value.strip() for name, value in facts.items()}
    named = known.get("model name", platform.machine())
    return f"{named}, family {known.get('cpu family', '?')}, model {known.get('model', '?')}"
