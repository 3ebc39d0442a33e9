"""A saved state is whole or not there, is found again to the bit, and says what is damaged."""

import errno
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import torch

from safe_data.core.errors import InputError
from safe_data.sampling.curriculum import Progress
from safe_train import run_state
from safe_train.run_state import (
    Best,
    Log,
    State,
    check_taught,
    finish,
    latest,
    save,
    save_teacher,
    teacher_until,
)

WEIGHTS = {"block.weight": torch.tensor([[0.1, -0.0], [torch.pi, 1e-40]]), "norm": torch.ones(3).half()}
OPTIMIZER = {"0.step": torch.tensor(3.0), "0.exp_avg": torch.full((2, 2), 1e-30)}
LOSSES = [0.1 + 0.2, 1 / 3]


def state(step: int, best: Best | None = None, **logs: int) -> State:
    return State(Progress(step, 1, 2, 1), logs, {"audio_accuracy": 1 / 3}, LOSSES, best, taught=2)


def save_state(out: Path, step: int, best: Best | None = None, **logs: int) -> Path:
    save(out, state(step, best, **logs), WEIGHTS, OPTIMIZER, {}, {})
    return out / "run" / f"step-{step}"


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file can grow further, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    earlier = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, earlier)


def test_a_state_comes_back_to_the_bit(tmp_path: Path) -> None:
    assert latest(tmp_path) is None
    save(tmp_path, state(7), WEIGHTS, OPTIMIZER, {"fisher/norm": torch.ones(2)}, {})
    saved = latest(tmp_path)
    assert saved is not None
    assert msgspec.structs.replace(saved.state, sha256={}) == state(7)
    for found, given in ((saved.pathway, WEIGHTS), (saved.optimizer, OPTIMIZER)):
        assert list(found) == sorted(given)
        for name, tensor in given.items():
            assert found[name].dtype == tensor.dtype
            assert found[name].numpy().tobytes() == tensor.numpy().tobytes()
    assert list(saved.retention) == ["fisher/norm"]


def test_the_last_state_and_the_best_are_kept(tmp_path: Path) -> None:
    best = Best(4, 0.5, 0.0)
    for step, seen in ((2, None), (4, best), (6, best), (10, best)):
        save_state(tmp_path, step, seen)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["step-10", "step-4"]
    save_state(tmp_path, 12, Best(12, 0.6, 0.0))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["step-12"]


