"""safe-eval power: each goal as it is typed, both ways round, and what it refuses."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_rows import answers, good_run
from msgspec.structs import replace

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.comparison.planned_answers import PlannedAnswers, planned_answers
from safe_eval.comparison.power import PowerPlan, plan_power
from safe_eval.options import Assumed, Goal, Observed, PowerOptions
from safe_eval.predictions import write_predictions
from safe_eval.statistics.power import observed_design_effect

CLUSTERED = Assumed(changed=0.1, cluster_size=4, correlation=0.1)


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["power", *words]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    return said


def plan(goal: Goal = "superiority", assumed: Assumed = CLUSTERED, **options: Any) -> PowerPlan:
    return plan_power(PowerOptions(goal, assumed=assumed, **options))


def test_items_for_a_difference_and_back() -> None:
    found = plan(difference=0.02)
    assert found.power == pytest.approx(0.8, abs=0.015)
    assert found.items == 4 * found.clusters
    assert plan(items=found.items).difference == pytest.approx(0.02, rel=0.02)
    assert plan(items=found.items, difference=0.02).power == pytest.approx(found.power, abs=0.01)
    assert plan(items=found.items, difference=-0.02).difference == -0.02
    assert plan(difference=0.02, power=0.9).items > 1.2 * found.items
    assert plan(difference=0.02, confidence=0.99).items > 1.2 * found.items


@pytest.mark.parametrize("goal", ["equivalence", "non_inferiority"])
def test_items_for_a_margin_and_back(goal: Goal) -> None:
    found = plan(goal, margin=0.02)
    assert (found.difference, found.margin, found.bound) == (0.0, 0.02, None)
    assert plan(goal, items=found.items).margin == pytest.approx(0.02, rel=0.03)
    assert plan(goal, items=found.items, margin=0.02).power == pytest.approx(found.power, abs=0.01)
    assert plan(goal, margin=0.02, difference=-0.005).items > 1.2 * found.items


def test_equivalence_asks_for_more_than_no_loss() -> None:
    assert plan("equivalence", margin=0.02).items > 1.2 * plan("non_inferiority", margin=0.02).items


def test_without_any_change_the_clusters_count(capsys: pytest.CaptureFixture[str]) -> None:
    """1 − 0.05^(1/598) is half a point."""
    words = ("--goal", "non_inferiority", "--margin", "0.005", "--changed", "0", "--cluster-size", "4")
    said = typed(capsys, *words)
    assert "items           2392\nclusters        598, 4 items each on average\n" in said
    assert "shows           that no more than 0.005 is lost\n" in said
    assert "power           100 %, by the one-sided test at 95 % confidence\n" in said


def test_as_it_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    said = typed(capsys, "--difference", "0.02", "--cluster-size", "4", "--correlation", "0.1")
    found = plan(difference=0.02)
    assert (
        f"items           {found.items}\nclusters        {found.clusters}, 4 items each on average\n" in said
    )
    assert "shows           that a true difference of +0.020 is not 0\n" in said
    document = json.loads(typed(capsys, "--items", "500", "--format", "json"))
    assert document["goal"] == "superiority"
    assert document["difference"] == pytest.approx(plan(assumed=Assumed(), items=500).difference)
    assert main(["power", "--items", "500", "--format", "markdown"]) == 0
    assert "| goal        | difference | items |" in capsys.readouterr().out


def test_answers_that_are_lost(capsys: pytest.CaptureFixture[str]) -> None:
    said = typed(capsys, "--goal", "lomo_drop", "--accuracy", "0.7")
    assert "shows           that at least 80 % of the right answers are lost\n" in said
    counts = re.search(r"items +(\d+), of which (\d+) are answered right", said)
    assert counts is not None
    assert int(counts[1]) == pytest.approx(int(counts[2]) / 0.7, abs=1)
    assert int(counts[2]) == pytest.approx(108, abs=8)
    again = plan("lomo_drop", Assumed(accuracy=0.7), items=int(counts[1]))
    assert 0.78 < again.power < 0.87
    assert plan("lomo_drop", Assumed(share_lost=0.85)).items > 4 * int(counts[2])
    clustered = plan("lomo_drop", Assumed(cluster_size=4, correlation=0.3, accuracy=0.5))
    assert clustered.cluster_size == 2
    assert clustered.right_answers == 2 * clustered.clusters


def test_seeds_that_agree(capsys: pytest.CaptureFixture[str]) -> None:
    said = typed(capsys, "--goal", "seeds", "--items", "5000", "--seed-std", "0.002")
    assert "shows           that the standard deviation between seeds is at most 0.005\n" in said
    seeds = plan("seeds", Assumed(seed_std=0.002), items=5000).seeds
    assert f"seeds           {seeds}\n" in said
    assert seeds is not None
    assert plan("seeds", Assumed(seed_std=0.002), items=5000, seeds=seeds - 1).power < 0.8
    of_items = plan("seeds", Assumed(seed_std=0.002), seeds=seeds)
    assert of_items.items <= 5000
    assert plan("seeds", Assumed()).seeds == 3
    message = r"no number of items shows it with 3 seeds; 7 seeds could, with --seeds 7"
    with pytest.raises(InputError, match=message):
        plan("seeds", Assumed(seed_std=0.002))
    with pytest.raises(
        InputError, match="no number of seeds shows it with --items 9: the noise of the items"
    ):
        plan("seeds", Assumed(seed_std=0.004), items=9, bound=0.0041)


def test_a_gain_over_seeds_needs_more_items_or_more_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    one, five = plan(assumed=Assumed(), difference=0.03), Assumed(seed_std=0.01)
    over = plan(assumed=five, difference=0.03, seeds=5)
    assert one.items < over.items < 3 * one.items
    said = typed(capsys, "--difference", "0.03", "--seeds", "5", "--seed-std", "0.01")
    assert "by the two-sided interval over clusters and 5 seeds" in said
    assert "a true standard deviation of 0.01" in " ".join(said.split())
    with pytest.raises(InputError, match="no number of items shows it with 3 seeds; 6 seeds could"):
        plan(assumed=Assumed(seed_std=0.02), difference=0.03, seeds=3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "give --difference, to learn how many items it needs, or --items, to learn what they show"),
        (["--goal", "equivalence"], "give --margin, to learn how many items it needs, or --items"),
        (["--difference", "0.2"], "give the share that changes with --changed"),
        (["--items", "-5"], "--items -5: is less than 1"),
        (["--items", "1"], "--items 1: no difference is shown by so few; give more items"),
        (["--difference", "0"], "--difference 0: no number of items shows it"),
        (["--items", "9", "--changed", "10"], "--changed 10.0: is outside [0, 1]; 10 % is 0.1"),
        (["--items", "9", "--cluster-size", "0.5"], "--cluster-size 0.5: is less than 1"),
        (["--items", "9", "--correlation", "2"], "--correlation 2.0: is outside [0, 1]"),
        (["--items", "9", "--accuracy", "0"], "--accuracy 0.0: is not above 0"),
        (["--items", "9", "--share-lost", "90"], "--share-lost 90.0: is outside [0, 1]; 90 % is 0.9"),
        (["--goal", "seeds", "--seed-std", "1"], "--seed-std 1.0: is outside [0, 1); half a point is 0.005"),
        (["--difference", "0.02", "--power", "80"], "80 % is 0.8"),
        (["--difference", "0.02", "--like", "absent.jsonl"], "no such predictions file"),
        (["--margin", "0.02"], "--margin: superiority takes --difference; leave it out"),
        (["--goal", "lomo_drop", "--difference", "0.02"], "--difference: lomo_drop takes --bound"),
        (["--goal", "lomo_drop", "--seeds", "3"], "--seeds: each seed must lose its answers; leave it out"),
        (["--goal", "lomo_drop", "--bound", "80"], "--bound 80.0: is not above 0 and at most 1"),
        (["--goal", "lomo_drop", "--share-lost", "0.8"], "a true share of 0.8 is not above 0.8"),
        (
            ["--difference", "0.02", "--seed-std", "0.01"],
            "--seed-std: one seed does not show how seeds differ",
        ),
        (["--goal", "seeds", "--seeds", "1"], "--seeds 1: is too few; seeds agree from 2 on"),
        (["--goal", "seeds", "--seed-std", "0.005"], "deviation of 0.005 is not below 0.005"),
        (
            ["--goal", "non_inferiority", "--margin", "0.01", "--difference", "-0.01"],
            "no number of items shows it: a true difference of -0.01 is a loss of the margin",
        ),
        (
            ["--goal", "equivalence", "--margin", "0.01", "--difference", "0.01"],
            "no number of items shows it: a true difference of 0.01 is not in the margin",
        ),
    ],
)
def test_what_is_refused(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", *options]) == 3
    assert words in capsys.readouterr().err


def observed(
    path: Path, a: str | None = None, b: str | None = None, goal: Goal = "superiority", **options: Any
) -> PlannedAnswers:
    return planned_answers(PowerOptions(goal, observed=Observed(like=path, a=a, b=b, **options)))


def test_like_a_run_takes_spread_and_clusters_from_it(tmp_path: Path) -> None:
    rows = [
        *answers("base", "full", lambda clip, _: clip % 3 == 0, clips=60, clips_a_group=3),
        *answers("safe", "full", lambda clip, _: clip % 7 != 0, clips=60, clips_a_group=3),
    ]
    write_predictions(tmp_path / "predictions.jsonl", rows)
    like = observed(tmp_path, "safe/full", "base/full")
    clips = np.arange(60)
    differences = ((clips % 7 != 0) * 1.0 - (clips % 3 == 0)).repeat(2)
    assert like.std == pytest.approx(differences.std())
    assert like.changed == pytest.approx((differences != 0).mean())
    assert like.design_effect == pytest.approx(observed_design_effect(differences, clips.repeat(2) // 3))
    assert like.sizes == (6.0,) * 20
    assert observed(tmp_path) == observed(tmp_path, "base/full", "safe/full")
    assert observed(tmp_path, "safe/full", "base/full", slice="audio").cluster_size == 3


def several(path: Path) -> Path:
    """Two datasets; a model of two seeds, which differ on every tenth clip, and a base of one."""
    every = [
        *answers("base", "full", lambda clip, _: clip % 3 == 0, clips=60),
        *answers("safe", "full", lambda clip, _: clip % 3 != 1, clips=60, seed=1),
        *answers("safe", "full", lambda clip, _: clip % 3 != 1 or clip % 10 == 1, clips=60, seed=2),
        *answers("safe", "mute_audio", lambda clip, _: clip % 15 == 0, clips=60, seed=1),
    ]
    rows = [replace(row, dataset=dataset, task="vqa") for dataset in ("gqa", "vqav2") for row in every]
    write_predictions(path, rows)
    return path


def test_several_datasets_and_seeds_are_chosen_from(tmp_path: Path) -> None:
    path = several(tmp_path / "p.jsonl")
    sides = ("safe/full", "base/full")
    with pytest.raises(InputError, match="holds several datasets, gqa, vqav2; choose one with --dataset"):
        observed(path, *sides)
    with pytest.raises(InputError, match="holds no dataset 'clotho'; it holds gqa, vqav2"):
        observed(path, *sides, dataset="clotho")
    with pytest.raises(InputError, match="holds no seed 7; it holds 0, 1, 2"):
        observed(path, *sides, dataset="gqa", seed=7)
    one, other = (observed(path, *sides, dataset="gqa", seed=seed) for seed in (1, 2))
    both = observed(path, *sides, dataset="gqa")
    assert one.changed == pytest.approx(1 / 3)
    assert one.changed < both.changed < other.changed
    assert both.changed == pytest.approx((one.changed + other.changed) / 2)
    assert both.like == "safe/full − base/full on all in p.jsonl, 120 items, mean over 2"


def test_losses_and_seeds_are_observed_too(tmp_path: Path) -> None:
    path = several(tmp_path / "p.jsonl")
    lost = observed(path, "safe/full", "safe/mute_audio", "lomo_drop", dataset="gqa", seed=1)
    assert (lost.share_lost, lost.accuracy) == (pytest.approx(0.9), pytest.approx(2 / 3))
    seeds = observed(path, "safe/full", goal="seeds", dataset="gqa")
    assert seeds.changed == pytest.approx(2 / 60)
    assert seeds.seed_std >= 0
    with pytest.raises(InputError, match="say whose seeds to take as --a; there are base/full, safe/full"):
        observed(path, goal="seeds", dataset="gqa")
    with pytest.raises(InputError, match="base/full has no two seeds that answered the same examples"):
        observed(path, "base/full", goal="seeds", dataset="gqa")


def test_which_two_answers_must_be_clear(tmp_path: Path) -> None:
    write_predictions(tmp_path / "predictions.jsonl", good_run())
    with pytest.raises(
        InputError, match="say which two arms to take as --a and --b; there are base/full, safe/full"
    ):
        observed(tmp_path)
    with pytest.raises(InputError, match=r"for example --a safe/full --b base/full$"):
        observed(tmp_path, "safe/full", "safe/fll")
    with pytest.raises(InputError, match="safe/gate_off − base/full has no spread on the slice 'all'"):
        observed(tmp_path, "safe/gate_off", "base/full")
    assert observed(tmp_path, "safe/gate_off", "base/full", "non_inferiority").changed == 0
    with pytest.raises(InputError, match="has no slice 'type:smell'; it has all, audio, vl"):
        observed(tmp_path, "safe/full", "base/full", slice="type:smell")
