"""A plan on small shards, and experiments that are made for a test."""

from pathlib import Path

import pytest
from made_experiments import Use, plan_on

from safe_train.experiments.experiment import Experiment
from safe_train.plan import checklist, plan_file, steps
from safe_train.settings.plan import PlanConfig


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Let a plan have these experiments."""

    def these(*chosen: Experiment) -> None:
        by_name = {one.name: one for one in chosen}
        for module in (steps, checklist, plan_file):
            monkeypatch.setattr(module, "EXPERIMENTS", by_name)

    return these


@pytest.fixture
def plan(shards: Path, untaught: Path) -> PlanConfig:
    return plan_on(shards, untaught)
