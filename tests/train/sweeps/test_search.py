"""Search by Optuna: the same points again, a search that was stopped goes on, and other grids are refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from safe_data.core.errors import InputError
from safe_train.sweeps.grid import Grid, Pruning
from safe_train.sweeps.point import Point
from safe_train.sweeps.pruning import Curve, is_worse
from safe_train.sweeps.search import STUDY, Outcome, planned, search

VARIED: dict[str, Any] = {
    "projector_lr": {"low": 1e-5, "high": 1e-2, "log": True},
    "tokens": {"low": 2, "high": 12},
    "location": ["early", "late"],
}


def grid(**changes: Any) -> Grid:
    given = {"vary": VARIED, "search": "tpe", "trials": 9, "seeds": [0], "search_seed": 3}
    return Grid.model_validate(given | changes)


def value_of(point: Point) -> float:
    """A planted landscape: best late, with many tokens."""
    return point.options["tokens"] / 20 + 0.3 * (point.options.get("location") == "late")


class Runner:
    """Measures points by the landscape, and is killed after so many."""

    def __init__(self, killed_after: int = 1000) -> None:
        self.ran: list[str] = []
        self.earlier: list[int] = []
        self.left = killed_after

    def __call__(self, points: Sequence[Point], earlier: Sequence[Curve]) -> list[Outcome]:
        found = []
        for point in points:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            self.ran.append(point.name)
            self.earlier.append(len(earlier))
            found.append(Outcome(value_of(point), 0.0, {10: 1 - value_of(point)}))
        return found


def test_a_random_search_draws_the_same_points_again() -> None:
    drawn = planned(grid(search="random"))
    assert len(drawn) == 9
    assert drawn == planned(grid(search="random"))
    assert drawn != planned(grid(search="random", search_seed=4))
    assert planned(grid(search="random", trials=4)) == drawn[:4]
    for point in drawn:
        assert 1e-5 <= point.options["projector_lr"] <= 1e-2
        assert isinstance(point.options["tokens"], int)
        assert f"plr{point.options['projector_lr']:.4g}" in point.name


def test_tpe_that_was_killed_ends_with_the_same_points(tmp_path: Path) -> None:
    whole, stopped = Runner(), Runner(killed_after=5)
    points = search(grid(), tmp_path / "whole", whole)
    with pytest.raises(KeyboardInterrupt):
        search(grid(), tmp_path / "stopped", stopped)
    again = search(grid(), tmp_path / "stopped", Runner())
    assert again == points
    assert [point.name for point in again][:5] == stopped.ran
    assert (tmp_path / "whole" / STUDY).is_file()


def test_tpe_does_better_than_chance(tmp_path: Path) -> None:
    points = search(grid(trials=16), tmp_path, Runner())
    values = [value_of(point) for point in points]
    assert sum(values[-6:]) > sum(values[:6])


def test_the_search_of_another_grid_is_refused(tmp_path: Path) -> None:
    search(grid(), tmp_path, Runner())
    with pytest.raises(InputError, match=r"study\.db: holds the search of another grid"):
        search(grid(search_seed=4), tmp_path, Runner())
    assert len(search(grid(trials=10), tmp_path, Runner())) == 10  # more of the same is not another
    search(grid(search_seed=4), tmp_path, Runner(), force=True)


def test_optuna_holds_the_values_of_a_grid_in_its_order(tmp_path: Path) -> None:
    import optuna

    listed = Grid.model_validate({"vary": {"tokens": [8, 4], "location": ["early", "late"]}})
    for _ in range(2):  # the second time, nothing is added
        points = search(listed, tmp_path, Runner())
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{tmp_path / STUDY}")
    assert [trial.user_attrs["point"] for trial in study.trials] == [point.name for point in points]
    assert [trial.value for trial in study.trials] == [value_of(point) for point in points]
    assert study.trials[0].params == {"tokens": "8", "location": '"early"'}
    assert study.best_trial.user_attrs["point"] == "k8-location_late"


def test_with_pruning_by_loss_each_point_is_compared_with_those_before(tmp_path: Path) -> None:
    listed = {"vary": {"tokens": [2, 4, 6, 8]}, "pruning": {"loss": 50}}
    runner = Runner()
    search(Grid.model_validate(listed), tmp_path / "one", runner)
    assert runner.earlier == [0, 1, 2, 3]
    runner = Runner()
    search(Grid.model_validate(listed | {"at_once": 2}), tmp_path / "two", runner)
    assert runner.earlier == [0, 0, 2, 2]


def test_a_loss_above_the_median_of_those_before_is_worse() -> None:
    earlier = [{10: loss, 20: loss / 2} for loss in (1.0, 1.1, 1.2, 1.3)]
    half = Pruning(loss=50, startup=4)
    assert is_worse({10: 1.25}, earlier, 10, half)
    assert not is_worse({10: 1.05}, earlier, 10, half)
    assert not is_worse({10: 1.25, 20: 0.5}, earlier, 20, half)  # it caught up
    assert not is_worse({10: 1.25}, earlier, 10, Pruning(loss=50, startup=5))
    assert not is_worse({10: 1.25}, earlier, 10, Pruning(loss=50, after=15))
