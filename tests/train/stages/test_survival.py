"""A run that is stopped at any moment and started again ends with the same bytes as one that was not."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import msgspec
import pytest
import yaml
from tiny_runs import Killed, differing, files_of, interrupt, kill, killing, lines_of, small_run, terminate

from safe_data.core.errors import InputError
from safe_train import batches as batches_module
from safe_train.presets import preset_config
from safe_train.retention.distillation import Teacher
from safe_train.run_state import State
from safe_train.stages import loop
from safe_train.stages import stage_a as stage_a_module
from safe_train.stages.stage_a import stage_a

Run = Callable[..., None]
Whole = Callable[[str], Path]
# Four stages: the first ends by its steps, the second by its metric, and the third is extended, in vain.
STAGES = {
    "stages": [
        {"name": "sounds", "weights": {"audio": 1, "vl": 1}, "until": {"steps": 2}},
        {
            "name": "heard",
            "weights": {"audio": 2, "muted": 1, "vl": 1},
            "until": {"metric": "audio_accuracy", "at_least": 0, "patience": 2, "steps": 7},
        },
        {
            "name": "kept",
            "weights": {"audio": 1, "vl": 2},
            "until": {"metric": "vl_kl", "at_most": -1, "steps": 2, "extend_steps": 2},
        },
        {"name": "all", "weights": {"audio": 1, "muted": 1, "vl": 1}},
    ]
}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "gate": {"gate_warm_up": "linear", "gate_warm_up_steps": 5, "schedule": "constant", "workers": 3},
    "budgets": {"tokens": (2, 4)},
    "full teacher": {},
    "curriculum": {"steps": 12, "eval_steps": 1},
}


@pytest.fixture(scope="module")
def begin(audio_only: Path, vl_only: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a variant in a folder."""
    stages = tmp_path_factory.mktemp("curriculum") / "stages.yaml"
    stages.write_text(yaml.safe_dump(STAGES))

    def begin(out: Path, variant: str, **changes: Any) -> None:
        settings = VARIANTS[variant] | changes
        if variant == "curriculum":
            settings["curriculum"] = stages
        with pytest.MonkeyPatch.context() as patch:
            if variant == "gate":  # and rows of each length for themselves
                patch.setattr(batches_module, "FORWARD_COST_TOKENS", 1)
            if variant == "full teacher":
                patch.setattr(stage_a_module, "Teacher", partial(Teacher, capacity_bytes=4000))
            stage_a(small_run(out, (audio_only, vl_only), untaught, **settings))

    return begin


