"""Aggregates over seeds: their linear values, their noise, and what criteria may ask of them."""

import msgspec
import numpy as np
import pytest
from made_rows import answers, row

from safe_eval.arms.all_arms import all_arms
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.judged import judge
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.aggregates import AGGREGATES
from safe_eval.results.linear_values import of_aggregate
from safe_eval.results.seed_aggregates import seed_aggregate_rows, seed_calibration_rows
from safe_eval.results.seeds import SeedRow
from safe_eval.scorers.aggregate import Aggregate
from safe_eval.scoring.score import score_predictions
from safe_eval.scoring.scores import Scores

QUICK = Sampling(resamples=200)


def classified(seed: int, chance: float = 0.8, clips: int = 120) -> list[Prediction]:
    """A third of the clips speak; one class is answered better than the other."""
    rng, rows = np.random.default_rng([5, seed]), []
    for clip in range(clips):
        name, other = ("SPEECH", "NONSPEECH") if clip % 3 == 0 else ("NONSPEECH", "SPEECH")
        right = rng.random() < chance + 0.1 * (clip % 3 == 0)
        rows.append(
            row(
                f"c{clip}",
                name if right else other,
                references=(name,),
                choices=("SPEECH", "NONSPEECH"),
                task="classify",
                dataset="clips",
                group=f"g{clip // 2}",
                model="safe",
                seed=seed,
                confidence=0.7 + 0.2 * (clip % 2),
            )
        )
    return rows


def yes_or_no(seed: int) -> list[Prediction]:
    rng = np.random.default_rng([9, seed])
    return [
        row(
            f"q{clip}",
            str(rng.choice(["yes", "no"], p=[0.7, 0.3])),
            references=("yes" if clip % 2 else "no",),
            dataset="pope",
            task="vqa",
            group=f"g{clip // 3}",
            model="safe",
            seed=seed,
        )
        for clip in range(90)
    ]


@pytest.fixture(scope="module")
def three() -> Scores:
    return score_predictions([r for seed in range(3) for r in classified(seed)], QUICK)


def rows_of(rows: list[Prediction]) -> dict[str, SeedRow]:
    return {found.metric: found for found in seed_aggregate_rows(all_arms(rows), QUICK)}


def test_linear_values_move_as_the_aggregate_does_without_a_clip() -> None:
    """The jackknife over clips agrees with the linear values to first order."""
    rows = classified(0)
    aggregate = next(one for one in AGGREGATES["accuracy"](rows) if one.name == "balanced_accuracy")
    values = of_aggregate(aggregate, len(rows))
    assert values.mean() == pytest.approx(aggregate.value)
    without = [AGGREGATES["accuracy"](rows[:at] + rows[at + 1 :]) for at in range(len(rows))]
    left = np.array([next(one.value for one in own if one.name == "balanced_accuracy") for own in without])
    pseudo = len(rows) * aggregate.value - (len(rows) - 1) * left
    assert np.corrcoef(values, pseudo)[0, 1] > 0.999


def test_an_aggregate_without_items_has_no_linear_values() -> None:
    assert of_aggregate(Aggregate("vocabulary", 12.0, 40), 40) is None


def test_balanced_accuracy_is_split_into_seeds_and_item_noise() -> None:
    found = rows_of([r for seed in range(3) for r in classified(seed)])["balanced_accuracy"]
    single = [rows_of([*classified(seed), *classified(seed + 10)]) for seed in range(3)]
    assert found.means == pytest.approx([one["balanced_accuracy"].means[0] for one in single])
    assert found.std == pytest.approx(np.std(found.means, ddof=1))
    assert 0 < found.noise_std < 0.1
    assert found.seed_std < found.std or found.seed_std == 0
    assert found.std < found.seed_std_high
    assert found.ci_low < found.mean < found.ci_high <= 1
    assert (found.seeds, found.slice, found.n, found.clusters) == ((0, 1, 2), "all", 120, 60)


def test_equally_good_seeds_have_as_much_spread_as_item_noise_gives() -> None:
    shares = []
    for trial in range(25):
        rows = [msgspec.structs.replace(r, seed=s) for s in range(4) for r in classified(100 * trial + s)]
        found = rows_of(rows)["balanced_accuracy"]
        shares.append([found.std**2, found.noise_std**2])
    between, noise = np.mean(shares, axis=0)
    assert between == pytest.approx(noise, rel=0.35)


def test_ratios_whose_items_differ_from_seed_to_seed_are_there_too() -> None:
    """Precision is about the questions that a seed answers with yes."""
    found = rows_of([r for seed in range(3) for r in yes_or_no(seed)])
    assert {"precision", "recall", "f1", "yes_ratio"} <= set(found)
    assert found["precision"].noise_std > 0
    assert found["precision"].ci_low < found["precision"].mean < found["precision"].ci_high


def test_seeds_of_different_clips_have_no_row() -> None:
    rows = [*classified(0), *classified(1)[1:]]
    assert rows_of(rows) == {}
    assert list(seed_calibration_rows(all_arms(rows), QUICK)) == []


def test_calibration_over_seeds_is_the_mean_of_its_seeds(three: Scores) -> None:
    for metric in ("ece", "brier", "nll", "confidence"):
        found = next(one for one in three.seeds if one.metric == metric)
        each = [one.value for one in three.metrics if one.metric == metric]
        assert found.means == pytest.approx(each)
        assert found.ci_low <= found.mean <= found.ci_high


@pytest.mark.parametrize("metric", ["balanced_accuracy", "accuracy", "ece", "brier"])
def test_criteria_judge_the_spread_its_limit_and_the_mean(three: Scores, metric: str) -> None:
    found = next(one for one in three.seeds if (one.metric, one.slice) == (metric, "all"))

    def judged(**fields: object) -> tuple[str, float | None, float | None]:
        asked = {"name": "it", "bound": ">= 0", "condition": "safe/full", "min_seeds": 3} | fields
        result = judge(Criterion(**asked), three)
        assert "seeds [0, 1, 2]: " in result.evidence
        return result.decision, result.value, result.ci_high

    spread = ("go", pytest.approx(found.seed_std), pytest.approx(found.seed_std_high))
    assert judged(metric=f"{metric}_seed_std") == spread
    assert judged(metric=f"{metric}_seed_std", use="ci_high", bound="<= 0.001")[0] == "no-go"
    whole = ("go", pytest.approx(found.mean), pytest.approx(found.ci_high))
    assert judged(metric=metric, use="ci_high") == whole
    assert judged(metric=metric, over="seeds") == whole


def test_means_of_one_model_have_no_aggregates_to_show() -> None:
    rows = [r for seed in (0, 1) for r in answers("safe", "full", lambda c, _: c % 2 == 0, seed=seed)]
    assert rows_of(rows) == {}
