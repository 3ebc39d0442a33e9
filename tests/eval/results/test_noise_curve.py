"""Noise curve: how much of hearing is left at each level of noise, and of whatever else makes sound worse."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import answers, shuffled

from safe_eval.arms.all_arms import all_arms
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.report.labels import Models
from safe_eval.report.noise_chart import noise_charts
from safe_eval.results.noise_curve import KINDS, NoiseRow, level_at, noise_rows, severity
from safe_eval.scoring.score import score_predictions
from safe_eval.text.scores_text import scores_table

RIGHT = {"full": 45, "snr_20db": 40, "snr_-5db": 12, "snr_0db": 20, "mute_audio": 5}
QUICK = Sampling(resamples=200)


def rows(*conditions: str, right: dict[str, int] = RIGHT, **fields: object) -> list[Prediction]:
    found = []
    for name in conditions:
        found += answers(
            "safe", name, lambda clip, hears, name=name: clip < (right[name] if hears else 48), **fields
        )
    return found


def curve(rows: list[Prediction]) -> list[NoiseRow]:
    return list(noise_rows(all_arms(rows), QUICK))


def test_it_runs_from_the_clean_sound_to_none() -> None:
    found = curve(rows(*RIGHT))
    assert [row.condition for row in found] == ["full", "snr_20db", "snr_0db", "snr_-5db", "mute_audio"]
    assert [row.level for row in found] == [None, 20, 0, -5, None]
    assert {(row.kind, row.unit, row.slice, row.seed) for row in found} == {("snr", "dB", "audio", 0)}
    assert [row.value for row in found] == [0.9, 0.8, 0.4, 0.24, 0.1]
    assert [row.n for row in found] == [50] * 5  # sounds only
    assert all(row.ci_low < row.value < row.ci_high for row in found)


@pytest.mark.parametrize(
    ("conditions", "kind", "levels"),
    [
        (("lowpass_500", "lowpass_8000", "lowpass_2000"), "lowpass", [8000, 2000, 500]),
        (("codec_mp3_16", "codec_mp3_64"), "codec_mp3", [64, 16]),
        (("clip_0.5", "clip_5"), "clip", [5, 0.5]),
        (("shift_1000", "shift_100"), "shift_later", [100, 1000]),
        (("shift_-1000", "shift_-100"), "shift_earlier", [-100, -1000]),
    ],
)
def test_each_kind_of_condition_has_its_curve_from_the_mildest_level(
    conditions: tuple[str, ...], kind: str, levels: list[float]
) -> None:
    right = dict.fromkeys(conditions, 20) | {"full": 45, "gate_off": 5}
    found = curve(rows(*right, right=right))
    assert {row.kind for row in found} == {kind}
    assert [row.level for row in found] == [None, *levels, None]
    assert found[-1].condition == "gate_off"  # nothing was muted


def test_sound_and_picture_left_out_by_chance_have_a_curve_each() -> None:
    right = {"full": 45, "drop_75": 15, "drop_25": 35, "mute_audio": 5}
    found = curve(rows(*right, right=right))
    assert [(row.slice, row.level) for row in found] == [
        *(("audio", None), ("audio", 25), ("audio", 75)),
        *(("vl", None), ("vl", 25), ("vl", 75)),
    ]
    assert [row.value for row in found] == [0.9, 0.7, 0.3, 0.96, 0.96, 0.96]


def test_seeds_that_answered_alike_have_a_curve_together() -> None:
    made = [row for seed in (0, 1) for row in rows(*RIGHT, seed=seed)]
    found = [row for row in curve(made) if row.seed is None]
    assert [row.value for row in found] == [0.9, 0.8, 0.4, 0.24, 0.1]
    assert {row.seeds for row in found} == {(0, 1)}
    assert all(row.seed is not None for row in curve(made[:-2]))


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


def test_levels_asked_on_a_sample_are_set_beside_the_same_examples_under_full() -> None:
    """The sample is the harder half: beside all of `full`, the mildest noise would seem to cost much."""
    asked = rows("full", "mute_audio") + [
        one for one in rows("snr_20db", "snr_0db") if int(str(one.record_id)[1:]) >= 30
    ]
    found = curve(asked)
    assert [(row.n, row.not_shared, row.clusters) for row in found] == [
        (20, 30, 20),
        (20, 0, 20),
        (20, 0, 20),
        (20, 30, 20),
    ]
    assert [row.value for row in found] == [0.75, 0.5, 0.0, 0.0]
    assert [row.difference for row in found] == [None, -0.25, -0.75, -0.8]  # the last on all 50
    assert [(row.only_full, row.only_changed) for row in found[1:]] == [(30, 0), (30, 0), (0, 0)]
    scores = score_predictions(asked, QUICK)
    words = "safe: on the 20 of 50 questions of slice audio that were asked at every level"
    assert f"  {words}" in scores_table(scores)
    (chart,) = noise_charts(scores, Models(None, ("safe",)), 6)
    assert f"{words}." in chart["caption"]
    assert not [
        line for line in scores_table(score_predictions(rows(*RIGHT), QUICK)) if "every level" in line
    ]


@settings(max_examples=10, deadline=None)
@given(st.permutations([45, 38, 20, 12, 5]), st.integers(0, 99))
def test_neither_the_order_of_rows_nor_a_curve_that_rises_again_matters(right: list[int], seed: int) -> None:
    planted = dict(zip(RIGHT, right, strict=True))
    made = rows(*planted, right=planted, clips=50)
    found = curve(made)
    assert found == curve(shuffled(made, seed))
    assert {row.condition: round(row.value * 50) for row in found} == planted


@given(st.sampled_from(sorted(KINDS)), st.floats(0.5, 1000))
def test_a_place_on_a_curve_leads_back_to_its_level(kind: str, level: float) -> None:
    assert level_at(kind, severity(kind, level)) == pytest.approx(level)


def test_what_is_left_out_is_printed_in_80_columns() -> None:
    four = {"choices": ("yes", "no", "maybe", "never")}
    made = [row for seed in (0, 1) for row in rows(*RIGHT, seed=seed, **four)]
    lines = list(scores_table(score_predictions(made, QUICK)))
    assert max(map(len, lines)) <= 80
    assert "right answers that are lost: accuracy on made, over seeds" in lines
    assert "hearing set apart from seeing: accuracy on made, over seeds" in lines
    assert "hearing in noise: accuracy on made, over seeds" in lines
    assert "hearing in noise: accuracy on made, seed 0" not in lines  # the row over seeds is shown
    assert "right answers that are lost: accuracy on made, seed 0" not in lines
    noisy = next(line for line in lines if line.startswith("  safe/snr_-5db") and "−0.660" in line)
    assert noisy.split()[1] == "0.240"
    lost = next(line for line in lines if line.startswith("  safe/mute_audio") and " audio " in line)
    assert lost.split()[-2:] == ["90", "1.185"]  # 40 of 45, of the 75 % that a guess loses
    assert any(line.startswith("  safe: half of the gain (+0.800) is gone at 5 dB [") for line in lines)
