"""Engines run pieces in processes: results in order, a new attempt after a death, nothing left over."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from builds import build, within, write_world
from folders import files_of, write_folder
from pieces import (
    Number,
    be_wrong,
    crash,
    die_once,
    fill_the_disk,
    leave,
    refuse,
    slow_square,
    square,
    threads,
)

from safe_data.build.build import build_dataset
from safe_data.build.engines import local
from safe_data.build.engines.start import start
from safe_data.core.errors import InputError, install_extra

NUMBERS = [Number(value) for value in range(9)]


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_pieces(workers: int) -> None:
    steps: list[int] = []
    with start("local", workers) as run:
        found = run(slow_square, NUMBERS, steps.append)
    assert [value for value, _ in found] == [number.value**2 for number in NUMBERS]
    processes = {process for _, process in found}
    assert len(processes) == workers
    assert (os.getpid() in processes) == (workers == 1)
    assert sum(steps) == 2 * len(NUMBERS)


def test_processes_are_reused_for_later_pieces_and_ended_in_the_end() -> None:
    with start("local", 2) as run:
        first = {process for _, process in run(slow_square, NUMBERS[:4], print)}
        again = {process for _, process in run(slow_square, NUMBERS, print)}
        assert first == again
    assert not any(psutil.pid_exists(process) for process in first)


def test_all_processes_start_together_and_load_at_the_same_time() -> None:
    with start("local", 2) as run:
        assert run(square, NUMBERS[:1], print)[0][0] == 0
        assert len(multiprocessing_children()) == 2


def multiprocessing_children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.parametrize("workers", [1, 2])
def test_each_process_has_one_blas_thread(workers: int) -> None:
    with start("local", workers) as run:
        found = run(threads, NUMBERS[:2], print)
    assert found[0]
    assert {number for numbers in found for number in numbers} == {1}
    assert "MKL_NUM_THREADS" not in os.environ


def test_a_piece_whose_process_is_killed_is_done_again(tmp_path: Path) -> None:
    steps: list[int] = []
    with start("local", 2) as run:
        found = run(die_once, [Number(value, tmp_path) for value in range(6)], steps.append)
    assert [value for value, _ in found] == [0, 1, 4, 9, 16, 25]
    assert len(list(tmp_path.iterdir())) == 2
    assert -1 in steps
    assert sum(steps) == 12


def test_a_process_killed_while_it_has_nothing_to_do_is_replaced() -> None:
    with start("local", 2) as run:
        for _, process in run(slow_square, NUMBERS[:4], print):
            if psutil.pid_exists(process):
                os.kill(process, signal.SIGKILL)
        assert [value for value, _ in run(square, NUMBERS, print)][-1] == 64


def test_a_piece_that_kills_every_process_is_named(tmp_path: Path) -> None:
    expected = (
        r"^number 2: 3 workers died at it \(by SIGSEGV\); one of its media crashes a decoder, or memory"
    )
    with start("local", 2) as run, pytest.raises(InputError, match=expected):
        run(crash, [Number(value, tmp_path) for value in range(4)], print)
    assert len(list(tmp_path.iterdir())) == 3
    assert not multiprocessing_children()
    with start("local", 2) as run, pytest.raises(InputError, match=r"died at it \(with exit code 7\)"):
        run(leave, NUMBERS, print)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_piece_is_raised_here(workers: int) -> None:
    with start("local", workers) as run:
        with pytest.raises(InputError, match=r"^number \d: not wanted$"):
            run(refuse, NUMBERS, print)
        with pytest.raises(OSError, match="No space left on device"):
            run(fill_the_disk, NUMBERS, print)
        with pytest.raises((KeyError, RuntimeError), match=r"a bug at number \d"):
            run(be_wrong, NUMBERS, print)
        assert [value for value, _ in run(square, NUMBERS[:2], print)] == [0, 1]


def test_a_bug_in_a_worker_shows_where_it_is() -> None:
    with (
        start("local", 2) as run,
        pytest.raises(RuntimeError, match=r"pieces\.py.*line \d+.*in be_wrong") as bug,
    ):
        run(be_wrong, NUMBERS, print)
    assert "KeyError" in str(bug.value)


WAITING = """
import sys
from pathlib import Path
from pieces import Number, wait_for_ever
from safe_data.build.engines.start import start
if __name__ == "__main__":
    with start("local", 2) as run:
        run(wait_for_ever, [Number(value, Path(sys.argv[1])) for value in range(4)], print)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_the_process_that_started_it(tmp_path: Path, how: signal.Signals) -> None:
    script = tmp_path / "waiting.py"
    script.write_text(WAITING)
    traces = tmp_path / "traces"
    traces.mkdir()
    parent = subprocess.Popen(
        [sys.executable, script, traces],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    within(20, lambda: len(list(traces.iterdir())) == 2)
    workers = [psutil.Process(int(trace.name.partition("-")[2])) for trace in traces.iterdir()]
    if how is signal.SIGINT:
        os.killpg(parent.pid, how)  # as Ctrl-C does
    else:
        parent.send_signal(how)
    _, errors = parent.communicate(timeout=20)
    within(5, lambda: not any(worker.is_running() for worker in workers))
    assert (b"Traceback" in errors) == (how is signal.SIGINT)
    assert errors.count(b"Traceback") <= 1  # ours, not the workers'


def test_an_impossible_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {
        "0 workers: give 1 or more": ("local", 0, None),
        "engine 'lokal' is unknown; did you mean 'local'?": ("lokal", 1, None),
        "engine 'spark' is unknown; choose from local, ray": ("spark", 1, None),
        "a Ray address (auto) needs --engine ray": ("local", 1, "auto"),
        f"the ray engine needs ray, which is not installed; {install_extra('ray')}": ("ray", 1, None),
    }
    monkeypatch.setitem(sys.modules, "ray", None)
    for message, arguments in refused.items():
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"), start(*arguments):
            pass


def test_two_workers_build_the_same_bytes_and_load_no_encoder_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = write_folder(tmp_path / "world", clips=12)
    build_dataset(world, tmp_path / "one", shard_size=2)
    with monkeypatch.context() as patched:
        patched.setattr(local, "load_once", None)
        build_dataset(world, tmp_path / "two", shard_size=2, workers=2)
    assert files_of(tmp_path / "two") == files_of(tmp_path / "one")


def test_a_bad_encoder_is_refused_by_a_worker_before_anything_is_written(tmp_path: Path) -> None:
    world = write_folder(tmp_path / "world")
    with pytest.raises(InputError, match=r"^encoder 'logmal' is unknown"):
        build_dataset(world, tmp_path / "out", encoders=["logmal"], workers=2)
    assert not (tmp_path / "out").exists()


ON_RAY = """
import sys
from pathlib import Path
import pieces
from pieces import Number
from safe_data.build.engines.start import start
from safe_data.core.errors import InputError

def tried(work, numbers):
    try:
        return [value for value, _ in run(work, numbers, steps.append)]
    except (InputError, KeyError) as error:
        return repr(error)

if __name__ == "__main__":
    folder, steps = Path(sys.argv[1]), []
    numbers = [Number(value, folder) for value in range(6)]
    with start("ray", 2) as run:
        for work in (pieces.slow_square, pieces.die_once, pieces.crash, pieces.refuse, pieces.be_wrong):
            print(work.__name__, tried(work, numbers))
        print(sum(steps), len(list(folder.glob("2-*"))))
    import ray
    print(ray.is_initialized())
"""


def test_ray_does_the_same(tmp_path: Path) -> None:
    """Results come in order, a dead worker's piece is tried again, and giving up has the same words."""
    (tmp_path / "on_ray.py").write_text(ON_RAY)
    (tmp_path / "traces").mkdir()
    ran = subprocess.run(
        [sys.executable, tmp_path / "on_ray.py", tmp_path / "traces"],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = [line for line in ran.stdout.splitlines() if "(raylet)" not in line]  # Ray tells of deaths, too
    squared, died, crashed, refused, wrong, counts, initialized = lines
    assert squared == "slow_square [0, 1, 4, 9, 16, 25]"
    assert died == "die_once [0, 1, 4, 9, 16, 25]"
    assert crashed.startswith("crash InputError('number 2: 3 workers died at it (WorkerCrashedError); one of")
    assert re.fullmatch(r"refuse InputError\('number \d: not wanted'\)", refused)
    assert re.fullmatch(r"be_wrong KeyError\('a bug at number \d'\)", wrong)
    steps, attempts = map(int, counts.split())
    assert steps >= 2 * 2 * 6
    assert attempts == 3
    assert initialized == "False"


@pytest.mark.slow
def test_every_engine_gives_the_same_bytes_with_a_model(tmp_path: Path) -> None:
    """On Ray, clips go from workers that decode to workers that encode."""
    from tiny_encoders import save_clap

    encoders = ["--encoder", "logmel", "--encoder", f"clap:{save_clap(tmp_path / 'clap')}"]
    world = write_world(tmp_path / "world", 9)
    found = []
    for number, options in enumerate([(), ("--workers", 2), ("--engine", "ray", "--workers", 2)]):
        out = tmp_path / str(number)
        assert build(world, out, *encoders, *options) == (0, "")
        found.append(files_of(out))
        config = found[-1]["options.yaml"].replace(str(out).encode(), b"OUT")
        assert found[-1] | {"options.yaml": config} == found[0] | {"options.yaml": config}
        assert config == found[0]["options.yaml"].replace(str(tmp_path / "0").encode(), b"OUT")
    assert len(found[0]) == 5 + 2 + 5 * 5


def test_an_unreachable_ray_is_reported_at_once(tmp_path: Path) -> None:
    world = write_folder(tmp_path / "world")
    code, errors = build(world, tmp_path / "out", "--engine", "ray", "--ray-address", "127.0.0.1:9")
    assert code == 3
    expected = "Ray at 127.0.0.1:9 cannot be reached ([Errno 111] Connection refused)"
    assert errors == f"safe-data build: {expected}\n"
    assert not (tmp_path / "out").exists()
