"""The predictions file: it grows by whole batches, goes on after any cut, and no other run is mixed in."""

import errno
import multiprocessing
import os
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from safe_data.core.errors import InputError
from safe_data.core.only_writer import only_writer
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions
from safe_eval.runner.output import (
    Finished,
    Part,
    begin,
    check_writable,
    find_run,
    join,
    part_file,
    run_file,
)

ROWS = [2, 3, 1, 2]


def identity(**changes: object) -> dict[str, object]:
    facts = {
        "checkpoint": "c" * 64,
        "base": "b" * 64,
        "dataset": "d" * 64,
        "split": "test",
        "conditions": ["full"],
        "seed": 0,
        "batch_size": 3,
        "encoders": {"logmel": "0f"},
        "loading": {"dtype": "auto"},
        "asking": {"answer_tokens": 32},
        "latency": False,
        "device": "cpu",
        "processes": 1,
        "versions": {"torch": "2.13.0"},
    }
    return facts | changes


def batch(number: int, error: str | None = None) -> list[Prediction]:
    return [
        Prediction(
            example_id=f"q{number}-{row}",
            references=("é",),
            answer=None if error else "é",
            error=error,
            model="safe",
        )
        for row in range(ROWS[number])
    ]


def write(out: Path, batches: range, process: int = 0, processes: int = 1) -> Part:
    mine = range(process, len(ROWS), processes)
    part = Part(part_file(out, process, processes), [ROWS[number] for number in mine])
    for number in list(mine)[part.done :]:
        if number in batches:
            part.write(batch(number))
    part.close()
    return part


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "predictions.jsonl"


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    other = tmp_path / "whole.jsonl"
    begin(other, identity())
    write(other, range(len(ROWS)))
    join(other, identity(), ROWS)
    return other.read_bytes()


def test_it_is_joined_of_its_parts_and_then_they_are_gone(out: Path, whole: bytes) -> None:
    assert find_run(out, identity()) is False
    begin(out, identity())
    assert find_run(out, identity()) is True
    write(out, range(len(ROWS)))
    assert not out.exists()
    finished = join(out, identity(), ROWS)
    assert (finished.rows, finished.errors, finished.first_error) == (8, 0, None)
    assert out.read_bytes() == whole
    assert [row.example_id for row in read_predictions(out)][:3] == ["q0-0", "q0-1", "q1-0"]
    assert sorted(path.name for path in out.parent.glob("predictions*")) == [out.name, run_file(out).name]
    assert find_run(out, identity()) == finished


def test_after_a_cut_at_any_byte_it_ends_with_the_same_bytes(out: Path, whole: bytes) -> None:
    begin(out, identity())
    write(out, range(3))
    part = part_file(out, 0, 1)
    data = part.read_bytes()
    for cut in range(len(data) + 1):
        part.write_bytes(data[:cut])
        assert write(out, range(0)).done == sum(len(b"".join(lines(data)[:n])) <= cut for n in (2, 5, 6))
        write(out, range(len(ROWS)))
        assert part.read_bytes() == whole
    join(out, identity(), ROWS)
    assert out.read_bytes() == whole


def lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def test_what_a_part_holds_beyond_its_batches_is_cut_off(out: Path, whole: bytes) -> None:
    part_file(out, 0, 1).write_bytes(whole + b'{"example_id": "of another run"}\n')
    assert write(out, range(0)).done == len(ROWS)
    assert part_file(out, 0, 1).read_bytes() == whole


def test_several_processes_write_parts_of_the_same_file(out: Path, whole: bytes) -> None:
    together = identity(processes=3)
    begin(out, together)
    for process in (2, 0, 1):
        write(out, range(len(ROWS)), process, 3)
    assert {path.name for path in out.parent.glob("predictions.jsonl.part*")} == {
        f"predictions.jsonl.part-{process}-of-3" for process in range(3)
    }
    join(out, together, ROWS)
    assert out.read_bytes() == whole
    assert isinstance(find_run(out, identity(processes=1)), Finished)


def test_a_run_killed_between_the_file_and_its_note_is_joined_again(out: Path, whole: bytes) -> None:
    begin(out, identity())
    write(out, range(len(ROWS)))
    out.write_bytes(whole)
    assert find_run(out, identity()) is True
    join(out, identity(), ROWS)
    assert out.read_bytes() == whole


def test_another_run_is_refused_with_its_differences(out: Path) -> None:
    begin(out, identity())
    now = identity(seed=1, conditions=("full", "gate_off"), versions={"torch": "2.14.0"}, processes=2)
    with pytest.raises(InputError) as refused:
        find_run(out, now)
    assert str(refused.value) == (
        f"{out}: is of another run, which differs:\n"
        "  conditions: ['full'] there, ['full', 'gate_off'] here\n"
        "  seed: 0 there, 1 here\n"
        "  processes: 1 there, 2 here\n"
        "  versions.torch: 2.13.0 there, 2.14.0 here\n"
        "name another file, or add --force to start over"
    )
    write(out, range(len(ROWS)))
    join(out, identity(), ROWS)
    with pytest.raises(InputError, match="seed: 0 there, 1 here"):
        find_run(out, now)


