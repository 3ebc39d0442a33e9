"""A run, and one that was resumed, are read back from the files of each tracker."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from accelerate import Accelerator
from tiny_runs import ordered_curves

from safe_data.core.errors import InputError
from safe_train.track import TRACKERS, accelerator_options, check_trackers, tracking
from safe_train.wandb_log import read_history, read_records, wait_for_end

CONFIG = {
    "optim": {"learning_rate": 0.003, "fused": True},
    "pathway": {"layers": (8, 16), "bottleneck": None},
}
FLAT = {"optim.learning_rate": "0.003", "pathway.layers": "[8, 16]", "pathway.bottleneck": "none"}
ENVIRONMENT = {
    "MLFLOW_RUN_ID": "another",
    "MLFLOW_TRACKING_URI": "sqlite:///another.db",
    "WANDB_MODE": "online",
}

Points = list[tuple[int, float]]


class Run(NamedTuple):
    """What can be read back of a run."""

    run_id: str
    curves: dict[str, Points]
    settings: dict[str, str]
    status: str


def train(folder: Path, name: str, steps: Iterable[int], value: float, resume_at: int | None = None) -> None:
    """Log the value at each step, and a validation every second step."""
    accelerator = Accelerator(**accelerator_options([name], folder))
    with tracking(accelerator, folder, CONFIG, resume_at=resume_at) as log:
        for step in steps:
            log({"loss": value}, step)
            if step % 2 == 0:
                log({"val/audio": value / 2}, step)


def tensorboard_runs(folder: Path) -> list[Run]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    read = EventAccumulator(str(folder / "tensorboard" / "safe")).Reload()
    curves = {
        tag: [(event.step, event.value) for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]
    }
    start = read.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    settings = {
        key: str(value.string_value or value.number_value)
        for key, value in HParamsPluginData.FromString(start).session_start_info.hparams.items()
    }
    return [Run("", curves, settings, "FINISHED")]


def mlflow_runs(folder: Path) -> list[Run]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("safe")
    assert experiment is not None
    assert Path(experiment.artifact_location) == folder / "mlflow"
    runs = []
    for run in client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"]):
        curves = {
            name: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
        }
        runs.append(Run(run.info.run_id, curves, run.data.params, run.info.status))
    return runs


def wandb_runs(folder: Path) -> list[Run]:
    """The runs whose sessions are in W&B's folder."""
    runs: dict[str, Run] = {}
    sessions = (folder / "wandb").glob("offline-run-*/run-*.wandb")
    for log in sorted(sessions, key=lambda path: path.stat().st_mtime_ns):
        settings, ended = wandb_settings(log)
        run = runs.setdefault(log.stem, Run(log.stem, {}, settings, ""))
        for name, step, value in read_history(log):
            run.curves.setdefault(name, []).append((step, value))
        runs[log.stem] = run._replace(status=ended)
    return list(runs.values())


def wandb_settings(log: Path) -> tuple[dict[str, str], str]:
    """The settings in the log of a session, and how it ended."""
    settings, ended = {}, ""
    for record in read_records(log):
        for item in record.config.update:
            settings[item.key or ".".join(item.nested_key)] = str(json.loads(item.value_json))
        if record.WhichOneof("record_type") == "exit":
            ended = "FAILED" if record.exit.exit_code else "FINISHED"
    return settings, ended


READ: dict[str, Callable[[Path], list[Run]]] = {
    "tensorboard": tensorboard_runs,
    "mlflow": mlflow_runs,
    "wandb": wandb_runs,
}


@pytest.fixture(scope="module", autouse=True)
def in_order() -> Iterator[None]:
    with ordered_curves():
        yield


@pytest.fixture(scope="module", params=TRACKERS)
def resumed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Six steps, then a resumption that begins at step 4; in an environment that would have it elsewhere."""
    folder = tmp_path_factory.mktemp("tracked") / "run #1, 100 %"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        train(folder, request.param, range(6), value=1.0)
        train(folder, request.param, range(4, 8), value=2.0, resume_at=4)
        left = {name: os.environ.get(name) for name in ENVIRONMENT}
    return SimpleNamespace(name=request.param, folder=folder, environment=left)


def test_a_resumed_run_is_one_run_with_one_value_per_step(resumed: Any) -> None:
    (run,) = READ[resumed.name](resumed.folder)
    # TensorBoard drops what the first session logged after the checkpoint; the others keep it.
    again = [2.0, 2.0] if resumed.name == "tensorboard" else [1.0, 1.0]
    assert run.curves["loss"] == list(enumerate([1.0] * 4 + again + [2.0] * 2))
    assert run.curves["val/audio"] == [(0, 0.5), (2, 0.5), (4, again[0] / 2), (6, 1.0)]
    assert {**run.settings, **FLAT} == run.settings
    assert run.status == "FINISHED"


def test_the_environment_is_neither_obeyed_nor_changed(resumed: Any) -> None:
    assert resumed.environment == ENVIRONMENT
    assert not Path("another.db").exists()
    assert not Path("mlruns").exists()


@pytest.mark.parametrize("name", TRACKERS)
def test_a_new_run_in_the_same_folder_is_another_run(name: str, tmp_path: Path) -> None:
    train(tmp_path, name, range(3), value=1.0)
    train(tmp_path, name, range(2), value=2.0)
    runs = READ[name](tmp_path)
    assert runs[-1].curves["loss"] == [(0, 2.0), (1, 2.0)]
    assert len({run.run_id for run in runs}) == (1 if name == "tensorboard" else 2)
    train(tmp_path, name, range(2, 4), value=3.0, resume_at=2)
    assert [run.run_id for run in READ[name](tmp_path)] == [run.run_id for run in runs]
    assert READ[name](tmp_path)[-1].curves["loss"] == [(0, 2.0), (1, 2.0), (2, 3.0), (3, 3.0)]


@pytest.mark.parametrize(
    ("ended_by", "status"), [(ValueError("broken"), "FAILED"), (KeyboardInterrupt(), "KILLED")]
)
@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_how_a_run_ended_is_stored(name: str, ended_by: BaseException, status: str, tmp_path: Path) -> None:
    with pytest.raises(type(ended_by)):
        train(tmp_path, name, broken_steps(ended_by), value=1.0)
    (run,) = READ[name](tmp_path)
    assert run.status == (status if name == "mlflow" else "FAILED")  # W&B knows only an exit code
    assert run.curves["loss"] == [(1, 1.0)]


def broken_steps(ended_by: BaseException) -> Iterator[int]:
    yield 1
    raise ended_by


KILLED = """
import sys, time
from pathlib import Path
from test_track import CONFIG, TRACKERS, Accelerator, accelerator_options, tracking

