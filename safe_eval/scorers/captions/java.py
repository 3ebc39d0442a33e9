"""Java: where it is, and where the jars of pycocoevalcap are.

The Python code of pycocoevalcap is not run: it writes into its own folder, downloads models, and leaves a
process behind when it fails.
"""

import importlib.util
import shutil
from pathlib import Path

from safe_data.core.errors import install_extra


def find_java() -> str | None:
    """The path of the `java` command, or None."""
    return shutil.which("java")


def find_jar(*parts: str) -> Path | None:
    """The path of a file in pycocoevalcap, or None if either is missing."""
    found = importlib.util.find_spec("pycocoevalcap")
    folders = found.submodule_search_locations if found else None
    paths = [Path(folder, *parts) for folder in folders or ()]
    return next((path for path in paths if path.is_file()), None)


def missing(metric: str, jar: Path | None) -> str | None:
    """Why a metric cannot be measured here, and what to install; None if it can."""
    if find_java() is None:
        return f"{metric} is not measured: there is no java on the PATH; install a Java runtime, 8 or later"
    if jar is None:
        return f"{metric} is not measured: pycocoevalcap is not installed; {install_extra('captions')}"
    return None
