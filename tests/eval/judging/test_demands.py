"""What a criterion demands of its evidence, how it judges a loss, and what the evidence says."""

import msgspec
import pytest
from made_rows import answers, good_run, scored

from safe_eval.judging.criterion import Criterion
from safe_eval.judging.judged import Judged, judge
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.scoring.scores import Scores

QUICK = Sampling(resamples=200)
GAIN = {"metric": "vqa_accuracy", "slice": "audio", "condition": "safe/full", "against": "safe/mute_audio"}
KEPT = {"metric": "vqa_accuracy", "slice": "vl", "condition": "safe/full", "against": "base/full"}


def judged(found: Scores, **fields: object) -> Judged:
    return judge(Criterion(**{"name": "it", "bound": "> 0"} | GAIN | fields), found)


def seeds(*shares: int, clips: int = 100) -> list[Prediction]:
    """Seeds that are right about so many sounds of a hundred; silence leaves ten, the base answers twenty."""
    rows = answers("base", "full", lambda clip, hears: not hears or clip % 5 == 0, clips=clips)
    for seed, share in enumerate(shares):
        rows += answers("safe", "full", lambda c, hears, n=share: not hears or c < n, clips=clips, seed=seed)
        rows += answers("safe", "mute_audio", lambda c, hears: not hears or c < 10, clips=clips, seed=seed)
    return rows


@pytest.fixture(scope="module")
def one() -> Scores:
    return scored(good_run(50), QUICK)


@pytest.fixture(scope="module")
def three() -> Scores:
    return scored(seeds(90, 80, 85), QUICK)


@pytest.mark.parametrize(
    ("demand", "enough", "too_much", "words"),
    [
        ("min_confidence", 0.95, 0.99, "its intervals have 95 % confidence, 99 % is asked for"),
        ("min_resamples", 200, 10_000, "the scores have 200 resamples, 10000 are asked for"),
        ("min_clusters", 50, 51, "the clusters are 50, 51 are asked for"),
        ("min_seeds", 1, 2, "the seeds are 1, 2 are asked for"),
    ],
)
def test_less_than_demanded_is_not_measured(
    one: Scores, demand: str, enough: float, too_much: float, words: str
) -> None:
    assert judged(one, **{demand: enough}).decision == "go"
    found = judged(one, **{demand: too_much})
    assert (found.decision, found.value, found.ci_low) == ("not measured", None, None)
    assert f"not judged: {words}" in found.evidence


def test_demands_hold_for_no_go_too(one: Scores) -> None:
    assert judged(one, bound=">= 0.9").decision == "no-go"
    assert judged(one, bound=">= 0.9", min_clusters=51).decision == "not measured"


def test_seeds_are_counted_in_every_table(three: Scores) -> None:
    spread = {"metric": "vqa_accuracy_seed_std", "against": None, "bound": "<= 0.1"}
    for fields in ({}, {"over": "seeds"}, spread):
        assert judged(three, min_seeds=3, **fields).decision == "go"
        assert judged(three, min_seeds=4, **fields).decision == "not measured"


def test_a_mean_over_seeds_has_its_own_interval(three: Scores) -> None:
    of_seeds = judged(three, over="seeds", bound=">= 0.75")
    assert (of_seeds.decision, of_seeds.value) == ("go", pytest.approx(0.75))
    assert "seeds [0, 1, 2]: +0.800, +0.700, +0.750, cluster and seed t p < 0.001" in of_seeds.evidence
    assert (of_seeds.seeds, of_seeds.seed_values) == ((0, 1, 2), pytest.approx((0.8, 0.7, 0.75)))
    assert "by cluster and seed t (made)" in of_seeds.evidence
    of_each = judged(three, bound=">= 0.75")
    assert (of_each.decision, of_each.value) == ("no-go", pytest.approx(0.7))
    assert "(made, seed 1)" in of_each.evidence
    assert "seeds [0, 1, 2]: +0.800, +0.700, +0.750" in of_each.evidence
    assert of_each.seed_values == of_seeds.seed_values
    alone = judged(three, over="seeds", against=None, bound=">= 0.8", use="ci_low")
    assert (alone.decision, alone.value) == ("no-go", pytest.approx(0.85))
    narrow = judged(three, over="seeds", use="non_inferiority", bound=">= 0.6")
    assert narrow.decision == "go"
    assert narrow.ci_low < narrow.equivalence_low < narrow.value


