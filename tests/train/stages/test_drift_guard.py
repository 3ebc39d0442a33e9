"""A run that is shown to drift is stopped once and for all; its best state is what it leaves."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_runs import differing, files_of, interrupt, killing, lines_of, small_run

from safe_data.core.errors import InputError
from safe_train.checkpoint import read_checkpoint
from safe_train.cli import main
from safe_train.retention.drift import DriftedError, drift_metrics
from safe_train.run_state import Best
from safe_train.settings.train import RunConfig
from safe_train.stages.drift_guard import DriftGuard
from safe_train.stages.evaluation import Evaluation
from safe_train.stages.stage_a import stage_a


def metrics(audio: float, lost: int, n: int = 200) -> dict[str, float]:
    """An evaluation that lost so many of n answers to an irrelevant sound."""
    base, right, groups = np.ones(n, bool), np.arange(n) >= lost, np.arange(n)
    found = {"audio_accuracy": audio, "vl_questions": float(n)}
    found |= drift_metrics("vl", base, right, groups, 0.1)
    return found | drift_metrics("vl_silent", base, base, groups, 0.1)


def best_of(*evaluations: tuple[float, int], **settings: Any) -> Best | None:
    guard = DriftGuard(RunConfig(Path("out"), **settings), None)
    for step, (audio, lost) in enumerate(evaluations):
        guard.keep_if_best(step, metrics(audio, lost))
    return guard.best


def test_the_best_state_hears_best_among_those_not_shown_to_have_drifted() -> None:
    assert best_of((0.5, 0), (0.7, 1), (0.6, 0), (0.9, 6)) == Best(1, 0.7, 0.005)
    assert best_of((0.5, 1), (0.5, 0)) == Best(1, 0.5, 0.0)  # as much heard, and less lost
    assert best_of((0.5, 0), (0.9, 4)) == Best(0, 0.5, 0.0)  # 2 points: not shown, but not within either
    assert best_of((0.5, 4), (0.4, 4)) == Best(0, 0.5, 0.02)
    assert best_of((0.5, 30)) is None
    assert best_of((0.5, 30), drift_stop=None) is None
    assert best_of((0.5, 30), drift_stop=0.2) == Best(0, 0.5, 0.15)


def test_a_warning_comes_where_drift_begins_to_be_shown() -> None:
    guard = DriftGuard(RunConfig(Path("out")), None)
    found = [guard.warnings(step, metrics(0.5, lost)) for step, lost in enumerate((2, 4, 4, 0, 4))]
    said = "VL questions are shown to lose more than 0.5 points with an irrelevant sound"
    advice = "raise --kl-weight, or give vl a larger weight"
    assert found == [[], [f"step 1: {said}; {advice}"], [], [], [f"step 4: {said}; {advice}"]]
    assert [guard.stops(metrics(0.5, lost)) for lost in (0, 4, 5)] == [False, False, True]


Drifting = Callable[[Sequence[int]], None]


@pytest.fixture
def drifting(monkeypatch: pytest.MonkeyPatch) -> Drifting:
    """Let evaluations find that so many answers were lost, one number after another."""

    def drifting(lost: Sequence[int]) -> None:
        found = iter(lost)
        monkeypatch.setattr(Evaluation, "__call__", lambda *_: metrics(0.5, next(found)))

    return drifting


@pytest.fixture
def train(audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path) -> Callable[..., None]:
    def train(name: str = "out", **changes: Any) -> None:
        stage_a(small_run(tmp_path / name, (audio_only, vl_only), untaught, eval_steps=2, **changes))

    return train


def test_a_run_that_drifts_stops_and_leaves_its_best_state(
    train: Callable[..., None], drifting: Drifting, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    drifting([0, 1, 20])
    with pytest.raises(DriftedError) as stopped, pytest.warns(RuntimeWarning, match="step 6: VL questions"):
        train()
    assert "stopped after step 6, because VL questions lose 10.0 points" in str(stopped.value)
    assert "the best state before, of step 2: audio accuracy 0.500, drift 0.0 points" in str(stopped.value)
    assert len(lines_of(out / "losses.jsonl")) == 6
    assert read_checkpoint(out).config.step == 2
    best = (out / "run/step-2/pathway.safetensors").read_bytes()
    assert (out / "adapter.safetensors").read_bytes() == best
    assert (out / "run/step-6").is_dir()  # the state in which it was stopped
    before = files_of(out)
    drifting([])  # the same command takes no step, and says the same
    with pytest.raises(DriftedError) as again:
        train()
    assert str(again.value) == str(stopped.value)
    assert files_of(out) == before
    with pytest.raises(InputError, match=r"options\.run\.drift_stop: 0\.01 there, 0\.2 here"):
        train(drift_stop=0.2)
    drifting([0, 1, 20, 20])
    with pytest.warns(RuntimeWarning):
        train(drift_stop=0.2, force=True)
    assert read_checkpoint(out).config.step == 8


def test_a_run_whose_every_state_drifted_leaves_no_adapter(
    train: Callable[..., None], drifting: Drifting, tmp_path: Path
) -> None:
    for lost in ([20], []):
        drifting(lost)
        with pytest.raises(DriftedError, match=r"(?s)stopped after step 2, .*no adapter is written"):
            train(drift_warning=0.5)
        assert not (tmp_path / "out/config.json").exists()
        assert len(lines_of(tmp_path / "out/losses.jsonl")) == 2


def test_a_last_state_that_drifted_is_not_published(
    train: Callable[..., None], drifting: Drifting, tmp_path: Path
) -> None:
    drifting([0, 0, 0, 20])
    with pytest.raises(DriftedError, match="stopped after step 8"):
        train(drift_warning=0.5)
    assert read_checkpoint(tmp_path / "out").config.step == 2


def test_a_run_interrupted_before_it_drifts_ends_with_the_same_bytes(
    train: Callable[..., None], drifting: Drifting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drifting([0, 1, 20, 0, 1, 20])
    with pytest.raises(DriftedError):
        train("whole", drift_warning=0.5)
    for step in (4, 5):  # before the last evaluation, and right after it
        with monkeypatch.context() as patch:
            killing(patch, "_show", step, interrupt)
            with pytest.raises(KeyboardInterrupt):
                train(drift_warning=0.5)
    with pytest.raises(DriftedError):
        train(drift_warning=0.5)
    assert differing(tmp_path / "whole", tmp_path / "out") == []


def test_the_command_exits_with_1_and_says_so_again(
    shards: Path, untaught: Path, drifting: Drifting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["stage-a", str(shards), "--config=demo", f"--backbone={untaught}", f"--out={tmp_path / 'out'}"]
    quick = ["--steps=4", "--batch-size=6", "--eval-steps=1", "--tracker=none", "--quiet"]
    said = []
    for lost in ([0, 20], []):
        drifting(lost)
        assert main([*words, *quick, "--drift-warning=0.5"]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        said.append(printed.err)
    assert said[0] == said[1]
    assert said[0].startswith(f"safe-train stage-a: {tmp_path / 'out'}: stopped after step 2, because VL ")
