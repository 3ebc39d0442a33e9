"""Track: the curves of a run in TensorBoard, MLflow or W&B, through accelerate. Nothing leaves the machine.

    FOLDER/tensorboard/    tensorboard --logdir FOLDER/tensorboard
    FOLDER/mlflow.db       mlflow ui --backend-store-uri sqlite:///FOLDER/mlflow.db
    FOLDER/wandb/          wandb sync FOLDER/wandb/offline-run-*

    accelerator = Accelerator(**accelerator_options(names, folder))
    with tracking(accelerator, folder, config, resume_at=120) as log:
        log({"loss": 0.4}, step)

A resumed run goes on in the same run, and each of its curves has one value per step. What an earlier session
logged after its last checkpoint is logged again: TensorBoard drops the earlier value, and MLflow and W&B keep
it, because they cannot delete one. Of a W&B run, a killed process may lose the last step and the last second.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from safe_data.core.errors import InputError, did_you_mean, require_extra
from safe_data.core.files import explaining
from safe_train.wandb_log import read_history, wait_for_end

if TYPE_CHECKING:
    from accelerate import Accelerator

TRACKERS = ("tensorboard", "mlflow", "wandb")
PROJECT = "safe"  # TensorBoard's run, MLflow's experiment, W&B's project
MLFLOW_DATABASE = "mlflow.db"

Log = Callable[[Mapping[str, float], int], None]  # values by name, and the step
Setting = str | int | float | bool

# accelerate prefers these to what it is told.
_MLFLOW_VARIABLES = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TAGS", "MLFLOW_NESTED_RUN")
_WANDB_FLUSH_SECONDS = 1.0  # W&B's own 15 seconds would be lost with a killed process


class Earlier(NamedTuple):
    """What a tracker's folder knows of a run: its id, or None, and the last step of each value."""

    run_id: str | None = None
    last_steps: Mapping[str, int] = {}


def check_trackers(names: Sequence[str]) -> None:
    """Refuse a tracker that does not exist, or whose library is not installed.

    Raises:
        InputError: a name is not in `TRACKERS`, or an extra is missing.
    """
    for name in names:
        if name not in TRACKERS:
            hint = did_you_mean(name, TRACKERS, f"choose from {', '.join(TRACKERS)}")
            raise InputError(f"tracker {name!r} is unknown; {hint}")
    if "tensorboard" in names:
        require_extra("the tensorboard tracker", "train", "tensorboard")
    if "mlflow" in names:
        require_extra("the mlflow tracker", "track", "mlflow", "sqlalchemy", "alembic")
    if "wandb" in names:
        require_extra("the wandb tracker", "track", "wandb")


def accelerator_options(names: Sequence[str], folder: Path) -> dict[str, Any]:
    """What `Accelerator` is to be made with, so that `tracking` can log to these trackers.

    Raises:
        InputError: see `check_trackers`.
    """
    from accelerate.utils import ProjectConfiguration

    check_trackers(names)
    logging_dir = str(folder / "tensorboard")
    return {"log_with": list(names) or None, "project_config": ProjectConfiguration(str(folder), logging_dir)}


@contextmanager
def tracking(
    accelerator: "Accelerator", folder: Path, config: Mapping[str, object], *, resume_at: int | None = None
) -> Iterator[Log]:
    """Start or resume the accelerator's trackers, and close them at the end with how the run ended.

    Only the main process logs; in others, `log` does nothing.

    Args:
        accelerator: made with `accelerator_options`
        folder: the folder given there
        config: settings of the run, nested or flat
        resume_at: the first step that this process logs, if it continues the run in `folder`; None starts a
            new run

    Raises:
        InputError: the caller's program has a run of MLflow open, or the disk is full.
    """
    earlier: Mapping[str, Earlier] = {}
    previous_uri = None
    names = [str(name) for name in accelerator.log_with] if accelerator.is_main_process else []
    if "mlflow" in names:
        previous_uri = _use_mlflow(folder)
    status = "FAILED"
    try:
        if names:
            folder.mkdir(parents=True, exist_ok=True)  # else W&B writes to a temporary folder
            earlier = _start(accelerator, names, folder, flat(config), resume_at)

        def log(values: Mapping[str, float], step: int) -> None:
            for tracker in accelerator.trackers:
                last = earlier[tracker.name].last_steps
                new = {name: float(value) for name, value in values.items() if step > last.get(name, -1)}
                if new:
                    with explaining(folder):
                        tracker.log(new, step=step)

        yield log
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        with explaining(folder):
            _close(accelerator, status)
        if "mlflow" in names:
            _restore_mlflow(previous_uri)


def flat(config: Mapping[str, object], within: str = "") -> dict[str, Setting]:
    """Nested settings as one level of numbers and texts, which every tracker accepts.

    >>> flat({"optim": {"learning_rate": 0.001}, "pathway": {"layers": (8, 16), "bottleneck": None}})
    {'optim.learning_rate': 0.001, 'pathway.layers': '[8, 16]', 'pathway.bottleneck': 'none'}
    """
    settings: dict[str, Setting] = {}
    for key, value in config.items():
        name = within + key
        if isinstance(value, Mapping):
            settings |= flat(value, f"{name}.")
        elif isinstance(value, (str, int, float)):
            settings[name] = value
        elif isinstance(value, (list, tuple)):
            settings[name] = json.dumps(value, default=str)
        else:
            settings[name] = "none" if value is None else str(value)
    return settings


