"""A sweep of two points and two seeds on a small world, run once."""

from pathlib import Path

import pytest

from safe_train.settings.sweep import SweepConfig
from safe_train.sweeps.result import SweepResult
from safe_train.sweeps.sweep import run_sweep

GRID = """
about: Which of two is enough?
options:
  {batch_size: 12, rows_per_forward: 12, bottleneck: 16, heads: 2, eval_steps: 4, validation_questions: 6,
   warm_up_steps: 2, steps: 24, answer_tokens: 4}
vary: {tokens: [2, 4], rank: [4]}
seeds: [0, 1]
latency_questions: 2
rules:
  - rule: smallest
    targets: [{metric: audio_gain, at_least: 0.9}, {metric: vl_drift, at_most: 0.5}]
  - {name: highest & best, rule: best, metric: audio_score}
"""


@pytest.fixture(scope="session")
def grid_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("grid") / "two_points.yaml"
    file.write_text(GRID)
    return file


@pytest.fixture(scope="session")
def swept(
    grid_file: Path, shards: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SweepConfig, SweepResult]:
    """A finished sweep, which tests must leave as it is."""
    out = tmp_path_factory.mktemp("swept") / "run"
    config = SweepConfig(str(grid_file), out, shards=(shards,), backbone=str(untaught), quiet=True)
    return config, run_sweep(config)
