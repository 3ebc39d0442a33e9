"""A scored run of hostile texts and missing fields, opened as the viewer opens it."""

from pathlib import Path

import pytest
from made_viewed import made_rows, scored_run

from safe_eval.prediction import Prediction
from safe_eval.viewer.viewed import Viewed, open_runs


@pytest.fixture(scope="session")
def rows() -> list[Prediction]:
    return made_rows()


@pytest.fixture(scope="session")
def run(rows: list[Prediction], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scored_run(tmp_path_factory.mktemp("viewer") / "mine", rows)


@pytest.fixture(scope="session")
def viewed(run: Path) -> Viewed:
    return open_runs([run])
