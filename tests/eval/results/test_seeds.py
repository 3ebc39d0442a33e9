"""Over seeds: means and spreads by hand, what is refused, and differences by item and seed."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from made_rows import answers

from safe_eval.arms.all_arms import Arms, all_arms
from safe_eval.cli import main
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.results.seeds import seed_comparison_rows, seed_notes, seed_rows
from safe_eval.statistics.seeds import seed_spread

QUICK = Sampling(resamples=200)


def seeded(seed: int, clips: int = 20) -> list[Prediction]:
    """A base that no seed changes; a model that hears 10, 11 or 12 of 20 sounds, and 4 without them."""
    return [
        *answers("base", "full", lambda clip, audio: clip < 4, clips=clips, seed=seed),
        *answers("safe", "full", lambda clip, audio: clip < 10 + seed, clips=clips, seed=seed),
        *answers("safe", "mute_audio", lambda clip, audio: clip < 4, clips=clips, seed=seed),
    ]


def arms_of(*seeds: list[Prediction]) -> Arms:
    return all_arms([row for rows in seeds for row in rows])


def test_mean_and_std_over_three_seeds_by_hand() -> None:
    rows = list(seed_rows(arms_of(*map(seeded, range(3))), QUICK))
    assert [(row.model, row.condition, row.slice) for row in rows] == [
        (model, condition, name)
        for model, condition in (("base", "full"), ("safe", "full"), ("safe", "mute_audio"))
        for name in ("all", "audio", "vl")
    ]
    found = next(row for row in rows if (row.model, row.condition, row.slice) == ("safe", "full", "audio"))
    assert found.seeds == (0, 1, 2)
    assert found.means == pytest.approx((0.5, 0.55, 0.6))
    assert (found.mean, found.std) == (pytest.approx(0.55), pytest.approx(0.05))
    assert (found.always_right, found.always_wrong, found.mixed) == (10, 8, 2)
    assert (found.n, found.clusters, found.confidence) == (20, 20, 0.95)
    assert found.ci_low < 0.55 < found.ci_high


def test_spread_is_that_of_the_seeds_file() -> None:
    """The row is `seed_spread` of the crossed scores, item by item."""
    found = list(seed_rows(arms_of(*map(seeded, range(3))), QUICK))[3]
    scores = np.array(
        [[clip < 10 + seed for clip in range(20) for _ in "av"] for seed in range(3)], dtype=float
    )
    spread = seed_spread(scores, np.arange(40) // 2, QUICK)
    assert found.noise_std == pytest.approx(spread.noise_std)
    assert found.seed_std == pytest.approx(spread.seed_std)
    assert found.sampling_stderr == pytest.approx(spread.sampling_stderr)


def test_a_base_that_no_seed_changes_has_no_spread() -> None:
    found = next(seed_rows(arms_of(*map(seeded, range(3))), QUICK))
    assert (found.std, found.noise_std, found.seed_std, found.mixed) == (0.0, 0.0, 0.0, 0)


def test_one_seed_makes_no_row_and_no_note() -> None:
    arms = arms_of(seeded(0))
    assert list(seed_rows(arms, QUICK)) == []
    assert list(seed_comparison_rows(arms, QUICK)) == []
    assert seed_notes(arms) == []


def test_seeds_of_different_examples_make_a_note_and_no_row() -> None:
    short = [row for row in seeded(1) if (row.model, row.example_id) != ("safe", "c3-audio")]
    arms = arms_of(seeded(0), short)
    assert {row.model for row in seed_rows(arms, QUICK)} == {"base"}
    assert seed_notes(arms) == [
        f"safe/{condition}: no spread over its 2 seeds, which have not answered the same 40 examples: "
        "seed 1 lacks 1"
        for condition in ("full", "mute_audio")
    ]


def test_differences_are_taken_by_item_and_seed() -> None:
    rows = list(seed_comparison_rows(arms_of(*map(seeded, range(3))), QUICK))
    assert [(row.a, row.b) for row in rows if row.slice == "all"] == [
        ("safe/full", "base/full"),
        ("safe/full", "safe/mute_audio"),
        ("safe/mute_audio", "base/full"),
    ]
    heard = next(row for row in rows if (row.b, row.slice) == ("safe/mute_audio", "audio"))
    assert heard.seeds == (0, 1, 2)
    assert heard.means == pytest.approx((0.3, 0.35, 0.4))
    assert (heard.mean, heard.std) == (pytest.approx(0.35), pytest.approx(0.05))
    assert heard.p_value == pytest.approx(2 / 2**8, abs=0.02)  # eight clips gain, none loses
    nothing = next(row for row in rows if row.a == "safe/mute_audio")
    assert (nothing.mean, nothing.std, nothing.p_value) == (0.0, 0.0, 1.0)


def test_a_base_of_one_seed_stands_beside_every_seed() -> None:
    later = [row for row in seeded(1) if row.model != "base"]
    rows = list(seed_comparison_rows(arms_of(seeded(0), later), QUICK))
    assert [row.seeds for row in rows if row.b == "base/full"] == [(0, 1)] * 6


def test_score_shows_and_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_predictions(tmp_path / "p.jsonl", [row for seed in range(3) for row in seeded(seed)])
    command = ["score", str(tmp_path / "p.jsonl"), "--out", str(tmp_path), "--resamples", "200"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "vqa_accuracy on made over seeds" in said
    assert "  safe/full                      all    0.550 ± 0.050      3    20    16     4" in said
    assert "  safe/full − safe/mute_audio\n                          all    +0.350 ± 0.050 [" in said
    assert "  Holm: over the 6 tests of this table; 3 rows repeat another, item by item\n" in said
    assert max(map(len, said.replace(str(tmp_path), "").splitlines())) <= 80
    written = json.loads((tmp_path / "scores.json").read_text("utf-8"))
    assert len(written["seeds"]) == len(written["seed_comparisons"]) == 9
    assert main([*command, "--format", "csv", "--table", "seeds"]) == 0
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    (whole,) = [
        row
        for row in rows
        if row["metric"] == "vqa_accuracy"
        and (row["model"], row["condition"], row["slice"]) == ("safe", "full", "all")
    ]
    assert (float(whole["mean"]), whole["mixed"]) == (pytest.approx(0.55), "4")
    assert err.startswith("wrote ")
