"""Off-policy values: against the truth on planted logs, with intervals that hold; and logs from disk."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_policies import made_policies

from safe_data.core.errors import InputError
from safe_train.gates.off_policy import Log, Value, draw_log, off_policy_values, read_log, write_log
from safe_train.gates.reward import Reward, rewards

Table = np.ndarray


def choices(questions: int, budgets: int) -> Table:
    """A policy that chooses every budget now and then."""
    raised = np.random.default_rng(9).random((questions, budgets)) ** 3
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def uneven(questions: int, budgets: int, seed: int) -> Log:
    """A log of a policy that prefers no sound, and more so for some questions."""
    rng = np.random.default_rng(seed)
    first = np.random.default_rng(8).uniform(0.3, 0.7, questions)
    chances = np.concatenate(
        [first[:, None], np.repeat(((1 - first) / (budgets - 1))[:, None], budgets - 1, axis=1)], axis=1
    )
    columns = (rng.random(questions)[:, None] > chances.cumsum(axis=1)).sum(axis=1)
    return Log(columns.astype(np.int64), chances[np.arange(questions), columns])


def values_of(log: Log, chances: Table, paid: Table, predicted: Table, groups: Table) -> dict[str, Value]:
    return {one.method: one for one in off_policy_values(chances, log, paid, predicted, groups)}


def test_values_are_sums_written_out() -> None:
    log = Log(np.array([0, 1, 1]), np.array([0.5, 0.25, 0.5]))
    chances = np.array([[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]])
    paid = np.array([[1.0, np.nan], [np.nan, 0.6], [np.nan, 0.0]])
    predicted = np.array([[0.9, 0.5], [0.1, 0.7], [0.4, 0.2]])
    found = values_of(log, chances, paid, predicted, np.arange(3))
    weights = [0.2 / 0.5, 0.5 / 0.25, 0.0]
    assert found["ips"].value == pytest.approx((weights[0] * 1.0 + weights[1] * 0.6) / 3)
    assert found["self_normalised_ips"].value == pytest.approx((0.4 * 1.0 + 2.0 * 0.6) / 2.4)
    robust = [
        0.2 * 0.9 + 0.8 * 0.5 + 0.4 * (1.0 - 0.9),
        0.5 * 0.1 + 0.5 * 0.7 + 2.0 * (0.6 - 0.7),
        1.0 * 0.4 + 0.0,
    ]
    assert found["doubly_robust"].value == pytest.approx(np.mean(robust))


def test_values_have_no_bias_and_a_good_model_makes_them_precise() -> None:
    outcomes = made_policies(400)
    paid, chances = rewards(outcomes, Reward()), choices(400, 3)
    truth = (chances * paid).sum(axis=1).mean()
    wrong = np.full_like(paid, 0.3)
    groups = np.asarray(outcomes.groups)
    logs = [uneven(400, 3, seed) for seed in range(300)]
    drawn = {
        (name, method): np.array([values_of(log, chances, paid, model, groups)[method].value for log in logs])
        for name, model in (("wrong", wrong), ("good", paid + 0.01))
        for method in ("ips", "doubly_robust")
    }
    for values in drawn.values():
        stderr = values.std() / np.sqrt(len(values))
        assert abs(values.mean() - truth) < 4 * stderr + 1e-9
    assert drawn["good", "doubly_robust"].std() < drawn["good", "ips"].std() / 5


def test_a_policy_that_nobody_tried_has_no_self_normalised_value() -> None:
    log = Log(np.zeros(4, np.int64), np.full(4, 0.5))
    never = np.tile([0.0, 1.0], (4, 1))
    found = values_of(log, never, np.ones((4, 2)), np.ones((4, 2)), np.arange(4))
    assert found["self_normalised_ips"].value is None  # which JSON can say, too
    assert found["self_normalised_ips"].interval.low is None


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held = {"ips": 0, "self_normalised_ips": 0, "doubly_robust": 0}
    trials = 400
    reward = Reward()
    many = made_policies(40_000, seed=1)
    paid_by_many = rewards(many, reward)
    always = np.tile([0.1, 0.6, 0.3], (40_000, 1))
    truth = (always * paid_by_many).sum(axis=1).mean()
    rng = np.random.default_rng(0)
    for trial in range(trials):
        rows = (rng.integers(0, 10_000, 100)[:, None] * 4 + np.arange(4)).ravel()  # whole groups
        log = uneven(400, 3, trial)
        groups = np.repeat(np.arange(100), 4)
        model = np.full((400, 3), 0.8)
        for one in off_policy_values(always[rows], log, paid_by_many[rows], model, groups):
            assert one.interval.low is not None
            assert one.interval.high is not None
            held[one.method] += one.interval.low <= truth <= one.interval.high
    for method, count in held.items():
        assert count / trials > 0.92, method


def test_a_log_is_read_back(tmp_path: Path) -> None:
    outcomes, log = made_policies(40), draw_log(40, 3, seed=2)
    write_log(tmp_path / "log.parquet", log, outcomes)
    found = read_log(tmp_path / "log.parquet", outcomes)
    assert found.columns.tolist() == log.columns.tolist()
    assert found.propensities.tolist() == log.propensities.tolist()
    assert set(found.columns.tolist()) == {0, 1, 2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": 5}, r"row 1 'q00000': 5 audio tokens are none of the budgets \[0, 4, 8\]"),
        ({"propensity": 0.0}, "row 1 'q00000': propensity 0.0 is not above 0 and at most 1"),
        ({"example_id": "other"}, "row 1 'other': the table of outcomes has no such question"),
        ({"example_id": "q00001"}, "row 2 'q00001': is logged twice"),
    ],
)
def test_a_log_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    outcomes = made_policies(4)
    rows = [{"example_id": one, "tokens": 4, "propensity": 0.5} for one in outcomes.example_ids]
    rows[0] |= change
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "log.parquet")
    with pytest.raises(InputError, match=message):
        read_log(tmp_path / "log.parquet", outcomes)


def test_a_log_without_all_questions_is_refused(tmp_path: Path) -> None:
    outcomes = made_policies(4)
    rows = [{"example_id": one, "tokens": 4, "propensity": 0.5} for one in outcomes.example_ids[:3]]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "log.parquet")
    with pytest.raises(InputError, match="1 of 4 questions are not logged, such as 'q00003'"):
        read_log(tmp_path / "log.parquet", outcomes)
    outcomes.scores[0, 1] = np.nan
    with pytest.raises(InputError, match="'q00000': the table of outcomes has no score at 4 audio tokens"):
        read_log(tmp_path / "log.parquet", outcomes)
    (tmp_path / "text.parquet").write_text("no")
    with pytest.raises(InputError, match="is no log"):
        read_log(tmp_path / "text.parquet", outcomes)
