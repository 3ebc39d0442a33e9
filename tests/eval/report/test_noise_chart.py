"""The noise chart: one strip per model, from the clean sound to none."""

import re

from made_rows import answers

from safe_eval.options import Sampling
from safe_eval.report.labels import models_of
from safe_eval.report.noise_chart import noise_charts
from safe_eval.scoring.score import score_predictions
from safe_eval.scoring.scores import Scores

RIGHT = {"full": 45, "snr_20db": 40, "snr_-5db": 12, "mute_audio": 5}


def scores(models: dict[str, list[str]]) -> Scores:
    rows = []
    for model, conditions in models.items():
        for name in conditions:
            rows += answers(model, name, lambda clip, hears, name=name: clip < (RIGHT[name] if hears else 48))
    return score_predictions(rows, Sampling(resamples=200))


def words(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]+)</text>", svg)


def test_the_levels_stand_in_order_with_their_accuracies() -> None:
    (chart,) = noise_charts(scores({"safe": list(RIGHT)}), models_of({"safe"}, None), 6)
    found = words(chart["svg"])
    assert [word for word in found if word in ("clean", "20 dB", "−5 dB", "no sound")] == [
        "clean",
        "20 dB",
        "−5 dB",
        "no sound",
    ]
    assert {"90.0 %", "80.0 %", "24.0 %", "10.0 %", "safe"} <= set(found)
    assert chart["caption"] == (
        "Questions about the sound. vqa_accuracy · made · seed 0. The bands are 95 % intervals, level by "
        "level. safe: half of the gain (+80.0 pp) is gone at 6.61 dB [2.87, 9.29]."
    )
    assert chart["title"] == "Hearing in noise"


def test_each_model_has_a_strip_if_it_has_two_levels() -> None:
    three = {"base": list(RIGHT), "one": ["full", "snr_20db"], "safe": list(RIGHT)}
    (chart,) = noise_charts(scores(three), models_of(set(three), "base"), 6)
    found = words(chart["svg"])
    assert [word for word in found if word in three] == ["base", "safe"]


def test_what_is_left_out_by_chance_has_a_strip_for_the_sound_and_one_for_the_picture() -> None:
    right = {"full": 45, "drop_25": 30, "drop_75": 10}
    made = [r for name in right for r in answers("safe", name, lambda clip, hears, n=name: clip < right[n])]
    (chart,) = noise_charts(score_predictions(made, Sampling(resamples=200)), models_of({"safe"}, None), 6)
    found = words(chart["svg"])
    assert {"safe, Audio questions", "safe, VL questions", "all there", "25 %", "75 %"} <= set(found)
    assert chart["title"] == "Sound and picture left out by chance"


def test_of_several_seeds_the_curve_over_all_is_drawn() -> None:
    made = [
        row
        for seed in (0, 1)
        for name in RIGHT
        for row in answers("safe", name, lambda clip, hears, n=name: clip < RIGHT[n], seed=seed)
    ]
    (chart,) = noise_charts(score_predictions(made, Sampling(resamples=200)), models_of({"safe"}, None), 6)
    assert "over seeds" in chart["caption"]


def test_one_level_is_not_drawn_nor_more_charts_than_asked_for() -> None:
    assert noise_charts(scores({"safe": ["full", "snr_20db"]}), models_of({"safe"}, None), 6) == []
    assert noise_charts(scores({"safe": list(RIGHT)}), models_of({"safe"}, None), 0) == []