@pytest.fixture(scope="module")
def undisturbed(begin: Run, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A run of a variant that nothing stopped."""

    @cache
    def undisturbed(variant: str) -> Path:
        out = tmp_path_factory.mktemp("undisturbed") / variant
        begin(out, variant)
        return out

    return undisturbed


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "stopped"


def stop(begin: Run, out: Path, variant: str, method: str, step: int, how: Callable[[], None]) -> None:
    """Run until the run is stopped in this step."""
    with pytest.MonkeyPatch.context() as patch:
        killing(patch, method, step, how)
        with pytest.raises(Killed if how is kill else KeyboardInterrupt):
            begin(out, variant)


@pytest.mark.parametrize("variant", VARIANTS)
def test_kills_and_interruptions_change_nothing(
    begin: Run, undisturbed: Whole, out: Path, variant: str
) -> None:
    stop(begin, out, variant, "_end_epoch", 0, kill)  # before the first state
    assert not list(out.glob("run/step-*"))
    stop(begin, out, variant, "_end_epoch", 4, kill)  # an epoch's last step: its line is written
    assert [line["step"] for line in lines_of(out / "losses.jsonl")] == list(range(5))
    stop(begin, out, variant, "_show", 4, interrupt)
    assert (out / "run/step-5").is_dir()
    stop(begin, out, variant, "_show", 6, terminate)
    assert (out / "run/step-7").is_dir()
    stop(begin, out, variant, "step", 7, kill)
    assert not (out / "config.json").exists()
    begin(out, variant)
    assert differing(undisturbed(variant), out) == []


def test_a_run_of_one_step_at_a_time_ends_the_same(begin: Run, undisturbed: Whole, out: Path) -> None:
    """So a run begins at each boundary of a stage, one step before it and one after it."""
    for step in range(VARIANTS["curriculum"]["steps"]):
        stop(begin, out, "curriculum", "_show", step, interrupt)
    begin(out, "curriculum")
    assert differing(undisturbed("curriculum"), out) == []


def test_each_stage_of_the_curriculum_ended_as_it_should(undisturbed: Whole) -> None:
    """Else the tests above would prove nothing about it."""
    stages = [line["stage"] for line in lines_of(undisturbed("curriculum") / "losses.jsonl")]
    # By its steps; by its metric at the second evaluation; two planned steps and two more; to the end.
    assert stages == ["sounds"] * 2 + ["heard"] * 2 + ["kept"] * 4 + ["all"] * 4


def test_one_teacher_had_no_room_for_all_answers(undisturbed: Whole) -> None:
    full, plain = (
        msgspec.json.decode((undisturbed(variant) / "run/step-8/state.json").read_bytes(), type=State).taught
        for variant in ("full teacher", "plain")
    )
    assert 0 < full < plain


def test_what_the_teacher_computed_after_the_last_state_is_computed_again(
    begin: Run, undisturbed: Whole, out: Path
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "save", killed)
        with pytest.raises(Killed):
            begin(out, "plain")
    teacher = out / "run/teacher"
    assert [file.name for file in teacher.iterdir()] == ["3-0.safetensors"]
    stop(begin, out, "plain", "_show", 1, interrupt)  # a state before the one that was not saved
    assert [file.name for file in teacher.iterdir()] == ["2-0.safetensors"]
    begin(out, "plain")
    assert differing(undisturbed("plain"), out) == []


def test_what_a_kill_left_half_written_is_removed(begin: Run, undisturbed: Whole, out: Path) -> None:
    stop(begin, out, "plain", "step", 4, kill)
    for name in (
        ".adapter.safetensors.1a2b.tmp",
        "run/step-5.tmp/x",
        "run/teacher/.5-0.safetensors.1a2b.tmp",
    ):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(b"half")
    with (out / "losses.jsonl").open("ab") as log:
        log.write(b'{"step":5,"lo')
    begin(out, "plain")
    assert differing(undisturbed("plain"), out) == []


def test_a_kill_between_the_last_step_and_the_checkpoint(
    begin: Run, undisturbed: Whole, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("publish", "finish"):
        with monkeypatch.context() as patch:
            patch.setattr(stage_a_module, name, lambda *_: kill())
            with pytest.raises(Killed):
                begin(out, "plain")
    assert differing(undisturbed("plain"), out) == [
        "run/teacher/3-0.safetensors",
        "run/teacher/4-0.safetensors",
        "run/teacher/6-0.safetensors",
        "run/teacher/8-0.safetensors",
    ]
    begin(out, "plain")
    assert differing(undisturbed("plain"), out) == []


def test_settings_that_teach_nothing_may_change(begin: Run, undisturbed: Whole, out: Path) -> None:
    stop(begin, out, "plain", "_show", 3, interrupt)
    begin(out, "plain", workers=1, checkpoint_steps=5)
    assert differing(undisturbed("plain"), out) == []


@pytest.fixture(scope="module")
def half(begin: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped after 6 of 8 steps; its best state is that of step 4."""
    out = tmp_path_factory.mktemp("half") / "out"
    stop(begin, out, "plain", "_show", 5, interrupt)
    return out


def remove(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("losses.jsonl", cut, r"has 3,\d+ bytes, step-6 was saved when it had 3,\d+; restore it, or add"),
        ("evaluations.jsonl", remove, "has 0 bytes, step-6 was saved when it had"),
        ("run/teacher/3-0.safetensors", remove, r"teacher: holds \d+ answers of the teacher, the last state"),
        ("run/teacher/4-0.safetensors", cut, "4-0.safetensors: is damaged"),
        ("run/step-6/pathway.safetensors", cut, "step-6: is damaged"),
        ("run/step-6/state.json", remove, "step-6: is damaged"),
    ],
    ids=["log cut", "log lost", "teacher lost", "teacher cut", "weights cut", "state lost"],
)
def test_damage_is_a_sentence_and_repaired_or_started_over_the_run_ends_the_same(
    name: str,
    damage: Callable[[Path], None],
    message: str,
    begin: Run,
    undisturbed: Whole,
    half: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    shutil.copytree(half, out)
    damage(out / name)
    before = files_of(out)
    with pytest.raises(InputError, match=message):
        begin(out, "plain")
    assert files_of(out) == before
    if "step-6" in name:
        shutil.rmtree(out / "run/step-6")  # as the message says
        begin(out, "plain")
    elif name == "losses.jsonl":
        begin(out, "plain", force=True)
    else:
        (out / name).write_bytes((half / name).read_bytes())
        begin(out, "plain")
    assert differing(undisturbed("plain"), out) == []


class Command:
    """The real command in a process of its own, on the two datasets."""

    def __init__(self, shards: tuple[Path, ...], backbone: Path, **options: object) -> None:
        chosen = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        words = ["stage-a", *map(str, shards), "--config=demo", f"--backbone={backbone}", *chosen]
        code = "import sys; from safe_train.cli import main; sys.exit(main())"
        self._words = [sys.executable, "-c", code, *words]

    def start(self, out: Path) -> "subprocess.Popen[str]":
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        words = [*self._words, f"--out={out}"]
        return subprocess.Popen(
            words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def stop(self, out: Path, number: signal.Signals, after: float, lines: int = 1) -> tuple[int, str]:
        """Send a signal this long after the run wrote so many lines; return the exit code and the errors."""
        log = out / "losses.jsonl"
        process = self.start(out)
        before, deadline = size_of(log), time.monotonic() + 90
        while process.poll() is None and time.monotonic() < deadline:
            # A run that goes on cuts the log where its state was saved, and then writes.
            if size_of(log) != before and size_of(log) and log.read_bytes().count(b"\n") >= lines:
                break
            time.sleep(0.005)
        time.sleep(after)
        process.send_signal(number)
        errors = process.communicate(timeout=60)[1]
        return process.returncode, errors

    def finish(self, out: Path) -> str:
        """Run to the end; return what was printed."""
        process = self.start(out)
        printed, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        return printed


def size_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


@pytest.mark.slow  # ten seconds and more; kills within a process are tried every time
def test_the_command_survives_a_kill_and_a_preemption(
    audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path
) -> None:
    """What the command began, the function ends, with the bytes of the function alone."""
    options = {"steps": 50, "batch_size": 20, "checkpoint_steps": 7, "eval_steps": 20, "dropout": 0.2}
    both = (audio_only, vl_only)
    command = Command(both, untaught, **options, tracker="none")
    out = tmp_path / "stopped"
    assert command.stop(out, signal.SIGKILL, after=0, lines=10) == (-signal.SIGKILL, ANY)
    assert (out / "run").is_dir()
    assert not (out / "config.json").exists()
    code, errors = command.stop(out, signal.SIGTERM, after=0, lines=15)
    assert code == 2
    assert errors.splitlines()[-1] == "safe-train stage-a: interrupted; run the same command again"
    assert "Traceback" not in errors
    reached = len(lines_of(out / "losses.jsonl"))
    assert 15 <= reached < 50
    assert (out / f"run/step-{reached}").is_dir()
    for folder in (out, tmp_path / "whole"):
        where = {"shards": both, "backbone": untaught, "out": folder, "tracker": ("none",)}
        stage_a(preset_config("demo", **where, **options, quiet=True))
    assert differing(tmp_path / "whole", out) == []


@pytest.mark.slow
def test_ten_random_stops_change_nothing(
    audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path
) -> None:
    """As often as not a state is being written, or a batch made."""
    options = {"steps": 150, "batch_size": 20, "checkpoint_steps": 3, "eval_steps": 5, "dropout": 0.2}
    command = Command((audio_only, vl_only), untaught, **options, rows_per_forward=8)
    whole, out = tmp_path / "whole", tmp_path / "stopped"
    command.finish(whole)
    rng = random.Random(0)
    codes = []
    for number in range(10):
        how = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[number % 3]
        code, errors = command.stop(out, how, after=rng.random() * 0.1)
        codes.append(code)
        assert "Traceback" not in errors
    assert codes == [(-signal.SIGKILL, 2, 2)[number % 3] for number in range(10)]
    assert not (out / "config.json").exists()
    command.finish(out)
    assert differing(whole, out) == []
