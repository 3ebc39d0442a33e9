"""Tiers: phase 1's decision by CIDEr, as the shipped grid states it."""

import numpy as np
import pytest

from safe_train.sweeps.candidate import Scored
from safe_train.sweeps.grid import read_grid
from safe_train.sweeps.rules_file import Tiers
from safe_train.sweeps.tiers import judge_tiers, tier_of


def phase1() -> Tiers:
    (rule,) = read_grid("phase1").rules
    assert isinstance(rule, Tiers)
    return rule


def cider(mean: float, clips: int = 900) -> Scored:
    """CIDEr of clips, on its scale of 0 to 10, that vary as captions do."""
    drawn = np.random.default_rng(0).gamma(1.0, mean, size=clips)
    return Scored((drawn * mean / drawn.mean())[None], np.arange(clips), (0.0, 10.0))


@pytest.mark.parametrize(
    ("mean", "tier", "decision"),
    [(0.36, "verified", "go"), (0.305, None, "not measured"), (0.15, "blocked", "no-go")],
)
def test_phase_1_is_decided_by_cider(mean: float, tier: str | None, decision: str) -> None:
    found = judge_tiers(phase1(), "phase1", cider(mean), 0.95)
    assert (found.tier, found.decision) == (tier, decision)
    assert found.value == pytest.approx(100 * mean)


def test_enough_clips_tell_the_middle_tier() -> None:
    found = judge_tiers(phase1(), "phase1", cider(0.275), 0.95)
    assert (found.tier, found.decision) == ("partial", "not measured")
    assert found.statement.endswith(": train longer")


def test_an_interval_that_crosses_says_what_would_tell() -> None:
    found = judge_tiers(phase1(), "phase1", cider(0.305), 0.95)
    assert found.statement.startswith("phase1: not told apart whether ")
    assert found.needs is not None
    assert found.needs.endswith(" questions")


def test_a_blocked_run_says_what_to_look_at() -> None:
    found = judge_tiers(phase1(), "phase1", cider(0.15), 0.95)
    assert (
        "look at losses.jsonl, the gradient norms in it, files that failed in safe-data check"
        in found.statement
    )


def test_one_seed_does_not_speak_for_others() -> None:
    rule = phase1().model_copy(update={"over": "seeds"})
    found = judge_tiers(rule, "phase1", cider(0.36), 0.95)
    assert found.decision == "not measured"
    assert (
        "one seed shows nothing of how much another would differ; needs at least 2 seeds" in found.statement
    )


def test_a_bound_belongs_to_the_tier_below() -> None:
    assert [tier_of(phase1().tiers, value).name for value in (30.01, 30.0, 25.01, 25.0)] == [
        "verified",
        "partial",
        "partial",
        "blocked",
    ]


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ([("a", 25), ("b", 30), ("c", None)], "list the highest first"),
        ([("a", 30), ("b", 25)], "the last has none"),
    ],
)
def test_tiers_that_are_none_are_refused(tiers: list[tuple[str, float | None]], said: str) -> None:
    listed = [{"name": name, "above": above, "decision": "go"} for name, above in tiers]
    with pytest.raises(ValueError, match=said):
        Tiers.model_validate({"rule": "tiers", "tiers": listed})
