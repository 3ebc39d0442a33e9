"""Gates, listening, variance and policy: one after another, on two small trainings."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tiny_plans import by_name, small_work, train_seeds

from safe_eval.predictions import read_predictions
from safe_train.experiments import gates, listening, policy, variance
from safe_train.experiments.experiment import Experiment, Finding, Work

SEEDS = (0, 1)
OPTIONS = {"steps": 4, "eval_steps": 0, "answer_tokens": 2, "tokens": (2, 4)}
LOOSE = 0.9  # so few groups rule out no small loss


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, shards: Path, untaught: Path) -> Work:
    """Two seeds of stage A with their answers, as a plan has them."""
    root = tmp_path_factory.mktemp("plan")
    earlier = {f"stage-a-{seed}": root / f"stage-a-{seed}" for seed in SEEDS}
    settings = {"kinds": ("always", "entropy"), "split": "test", "bound": LOOSE, "vl_bound": LOOSE}
    work = small_work(
        gates.EXPERIMENT,
        root / "gates",
        shards,
        untaught,
        earlier=earlier,
        seeds=SEEDS,
        options=OPTIONS,
        timed_questions=20,
        **settings,
    )
    train_seeds(work, ("full", "gate_off"))
    return work


@pytest.fixture(scope="module")
def gated(trained: Work) -> dict[str, Finding]:
    return by_name(gates.EXPERIMENT.run(trained))


def next_work(trained: Work, experiment: Experiment, **settings: object) -> Work:
    folder = trained.folder.parent / experiment.name
    folder.mkdir(exist_ok=True)
    earlier = {**trained.earlier, "gates": trained.folder}
    return replace(trained, settings=experiment.settings(**settings), folder=folder, earlier=earlier)


def test_each_gate_is_judged_and_only_the_first_decides(trained: Work, gated: dict[str, Finding]) -> None:
    skips = {kind: gated[f"{kind}: the_gate_skips_the_sound"] for kind in ("always", "entropy")}
    assert skips["always"].value == 0
    assert skips["always"].decision == "no-go"
    assert skips["always"].bound == ">= 0.2"
    assert (skips["always"].severity, skips["entropy"].severity) == ("critical", "warning")
    assert gated["always: answers_stay_quick"].value is not None  # a sample was asked alone
    rows = read_predictions(trained.folder / "entropy-1.jsonl")
    assert {row.model for row in rows} == {"base", "safe", "safe_always_on"}
    assert {row.seed for row in rows} == {1}


def test_the_trained_checkpoint_stays_as_it_is(trained: Work, gated: dict[str, Finding]) -> None:
    assert not (trained.earlier["stage-a-0"] / "adapter" / "gate").exists()


def test_listening_is_judged_by_both_criteria_and_stable(trained: Work, gated: dict[str, Finding]) -> None:
    found = by_name(listening.EXPERIMENT.run(next_work(trained, listening.EXPERIMENT, kind="entropy")))
    assert {name.partition(": ")[0] for name in found} == {"lomo", "irrelevance", "scores_are_stable"}
    assert found["scores_are_stable"].decision == "go"
    assert found["irrelevance: a_noisy_sound_still_helps"].decision != "not measured"


def test_seeds_share_what_they_answer_behind_a_closed_gate(trained: Work) -> None:
    found = by_name(variance.EXPERIMENT.run(next_work(trained, variance.EXPERIMENT)))
    assert found["the_frozen_path_is_one"].decision == "go"
    assert found["seeds_agree_on_sounds"].decision == "not measured"  # two seeds, and it asks for three

    rows = read_predictions(trained.earlier["stage-a-0"] / "predictions.jsonl")
    other = [msgspec.structs.replace(row, answer="x") if row.condition == "gate_off" else row for row in rows]
    assert variance.frozen_path([rows, other]).decision == "no-go"
    assert variance.frozen_path([rows]).decision == "not measured"


@pytest.mark.slow
def test_a_policy_is_judged(trained: Work, gated: dict[str, Finding]) -> None:
    loose = next_work(trained, policy.EXPERIMENT, kind="entropy", vl_bound=LOOSE, timed_questions=20)
    found = by_name(policy.EXPERIMENT.run(loose))
    assert found["the_gate_skips_the_sound"].bound == ">= 0.3"
    assert found["answers_stay_quick"].value is not None
    assert by_name(policy.EXPERIMENT.run(loose)) == found  # what is there is used again


def test_a_policy_says_why_there_is_none(trained: Work, gated: dict[str, Finding]) -> None:
    strict = next_work(trained, policy.EXPERIMENT, kind="entropy", vl_bound=0.0001)
    strict = replace(strict, folder=strict.folder.parent / "strict")  # other options are another folder
    found = by_name(policy.EXPERIMENT.run(strict))
    assert found["a_policy_is_learned"].decision == "not measured"
    assert "no budget is in the safe set" in found["a_policy_is_learned"].evidence
