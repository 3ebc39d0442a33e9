"""The log of a W&B session is read as W&B wrote it, across its blocks, and up to where a kill cut it."""

from itertools import pairwise
from pathlib import Path

import pytest

from safe_train.wandb_log import LoggedValue, read_history, read_records, wait_for_end

STEPS = 400  # more than one block of 32 KiB
LONG_NAME = "long/" + "x" * 70_000  # one record that goes over several blocks


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a session in which each step logs two values, and step 7 a third with a long name."""
    import wandb

    folder = tmp_path_factory.mktemp("session")
    run = wandb.init(dir=str(folder), mode="offline", settings=wandb.Settings(silent=True))
    for step in range(STEPS):
        run.log({"loss": step / 8, "val/audio": 0.5} | ({LONG_NAME: 2.0} if step == 7 else {}), step=step)
    run.finish()
    path = Path(run.settings.sync_file)
    wait_for_end(path)
    return path


def test_every_value_is_read_once_and_in_order(log: Path) -> None:
    assert log.stat().st_size > 3 * 32768
    values = list(read_history(log))
    assert [value for value in values if value.name == "loss"] == [
        LoggedValue("loss", step, step / 8) for step in range(STEPS)
    ]
    assert [value for value in values if value.name == LONG_NAME] == [LoggedValue(LONG_NAME, 7, 2.0)]
    assert {value.name for value in values} == {"loss", "val/audio", LONG_NAME}


def test_of_a_log_that_was_cut_the_whole_records_are_read(log: Path, tmp_path: Path) -> None:
    data, whole = log.read_bytes(), list(read_history(log))
    cut = tmp_path / "cut.wandb"
    read = []
    for size in [0, 3, 7, 10, *range(20, len(data), 1009)]:
        cut.write_bytes(data[:size])
        read.append(list(read_history(cut)))
        assert read[-1] == whole[: len(read[-1])]
    assert all(len(shorter) <= len(longer) for shorter, longer in pairwise(read))
    assert (len(read[0]), len(read[2])) == (0, 0)
    assert len(read[-1]) > len(whole) - 50


def test_a_damaged_chunk_ends_the_log(log: Path, tmp_path: Path) -> None:
    data = bytearray(log.read_bytes())
    data[7 + 6] = 9  # the part that the first chunk says it is
    (tmp_path / "damaged.wandb").write_bytes(data)
    assert list(read_records(tmp_path / "damaged.wandb")) == []


def test_waiting_for_an_end_that_never_comes_stops(log: Path, tmp_path: Path) -> None:
    (tmp_path / "killed.wandb").write_bytes(log.read_bytes()[:5000])
    wait_for_end(tmp_path / "killed.wandb", seconds=0.1)
