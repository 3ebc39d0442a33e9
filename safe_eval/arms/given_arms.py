"""Given arms: every arm as other harnesses scored it, by their own names, such as `given:exact_match`.

Their scores are compared and paired like those of any metric here. What a number means is the harness's
business: its direction and its scale are not known.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError, did_you_mean
from safe_eval.arms.arm import Arm
from safe_eval.arms.scored_arm import ScoredArm, scored_arm
from safe_eval.prediction import Prediction, quoted
from safe_eval.statistics.intervals import FRACTION

GIVEN = "given:"  # before the name that a harness gave to its score
SCALES = (1.0, 10.0, 100.0)  # where a scale of scores of 0 and more may end

_Kind = tuple[str | None, bool]  # a task, and whether there are choices
_Names = dict[str, None]  # in the order in which rows give them


def is_given(metric: str) -> bool:
    """Whether a metric is another harness's score.

    >>> is_given("given:exact_match"), is_given("exact_match")
    (True, False)
    """
    return metric.startswith(GIVEN) and len(metric) > len(GIVEN)


def given_arms(arms: Sequence[Arm]) -> dict[str, tuple[ScoredArm, ...]]:
    """The arms as other harnesses scored them, by metric.

    A score that a row gives is taken as it is. A row that failed and gives none counts as 0, if other rows of
    its model give the score for such a task: errors count as wrong here. Other rows without it are left out;
    `given_notes` counts them.
    """
    expected = _expected(arms)
    found: dict[str, list[tuple[Arm, Float[ndarray, " rows"]]]] = {}
    for arm in arms:
        of_kind = expected.get((arm.key.dataset, arm.key.model), {})
        every = dict.fromkeys(name for names in of_kind.values() for name in names)
        for name in every:
            values = np.array(list(_values(arm, name, of_kind, every)))
            if not np.isnan(values).all():
                found.setdefault(name, []).append((arm, values))
    return {GIVEN + name: tuple(_scored(GIVEN + name, own)) for name, own in found.items()}


def scale_of(values: Float[ndarray, " items"]) -> tuple[float, float]:
    """The scale that scores are taken to lie on: up to 1, 10, 100 or their own highest, and down as far.

    >>> scale_of(np.array([0.0, 0.5])), scale_of(np.array([3.0, 7.5])), scale_of(np.array([-2.0, 120.0]))
    ((0.0, 1.0), (0.0, 10.0), (-120.0, 120.0))
    """
    reach = float(np.abs(values).max(initial=0.0))
    highest = next((end for end in SCALES if reach <= end), reach)
    return (-highest if values.min(initial=0.0) < 0 else 0.0), highest


def is_share(arm: ScoredArm) -> bool:
    """Whether the scores of an arm lie in [0, 1], so that from half on an answer counts as right."""
    return (arm.lowest, arm.highest) == FRACTION


def is_off_scale(arm: ScoredArm) -> bool:
    """Whether an arm holds given scores of which none is right or wrong, because they leave [0, 1]."""
    return is_given(arm.metric) and not is_share(arm)


def check_given(metrics: Sequence[str], given: Mapping[str, object]) -> None:
    """Refuse another harness's score that no row gives.

    Raises:
        InputError: there is one; the message lists those that rows give.
    """
    for metric in metrics:
        if is_given(metric) and metric not in given:
            hint = did_you_mean(metric, list(given), f"rows give {', '.join(given) or 'no scores'}")
            raise InputError(f"no row gives {metric!r}; {hint}")


def given_notes(arms: Sequence[Arm], given: Mapping[str, Sequence[ScoredArm]]) -> Iterator[str]:
    """Lines on rows that only given scores judge, on rows that lack one, and on scores outside [0, 1]."""
    for arm in arms:
        open_rows = 0 if arm.referenced is None else int((~arm.referenced).sum())
        if open_rows:
            yield (
                f"{open_rows} of {len(arm.rows)} rows of {_named(arm)} have no references: no rule here "
                "scores them, only what another harness gave"
            )
    for metric, scored in given.items():
        for dataset in dict.fromkeys(one.key.dataset for one in scored):
            first = next(one for one in scored if one.key.dataset == dataset)
            if not is_share(first):
                yield (
                    f"{metric}{'' if dataset is None else f' on {dataset}'} leaves [0, 1]: its scale is "
                    f"taken to run from {first.lowest:g} to {first.highest:g}, and no score of it counts as "
                    "right or wrong"
                )
        for one in scored:
            yield from _lacking(metric, one)


def _lacking(metric: str, one: ScoredArm) -> Iterator[str]:
    name = metric.removeprefix(GIVEN)
    silent = len(one.arm.rows) - len(one.at)
    failed = sum(name not in (row.scores or {}) for row in one.rows)
    if silent:
        yield f"{silent} of {len(one.arm.rows)} rows of {_named(one.arm)} give no {quoted(name)}: left out"
    if failed:
        yield (
            f"{failed} of {len(one.at)} rows of {_named(one.arm)} failed without a {quoted(name)} and count "
            "as 0; the table given_scores also has the mean without them, as some harnesses state it"
        )


def _named(arm: Arm) -> str:
    on = "" if arm.key.dataset is None else f" on {arm.key.dataset}"
    return f"{arm.key.name}{on}, seed {arm.key.seed},"


def _kind(row: Prediction) -> _Kind:
    return row.task, bool(row.choices)


def _expected(arms: Sequence[Arm]) -> dict[tuple[str | None, str], dict[_Kind, _Names]]:
    """The names of the scores that a model's rows give on a dataset, by the kind of their task."""
    found: dict[tuple[str | None, str], dict[_Kind, _Names]] = {}
    for arm in arms:
        of_kind: dict[_Kind, _Names] = {}
        for row in arm.rows:
            if row.scores:
                of_kind.setdefault(_kind(row), {}).update(dict.fromkeys(row.scores))
        for kind, names in of_kind.items():
            of_model = found.setdefault((arm.key.dataset, arm.key.model), {})
            of_model.setdefault(kind, {}).update(names)
    return found


def _values(arm: Arm, name: str, of_kind: Mapping[_Kind, _Names], every: _Names) -> Iterator[float]:
    """A score of each row, or NaN where a row is left out.

    A failed row may not say what its task was. Then it counts in all that the model's rows give.
    """
    for row, failed in zip(arm.rows, arm.failed.tolist(), strict=True):
        value = (row.scores or {}).get(name)
        if value is not None:
            yield value
        else:
            yield 0.0 if failed and name in of_kind.get(_kind(row), every) else np.nan


def _scored(metric: str, own: Sequence[tuple[Arm, Float[ndarray, " rows"]]]) -> Iterator[ScoredArm]:
    for dataset in dict.fromkeys(arm.key.dataset for arm, _ in own):
        of_it = [(arm, values) for arm, values in own if arm.key.dataset == dataset]
        every = np.concatenate([values for _, values in of_it])
        lowest, highest = scale_of(every[~np.isnan(every)])
        for arm, values in of_it:
            at = np.flatnonzero(~np.isnan(values))
            taken = values[at]
            yield scored_arm(metric, arm, at, taken, highest=highest, lowest=lowest, failed=taken)
