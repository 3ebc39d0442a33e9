"""Rows are read back as they were written from any number of files, with few of them open."""

import pickle
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safe_data.core.errors import InputError
from safe_data.shards.sidecar import MAPS_OPEN, Embeddings

SHARDS, SHAPE = 7, (2, 3)


def write(folder: Path, shards: int = SHARDS) -> tuple[list[Path], list[np.ndarray]]:
    """Sidecars of 1, 2, 3 … rows."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((1 + shard % 9, *SHAPE)).astype(np.float16) for shard in range(shards)]
    paths = [folder / f"{shard}.npy" for shard in range(shards)]
    for path, array in zip(paths, arrays, strict=True):
        np.save(path, array)
    return paths, arrays


def reader(paths: list[Path], arrays: list[np.ndarray]) -> Embeddings:
    return Embeddings(paths, [len(array) for array in arrays], SHAPE)


places = st.lists(
    st.integers(0, SHARDS - 1).flatmap(lambda shard: st.tuples(st.just(shard), st.integers(0, shard))),
    max_size=40,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=st.lists(places, max_size=4), maps=st.integers(0, SHARDS))
def test_every_row_is_its_own_mapped_or_not(
    requests: list[list[tuple[int, int]]], maps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safe_data.shards.sidecar.MAPS_OPEN", maps)
    paths, arrays = write(tmp_path)
    embeddings = reader(paths, arrays)
    for request in requests:
        shards = np.array([shard for shard, _ in request], np.int64)
        rows = np.array([row for _, row in request], np.int32)
        found = embeddings.read(shards, rows)
        expected = np.array([arrays[shard][row] for shard, row in request], np.float16)
        assert found.dtype == np.float16
        np.testing.assert_array_equal(found, expected.reshape(-1, *SHAPE))


def test_thousands_of_shards_hold_few_files_open(tmp_path: Path) -> None:
    paths, arrays = write(tmp_path, 2000)
    embeddings = reader(paths, arrays)
    before = psutil.Process().num_fds()
    for _ in range(2):
        found = embeddings.read(np.arange(2000), np.zeros(2000, np.int64))
        np.testing.assert_array_equal(found, [array[0] for array in arrays])
    assert psutil.Process().num_fds() - before == MAPS_OPEN


def test_it_is_sent_to_a_worker_without_its_maps(tmp_path: Path) -> None:
    paths, arrays = write(tmp_path)
    embeddings = reader(paths, arrays)
    everything = (np.arange(SHARDS), np.zeros(SHARDS, np.int64))
    expected = embeddings.read(*everything)
    data = pickle.dumps(embeddings)
    assert len(data) < 3000
    received = pickle.loads(data)
    before = psutil.Process().num_fds()
    np.testing.assert_array_equal(received.read(*everything), expected)
    assert psutil.Process().num_fds() - before == SHARDS


@pytest.mark.parametrize("maps", [0, 9])
def test_a_sidecar_that_does_not_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, maps: int
) -> None:
    monkeypatch.setattr("safe_data.shards.sidecar.MAPS_OPEN", maps)
    paths, arrays = write(tmp_path)
    np.save(paths[0], arrays[0].astype(np.float32))
    np.save(paths[1], arrays[2])
    paths[2].write_bytes(paths[2].read_bytes()[:-2])
    np.save(paths[3], np.array([{}], dtype=object), allow_pickle=True)
    paths[4].unlink()
    for shard, message in (
        (0, r"0.npy: is float32 \(1, 2, 3\), expected float16 \(1, 2, 3\)$"),
        (1, r"1.npy: is float16 \(3, 2, 3\), expected float16 \(2, 2, 3\)$"),
        (2, "2.npy: cannot be read as embeddings"),
        (3, "3.npy: cannot be read as embeddings"),
        (4, r"4.npy: cannot be read as embeddings .*; build the dataset again$"),
    ):
        with pytest.raises(InputError, match=message):
            reader(paths, arrays).read(np.array([shard]), np.array([0]))


def test_a_sidecar_cut_short_later_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safe_data.shards.sidecar.MAPS_OPEN", 0)
    paths, arrays = write(tmp_path)
    embeddings = reader(paths, arrays)
    embeddings.read(np.array([5]), np.array([5]))
    paths[5].write_bytes(paths[5].read_bytes()[:-1])
    with pytest.raises(InputError, match=r"5.npy: was cut short while it was read$"):
        embeddings.read(np.array([5]), np.array([5]))
