"""config.yaml: the options of the command that ran, to be read or to be run again by --config."""

import platform
from importlib.metadata import version
from typing import Any

from safe_data.shards import CONFIG
from safe_data.storage import Root, open_storage

PACKAGES = ("safe-hearing", "numpy", "pyarrow", "soundfile", "soxr", "pillow", "librosa")


def write_config(root: Root, command: str, options: dict[str, Any]) -> None:
    """Write the options as YAML, under a comment with the versions that were used."""
    import yaml

    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    head = f"# safe-data {command}; Python {platform.python_version()}, {versions}\n"
    with open_storage(root).committing(CONFIG) as file:
        file.write((head + yaml.safe_dump(options, sort_keys=False, allow_unicode=True)).encode())
