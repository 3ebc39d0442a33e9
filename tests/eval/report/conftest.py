"""One run, and what it was made of, for every test of the report; no test changes them."""

from pathlib import Path

import pytest
from made_run import made_answers, make_run, make_shards

from safe_eval.prediction import Prediction


@pytest.fixture(scope="package")
def shards(tmp_path_factory) -> Path:
    return make_shards(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="package")
def answers(shards) -> list[Prediction]:
    return made_answers(shards)


@pytest.fixture(scope="package")
def run(tmp_path_factory, answers) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "made", answers)
