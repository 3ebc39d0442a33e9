"""Not shown: a criterion whose value is good enough, and whose interval is not, says what would show it."""

import pytest
from made_rows import answers, scored

from safe_eval.judging.criterion import Criterion
from safe_eval.judging.judged import Judged, judge
from safe_eval.judging.not_shown import not_shown
from safe_eval.judging.row_evidence import Evidence, Spread
from safe_eval.options import Sampling
from safe_eval.scoring.scores import Scores
from safe_eval.statistics.bounded_mean import BOUNDED
from safe_eval.statistics.sample_size import WouldShow

QUICK = Sampling(resamples=200)
KEPT = {"metric": "vqa_accuracy", "slice": "vl", "condition": "safe/full", "against": "base/full"}


def run(clips: int) -> Scores:
    """Two clips a group: one picture in a hundred is lost, and nine in ten sounds when muted."""
    sides = {"clips": clips, "clips_a_group": 2}
    rows = answers("base", "full", lambda clip, hears: not hears or clip % 2 == 0, **sides)
    rows += answers("safe", "full", lambda clip, hears: hears or clip % 100 != 7, **sides)
    rows += answers("safe", "mute_audio", lambda clip, hears: not hears or clip % 10 == 0, **sides)
    return scored(rows, QUICK)


@pytest.fixture(scope="module")
def hundred() -> Scores:
    return run(100)


def judged(found: Scores, **fields: object) -> Judged:
    return judge(Criterion(**{"name": "it"} | KEPT | fields), found)


@pytest.mark.parametrize(
    "asked",
    [
        {"use": "non_inferiority", "bound": ">= -0.02"},
        {"use": "equivalence", "bound": "within 0.02"},
        {"use": "ci_low", "bound": ">= 0.95", "against": None},
        {"use": "ci_low", "bound": ">= 0.85", "metric": "share_lost", "slice": "audio"}
        | {"condition": "safe/mute_audio", "against": "safe/full"},
    ],
)
def test_as_many_as_it_says_show_it(hundred: Scores, asked: dict[str, object]) -> None:
    """So many clips with the same shares are go, and half as many are not."""
    first = judged(hundred, **asked)
    assert (first.decision, first.clusters) == ("no-go", 50)
    enough = first.would_show
    assert enough is not None
    assert enough.items is not None
    assert enough.clusters == pytest.approx(enough.items / 2, abs=1)
    told = f"about {enough.clusters} clusters ({enough.items} items) like these would show it"
    assert first.evidence.endswith(told)
    hundreds = -(-enough.items // 100)
    assert judged(run(100 * hundreds), **asked).decision == "go"
    assert judged(run(100 * (hundreds // 2)), **asked).decision == "no-go"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"use": "non_inferiority", "bound": ">= -0.005"}, "the value itself misses the bound"),
        ({"use": "equivalence", "bound": "within 0.001"}, "the value itself misses the bound"),
        ({"use": "non_inferiority", "bound": ">= -0.01"}, "the value lies on the bound"),
    ],
)
def test_where_no_number_would(hundred: Scores, asked: dict[str, object], words: str) -> None:
    found = judged(hundred, **asked)
    assert (found.decision, found.would_show) == ("no-go", None)
    assert found.evidence.endswith(f"no number of items would show it: {words}")


@pytest.mark.parametrize(
    "asked",
    [
        {"use": "value", "bound": ">= 0.0"},  # no matter of more items
        {"use": "non_inferiority", "bound": ">= -0.5"},  # shown
        {"use": "ci_high", "bound": ">= 0.5"},  # an end that moves the other way
    ],
)
def test_nothing_is_said_where_nothing_would_help(hundred: Scores, asked: dict[str, object]) -> None:
    found = judged(hundred, **asked)
    assert found.would_show is None
    assert "would show" not in found.evidence


def over_seeds(spread: Spread) -> Evidence:
    ends = {"value": 0.02, "ci_low": -0.01, "ci_high": 0.05, "confidence": 0.95}
    return Evidence("text", **ends, n=400, clusters=200, seeds=3, spread=spread)


def test_over_seeds_it_is_seeds_that_would() -> None:
    gain = Criterion(name="it", **KEPT, use="ci_low", bound="> 0", over="seeds")
    evidence = over_seeds(Spread(over_items=0.004, std=0.01))
    enough, words = not_shown(gain, evidence)
    assert enough == WouldShow(seeds=4)
    assert words == "about 4 seeds like these would show it"
    unknown = Evidence(
        "text", value=0.02, ci_low=-0.01, ci_high=0.05, confidence=0.95, n=9, clusters=9, seeds=3
    )
    assert not_shown(gain, unknown) == (None, None)
    too_few = over_seeds(Spread(over_items=0.02, std=0.01))
    assert not_shown(gain, too_few) == (None, "no number of seeds would show it without more items")


def test_seeds_that_agree_by_their_limit() -> None:
    agree = Criterion(
        name="it", metric="vqa_accuracy_seed_std", condition="safe/full", use="ci_high", bound="<= 0.005"
    )
    evidence = Evidence("text", value=0.0028, confidence=0.95, seeds=3, spread=Spread(0.01, 0.003, 0.001))
    assert not_shown(agree, evidence)[0] == WouldShow(seeds=10)
    missed = Evidence("text", value=0.006, confidence=0.95, seeds=3, spread=Spread(0.01, 0.0061, 0.001))
    assert not_shown(agree, missed) == (
        None,
        "no number of items would show it: the value itself misses the bound",
    )


def test_unequal_clusters_count_by_their_effective_number() -> None:
    criterion = Criterion(name="it", **KEPT, use="non_inferiority", bound=">= -0.005")
    about = {"value": 0.0, "equivalence": (-0.26, 0.26), "confidence": 0.95, "n": 100, "clusters": 50}
    equal = Evidence("text", method=BOUNDED, **about)
    unequal = Evidence("text", method=BOUNDED, effective_clusters=10.0, **about)
    needed = [not_shown(criterion, one)[0] for one in (unequal, equal)]
    assert needed[0] is not None
    assert needed[1] is not None
    assert needed[0].clusters == pytest.approx(50 * 598 / 10, rel=0.02)
    assert needed[0].clusters < (needed[1].clusters or 0)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"metric": "separation", "slice": "all", "bound": "> 0.65"}, "seeds like these would show it"),
        ({"metric": "share_lost", "slice": "audio", "bound": "> 0.65"}, "seeds like these would show it"),
        (
            {"metric": "share_lost", "slice": "vl", "bound": "< 0.02", "use": "ci_high"},
            "items) like these would",
        ),
    ],
)
def test_what_is_lost_over_seeds_says_it_too(asked: dict[str, str], words: str) -> None:
    """By seeds where seeds differ, and by clusters where none of them loses anything."""
    rows = []
    for seed, kept in enumerate((10, 30, 20)):
        sides = {"clips": 100, "clips_a_group": 2, "seed": seed}
        rows += answers("safe", "full", lambda clip, hears: True, **sides)
        rows += answers("safe", "mute_audio", lambda c, hears, n=kept: not hears or c >= 100 - n, **sides)
    fields = {"condition": "safe/mute_audio", "against": "safe/full", "use": "ci_low"} | asked
    found = judged(scored(rows, QUICK), **fields)
    assert found.decision == "no-go"
    assert found.would_show is not None, found.evidence
    assert words in found.evidence
