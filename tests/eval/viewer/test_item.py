"""One item in full: its arms, how each was read, its scores, media, note and neighbours."""

import shutil
from pathlib import Path

import msgspec
import pytest
from made_rows import row
from made_sent_run import EVERY, HOSTILE, SentRun, made_sent_run

from safe_data.core.errors import InputError
from safe_eval.annotation.notes import Notes
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.scoring.score import score_files
from safe_eval.viewer.filter import read_filter
from safe_eval.viewer.item import NEIGHBOURS, NO_ROW, NOT_SHOWN, item_of
from safe_eval.viewer.viewed import Viewed, open_runs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> SentRun:
    return made_sent_run(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def viewed(run: SentRun) -> Viewed:
    return run.open()


def opened(folder: Path, *rows: Prediction) -> Viewed:
    write_predictions(folder / "predictions.jsonl", rows)
    score_files([folder / "predictions.jsonl"], Sampling(resamples=100), out=folder)
    return open_runs([folder])


def test_every_arm_is_there_with_all_that_its_row_says(run: SentRun, viewed: Viewed) -> None:
    item = item_of(viewed, 1)
    assert [one.arm for one in item.arms] == list(range(1 + len(EVERY)))
    for one in item.arms:
        arm = viewed.arms[one.arm]
        (row,) = (
            row
            for row in run.rows
            if (row.example_id, row.model, row.condition) == (item.id, arm.model, arm.condition)
        )
        assert (one.answer, one.latency_ms, one.error) == (row.answer, row.latency_ms, row.error)
        assert (one.consulted, one.confidence, one.outcome) == (
            row.consulted,
            row.confidence,
            item.outcomes[one.arm],
        )
    assert item.arms[1].scores == {"accuracy": 1.0}
    assert item.metric == "accuracy"
    assert item.choices
    assert item.media.picture == "media/1/own/picture.png"
    assert item.media.notes == ["Sounds are played with 16 bits; a model gets floats."]


def test_hostile_answers_stay_text(run: SentRun, viewed: Viewed) -> None:
    off = next(one.arm for one in viewed.arms if one.condition == "gate_off")
    item = item_of(viewed, 0)
    answer = next(one for one in item.arms if one.arm == off)
    assert answer.answer == HOSTILE
    assert answer.read_as is None
    assert answer.rule.startswith("Not understood")
    assert msgspec.json.decode(msgspec.json.encode(item))["arms"][off]["answer"] == HOSTILE


def test_neighbours_are_of_the_record_and_its_group_and_not_itself(tmp_path: Path) -> None:
    rows = [row(f"q{n:02}", record_id=f"r{n // 2}", group="g", dataset="d") for n in range(60)]
    rows += [row("q00", record_id="r0", group="g", dataset="another"), row("z", group="h", dataset="d")]
    viewed = opened(tmp_path, *rows)
    number = next(n for n in range(viewed.items) if viewed.key_of(n) == ("d", "q10"))
    found = [one.id for one in item_of(viewed, number).neighbours]
    assert len(found) == NEIGHBOURS
    assert found[:5] == ["q11", "q09", "q08", "q12", "q07"]
    assert {viewed.key_of(one.item)[0] for one in item_of(viewed, number).neighbours} == {"d"}
    assert not item_of(viewed, viewed.items - 1).neighbours


def test_without_its_predictions_an_item_has_what_the_scores_know(run: SentRun, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    (tmp_path / "run" / "predictions.jsonl").unlink()
    item = item_of(open_runs([tmp_path / "run"], run.shards), 1)
    assert [one.outcome for one in item.arms] == item.outcomes
    assert {one.rule for one in item.arms} == {NO_ROW}
    assert item.arms[1].answer == item.answers[1]
    assert item.media.sound is not None
    assert (item.choices, item.question) == (None, {})


def test_facts_of_the_question_are_those_that_all_arms_repeat(tmp_path: Path) -> None:
    of_question = {"difficulty": "hard", "batch": 4, "raw": "x"}
    rows = [
        row("a", dataset="d", model=model, metadata={**of_question, "said": model})
        for model in ("base", "safe")
    ]
    assert item_of(opened(tmp_path, *rows), 0).question == {"difficulty": "hard"}


def test_an_error_and_an_arm_that_was_not_asked(tmp_path: Path) -> None:
    rows = [
        row("a", None, dataset="d", error="timeout <b>", model="base"),
        row("a", "no", dataset="d", gate_score=0.25, gate_ms=1.5, influence_kl=0.5, audio_tokens=4),
        row("b", dataset="d", model="base"),
    ]
    viewed = opened(tmp_path, *rows)
    failed, wrong = item_of(viewed, 0).arms
    assert (failed.outcome, failed.error, failed.answer) == ("error", "timeout <b>", None)
    assert failed.rule == "There is an error in place of an answer, which counts as wrong."
    assert (wrong.gate_score, wrong.gate_ms, wrong.influence_kl, wrong.audio_tokens) == (0.25, 1.5, 0.5, 4)
    assert [one.arm for one in item_of(viewed, 1).arms] == [0]
    assert item_of(viewed, 1).outcomes == ["right", "none"]


def test_a_note_is_shown_with_its_item_alone(viewed: Viewed, tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes.json")
    notes.write(*viewed.key_of(2), "<b>odd</b>")
    assert (item_of(viewed, 2, notes.read()).note, item_of(viewed, 2, notes.read()).noted) == (
        "<b>odd</b>",
        True,
    )
    assert (item_of(viewed, 1, notes.read()).note, item_of(viewed, 1, notes.read()).noted) == (None, False)


def test_outcomes_by_another_metric(tmp_path: Path) -> None:
    rows = [row("a", "Yes", references=("yes",) * 3, dataset="d", scores={"hit": 1.0})]
    viewed = opened(tmp_path, *rows)
    default = item_of(viewed, 0)
    given = item_of(viewed, 0, chosen=read_filter([("metric", "given:hit")], viewed))
    assert (default.metric, given.metric) == ("vqa_accuracy", "given:hit")
    assert default.arms[0].scores == {"vqa_accuracy": 0.0, "given:hit": 1.0}
    assert "“Yes”: it equals none of 3 references" in default.arms[0].rule
    assert given.arms[0].rule == "Another harness scored it 1 as hit; no rule here judged it."


def test_a_metric_that_scores_other_items_alone_says_so(tmp_path: Path) -> None:
    rows = [
        row("a", dataset="d"),
        row("b", dataset="d", scores={"hit": 1.0}),
        row("c", task="other", dataset="d"),
    ]
    viewed = opened(tmp_path, *rows)
    shown = read_filter([("metric", "given:hit")], viewed)
    (first,), (second,), (third,) = (item_of(viewed, number, chosen=shown).arms for number in range(3))
    assert (first.outcome, first.rule) == ("none", NOT_SHOWN)
    assert second.outcome == "right"
    assert third.rule == "No metric judges it: there is none for its task."


@pytest.mark.parametrize("number", [-1, 99_999])
def test_there_is_no_such_item(viewed: Viewed, number: int) -> None:
    with pytest.raises(InputError, match=f"item={number}: there is none; items are 0 to"):
        item_of(viewed, number)
