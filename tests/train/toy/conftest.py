"""A written world for the toy's tests."""

from pathlib import Path

import pytest

from safe_data.records import Record
from safe_data.sources.all_sources import SOURCES
from safe_data.sources.synthetic.world import write_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """The folder of a world of 24 clips, and its records."""
    root = tmp_path_factory.mktemp("toy-world") / "world"
    write_world(root, clips=24, seed=0)
    return root, [record for record in SOURCES["folder"](root) if isinstance(record, Record)]
