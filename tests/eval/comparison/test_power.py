"""safe-eval power: assumed and observed, both ways round, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from made_rows import answers, good_run

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.comparison.power import Differences, observed_differences, plan_power
from safe_eval.options import PowerOptions
from safe_eval.predictions import write_predictions
from safe_eval.statistics.power import needed_items, observed_design_effect, paired_std


def test_items_for_a_difference_and_back() -> None:
    plan = plan_power(PowerOptions(difference=0.02, changed=0.1, cluster_size=4, correlation=0.1))
    assert plan.items == needed_items(paired_std(0.1, 0.02), 0.02, design_effect=1.3)
    assert plan.clusters == -(-plan.items // 4)
    back = plan_power(PowerOptions(items=plan.items, changed=0.1, cluster_size=4, correlation=0.1))
    assert back.difference == pytest.approx(0.02, rel=0.01)


def observed(path: Path, a: str | None, b: str | None, **options: str) -> Differences:
    return observed_differences(PowerOptions(like=path, a=a, b=b, **options))


def test_like_a_run_takes_spread_and_clusters_from_it(tmp_path: Path) -> None:
    rows = [
        *answers("base", "full", lambda clip, _: clip % 3 == 0, clips=60, clips_a_group=3),
        *answers("safe", "full", lambda clip, _: clip % 7 != 0, clips=60, clips_a_group=3),
    ]
    write_predictions(tmp_path / "predictions.jsonl", rows)
    like = observed(tmp_path, "safe/full", "base/full")
    clips = np.arange(60)
    differences = ((clips % 7 != 0) * 1.0 - (clips % 3 == 0)).repeat(2)
    assert like.std == pytest.approx(differences.std(ddof=1))
    assert like.changed == pytest.approx((differences != 0).mean())
    assert like.design_effect == pytest.approx(observed_design_effect(differences, clips.repeat(2) // 3))
    assert like.cluster_size == 6
    assert observed(tmp_path, None, None) == observed(tmp_path, "base/full", "safe/full")
    assert observed(tmp_path, "safe/full", "base/full", slice="audio").cluster_size == 3


def test_as_it_is_typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", "--difference", "0.02", "--cluster-size", "4", "--correlation", "0.1"]) == 0
    said = capsys.readouterr().out
    assert "items           2541\nclusters        636, 4 items each on average\n" in said
    assert (
        main(["power", "--items", "2541", "--cluster-size", "4", "--correlation", "0.1", "--format", "json"])
        == 0
    )
    assert json.loads(capsys.readouterr().out)["difference"] == pytest.approx(0.02, abs=1e-4)
    assert main(["power", "--items", "500", "--format", "markdown"]) == 0
    assert "| difference | items |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "give either --difference"),
        (["--difference", "0.02", "--items", "10"], "give either --difference"),
        (["--difference", "0.2"], "give the share that changes with --changed"),
        (["--items", "-5"], "--items -5: is less than 1"),
        (["--difference", "0"], "--difference 0: no number of items shows it"),
        (["--items", "9", "--changed", "0"], "--changed 0.0: is not above 0"),
        (["--items", "9", "--changed", "10"], "--changed 10.0: is not above 0 and at most 1; 10 % is 0.1"),
        (["--items", "9", "--cluster-size", "0.5"], "--cluster-size 0.5: is less than 1"),
        (["--items", "9", "--correlation", "2"], "--correlation 2.0: is outside [0, 1]"),
        (["--difference", "0.02", "--power", "80"], "80 % is 0.8"),
        (["--difference", "0.02", "--like", "absent.jsonl"], "no such predictions file"),
    ],
)
def test_what_is_refused(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", *options]) == 3
    assert words in capsys.readouterr().err


def test_which_two_answers_must_be_clear(tmp_path: Path) -> None:
    write_predictions(tmp_path / "predictions.jsonl", good_run())
    with pytest.raises(
        InputError, match="say which two arms to take as --a and --b; there are base/full, safe/full"
    ):
        observed(tmp_path, None, None)
    with pytest.raises(InputError, match=r"for example --a safe/full --b base/full$"):
        observed(tmp_path, "safe/full", "safe/fll")
    with pytest.raises(InputError, match="safe/gate_off − base/full has no spread on the slice 'all'"):
        observed(tmp_path, "safe/gate_off", "base/full")
    with pytest.raises(InputError, match="has no slice 'type:smell'; it has all, audio, vl"):
        observed(tmp_path, "safe/full", "base/full", slice="type:smell")
