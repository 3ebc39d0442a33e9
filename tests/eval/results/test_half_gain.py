"""Half gain: the noise, the bandwidth or the delay at which half of what the sound adds is gone."""

import msgspec
import numpy as np
import pytest
from made_rows import answers, row, shuffled

from safe_eval.arms.all_arms import all_arms
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.half_gain import HalfGainRow, half_gain_rows

QUICK = Sampling(resamples=400)
NOISE = {"full": 45, "snr_20db": 40, "snr_0db": 20, "snr_-10db": 12, "mute_audio": 5}


def rows(right: dict[str, int], **fields: object) -> list[Prediction]:
    """Of 50 questions about the sound so many are right under each condition, here and there."""
    return [
        one
        for name, count in right.items()
        for one in answers("safe", name, lambda clip, hears, k=count: clip * 7 % 50 < k, **fields)
    ]


def found(rows: list[Prediction]) -> list[HalfGainRow]:
    return list(half_gain_rows(all_arms(rows), QUICK))


def test_it_lies_on_the_line_between_two_levels() -> None:
    (row,) = found(rows(NOISE))
    assert (row.kind, row.unit, row.against, row.levels) == ("snr", "dB", "mute_audio", (20, 0, -10))
    assert row.gain == pytest.approx(0.8)
    assert row.level == pytest.approx(5)  # 25 of 50 between 40 at 20 dB and 20 at 0 dB
    assert row.low < 5 < row.high
    assert (row.interval, row.n, row.clusters, row.why_not) == ("cluster bootstrap", 50, 50, None)


@pytest.mark.parametrize(
    ("right", "kind", "level"),
    [
        ({"lowpass_8000": 40, "lowpass_2000": 20}, "lowpass", 8000 / 2**1.5),  # steps are octaves
        ({"codec_mp3_64": 40, "codec_mp3_16": 10}, "codec_mp3", 32),
        ({"clip_4": 40, "clip_1": 10}, "clip", 2),
        ({"shift_100": 35, "shift_300": 15}, "shift_later", 200),
        ({"shift_100": 5}, "shift_later", 50),  # full is 0 ms, and so a level
        ({"shift_-100": 35, "shift_-300": 15}, "shift_earlier", -200),
    ],
)
def test_every_kind_of_curve_has_one(right: dict[str, int], kind: str, level: float) -> None:
    (row,) = found(rows({"full": 45, **right, "gate_off": 5}))
    assert (row.kind, row.against) == (kind, "gate_off")
    assert row.level == pytest.approx(level)
    ends = [end for end in (row.low, row.high) if end is not None]
    assert ends == sorted(ends)


@pytest.mark.parametrize(
    ("changed", "why_not"),
    [
        ({"snr_0db": 38, "snr_-10db": 30}, "more than half is left at -10 dB, the hardest level"),
        ({"snr_20db": 20}, "less than half is left at 20 dB, the mildest level"),
        ({"full": 6}, "the sound adds nothing whose interval excludes 0"),
        ({"full": None}, "there are no answers under full"),
        ({"mute_audio": None}, "there are no answers under mute_audio or gate_off"),
    ],
)
def test_what_is_not_measured_has_its_reason(changed: dict[str, int | None], why_not: str) -> None:
    right = {name: count for name, count in (NOISE | changed).items() if count is not None}
    (row,) = found(rows(right))
    assert (row.why_not, row.level, row.low, row.high) == (why_not, None, None, None)


def test_an_end_beyond_the_levels_is_open() -> None:
    (row,) = found(rows(NOISE | {"snr_0db": 32, "snr_-10db": 24}))
    assert (row.low, row.interval) == (None, "cluster bootstrap")
    assert -10 < row.level < row.high


def test_only_examples_under_every_condition_count_and_one_group_is_no_interval() -> None:
    made = rows(NOISE)
    assert found(made[:-2])[0].n == 49
    together = [msgspec.structs.replace(one, group="g") for one in made]
    assert found(together)[0].why_not == "the gain has no interval: there are fewer than two clusters"


def test_a_curve_that_leaves_out_both_has_none() -> None:
    assert found(rows({"full": 45, "drop_50": 20, "mute_audio": 5})) == []


def test_neither_order_nor_seeds_that_agree_change_the_level() -> None:
    made = rows(NOISE)
    assert found(made) == found(shuffled(made))
    *_, over = found([*made, *rows(NOISE, seed=1)])
    assert (over.seed, over.seeds, over.of_each_seed) == (None, (0, 1), pytest.approx((5, 5)))
    assert over.level == pytest.approx(5)


def test_the_level_of_a_planted_listener_is_found() -> None:
    """A listener that hears by a logistic of the ratio, 50 % of what it can at −3 dB."""
    rng, made = np.random.default_rng(0), []
    for name in ("full", *(f"snr_{ratio}db" for ratio in (20, 10, 5, 0, -5, -10, -20)), "mute_audio"):
        ratio = {"full": np.inf, "mute_audio": -np.inf}.get(name)
        ratio = float(name[4:-2]) if ratio is None else ratio
        heard = 1 / (1 + np.exp(-(ratio + 3) / 3))
        right = rng.random(800) < 0.25 + 0.6 * heard
        made += [
            row(f"q{at}", "yes" if ok else "no", group=f"g{at}", needs_audio=True, condition=name)
            for at, ok in enumerate(right.tolist())
        ]
    (found_row,) = found(made)
    assert found_row.level == pytest.approx(-3, abs=1.5)
    assert found_row.low < -3 < found_row.high
