"""Answers that no criterion looks at are counted, with where they are."""

from pathlib import Path

import msgspec
from made_rows import answers, good_run, row

from safe_eval.arms.all_arms import all_arms
from safe_eval.judging.criteria_file import SHIPPED, read_criteria
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.overlooked import Overlooked, find_overlooked
from safe_eval.judging.verdict import decide
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.scoring.score import score_files
from safe_eval.text.verdict_text import verdict_table


def overlooked(rows: list[Prediction], *criteria: dict[str, str]) -> Overlooked:
    asked = [Criterion(**{"name": "it", "metric": "vqa_accuracy", "bound": "> 0"} | one) for one in criteria]
    return find_overlooked(asked, all_arms(rows))


def test_a_dataset_and_a_condition_that_nobody_asks_about_are_named() -> None:
    rows = [
        *answers("safe", "full", lambda clip, needs_audio: True, clips=5),
        *answers("safe", "snr_10db", lambda clip, needs_audio: True, clips=5),
        *(row(f"k{i}", model="safe", dataset="clotho", task="classify", group="g") for i in range(3)),
    ]
    found = overlooked(rows, {"condition": "safe/full", "slice": "audio"})
    assert (found.answers, found.items) == (23, 18)
    assert found.text == (
        "18 of 23 items are looked at by no criterion: dataset made, condition safe/snr_10db (10); "
        "dataset made, condition safe/full, slice vl (5); dataset clotho, condition safe/full (3)"
    )


def test_both_sides_of_a_comparison_are_looked_at() -> None:
    sides = {"condition": "safe/full", "against": "safe/mute_audio"}
    rows = [one for one in good_run(5) if one.condition in ("full", "mute_audio")]
    assert overlooked(rows, sides).items == 10  # of the base model
    assert overlooked(rows, sides, {"condition": "base/full"}).text == (
        "each of 30 items is looked at by a criterion"
    )


def test_a_separation_looks_at_sounds_and_pictures_and_at_nothing_else() -> None:
    rows = [one for one in good_run(5) if one.model == "safe" and one.condition in ("full", "mute_audio")]
    unsaid = [
        msgspec.structs.replace(one, needs_audio=None) if one.record_id == "c0" else one for one in rows
    ]
    asked = {"metric": "separation", "condition": "safe/mute_audio", "against": "safe/full"}
    assert overlooked(rows, asked).items == 0
    assert overlooked(unsaid, asked).items == 4


def test_what_a_number_is_not_computed_from_is_not_looked_at() -> None:
    """Coverage asks whether there is an answer, a warning decides nothing, a metric judges its own rows."""
    rows = answers("safe", "full", lambda clip, needs_audio: True, clips=5)
    assert overlooked(rows, {"metric": "coverage"}).items == 10
    assert overlooked(rows, {"condition": "safe/full", "severity": "warning"}).items == 10
    assert overlooked(rows, {"condition": "safe/full", "metric": "gqa_accuracy"}).items == 10
    assert overlooked(rows, {"condition": "safe/full", "metric": "ece"}).items == 10
    sure = [msgspec.structs.replace(one, confidence=0.5) for one in rows]
    assert overlooked(sure, {"condition": "safe/full", "metric": "ece"}).items == 0
    assert overlooked(rows, {"condition": "safe/full", "metric": "vqa_accuracy_seed_std"}).items == 0
    changed = {"condition": "safe/full", "against": "base/full", "metric": "answers_changed"}
    assert overlooked(rows, changed).items == 0


def test_many_places_are_counted() -> None:
    noises = [answers("safe", f"snr_{db}db", lambda *_: True, clips=2 + db) for db in range(8)]
    rows = [one for arm in noises for one in arm]
    text = overlooked(rows, {"metric": "coverage"}).text
    assert text.startswith(
        "88 of 88 items are looked at by no criterion: dataset made, condition safe/snr_7db (18);"
    )
    assert text.endswith("; and 2 more places")


def test_the_verdict_says_so(tmp_path: Path) -> None:
    write_predictions(tmp_path / "predictions.jsonl", good_run(12))
    score_files([tmp_path / "predictions.jsonl"], Sampling(resamples=100), out=tmp_path)
    verdict = decide(tmp_path, SHIPPED / "demo.yaml")
    lines = list(verdict_table(verdict))
    assert max(map(len, lines)) <= 80
    assert " items are looked at by no criterion: dataset made, condition" in " ".join(lines)
    assert verdict.overlooked == find_overlooked(read_criteria(SHIPPED / "demo.yaml"), all_arms(good_run(12)))