def test_an_interval_is_judged_over_the_seeds_unless_each_is_asked_for(three: Scores) -> None:
    combined = judged(three, use="ci_low", bound="> 0.5")
    assert combined.decision == "go"
    assert "seeds [0, 1, 2]: +0.800, +0.700, +0.750" in combined.evidence
    assert (combined.ci_low, combined.value) == (judged(three, over="seeds").ci_low, pytest.approx(0.75))
    each = judged(three, use="ci_low", bound="> 0.5", over="each_seed")
    assert each.value == pytest.approx(0.7)
    assert "(made, seed 1)" in each.evidence


def test_one_seed_is_judged_alone_unless_more_are_asked_for(one: Scores) -> None:
    assert judged(one, over="seeds") == judged(one)
    found = judged(one, over="seeds", min_seeds=3)
    assert (found.decision, found.value) == ("not measured", None)
    assert "the seeds are 1, 3 are asked for" in found.evidence
    spread = {"metric": "vqa_accuracy_seed_std", "against": None, "bound": "<= 0.005"}
    found = judged(one, **spread, min_seeds=3)
    assert found.decision == "not measured"
    assert "safe has 1 seed, and 3 are asked for; score the predictions of several seeds" in found.evidence


def test_a_seed_that_was_left_out_of_a_condition_is_not_passed_over() -> None:
    rows = [row for row in seeds(90, 80, 85) if (row.condition, row.seed) != ("mute_audio", 2)]
    found = judged(scored(rows, QUICK), use="ci_low")
    assert found.decision == "not measured"
    assert "safe/full against safe/mute_audio on slice audio with seed 2" in found.evidence


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ({}, "+0.800, +0.700, +0.750"),
        ({"against": None}, "0.900, 0.800, 0.850"),
        (
            {"metric": "share_lost", "condition": "safe/mute_audio", "against": "safe/full"},
            "0.889, 0.875, 0.882",
        ),
        ({"metric": "answers_changed"}, "80, 70, 75"),
    ],
)
def test_only_differences_of_seeds_have_a_sign(
    three: Scores, asked: dict[str, str | None], written: str
) -> None:
    assert f"seeds [0, 1, 2]: {written}; the worst of 3" in judged(three, **asked).evidence


@pytest.mark.parametrize(
    "asked",
    [
        {"condition": "base/full", "against": "safe/mute_audio", "use": "ci_high", "bound": "< 0.5"},
        {"condition": "base/full", "against": "safe/mute_audio", "bound": "< 0.5"},
        {
            "metric": "vqa_accuracy_seed_std",
            "condition": "safe/mute_audio",
            "against": None,
            "bound": "< 0.5",
        },
    ],
)
def test_nor_is_it_in_the_other_order_or_in_a_spread(asked: dict[str, str | None]) -> None:
    rows = seeds(90, 80, 85)
    assert judged(scored(rows, QUICK), **asked).decision == "go"
    rows = [row for row in rows if (row.condition, row.seed) != ("mute_audio", 2)]
    found = judged(scored(rows, QUICK), **asked)
    assert (found.decision, found.value) == ("not measured", None)
    assert "seed 2" in found.evidence


def test_a_spread_is_judged_without_item_noise_and_by_its_upper_limit(three: Scores) -> None:
    spread = {"metric": "vqa_accuracy_seed_std", "against": None}
    row = next(r for r in three.seeds if (r.model, r.condition, r.slice) == ("safe", "full", "audio"))
    found = judged(three, **spread, bound="<= 0.06")
    assert (found.decision, found.value) == ("go", pytest.approx(row.seed_std))
    assert row.std == pytest.approx(0.05)
    assert 0 < row.seed_std < row.std < row.seed_std_high
    assert (
        "std 0.05, of which item noise explains 0.018; without it 0.047, 95 % upper limit 0.2"
        in found.evidence
    )
    assert "item noise alone" not in found.evidence
    noisy = judged(three, **spread, bound="<= 0.01")
    assert "item noise alone is beyond the bound, so this estimate shows little" in noisy.evidence
    limit = judged(three, **spread, bound="<= 0.06", use="ci_high")
    assert (limit.decision, limit.ci_high) == ("no-go", pytest.approx(row.seed_std_high))
    assert judged(three, **spread, bound="<= 0.3", use="ci_high").decision == "go"


def test_a_mean_over_seeds_needs_every_example() -> None:
    rows = seeds(90, 80)
    gap = [r for r in rows if not (r.condition == "mute_audio" and r.example_id == "c3-audio")]
    found = judged(scored(gap, QUICK), over="seeds")
    assert found.decision == "not measured"
    assert "1 only by safe/full, 0 only by safe/mute_audio" in found.evidence


