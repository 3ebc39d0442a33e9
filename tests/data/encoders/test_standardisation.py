"""Standardisation: fitted in one pass as NumPy does in two, written, read, and refused where it is wrong."""

from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from safetensors.numpy import save_file

from safe_data.core.errors import InputError
from safe_data.encoders.standardisation import (
    FILE,
    Standardisation,
    read_standardisation,
    standardisation_of,
)

ZEROS, ONES = np.zeros(3, np.float32), np.ones(3, np.float32)


def test_it_is_the_mean_and_the_deviation_of_each_dimension() -> None:
    embeddings = 1000 + np.random.default_rng(0).standard_normal((50, 7)).astype(np.float32)
    found = standardisation_of(embeddings)
    assert found.mean.dtype == found.deviation.dtype == np.float32
    np.testing.assert_allclose(found.mean, embeddings.mean(axis=0, dtype="f8"), rtol=1e-6)
    np.testing.assert_allclose(found.deviation, embeddings.std(axis=0, dtype="f8"), rtol=1e-6)
    applied = np.stack([found.apply(embedding) for embedding in embeddings])
    np.testing.assert_allclose(applied.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(applied.std(axis=0), 1, atol=1e-4)


def test_a_deviation_of_zero_counts_as_one_and_a_tiny_one_stays_within_float16() -> None:
    fitted = Standardisation(np.float32([1, 1, 0]), np.float32([0, 1e-9, 1e-45]))
    assert fitted.apply(np.float32([3, 2, -1])).tolist() == [2, 1000, -1000]
    assert np.isnan(fitted.apply(np.float32([np.nan, 0, 0]))[0])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read_standardisation(tmp_path, 3) is None
    fitted = standardisation_of([ZEROS, ONES])
    assert fitted.write(tmp_path) == tmp_path / FILE
    found = read_standardisation(tmp_path, 3)
    assert found is not None
    assert (found.mean.tolist(), found.deviation.tolist()) == ([0.5] * 3, [0.5] * 3)
    assert found.sha256 == fitted.sha256
    assert found.sha256 != Standardisation(ONES, fitted.deviation).sha256


@pytest.mark.parametrize("embeddings", [[], [ONES]])
def test_fewer_than_two_are_too_few(embeddings: list[ndarray]) -> None:
    with pytest.raises(InputError, match=f"fitted on {len(embeddings)} sounds; give at least 2"):
        standardisation_of(embeddings)


def test_an_embedding_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InputError, match="embedding 2 is not finite"):
        standardisation_of([ONES, np.float32([0, np.nan, 0]), ONES])


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"mean": ZEROS}, r"holds \['mean'\], not mean and deviation"),
        ({"mean": ZEROS, "deviation": ONES, "x": ONES}, "holds"),
        ({"mean": ZEROS[:2], "deviation": ONES}, r"'mean' is float32 of shape \(2,\), not float32 of \(3,\)"),
        ({"mean": ZEROS, "deviation": ONES[None]}, r"'deviation' is float32 of shape \(1, 3\)"),
        ({"mean": ZEROS, "deviation": ONES.astype("f8")}, "'deviation' is float64"),
        ({"mean": ZEROS * np.nan, "deviation": ONES}, "'mean' is not finite"),
        ({"mean": ZEROS, "deviation": -ONES}, "'deviation' is not finite, or below 0"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, tensors: dict[str, ndarray], message: str) -> None:
    save_file(tensors, tmp_path / FILE)
    with pytest.raises(InputError, match=f"{FILE}: {message}.*; fit it again"):
        read_standardisation(tmp_path, 3)


def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    path = standardisation_of([ZEROS, ONES]).write(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="cannot be read"):
            read_standardisation(tmp_path, 3)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_standardisation(tmp_path, 3)