def _start(
    accelerator: "Accelerator",
    names: Sequence[str],
    folder: Path,
    settings: dict[str, Setting],
    resume_at: int | None,
) -> dict[str, Earlier]:
    """Start every tracker, store the settings in new runs, and return what was logged earlier."""
    earlier = {name: Earlier() for name in names}
    options: dict[str, dict[str, Any]] = {"tensorboard": {"purge_step": resume_at or 0}}
    if "mlflow" in names:
        if resume_at is not None:
            earlier["mlflow"] = _mlflow_earlier()
        artifacts = str((folder / "mlflow").absolute())
        options["mlflow"] = {"logging_dir": artifacts, "run_id": earlier["mlflow"].run_id}
        options["mlflow"]["run_name"] = folder.absolute().name
    if "wandb" in names:
        if resume_at is not None:
            earlier["wandb"] = _wandb_earlier(folder / "wandb")
        options["wandb"] = _wandb_options(folder, earlier["wandb"].run_id)
    with _without_variables(_MLFLOW_VARIABLES):
        accelerator.init_trackers(PROJECT, init_kwargs=options)
    for tracker in accelerator.trackers:
        if tracker.name == "tensorboard":
            if resume_at is None:
                # Not store_init_configuration: it makes two more runs, each named after the time.
                tracker.writer.add_hparams(settings, {}, run_name=".")
        elif tracker.name == "wandb":
            # Not store_init_configuration: it changes the run that the caller's program has open.
            tracker.run.config.update(settings)
        elif earlier[tracker.name].run_id is None:
            tracker.store_init_configuration(settings)
    return earlier


def _close(accelerator: "Accelerator", status: str) -> None:
    """Close every tracker; not by `end_training`, which also ends the process group."""
    for tracker in accelerator.trackers:
        if tracker.name == "mlflow":
            import mlflow

            with _without_variables(_MLFLOW_VARIABLES):  # it would remove one
                mlflow.end_run(status)
        elif tracker.name == "wandb":
            tracker.run.finish(exit_code=0 if status == "FINISHED" else 1)
            wait_for_end(Path(tracker.run.settings.sync_file))
        else:
            tracker.finish()
    accelerator.trackers.clear()


def _use_mlflow(folder: Path) -> str | None:
    """Make MLflow write to a database in the folder, and return the address that it used before.

    Raises:
        InputError: the caller's program has a run open, which would take our values.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow

    if (active := mlflow.active_run()) is not None:
        raise InputError(f"the mlflow tracker: this program's run {active.info.run_id} is open; end it first")
    for noisy in ("mlflow.store.db.utils", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    previous = os.environ.get("MLFLOW_TRACKING_URI")  # which set_tracking_uri sets too
    folder.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(f"sqlite:///{(folder / MLFLOW_DATABASE).absolute()}")
    return previous


def _restore_mlflow(previous_uri: str | None) -> None:
    """Make MLflow write where the caller's program had it write."""
    import mlflow

    mlflow.set_tracking_uri(previous_uri)  # type: ignore[arg-type]  # None unsets it


def _mlflow_earlier() -> Earlier:
    """The latest run in MLflow's database."""
    from mlflow import MlflowClient

    client = MlflowClient()
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments, order_by=["attributes.start_time DESC"], max_results=1)
    if not runs:
        return Earlier()
    run_id = str(runs[0].info.run_id)
    last = {
        name: max(int(metric.step) for metric in client.get_metric_history(run_id, name))
        for name in runs[0].data.metrics
    }
    return Earlier(run_id, last)


def _wandb_options(folder: Path, run_id: str | None) -> dict[str, Any]:
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    settings = wandb.Settings(
        reinit="create_new",  # else a run that the caller's program has open would take our values
        silent=True,
        console="off",  # it would copy our progress bars into the run
        x_disable_machine_info=True,  # it asks the network which cloud this is
        x_transaction_log_flush_interval=_WANDB_FLUSH_SECONDS,
    )
    resume = {"id": run_id, "resume": "allow"} if run_id else {}
    name = folder.absolute().name
    return {"dir": str(folder), "mode": "offline", "name": name, "settings": settings, **resume}


def _wandb_earlier(folder: Path) -> Earlier:
    """The latest run in W&B's folder, which has a folder and a log per session."""
    logs = sorted(folder.glob("offline-run-*/run-*.wandb"), key=_when)
    if not logs:
        return Earlier()
    last: dict[str, int] = {}
    for path in logs:
        if path.name == logs[-1].name:
            for name, step, _ in read_history(path):
                last[name] = max(step, last.get(name, -1))
    return Earlier(logs[-1].stem.removeprefix("run-"), last)


def _when(log: Path) -> tuple[str, int]:
    """When a session was: the second in its folder's name, then the time of the last change."""
    return "-".join(log.parent.name.split("-")[:3]), log.stat().st_mtime_ns


@contextmanager
def _without_variables(names: Sequence[str]) -> Iterator[None]:
    """Hide environment variables inside the `with` block."""
    hidden = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