def test_a_file_that_is_no_run_or_was_changed_is_refused(out: Path, whole: bytes) -> None:
    out.write_bytes(b"mine\n")
    with pytest.raises(InputError, match=r"is there already, without predictions.jsonl.run.json; name"):
        find_run(out, identity())
    begin(out, identity())
    write(out, range(len(ROWS)))
    join(out, identity(), ROWS)
    out.write_bytes(whole[:-1])
    with pytest.raises(InputError, match="was changed since it was written; name another file"):
        find_run(out, identity())
    out.unlink()
    assert find_run(out, identity()) is False
    for content in ("{}", "[" * 10**5):
        run_file(out).write_text(content)
        with pytest.raises(
            InputError, match=r"run.json: is not of this version .* add --force to start over"
        ):
            find_run(out, identity())


def test_to_begin_removes_what_is_left_of_another_run_but_not_its_file(out: Path, whole: bytes) -> None:
    out.write_bytes(whole)
    write(out, range(2), 0, 2)
    begin(out, identity())
    assert sorted(path.name for path in out.parent.glob("predictions*")) == [out.name, run_file(out).name]
    assert out.read_bytes() == whole


def test_a_model_that_always_fails_leaves_nothing_behind(out: Path) -> None:
    begin(out, identity())
    part = Part(part_file(out, 0, 1), ROWS)
    for number in range(len(ROWS)):
        part.write(batch(number, error="RuntimeError: no weights"))
    part.close()
    with pytest.raises(InputError, match="model 'safe' failed on all 8 examples; the first: Runti"):
        join(out, identity(), ROWS)
    assert list(out.parent.iterdir()) == []


def test_errors_are_counted(out: Path) -> None:
    begin(out, identity())
    part = Part(part_file(out, 0, 1), ROWS)
    for number in range(len(ROWS)):
        part.write(batch(number, error="OSError: x" if number == 1 else None))
    part.close()
    finished = join(out, identity(), ROWS)
    assert (finished.rows, finished.errors, finished.first_error) == (8, 3, "'q1-0': OSError: x")


def test_a_damaged_part_is_refused(out: Path) -> None:
    begin(out, identity())
    write(out, range(len(ROWS)))
    part = part_file(out, 0, 1)
    part.write_bytes(part.read_bytes().replace(b'"q2-0"', b'"q2-0" '[:5] + b"\0", 1))
    with pytest.raises(InputError, match=r"jsonl.part: is damaged: .*; add --force to start over"):
        join(out, identity(), ROWS)
    assert not out.exists()


def test_a_full_disk_is_explained_also_when_the_part_is_closed(
    out: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(out, identity())
    part = Part(part_file(out, 0, 1), ROWS)
    file = part._file

    class Full:
        def write(self, data: bytes) -> int:
            return file.write(data)

        def flush(self) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def close(self) -> None:  # as a buffered file does, it tries once more
            self.flush()

    monkeypatch.setattr(part, "_file", Full())
    with pytest.raises(InputError, match="make room and run the same command again"), closing(part):
        part.write(batch(0))
    file.close()
    write(out, range(len(ROWS)))
    join(out, identity(), ROWS)
    assert out.read_bytes() == whole


def test_a_pipe_in_the_place_of_the_file_is_never_replaced(out: Path) -> None:
    os.mkfifo(out)
    with pytest.raises(InputError, match="is a device or a pipe; name a predictions file"):
        check_writable(out)


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is a folder; name a predictions file, such as .*jsonl"):
        check_writable(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="a file is where a directory must be"):
        check_writable(tmp_path / "file" / "predictions.jsonl")
    check_writable(tmp_path / "new" / "predictions.jsonl")
    assert list((tmp_path / "new").iterdir()) == []
    if os.geteuid():  # root may write anywhere
        (tmp_path / "new").chmod(0o500)
        with pytest.raises(InputError, match="name a directory that you may write to"):
            check_writable(tmp_path / "new" / "predictions.jsonl")


def _hold(part: Path, pipe: "multiprocessing.connection.Connection") -> None:
    with only_writer(part):
        pipe.send("held")
        pipe.recv()


def test_two_processes_do_not_write_one_part(out: Path) -> None:
    part = part_file(out, 0, 1)
    ours, theirs = multiprocessing.Pipe()
    other = multiprocessing.get_context("spawn").Process(target=_hold, args=(part, theirs))
    other.start()
    assert ours.recv() == "held"
    with pytest.raises(InputError, match="another process is writing it; wait for"), only_writer(part):
        pass
    other.kill()
    other.join()
    with only_writer(part):
        pass
    assert list(out.parent.iterdir()) == []


def test_the_identity_is_written_as_it_is(out: Path) -> None:
    begin(out, identity())
    written = msgspec.json.decode(run_file(out).read_bytes())
    assert written["finished"] is None
    assert written["identity"] == identity()


def test_what_a_killed_process_left_is_removed(out: Path, whole: bytes) -> None:
    begin(out, identity())
    write(out, range(len(ROWS)))
    finished = join(out, identity(), ROWS)
    for name in (f".{out.name}.12345678.tmp", f"{out.name}.part"):
        (out.parent / name).write_bytes(b"left")
        assert find_run(out, identity()) == finished
        assert not (out.parent / name).exists()
    assert out.read_bytes() == whole
