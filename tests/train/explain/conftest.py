"""A random pathway whose answers depend on what it hears, its explainer, and one run of the command."""

import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import pytest
from explainers import explainer_of

from safe_data.shards.dataset import ShardDataset
from safe_eval.report.explanation import Explanation, read_explanation
from safe_train.base.backbone import Backbone
from safe_train.checkpoint import read_checkpoint
from safe_train.cli import main
from safe_train.explain.explained import Explainer
from safe_train.gates.scored_questions import ScoredQuestion, scored_questions
from safe_train.pathway.model import SafeModel
from safe_train.predict.predict import wanted_encoders
from safe_train.predict.sounds import Sounds

QUICK = ("--questions=30", "--checked=15", "--steps=2", "--stages=1", "--random-orders=1", "--quiet")


class Typed(NamedTuple):
    """What a command left: its exit code, its lines, its folder, and the explanation in it."""

    code: int
    lines: list[str]
    out: Path
    found: Explanation


def typed(out: Path, *words: str) -> Typed:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = main(["explain", *words, "--out", str(out), *QUICK])
    return Typed(code, said.getvalue().splitlines(), out, read_explanation(out / "explain.json"))


@pytest.fixture(scope="session")
def explained(adapter: Path, shards: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory) -> Typed:
    out = tmp_path_factory.mktemp("explained") / "explain"
    return typed(out, str(adapter), str(shards), "--backbone", str(untaught))


@pytest.fixture
def sounds(adapter: Path, test_split: ShardDataset) -> Sounds:
    return Sounds(test_split, wanted_encoders(read_checkpoint(adapter)))


@pytest.fixture
def explainer(model: SafeModel, backbone: Backbone, test_split: ShardDataset, sounds: Sounds) -> Explainer:
    return explainer_of(model, backbone, test_split, sounds)


@pytest.fixture
def asked(test_split: ShardDataset) -> list[ScoredQuestion]:
    """A question about the picture and one about the sound, of several clips."""
    return scored_questions(test_split)[0][1:12:2]
