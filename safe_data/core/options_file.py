"""options.yaml: the options and versions of a run; `--config options.yaml` runs it again."""

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from safe_data.core.files import write_bytes

OPTIONS = "options.yaml"
CORE = ("safe-hearing", "numpy", "pyarrow", "soundfile", "soxr", "pillow")
TRAIN = ("safe-hearing", "torch", "transformers", "accelerate", "tokenizers", "safetensors", "numpy")


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of the packages that are installed; others are left out, as they did not run.

    >>> list(installed_versions(["numpy", "no-such-package"]))
    ['numpy']
    """
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def options_yaml(command: str, options: Mapping[str, Any], packages: Iterable[str]) -> bytes:
    """The options of a command such as `safe-data build` as YAML, below a comment with the versions.

    Options that are None are left out: they were left to their default.
    """
    import yaml

    versions = ", ".join(f"{name} {number}" for name, number in installed_versions(packages).items())
    head = f"# {command}; Python {platform.python_version()}, {versions}\n"
    plain = {name: _plain(value) for name, value in options.items() if value is not None}
    return (head + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)).encode()


def write_options(
    folder: Path, command: str, options: Mapping[str, Any], packages: Iterable[str] = CORE
) -> Path:
    """Write options.yaml into a folder, whole or not at all, and return its path.

    Raises:
        InputError: the disk is full, or may not be written to.
    """
    return write_bytes(folder / OPTIONS, options_yaml(command, options, packages))


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
