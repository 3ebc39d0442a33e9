"""What a benchmark ran on: the first line it prints."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("numpy", "soundfile", "soxr", "librosa", "webdataset", "pyarrow", "torch", "transformers")


def describe() -> dict[str, object]:
    """Processor, cores, load of the last minute, Python and the libraries that do the work."""
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "load": os.getloadavg()[0],
        "threads_per_process": os.environ.get("OMP_NUM_THREADS", "all"),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    """Its name where the system tells, with the family and model that a cloud leaves out of it."""
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return platform.processor() or platform.machine()
    facts = dict(line.split(":", 1) for line in path.read_text().split("\n\n")[0].splitlines() if ":" in line)
    known = {name.strip(): value.strip() for name, value in facts.items()}
    named = known.get("model name", platform.machine())
    return f"{named}, family {known.get('cpu family', '?')}, model {known.get('model', '?')}"
