"""Noise curve: how much of hearing is left at each level of noise."""

import msgspec
from made_rows import answers

from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.noise_curve import NoiseRow
from safe_eval.scoring.score import score_predictions
from safe_eval.text.scores_text import scores_table

RIGHT = {"full": 45, "snr_20db": 40, "snr_-5db": 12, "snr_0db": 20, "mute_audio": 5}


def rows(*conditions: str, **fields: object) -> list[Prediction]:
    found = []
    for name in conditions:
        found += answers(
            "safe", name, lambda clip, hears, name=name: clip < (RIGHT[name] if hears else 48), **fields
        )
    return found


def curve(rows: list[Prediction]) -> list[NoiseRow]:
    return list(score_predictions(rows, Sampling(resamples=200)).noise_curve)


def test_it_runs_from_the_clean_sound_to_none() -> None:
    found = curve(rows(*RIGHT))
    assert [row.condition for row in found] == ["full", "snr_20db", "snr_0db", "snr_-5db", "mute_audio"]
    assert [row.snr_db for row in found] == [None, 20, 0, -5, None]
    assert [row.value for row in found] == [0.9, 0.8, 0.4, 0.24, 0.1]
    assert [row.n for row in found] == [50] * 5  # sounds only
    assert all(row.ci_low < row.value < row.ci_high for row in found)


def test_each_level_has_its_difference_from_the_clean_sound() -> None:
    first, *others = curve(rows(*RIGHT))
    assert first.difference is None
    assert [round(row.difference, 2) for row in others] == [-0.1, -0.5, -0.66, -0.8]
    assert all(row.difference_low < row.difference < row.difference_high for row in others)
    assert {row.difference_interval for row in others} == {"bounded cluster mean"}


def test_without_noise_there_is_no_curve() -> None:
    assert curve(rows("full", "mute_audio")) == []
    seen = [msgspec.structs.replace(row, needs_audio=False) for row in rows("full", "snr_0db")]
    assert curve(seen) == []


def test_without_the_clean_sound_there_is_no_difference() -> None:
    assert [row.difference for row in curve(rows("snr_20db", "mute_audio"))] == [None, None]


def test_examples_of_one_side_are_in_no_difference() -> None:
    made = rows("full", "snr_0db")
    found = curve(made[:-2])[-1]
    assert (found.only_full, found.only_changed, found.n) == (1, 0, 49)
    elsewhere = [msgspec.structs.replace(row, example_id=f"x{row.example_id}") for row in rows("snr_0db")]
    assert curve(rows("full") + elsewhere)[-1].difference is None


def test_what_is_left_out_is_printed_in_80_columns() -> None:
    four = {"choices": ("yes", "no", "maybe", "never")}
    made = [row for seed in (0, 1) for row in rows(*RIGHT, seed=seed, **four)]
    lines = list(scores_table(score_predictions(made, Sampling(resamples=200))))
    assert max(map(len, lines)) <= 80
    assert "right answers that are lost: accuracy on made, over seeds" in lines
    assert "hearing set apart from seeing: accuracy on made, over seeds" in lines
    assert "hearing in noise: accuracy on made, seed 1" in lines
    assert "right answers that are lost: accuracy on made, seed 0" not in lines  # the row over seeds is shown
    noisy = next(line for line in lines if line.startswith("  safe/snr_-5db") and "−0.660" in line)
    assert noisy.split()[1] == "0.240"
    lost = next(line for line in lines if line.startswith("  safe/mute_audio") and " audio " in line)
    assert lost.split()[-2:] == ["90", "1.185"]  # 40 of 45, of the 75 % that a guess loses