def test_a_state_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    folder = save_state(tmp_path, 3)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    save_state(tmp_path, 3)
    assert before == {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_state_that_could_not_be_written_is_not_there(tmp_path: Path) -> None:
    save_state(tmp_path, 3)
    with (
        files_of_at_most(100),
        pytest.raises(InputError, match=r"step-5.* cannot be written .*; make room and run the same command"),
    ):
        save_state(tmp_path, 5)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["step-3"]


@pytest.mark.parametrize("name", ["pathway.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "changed", "missing", "empty"])
def test_a_damaged_state_is_named_and_the_one_before_it_is_found(
    name: str, damage: str, tmp_path: Path
) -> None:
    save_state(tmp_path, 4, Best(4, 0.5, 0.0))
    folder = save_state(tmp_path, 6, Best(4, 0.5, 0.0))
    content = bytearray((folder / name).read_bytes())
    content[-20] ^= 255
    if damage == "missing":
        (folder / name).unlink()
    else:
        damaged = {"cut": content[:-30], "changed": content, "empty": b""}[damage]
        (folder / name).write_bytes(damaged)
    with pytest.raises(InputError) as refused:
        latest(tmp_path)
    message = str(refused.value)
    assert message.startswith(f"{folder}: is damaged (")
    fix = "); remove it, and the run goes on from the state before it, or from its start"
    assert message.endswith(fix)
    if damage == "changed" and name != "state.json":
        assert f"({name} is not what was saved)" in message
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    found = latest(tmp_path)
    assert found is not None
    assert found.state.progress.step == 4


def test_a_log_that_was_cut_is_named(tmp_path: Path) -> None:
    (tmp_path / "losses.jsonl").write_bytes(b"x" * 1500)
    save_state(tmp_path, 4, **{"losses.jsonl": 1500})
    assert latest(tmp_path)
    (tmp_path / "losses.jsonl").write_bytes(b"x" * 1499)
    with pytest.raises(InputError) as refused:
        latest(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path}/losses.jsonl: has 1,499 bytes, step-4 was saved when it had 1,500; restore it, or add "
        "--force to start over"
    )
    (tmp_path / "losses.jsonl").unlink()
    with pytest.raises(InputError, match=r"losses\.jsonl: has 0 bytes"):
        latest(tmp_path)


def test_a_teacher_goes_on_from_what_a_state_needs(tmp_path: Path) -> None:
    first, second, third = ({f"{n}.0": torch.full((1, 3), float(n))} for n in range(3))
    save_teacher(tmp_path, 9, 0, first)
    save_teacher(tmp_path, 10, 0, second)
    save_teacher(tmp_path, 12, 0, third)
    save_teacher(tmp_path, 12, 1, third)
    save_teacher(tmp_path, 12, 10, third)
    assert list(teacher_until(tmp_path, 10, 0)) == ["0.0", "1.0"]  # in the order of the steps
    left = sorted(path.name for path in (tmp_path / "run/teacher").iterdir())
    assert left == ["10-0.safetensors", "12-1.safetensors", "12-10.safetensors", "9-0.safetensors"]
    save_teacher(tmp_path, 14, 0, {})
    assert len(list((tmp_path / "run/teacher").iterdir())) == 4
    finish(tmp_path)
    assert not (tmp_path / "run/teacher").exists()


def test_a_damaged_file_of_a_teacher_is_named(tmp_path: Path) -> None:
    save_teacher(tmp_path, 9, 0, {"0.0": torch.ones(2, 3)})
    file = tmp_path / "run/teacher/9-0.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"9-0\.safetensors: is damaged \(.*\); restore it, or add --force"):
        teacher_until(tmp_path, 10, 0)


def test_missing_answers_of_a_teacher_are_counted(tmp_path: Path) -> None:
    check_taught(tmp_path, 2, state(4))
    with pytest.raises(InputError) as refused:
        check_taught(tmp_path, 1, state(4))
    assert str(refused.value) == (
        f"{tmp_path}/run/teacher: holds 1 answers of the teacher, the last state needs 2; restore it, or add "
        "--force to start over"
    )


def test_a_log_grows_as_lines_come_and_is_cut_where_its_state_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "losses.jsonl"
    log = Log(path, None)
    log.write({"step": 0, "loss": 1 / 3})
    assert path.read_bytes() == b'{"step":0,"loss":0.3333333333333333}\n'
    size = log.sync()
    assert size == path.stat().st_size
    log.write({"step": 1})
    log.close()
    again = Log(path, size)
    again.write({"step": 2})
    again.close()
    assert path.read_bytes() == b'{"step":0,"loss":0.3333333333333333}\n{"step":2}\n'
    Log(path, None).close()
    assert path.read_bytes() == b""


def test_a_full_disk_stops_a_log_with_a_sentence(tmp_path: Path) -> None:
    log = Log(tmp_path / "losses.jsonl", None)
    log.write({"step": 0})
    message = r"losses\.jsonl: cannot be written \(File too large\); make room and run the same command again"
    with files_of_at_most(20), pytest.raises(InputError, match=message):
        log.write({"step": 1, "loss": 0.25})
    log.close()
    assert (tmp_path / "losses.jsonl").read_bytes() == b'{"step":0}\n{"step":1'


def test_a_log_that_cannot_be_opened_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(run_state.Path, "open", refuse)
    with pytest.raises(InputError, match="Read-only file system"):
        Log(tmp_path / "losses.jsonl", None)
