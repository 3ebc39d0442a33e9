"""What a benchmark ran on: the first line it prints."""

import os
import platform
from importlib.metadata import version

from safe_train.profiling.machine import processor

LIBRARIES = ("numpy", "soundfile", "soxr", "librosa", "webdataset", "pyarrow", "torch", "transformers")


def describe() -> dict[str, object]:
    """Processor, cores, load of the last minute, Python and the libraries that do the work."""
    return {
        "cpu": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "load": os.getloadavg()[0],
        "threads_per_process": os.environ.get("OMP_NUM_THREADS", "all"),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }
