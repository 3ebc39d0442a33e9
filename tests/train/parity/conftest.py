"""The VL questions of a dataset without sounds, as VQAv2 is, and settings that compare them quickly."""

from pathlib import Path

import pytest
from tiny_checkpoints import SHAPE

from safe_data.shards.dataset import ShardDataset
from safe_train.base.dialogue import Question
from safe_train.parity.comparison import all_questions
from safe_train.settings.backbone import AskingConfig, BackboneConfig
from safe_train.settings.parity import ParityConfig


@pytest.fixture
def config(vl_only: Path, untaught: Path) -> ParityConfig:
    return ParityConfig(
        vl_only,
        BackboneConfig(str(untaught)),
        pathway=SHAPE,
        seeds=(0, 1),
        batch_size=6,
        repeats=8,
        quiet=True,
    )


@pytest.fixture
def asked(vl_only: Path) -> list[Question]:
    return all_questions(ShardDataset(vl_only, "test"), AskingConfig(), vl_only=True)[:10]
