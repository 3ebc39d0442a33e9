"""An index finds the pairs that a comparison of all finds, and both refuse what tells nothing apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.audit.alike import neighbours
from safe_data.audit.alike.neighbours import indexed_pairs, near_pairs, nearest_pairs
from safe_data.core.errors import InputError


def planted(count: int, copies: int, seed: int = 0, dims: int = 32) -> np.ndarray:
    """Vectors of length 1 of which the last ones are copies of the first ones, at a cosine of about 0.99."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, dims))
    near = vectors[:copies] + rng.normal(size=(copies, dims)) * 0.1
    found = np.concatenate([vectors[: count - copies], near])
    unit: np.ndarray = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)
    return unit


def test_an_index_finds_what_a_comparison_of_all_finds() -> None:
    pytest.importorskip("faiss")
    vectors = planted(6_000, 200)
    exact, indexed = near_pairs(vectors, 0.98), indexed_pairs(vectors, 0.98)
    assert len(exact.left) >= 190
    assert [part.tolist() for part in indexed[:2]] == [part.tolist() for part in exact[:2]]
    assert indexed.cosine == pytest.approx(exact.cosine, abs=1e-5)


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**32), st.integers(30, 90), st.floats(-0.5, 0.9))
def test_an_index_makes_no_pair_up(seed: int, count: int, bound: float) -> None:
    pytest.importorskip("faiss")
    vectors = planted(count, count // 3, seed, dims=3)
    exact, indexed = near_pairs(vectors, bound), indexed_pairs(vectors, bound)
    pairs = {*zip(indexed.left.tolist(), indexed.right.tolist(), strict=True)}
    assert len(pairs) == len(indexed.left)
    assert pairs <= {*zip(exact.left.tolist(), exact.right.tolist(), strict=True)}


def test_vectors_that_are_all_alike_are_refused_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MOST_PAIRS", 1_000)
    same = np.tile(np.array([[1, 0, 0, 0]], np.float16), (100, 1))
    for search in (near_pairs, indexed_pairs):
        with pytest.raises(ValueError, match=r"more than 1000 pairs have a cosine of 0\.98 or more"):
            search(same, 0.98)


def test_without_faiss_few_are_compared_and_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = planted(40, 10)
    monkeypatch.setattr(neighbours, "FEW", 20)
    with_faiss = nearest_pairs(vectors, 0.98)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert nearest_pairs(vectors, 0.98).left.tolist() == with_faiss.left.tolist()
    monkeypatch.setattr(neighbours, "MANY", 30)
    with pytest.raises(InputError, match="a search for neighbours among 40 embeddings needs faiss"):
        nearest_pairs(vectors, 0.98)
