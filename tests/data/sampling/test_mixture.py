"""A batch is as near its weights as whole rows allow, and many batches are nearer."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import write_folder
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float64

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.sampling.mixture import Draw, Mixture, exact_shares
from safe_data.sampling.order import Order
from safe_data.shards.dataset import ShardDataset

BATCHES = 200
TOLERANCE = 0.002

weight = st.one_of(st.integers(1, 20), st.floats(0.001, 100), st.integers(1, 99).map(lambda n: n / 100))
weights = st.lists(weight, min_size=2, max_size=6).map(lambda ws: {f"d{i}": w for i, w in enumerate(ws)})
quickly = settings(max_examples=60, deadline=None)


def mixture(weights: dict[str, float], batch_size: int, *, rows: int = 50, seed: int = 0) -> Mixture:
    return Mixture({name: range(rows) for name in weights}, weights, batch_size=batch_size, seed=seed)


def test_40_percent_audio_is_40_percent_audio() -> None:
    mixed = Mixture(
        {"audio": range(100), "vl": range(900)}, {"audio": 0.4, "vl": 0.6}, batch_size=256, seed=0
    )
    counts = [mixed.batch(step).counts for step in range(5)]
    assert counts == [
        {"audio": 102, "vl": 154},
        {"audio": 103, "vl": 153},
        {"audio": 102, "vl": 154},
        {"audio": 103, "vl": 153},
        {"audio": 102, "vl": 154},
    ]
    assert sum(count["audio"] for count in counts) == 5 * 256 * 0.4
    assert mixed.batch(0).composition() == {
        "step": 0,
        "stage": None,
        "counts": {"audio": 102, "vl": 154},
        "shares": {"audio": 102 / 256, "vl": 154 / 256},
        "repeated": {"audio": 2, "vl": 0},
        "epochs": {"audio": 1.02, "vl": 154 / 900},
    }


@quickly
@given(weights=weights, batch_size=st.integers(8, 512), start=st.integers(0, 10**9))
def test_every_batch_is_near_and_200_are_nearer(
    weights: dict[str, float], batch_size: int, start: int
) -> None:
    exact = {name: share * batch_size for name, share in exact_shares(weights).items()}
    mixed = mixture(weights, batch_size, rows=1)
    drawn = [mixed.drawn_before(step) for step in range(start, start + BATCHES + 1)]
    for before, after in pairwise(drawn):
        counts = {name: after[name] - before[name] for name in weights}
        assert sum(counts.values()) == batch_size
        for name, count in counts.items():
            assert abs(count - exact[name]) < 1
    for name, each in exact.items():
        realised = (drawn[-1][name] - drawn[0][name]) / (BATCHES * batch_size)
        assert abs(realised - each / batch_size) <= TOLERANCE


@quickly
@given(weights=weights, batch_size=st.integers(1, 64), step=st.integers(0, 10**9))
def test_what_was_drawn_is_never_far_from_its_share(
    weights: dict[str, float], batch_size: int, step: int
) -> None:
    exact = exact_shares(weights)
    drawn = mixture(weights, batch_size).drawn_before(step)
    allowed = {2: Fraction(1, 2), 3: 1, 4: 1}.get(len(weights), Fraction(3, 2))
    assert all(abs(drawn[name] - step * batch_size * exact[name]) <= allowed for name in weights)


@quickly
@given(weights=weights, batch_size=st.integers(1, 40), steps=st.integers(1, 12))
def test_each_dataset_goes_through_its_own_epochs(
    weights: dict[str, float], batch_size: int, steps: int
) -> None:
    mixed = mixture(weights, batch_size, rows=7)
    for name in weights:
        rows = np.concatenate([mixed.batch(step).rows(name) for step in range(steps)])
        for start in range(0, len(rows) - 6, 7):
            assert sorted(rows[start : start + 7].tolist()) == list(range(7))
        rest = rows[len(rows) // 7 * 7 :].tolist()
        assert len(set(rest)) == len(rest)


@quickly
@given(weights=weights, batch_size=st.integers(8, 64), step=st.integers(0, 10**6), ranks=st.integers(1, 8))
def test_ranks_share_a_batch_in_its_shares(
    weights: dict[str, float], batch_size: int, step: int, ranks: int
) -> None:
    whole = mixture(weights, batch_size).batch(step)
    parts = [mixture(weights, batch_size).batch(step, rank=rank, ranks=ranks) for rank in range(ranks)]
    row, dataset = np.full(batch_size, -1), np.full(batch_size, -1)
    for rank, part in enumerate(parts):
        row[rank::ranks], dataset[rank::ranks] = part.row, part.dataset
        assert (part.counts, part.repeated, part.epochs) == (whole.counts, whole.repeated, whole.epochs)
        for name, count in whole.counts.items():
            assert abs(len(part.rows(name)) - count / ranks) < (2 if batch_size % ranks else 1)
    np.testing.assert_array_equal(row, whole.row)
    np.testing.assert_array_equal(dataset, whole.dataset)


@quickly
@given(weights=weights, batch_size=st.integers(1, 64), step=st.integers(0, 10**6))
def test_the_order_of_a_batch_changes_no_row_of_it(
    weights: dict[str, float], batch_size: int, step: int
) -> None:
    mixed = mixture(weights, batch_size)
    draw, drawn = mixed.batch(step), mixed.drawn_before(step)
    for name, count in draw.counts.items():
        expected = Order(50, 0, f"/{name}").indices(drawn[name], drawn[name] + count)
        np.testing.assert_array_equal(draw.rows(name), expected)


def shares_of_ranks(mixed: Mixture, ranks: int, first: int, steps: int) -> Float64[np.ndarray, "n w k"]:
    """How many rows more than its exact share each rank has had of each dataset, after each of n steps."""
    numbers = range(len(mixed.drawn_before(0)))
    drawn = np.array([mixed.batch(step).dataset for step in range(first, first + steps)])
    had = np.stack([(drawn == number).cumsum(axis=0) for number in numbers], axis=-1)
    parts = np.stack([had[:, rank::ranks].sum(axis=1) for rank in range(ranks)], axis=1)
    sizes = np.array([len(range(rank, mixed.batch_size, ranks)) for rank in range(ranks)])
    return parts - had.sum(axis=1)[:, None] * sizes[:, None] / mixed.batch_size


@quickly
@given(
    weights=st.tuples(weight, weight),
    batch_size=st.integers(1, 24),
    first=st.one_of(st.just(0), st.integers(0, 10**9)),
    data=st.data(),
)
def test_of_two_datasets_a_rank_is_never_a_row_from_its_share(
    weights: tuple[float, float], batch_size: int, first: int, data: st.DataObject
) -> None:
    ranks = data.draw(st.integers(1, batch_size))
    mixed = mixture(dict(zip("ab", weights, strict=True)), batch_size)
    off = shares_of_ranks(mixed, ranks, first, 60)
    assert abs(off).max() < (1 if first == 0 else 2)  # of steps in the middle, both ends are off


@pytest.mark.parametrize("names", ["ab", "azb", "abc", "abcde"])
@pytest.mark.parametrize(("batch_size", "ranks"), [(8, 8), (8, 2), (12, 12), (32, 3), (10, 4)])
def test_every_rank_sees_every_dataset_in_its_share(names: str, batch_size: int, ranks: int) -> None:
    weights = {name: {"a": 1.0, "z": 0.0, "b": 3.0}.get(name, 2.0) for name in names}
    steps = 900
    off = shares_of_ranks(mixture(weights, batch_size), ranks, 0, steps)
    deviation = (steps / 2) ** 0.5 * (2 if batch_size % ranks else 1)
    assert abs(off[-1]).max() < (4 * deviation if "c" in names else 1)
    assert abs(off[-1]).max() < 0.05 * steps * batch_size / ranks  # the least share is a tenth


@pytest.mark.parametrize("ranks", [2, 5, 10, 3])
def test_shares_are_exact_after_as_many_batches_as_rows(ranks: int) -> None:
    off = shares_of_ranks(mixture({"audio": 0.4, "vl": 0.4, "muted": 0.2}, 10), ranks, 0, 40)
    assert abs(off[[9, 19, 29, 39]]).max() < 1e-9


def test_the_order_of_a_batch_is_the_same_everywhere_and_always() -> None:
    draws = [mixture(dict.fromkeys(names, 1.0), 6).batch(5) for names in ("ab", "abc")]
    assert [draw.dataset.tolist() for draw in draws] == [[1, 1, 1, 0, 0, 0], [1, 1, 2, 2, 0, 0]]


@pytest.mark.parametrize(
    ("rows", "step", "repeated", "epochs"),
    [(3, 0, 1, 4 / 3), (3, 2, 1, 4.0), (1, 0, 3, 4.0), (4, 5, 0, 6.0), (5, 0, 0, 0.8), (100, 24, 0, 1.0)],
)
def test_a_batch_says_which_rows_it_holds_again(rows: int, step: int, repeated: int, epochs: float) -> None:
    draw = Mixture({"a": range(rows), "b": range(999)}, {"a": 1, "b": 1}, batch_size=8, seed=0).batch(step)
    assert len(set(draw.rows("a").tolist())) == 4 - repeated
    assert (draw.repeated, draw.epochs["a"]) == ({"a": repeated, "b": 0}, epochs)


def test_a_step_is_the_same_whatever_came_before() -> None:
    weights = {"audio": 0.3, "vl": 0.5, "text": 0.2}
    mixed = mixture(weights, 16)
    in_turn = [mixed.batch(step) for step in range(40)]
    for step in (39, 7, 0, 23):
        alone = mixture(weights, 16).batch(step)
        np.testing.assert_array_equal(alone.row, in_turn[step].row)
        np.testing.assert_array_equal(alone.dataset, in_turn[step].dataset)


class Batches:
    """What a torch DataLoader takes: the embeddings of a step's batch."""

    def __init__(self, datasets: dict[str, ShardDataset]) -> None:
        self.datasets = datasets
        self.mixture = Mixture(datasets, {"train": 0.7, "test": 0.3}, batch_size=6, seed=0)

    def __len__(self) -> int:
        return 12

    def __getitem__(self, step: int) -> tuple[dict[str, Any], np.ndarray]:
        draw = self.mixture.batch(step)
        parts = [dataset.embeddings(draw.rows(name)) for name, dataset in self.datasets.items()]
        return draw.composition(), np.concatenate(parts)


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker")
def test_any_number_of_workers_gives_the_same_batches(tmp_path: Path) -> None:
    from torch.utils.data import DataLoader

    build_dataset(write_folder(tmp_path / "world", 12), tmp_path / "shards", shard_size=3)
    batches = Batches({split: ShardDataset(tmp_path / "shards", split) for split in ("train", "test")})
    alone = [batches[step] for step in range(12)]
    for workers in (1, 2):
        loaded = list(DataLoader(batches, batch_size=None, num_workers=workers, collate_fn=tuple))
        assert [composition for composition, _ in loaded] == [composition for composition, _ in alone]
        for (_, found), (_, expected) in zip(loaded, alone, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_datasets_and_seeds_are_shuffled_apart() -> None:
    one, other = (mixture({"a": 1, "b": 1}, 100, seed=seed).batch(0) for seed in (0, 1))
    assert one.rows("a").tolist() != one.rows("b").tolist()
    assert one.rows("a").tolist() != other.rows("a").tolist()


def test_a_dataset_of_weight_0_is_not_drawn() -> None:
    draws = [mixture({"a": 1, "b": 0, "c": 2}, 10).batch(step) for step in range(9)]
    assert all(draw.counts["b"] == 0 and draw.rows("b").tolist() == [] for draw in draws)
    assert sum(draw.counts["a"] for draw in draws) == 30


def test_weights_are_taken_as_they_are_written() -> None:
    assert exact_shares({"a": 0.1, "b": 0.2}) == {"a": Fraction(1, 3), "b": Fraction(2, 3)}
    assert exact_shares({"a": np.float64(0.1), "b": np.float64(1e-7)})["b"] == Fraction(1, 1_000_001)


@pytest.mark.parametrize("name", ["", 1])
def test_a_weight_without_a_name_is_refused(name: Any) -> None:
    with pytest.raises(InputError, match=f"weight 1 of {name!r}: a weight needs the name of what is drawn"):
        exact_shares({name: 1})


def test_one_dataset_is_a_mixture_too() -> None:
    draw = mixture({"a": 3}, 8).batch(4)
    assert isinstance(draw, Draw)
    assert draw.counts == {"a": 8}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"a": 1, "b": -0.5}, "weight -0.5 of 'b': a weight is a number, 0 or more"),
        ({"a": 1, "b": float("nan")}, "weight nan of 'b': a weight is a number, 0 or more"),
        ({"a": float("inf"), "b": 1}, "weight inf of 'a': a weight is a number, 0 or more"),
        ({"a": 0, "b": 0.0}, "no dataset has a weight above 0; nothing would be drawn"),
        ({"a": 1}, "weights name a; datasets are a, b; give each dataset one weight"),
        ({"a": 1, "b": 1, "c": 1}, "weights name a, b, c; datasets are a, b; give each dataset one weight"),
    ],
)
def test_impossible_weights_are_refused(weights: dict[str, float], message: str) -> None:
    with pytest.raises(InputError) as error:
        Mixture({"a": range(3), "b": range(3)}, weights, batch_size=4, seed=0)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: mixture({"a": 1}, 0), "batch size 0: a batch holds one row or more"),
        (lambda: mixture({"a": 1}, 4, rows=0), "dataset 'a' has no rows; leave it out"),
        (lambda: mixture({"a": 1}, 4).batch(0, rank=2, ranks=2), "rank 2 of 2: a rank is 0 or more"),
        (
            lambda: mixture({"a": 1}, 4).batch(0, rank=0, ranks=5),
            "rank 0 of 5 in batches of 4: each rank needs a row",
        ),
        (lambda: mixture({"a": 1}, 4).batch(-1), "positions from -4 by 1"),
    ],
)
def test_an_impossible_batch_is_refused(ask: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask()
