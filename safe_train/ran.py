"""config.yaml: what ran, to be read or to be run again by --config."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safe_data.shards import CONFIG, committing

PACKAGES = ("safe-hearing", "torch", "transformers", "accelerate", "tokenizers", "safetensors", "numpy")


def write_config(folder: Path, command: str, options: Mapping[str, Any]) -> None:
    """Write a command's options as YAML, under a comment with the versions that were used."""
    import yaml

    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    head = f"# safe-train {command}; Python {platform.python_version()}, {versions}\n"
    plain = {name: _plain(value) for name, value in options.items() if value is not None}
    folder.mkdir(parents=True, exist_ok=True)
    with committing(folder / CONFIG) as file:
        file.write((head + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)).encode())


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