def test_the_worst_is_the_one_nearest_to_its_bound(three: Scores) -> None:
    found = judged(three, bound=">= 0.05")
    assert (found.decision, found.value) == ("go", pytest.approx(0.7))
    assert "(made, seed 1)" in found.evidence
    assert found.evidence.endswith("the worst of 3: 3 go")
    least = judged(three, bound="<= 0.8")
    assert (least.decision, least.value) == ("go", pytest.approx(0.8))
    some = judged(three, bound=">= 0.75")
    assert some.evidence.endswith("the worst of 3: 1 no-go, 2 go")


def test_several_datasets_and_one_of_them() -> None:
    rows = [
        msgspec.structs.replace(r, dataset=name, example_id=f"{name}-{r.example_id}")
        for name, share in (("easy", 90), ("hard", 12))
        for r in seeds(share)
    ]
    found = scored(rows, QUICK)
    assert judged(found, bound=">= 0.05").decision == "no-go"
    assert "(hard, seed 0)" in judged(found, bound=">= 0.05").evidence
    assert judged(found, bound=">= 0.05", dataset="easy").decision == "go"
    absent = judged(found, dataset="esay")
    assert absent.decision == "not measured"
    assert "in esay: datasets are easy, hard" in absent.evidence
    whole = {"metric": "coverage", "condition": None, "against": None, "slice": "all", "bound": "== 1"}
    assert "of 600 examples" in judged(found, **whole, dataset="easy").evidence


def test_a_loss_is_judged_by_the_worse_end_of_the_one_sided_tests(one: Scores) -> None:
    """No answer is lost among 50 clips: that rules out a loss of 5.9 points and no smaller one."""
    assert judged(one, **KEPT, bound=">= -0.005").decision == "go"
    found = judged(one, **KEPT, use="non_inferiority", bound=">= -0.058")
    assert found.decision == "no-go"
    assert found.equivalence_low == pytest.approx(-(1 - 0.05 ** (1 / 50)), abs=1e-6)
    assert "too few examples show that it stays so" in found.evidence
    assert judged(one, **KEPT, use="non_inferiority", bound=">= -0.059").decision == "go"
    assert judged(one, **KEPT, use="non_inferiority", bound="<= 0.059").decision == "go"
    assert judged(one, **KEPT, use="non_inferiority", bound="<= 0.058").decision == "no-go"


def test_a_gain_is_no_loss_but_not_equivalent(one: Scores) -> None:
    assert judged(one, use="non_inferiority", bound=">= -0.005").decision == "go"
    assert judged(one, use="equivalence", bound="within 0.005").decision == "no-go"


def test_the_two_sides_may_stand_in_either_order(one: Scores, three: Scores) -> None:
    turned = {"condition": "safe/mute_audio", "against": "safe/full"}
    for scores, over in ((one, "each_seed"), (three, "seeds")):
        gain, loss = judged(scores, over=over), judged(scores, over=over, **turned, bound="< 0")
        assert (gain.decision, loss.decision) == ("go", "go")
        assert loss.value == -gain.value
        assert (loss.ci_low, loss.ci_high) == (-gain.ci_high, -gain.ci_low)
        assert (loss.equivalence_low, loss.equivalence_high) == (
            -gain.equivalence_high,
            -gain.equivalence_low,
        )
        assert judged(scores, over=over, **turned, bound="> 0").decision == "no-go"


def test_the_evidence_says_what_was_judged_and_what_it_can_show(one: Scores) -> None:
    found = judged(one, **KEPT, use="non_inferiority", bound=">= -0.06")
    assert found.evidence == (
        "safe/full − base/full on vl: 0 gained, 0 lost, n 50 in 50 clusters, exact McNemar p 1.000, "
        "95 % interval [−0.071, +0.071] by bounded cluster mean, [−0.058, +0.058] by one-sided tests at 5 % "
        "(made, seed 0); the smallest effect that so many items show is 0.058, and the margin is 0.06"
    )
    assert (found.n, found.clusters) == (50, 50)
    assert found.smallest_effect == pytest.approx(0.0582, abs=1e-4)
    gain = judged(one)
    assert gain.smallest_effect == pytest.approx(2.8 * 0.0655, abs=0.002)  # 2.8 standard errors


def test_more_items_show_less() -> None:
    small, large = (judged(scored(good_run(n), QUICK)).smallest_effect for n in (40, 160))
    assert small == pytest.approx(2 * large, rel=0.1)
