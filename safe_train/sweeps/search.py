"""Search: Optuna draws the points, and remembers them and their values in OUT/study.db.

The points of a grid are queued in the order of the file. Random ones, and those of TPE, are drawn by samplers
that are seeded anew for each point, so that a search that was stopped goes on as if it had not been.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safe_data.core.errors import InputError
from safe_train.sweeps.grid import Drawn, Grid, checked
from safe_train.sweeps.point import Point, point_of, points_of, rounded
from safe_train.sweeps.pruning import Curve

if TYPE_CHECKING:
    import optuna

STUDY = "study.db"
_NAME = "sweep"
_POINT, _GRID, _DRIFT = "point", "grid", "drift"


@dataclass(frozen=True)
class Outcome:
    """What a search learns of a point: its value, if it was not stopped, what it drifted, and its curve."""

    value: float | None
    drift: float | None
    curve: Curve


Run = Callable[[Sequence[Point], Sequence[Curve]], Sequence[Outcome]]


def planned(grid: Grid) -> tuple[Point, ...]:
    """The points of a grid, or those of a random search, which need no result; none of TPE."""
    if grid.search == "grid":
        return points_of(grid)
    if grid.search == "random":
        study = _study(grid, None)
        return _unique(_draw(grid, study) for _ in range(grid.trials or 0))
    return ()


def search(
    grid: Grid, out: Path, run: Run, *, only: Sequence[str] = (), force: bool = False
) -> tuple[Point, ...]:
    """Run all points of a grid, or as many as a search draws; the points in the order they were run.

    Raises:
        InputError: OUT holds the study of another grid, whose values this one would build on.
    """
    study = _opened(grid, out, force=force)
    if grid.search != "tpe" and not (grid.pruning and grid.pruning.loss):
        points = [point for point in planned(grid) if not only or point.name in only]
        outcomes = run(points, ())
        for point, outcome in zip(points, outcomes, strict=True):
            _record(grid, study, point, outcome)
        return tuple(points)
    return _in_turns(grid, study, run, only)


def _in_turns(grid: Grid, study: "optuna.Study", run: Run, only: Sequence[str]) -> tuple[Point, ...]:
    """Run so many points at once as the grid says, each turn with what the turns before found."""
    import optuna

    listed = [point for point in planned(grid) if not only or point.name in only]
    total = len(listed) if listed else grid.trials or 0
    points: list[Point] = []
    curves: list[Curve] = []
    seen: dict[str, Outcome] = {}
    while len(points) < total:
        wanted = min(grid.at_once, total - len(points))
        turn: list[tuple[Point, Any]] = []
        for number in range(len(points), len(points) + wanted):
            known = study.get_trials(deepcopy=False)
            if listed:
                turn.append((listed[number], None))
            elif number < len(known):  # drawn before the search was stopped
                turn.append((_point_of_trial(grid, known[number].params), known[number].number))
            else:
                study.sampler = _sampler(grid, number)
                trial = study.ask(_distributions(grid))
                turn.append((_point_of_trial(grid, trial.params), trial.number))
        fresh = [point for point in _unique(point for point, _ in turn) if point.name not in seen]
        seen |= zip((point.name for point in fresh), run(fresh, tuple(curves)), strict=True)
        for point, number in turn:
            outcome = seen[point.name]
            if listed:
                _record(grid, study, point, outcome)
            elif study.get_trials(deepcopy=False)[number].state == optuna.trial.TrialState.RUNNING:
                _tell(grid, study, number, point, outcome)
        curves += [seen[point.name].curve for point in fresh]
        points += [point for point, _ in turn]
    return _unique(points)


def _record(grid: Grid, study: "optuna.Study", point: Point, outcome: Outcome) -> None:
    """Write a point that was listed into the study, unless it is there."""
    if any(trial.user_attrs.get(_POINT) == point.name for trial in study.get_trials(deepcopy=False)):
        return
    study.enqueue_trial({name: _label(value) for name, value in point.varied.items()})
    trial = study.ask(_listed_distributions(grid, point))
    _tell(grid, study, trial.number, point, outcome)


def _tell(grid: Grid, study: "optuna.Study", number: int, point: Point, outcome: Outcome) -> None:
    """Tell the study what a point gave, and, as a constraint, whether it drifted more than it may."""
    import optuna

    trial = optuna.trial.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)
    trial.set_user_attr(_POINT, point.name)
    trial.set_user_attr(_DRIFT, outcome.drift)
    limit = grid.objective.drift_at_most
    if limit is not None and outcome.drift is not None:
        trial.set_constraint(_DRIFT, outcome.drift - limit)
    for step, loss in outcome.curve.items():
        trial.report(loss, step)
    if outcome.value is None:
        study.tell(number, state=optuna.trial.TrialState.PRUNED)
    else:
        study.tell(number, outcome.value)


def _opened(grid: Grid, out: Path, *, force: bool) -> "optuna.Study":
    """The study of a folder. That of another grid is only kept where values decided what was drawn."""
    import optuna

    file = out / STUDY
    out.mkdir(parents=True, exist_ok=True)
    identity = json.dumps(_identity(grid), sort_keys=True)
    study = _study(grid, file)
    found = study.user_attrs.get(_GRID)
    if found not in (None, identity):
        if grid.search == "tpe" and not force:
            raise InputError(
                f"{file}: holds the search of another grid, whose values this one would build on; choose "
                "another --out, or add --force to start over"
            )
        optuna.delete_study(study_name=_NAME, storage=study._storage)
        study = _study(grid, file)
    study.set_user_attr(_GRID, identity)
    return study


def _study(grid: Grid, file: Path | None) -> "optuna.Study":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = None if file is None else f"sqlite:///{file.resolve()}"
    return optuna.create_study(
        storage=storage,
        study_name=_NAME,
        direction="maximize",
        sampler=_sampler(grid, 0),
        load_if_exists=True,
    )


def _sampler(grid: Grid, number: int) -> "optuna.samplers.BaseSampler":
    import optuna

    seed = grid.search_seed * 100_003 + number
    if grid.search != "tpe":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=min(10, max(2, (grid.trials or 10) // 3)))


def _draw(grid: Grid, study: "optuna.Study") -> Point:
    number = len(study.get_trials(deepcopy=False))
    study.sampler = _sampler(grid, number)
    trial = study.ask(_distributions(grid))
    study.tell(trial, 0.0)
    return _point_of_trial(grid, trial.params)


def _distributions(grid: Grid) -> "dict[str, optuna.distributions.BaseDistribution]":
    return {name: _distribution(name, values) for name, values in grid.vary.items()}


def _distribution(name: str, values: Drawn | list[Any]) -> "optuna.distributions.BaseDistribution":
    from optuna import distributions

    if not isinstance(values, Drawn):
        return distributions.CategoricalDistribution([_label(checked(name, value)) for value in values])
    if values.whole:
        return distributions.IntDistribution(int(values.low), int(values.high), log=values.log)
    return distributions.FloatDistribution(values.low, values.high, log=values.log)


def _listed_distributions(grid: Grid, point: Point) -> "dict[str, optuna.distributions.BaseDistribution]":
    from optuna import distributions

    if grid.vary:
        return _distributions(grid)
    return {
        name: distributions.CategoricalDistribution([_label(value)]) for name, value in point.varied.items()
    }


def _label(value: Any) -> str:
    """A value as Optuna can store it: JSON.

    >>> _label((4, 8)), _label("early")
    ('[4, 8]', '"early"')
    """
    return json.dumps(value, default=str)


def _point_of_trial(grid: Grid, params: dict[str, Any]) -> Point:
    choice = {
        name: _value(params[name], isinstance(values, Drawn) and values.whole)
        if isinstance(values, Drawn)
        else json.loads(params[name])
        for name, values in grid.vary.items()
    }
    return point_of(grid, choice)


def _value(drawn: float, whole: bool) -> int | float:
    return int(drawn) if whole else rounded(float(drawn))


def _identity(grid: Grid) -> dict[str, Any]:
    """What the values of a study depend on, beside the trials themselves."""
    return {
        name: value
        for name, value in grid.model_dump(mode="json").items()
        if name not in ("about", "rules", "trials", "confidence", "at_once")
    }


def _unique(points: Any) -> tuple[Point, ...]:
    return tuple({point.name: point for point in points}.values())
