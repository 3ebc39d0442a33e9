"""A checkpoint whose gate skips about half of the questions, loaded once, behind services of these tests."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from made_requests import Start
from tiny_gates import add_entropy_gate

from safe_data.shards.dataset import ShardDataset
from safe_train.serve.app import make_app
from safe_train.serve.asked import Served
from safe_train.serve.server import load_served
from safe_train.serve.service import Service
from safe_train.settings.serve import ServeConfig

SHORT_ANSWERS = 4  # tokens; an untaught backbone seldom ends an answer by itself


@pytest.fixture(scope="session")
def gated(adapter: Path, shards: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gated") / "adapter"
    shutil.copytree(adapter, folder)
    add_entropy_gate(folder, untaught, ShardDataset(shards, "test"))
    return folder


@pytest.fixture(scope="session")
def served(gated: Path, untaught: Path) -> Served:
    return load_served(gated, backbone=untaught, config=ServeConfig(answer_tokens=SHORT_ANSWERS))


@pytest.fixture
def start(served: Served) -> Iterator[Start]:
    """A service of the checkpoint with these settings; `changes` are of what is served."""
    services: list[Service] = []

    def started(changes: dict[str, Any] | None = None, **settings: Any) -> Service:
        config = ServeConfig(**{"wait_ms": 0.0, "answer_tokens": SHORT_ANSWERS, **settings})
        services.append(Service(replace(served, **(changes or {})), config))
        return services[-1]

    yield started
    for service in services:
        service.end()


@pytest.fixture
def client(start: Start) -> Iterator[TestClient]:
    with TestClient(make_app(start())) as client:
        yield client