folder = Path(sys.argv[1])
with tracking(Accelerator(**accelerator_options(TRACKERS, folder)), folder, CONFIG) as log:
    for step in range(10):
        log({"loss": 1.0}, step)
        if step == 6:
            time.sleep(3)  # W&B writes once a second, and a step when the next one begins
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_a_killed_run_loses_nothing_that_is_older_than_a_second(tmp_path: Path) -> None:
    search = os.pathsep.join([*filter(None, sys.path), str(Path(__file__).parent)])
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    # An earlier test left W&B's service running; it would keep the run open after the process was killed.
    inherited = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**inherited, "PYTHONPATH": search}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.kill()
    for name in TRACKERS:
        train(tmp_path, name, range(6, 12), value=2.0, resume_at=6)
        (run,) = READ[name](tmp_path)
        assert [step for step, _ in run.curves["loss"]] == list(range(12))


def test_several_trackers_at_once_and_no_word_on_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    accelerator = Accelerator(**accelerator_options(TRACKERS, tmp_path))
    with tracking(accelerator, tmp_path, CONFIG) as log:
        log({"loss": 0.5}, 3)
    assert [READ[name](tmp_path)[0].curves for name in TRACKERS] == [{"loss": [(3, 0.5)]}] * 3
    assert capfd.readouterr() == ("", "")


def test_a_run_that_the_program_has_open_takes_nothing(tmp_path: Path) -> None:
    import wandb

    own = wandb.init(dir=str(tmp_path), mode="offline", settings=wandb.Settings(silent=True))
    own.log({"mine": 1.0})
    train(tmp_path / "run", "wandb", range(2), value=1.0)
    assert wandb.run is own
    assert dict(own.config) == {}
    own.finish()
    wait_for_end(Path(own.settings.sync_file))
    assert [run.curves for run in wandb_runs(tmp_path)] == [{"mine": [(0, 1.0)]}]
    assert [run.curves["loss"] for run in wandb_runs(tmp_path / "run")] == [[(0, 1.0), (1, 1.0)]]


def test_mlflow_is_refused_while_the_program_has_a_run_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'own.db'}")
    message = r"^the mlflow tracker: this program's run \w{32} is open; end it first$"
    with mlflow.start_run(), pytest.raises(InputError, match=message):
        train(tmp_path / "run", "mlflow", range(2), value=1.0)
    assert not (tmp_path / "run").exists()


def test_a_tracker_that_joins_a_resumed_run_starts_there(tmp_path: Path) -> None:
    train(tmp_path, "tensorboard", range(2), value=1.0)
    train(tmp_path, "mlflow", range(2, 4), value=1.0, resume_at=2)
    (run,) = mlflow_runs(tmp_path)
    assert run.curves["loss"] == [(2, 1.0), (3, 1.0)]
    assert run.settings["optim.learning_rate"] == "0.003"


def test_only_the_main_process_logs(tmp_path: Path) -> None:
    other: Any = SimpleNamespace(is_main_process=False, log_with=list(TRACKERS), trackers=[])
    with tracking(other, tmp_path / "run", CONFIG) as log:
        log({"loss": 1.0}, 0)
    assert list(tmp_path.iterdir()) == []


def test_no_tracker_writes_nothing(tmp_path: Path) -> None:
    accelerator = Accelerator(**accelerator_options([], tmp_path / "run"))
    with tracking(accelerator, tmp_path / "run", CONFIG) as log:
        log({"loss": 1.0}, 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tensorbord", "tracker 'tensorbord' is unknown; did you mean 'tensorboard'?"),
        ("comet", "tracker 'comet' is unknown; choose from tensorboard, mlflow, wandb"),
    ],
)
def test_an_unknown_tracker_is_refused_with_the_nearest_name(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        accelerator_options(["mlflow", name], tmp_path)


@pytest.mark.parametrize(
    ("name", "missing", "message"),
    [
        (
            "tensorboard",
            {"tensorboard"},
            "the tensorboard tracker needs tensorboard, which is not installed; "
            "run pip install '.[train]' in the SAFE project folder",
        ),
        (
            "mlflow",
            {"mlflow", "alembic"},
            "the mlflow tracker needs mlflow, alembic, which are not installed; "
            "run pip install '.[track]' in the SAFE project folder",
        ),
        (
            "wandb",
            {"wandb"},
            "the wandb tracker needs wandb, which is not installed; "
            "run pip install '.[track]' in the SAFE project folder",
        ),
    ],
)
def test_a_missing_library_is_a_sentence(
    name: str, missing: set[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda one: None if one in missing else found(one))
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check_trackers([name])
    check_trackers([one for one in TRACKERS if one != name])
