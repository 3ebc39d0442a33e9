"""Units go to splits whole, by the seed alone, and shares are as near as units allow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from safe_data.splitting import improve
from safe_data.splitting.assign import assign

FRACTIONS = st.lists(st.integers(1, 9), min_size=1, max_size=5).map(
    lambda parts: np.array(parts) / sum(parts)
)


quickly = settings(max_examples=30, deadline=None)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Sizes of units, and how many of each class they have; some records have no class."""
    units, classes = draw(st.integers(1, 30)), draw(st.integers(0, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    heavy = draw(st.booleans())
    counts = rng.integers(0, 4, (units, classes)) * (rng.integers(1, 40, (units, 1)) if heavy else 1)
    return counts.sum(axis=1) + rng.integers(1, 5, units), counts


def assigned(sizes: np.ndarray, counts: np.ndarray, fractions: np.ndarray, seed: int = 0) -> np.ndarray:
    return assign(sizes, csr_array(counts), fractions, np.random.default_rng(seed))


@quickly
@given(worlds(), FRACTIONS, st.integers(0, 5))
def test_no_split_misses_its_fraction_by_more_than_the_largest_unit(
    world: tuple[np.ndarray, np.ndarray], fractions: np.ndarray, seed: int
) -> None:
    sizes, counts = world
    split = assigned(sizes, counts, fractions, seed)
    reached = np.bincount(split, sizes, len(fractions))
    assert len(reached) == len(fractions)
    assert np.abs(reached - fractions * sizes.sum()).max() <= sizes.max() + 1e-6


@quickly
@given(worlds(), FRACTIONS)
def test_the_seed_decides_and_nothing_else(
    world: tuple[np.ndarray, np.ndarray], fractions: np.ndarray
) -> None:
    assert assigned(*world, fractions).tolist() == assigned(*world, fractions).tolist()


def test_another_seed_is_another_split() -> None:
    world = np.ones(200, int), np.zeros((200, 0))
    splits = {tuple(assigned(*world, np.array([0.5, 0.5]), seed)) for seed in range(5)}
    assert len(splits) == 5


def test_records_without_groups_are_dealt_out_exactly_by_class() -> None:
    labels = np.repeat(np.arange(4), [50, 100, 150, 200])
    split = assigned(np.ones(500, int), np.eye(4, dtype=int)[labels], np.array([0.8, 0.1, 0.1]))
    table = np.stack([np.bincount(labels[split == number], minlength=4) for number in range(3)])
    assert table.tolist() == [[40, 80, 120, 160], [5, 10, 15, 20], [5, 10, 15, 20]]


def test_a_giant_unit_goes_where_there_is_room_and_the_others_fill_the_rest() -> None:
    sizes = np.array([44, *[1] * 56])
    split = assigned(sizes, np.zeros((57, 0)), np.array([0.8, 0.1, 0.1]))
    assert np.bincount(split, sizes).tolist() == [80, 10, 10]
    assert split[0] == 0


@pytest.mark.parametrize("classes", [2, 5])
def test_shares_are_nearer_than_those_of_scikit_learn(classes: int) -> None:
    from sklearn.model_selection import StratifiedGroupKFold

    rng = np.random.default_rng(classes)
    often = rng.lognormal(0, 1, 200)
    group = rng.choice(200, 1200, p=often / often.sum())
    label = rng.integers(classes, size=1200)
    groups, unit = np.unique(group, return_inverse=True)
    counts = np.zeros((len(groups), classes), int)
    np.add.at(counts, (unit, label), 1)
    ours = assigned(np.bincount(unit), counts, np.full(5, 0.2))[unit]
    theirs = np.zeros(1200, int)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(label, label, group)
    for number, (_, fold) in enumerate(folds):
        theirs[fold] = number
    assert class_error(ours, label) < class_error(theirs, label)
    assert size_error(ours) <= size_error(theirs)


def size_error(split: np.ndarray) -> float:
    """The largest difference from a fifth of the records."""
    return float(np.abs(np.bincount(split) / len(split) - 0.2).max())


def class_error(split: np.ndarray, label: np.ndarray) -> float:
    """The largest difference between a share of a class in a split, and in all."""
    overall = np.bincount(label) / len(label)
    shares = [
        np.bincount(label[split == one], minlength=len(overall)) / (split == one).sum() for one in range(5)
    ]
    return float(np.abs(np.stack(shares) - overall).max())


def test_many_units_are_improved_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 5, (60, 6))
    world = counts.sum(axis=1) + 1, counts, np.array([0.7, 0.3])
    dense = assigned(*world)
    monkeypatch.setattr(improve, "_MOST_DENSE", 0)
    assert assigned(*world).tolist() == dense.tolist()
