"""Separation: the rows that set what is heard apart from what is seen, and how criteria judge them."""

import msgspec
import pytest
from made_rows import answers

from safe_data.core.table import render
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.judged import Judged, judge
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.separation import SeparationRow
from safe_eval.scoring.score import score_predictions
from safe_eval.text.scores_tables import scores_tables

QUICK = Sampling(resamples=200)


def run(heard: int = 30, seen: int = 0, clips: int = 50, **fields: object) -> list[Prediction]:
    """A model that gets all right, and in silence misses so many sounds and so many pictures."""
    rows = answers("safe", "full", lambda clip, hears: True, clips=clips, **fields)
    return rows + answers(
        "safe",
        "mute_audio",
        lambda clip, hears: clip >= (heard if hears else seen),
        clips=clips,
        **fields,
    )


def separations(rows: list[Prediction]) -> list[SeparationRow]:
    return list(score_predictions(rows, QUICK).separation)


def judged(rows: list[Prediction], **fields: object) -> Judged:
    asked = {"name": "it", "metric": "separation", "condition": "safe/mute_audio", "against": "safe/full"}
    criterion = Criterion(**asked | {"use": "ci_low", "bound": "> 0"} | fields)
    return judge(criterion, score_predictions(rows, QUICK))


def of(rows: list[Prediction], dataset: str, audio: bool | None = None) -> list[Prediction]:
    """The rows as those of another dataset, of one kind of question only."""
    kept = [row for row in rows if audio in (None, row.needs_audio)]
    return [
        msgspec.structs.replace(row, dataset=dataset, example_id=f"{dataset}-{row.example_id}")
        for row in kept
    ]


def test_what_is_taken_from_each_kind_and_the_difference() -> None:
    (found,) = separations(run(30, 5))
    assert (found.model, found.condition, found.metric) == ("safe", "mute_audio", "vqa_accuracy")
    assert (found.audio, found.vl, found.value) == pytest.approx((0.6, 0.1, 0.5))
    assert found.ci_low < 0.5 < found.ci_high
    assert (found.n, found.n_audio, found.n_vl, found.clusters) == (100, 50, 50, 50)
    assert (found.interval, found.test) == ("cluster t", "cluster t")
    assert found.p_value < 0.001


def test_a_run_without_one_kind_has_no_row() -> None:
    assert separations([row for row in run() if row.needs_audio]) == []
    assert separations([msgspec.structs.replace(row, needs_audio=None) for row in run()]) == []
    only_heard = judged([row for row in run() if row.needs_audio])
    assert only_heard.decision == "not measured"
    assert "of questions that need the sound and of others" in only_heard.evidence


def test_a_criterion_asks_for_more_than_chance() -> None:
    assert [judged(run(heard, 5)).decision for heard in (6, 30)] == ["no-go", "go"]
    text = judged(run(30, 5)).evidence
    assert text.startswith(
        "safe/mute_audio takes 0.600 from audio and 0.100 from vl, n 50 and 50 in 50 clusters"
    )
    assert "cluster t p < 0.001, 95 % interval [+0." in text


def test_examples_of_one_side_are_counted_and_not_judged() -> None:
    rows = run()[:-3]
    (found,) = separations(rows)
    assert (found.only_full, found.only_changed, found.n) == (3, 0, 97)
    assert "not every example was answered under both: 3 only under full" in judged(rows).evidence
    assert judged(rows).decision == "not measured"


def test_seeds_have_a_row_each_and_one_together() -> None:
    rows = [row for seed, heard in enumerate((30, 35, 28)) for row in run(heard, seed=seed)]
    found = {row.seed: row for row in separations(rows)}
    assert found.keys() == {0, 1, 2, None}
    together = found[None]
    assert together.of_each_seed == pytest.approx((0.6, 0.7, 0.56))
    assert together.interval == together.test == "cluster and seed t"
    over = judged(rows, over="seeds", min_seeds=3)
    assert (over.decision, over.value) == ("go", pytest.approx(0.62))
    assert "seeds [0, 1, 2]: +0.600, +0.700, +0.560" in over.evidence
    assert judged(rows, over="each_seed").value == pytest.approx(0.56)  # the worst


def test_rows_of_several_seeds_are_printed_in_every_format() -> None:
    scores = score_predictions([*run(30), *run(35, seed=1)], QUICK)
    tables = {table.name: table for table in scores_tables(scores)}
    for name in ("lomo", "separation"):
        column = tables[name].columns.index("of_each_seed")
        assert "0.6, 0.7" in [row[column] for row in tables[name].rows]
    for style in ("markdown", "latex", "csv"):
        assert any("0.6, 0.7" in line for line in render([tables["separation"]], style))


def test_a_seed_without_the_condition_is_not_measured() -> None:
    rows = run() + [row for row in run(seed=1) if row.condition == "full"]
    found = judged(rows)
    assert found.decision == "not measured"
    assert "(made, seed 1)" in found.evidence


def test_datasets_of_one_kind_are_pooled() -> None:
    """The usual case: sounds are asked about in one benchmark, and pictures in another."""
    rows = of(run(30), "heard", audio=True) + of(run(0, 2), "seen", audio=False)
    (found,) = separations(rows)
    assert (found.dataset, found.datasets, found.metric) == (None, ("heard", "seen"), "accuracy")
    assert (found.audio, found.vl) == pytest.approx((0.6, 0.04))
    assert judged(rows).decision == "go"
    assert "over 2 datasets" in judged(rows).evidence
    assert judged(rows, dataset="heard").decision == "not measured"


def test_kinds_that_two_rules_score_are_pooled() -> None:
    """Multiple choice about sounds, and open questions about pictures."""
    rows = [
        msgspec.structs.replace(row, choices=("yes", "no") if row.needs_audio else None) for row in run(30)
    ]
    (found,) = separations(rows)
    assert (found.dataset, found.datasets, found.metric) == ("made", ("made",), "accuracy")
    assert (found.audio, found.vl, found.n) == (0.6, 0.0, 100)
    assert judged(rows).decision == "go"


def test_datasets_of_both_kinds_are_judged_one_by_one() -> None:
    rows = of(run(30), "one") + of(run(2, 30), "two")
    assert {row.dataset for row in separations(rows)} == {"one", "two"}
    assert judged(rows).decision == "no-go"
    assert judged(rows, dataset="one").decision == "go"


def test_a_pooled_row_is_not_believed_where_one_dataset_was_not_muted() -> None:
    def heard_as(rows: list[Prediction], silent: bool) -> list[Prediction]:
        return [
            msgspec.structs.replace(
                row,
                audio_sha256=("0" if silent and row.condition == "mute_audio" else "1") * 64,
                audio_rms_db=-120.0 if silent and row.condition == "mute_audio" else -20.0,
            )
            for row in rows
        ]

    heard, seen = of(run(30), "heard", audio=True), of(run(), "seen", audio=False)
    muted = heard_as(heard, silent=True) + heard_as(seen, silent=True)
    not_muted = heard_as(heard, silent=True) + heard_as(seen, silent=False)
    assert judged(muted).decision == "go"
    found = judged(not_muted)
    assert (found.decision, found.value) == ("not measured", None)
    assert "sent as under full" in found.evidence
