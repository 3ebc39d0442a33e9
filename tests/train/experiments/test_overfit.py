"""Overfit: so many questions are trained on, and these alone are asked."""

from pathlib import Path

import pytest
from tiny_plans import by_name, small_work

from safe_eval.predictions import read_predictions
from safe_train.corpora import Corpora
from safe_train.experiments import overfit
from safe_train.experiments.experiment import Finding, Work
from safe_train.experiments.overfit import EXPERIMENT, training_for
from safe_train.stages.stage_a import trained_questions


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, shards: Path, untaught: Path) -> Work:
    folder = tmp_path_factory.mktemp("heart") / "overfit"
    return small_work(EXPERIMENT, folder, shards, untaught, examples=24, steps=12)


@pytest.fixture(scope="module")
def findings(work: Work) -> dict[str, Finding]:
    return by_name(EXPERIMENT.run(work))


def test_only_the_questions_that_are_trained_on_are_asked(work: Work, findings: dict[str, Finding]) -> None:
    assert findings
    training = training_for(work)
    assert (training.data.examples, training.optim.steps, training.run.eval_steps) == (24, 12, 0)
    questions = trained_questions(training, Corpora(training.data.shards, "train"))
    trained = {questions.of(number).id for number in range(len(questions))}
    rows = read_predictions(work.folder / "predictions.jsonl")
    asked = {(row.model, row.condition): set() for row in rows}
    for row in rows:
        asked[row.model, row.condition].add(row.example_id)
    assert len(trained) == 24
    assert asked == dict.fromkeys([("base", "full"), ("safe", "full"), ("safe", "gate_off")], trained)


def test_the_criteria_and_the_losses_decide(work: Work, findings: dict[str, Finding]) -> None:
    assert {name: one.decision for name, one in findings.items()} == {
        "the_training_examples_are_learned": "no-go",  # 12 steps on an untaught base
        "gate_off_is_the_base": "go",
        "loss_is_near_zero": "no-go",
        "learning_curve_falls": "no-go",
        "no_divergence": "go",
    }
    assert all((work.folder / one.file).is_file() for one in findings.values())
    assert findings["loss_is_near_zero"].value is not None


def test_a_second_run_trains_and_asks_nothing(
    work: Work, findings: dict[str, Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(overfit, "_answers")
    assert by_name(EXPERIMENT.run(work)) == findings
