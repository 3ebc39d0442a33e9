"""One corpus a file: `read(root)` yields its records. Adding one is a file, a line here, and a test."""

from collections.abc import Callable
from pathlib import Path

from safe_data.records import Records
from safe_data.sources import folder

SOURCES: dict[str, Callable[[Path], Records]] = {"folder": folder.read}
