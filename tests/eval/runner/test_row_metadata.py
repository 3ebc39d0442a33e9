"""Metadata of a prediction: the facts of its record that the benchmark's own script reads."""

import json
from pathlib import Path

import numpy as np
import pytest

from safe_data.media.sound import Sound
from safe_data.records import Audio, Example, Record
from safe_data.sources import avqa, gqa
from safe_eval.models.model import Answer
from safe_eval.prediction import Prediction
from safe_eval.runner.row import Heard, Reply, Request, hear, to_prediction
from safe_eval.scorers import avqa as avqa_scorer
from safe_eval.scorers.gqa import aggregates


def said(record: Record, example: Example, answer: str, heard: Heard | None = None) -> Prediction:
    request = Request(0, record, example, "full")
    return to_prediction(request, Reply(Answer(answer), None, 1.0), model="safe", seed=0, heard=heard)


def test_gqa_questions_arrive_with_all_that_their_aggregates_read(tmp_path: Path) -> None:
    shared = {"imageId": "1", "isBalanced": True, "groups": {"global": "colour"}}
    types = {"structural": "query", "semantic": "attr", "detailed": "x"}
    questions = {
        "01": {"question": "Which colour?", "answer": "red", "entailed": ["02"], "types": types, **shared},
        "02": {"question": "And this?", "answer": "blue", "entailed": [], "types": types, **shared},
    }
    (tmp_path / "val_balanced_questions.json").write_text(json.dumps(questions))
    (tmp_path / "images").mkdir()
    (tmp_path / "images/1.jpg").touch()
    (record,) = gqa.read(tmp_path)
    rows = [said(record, example, "red") for example in record.examples]
    found = {found.name: found for found in aggregates(rows)}
    assert found["consistency"].value == 0.0  # the first is right, and what it entails is wrong
    assert found["semantic:attr"].value == found["open"].value == 0.5
    assert found["distribution"].value == pytest.approx(0.02)  # (2 − 1)² / 1 + (0 − 1)² / 1, over 100


def test_avqa_questions_arrive_with_their_relation(tmp_path: Path) -> None:
    asked = {"id": 7, "video_name": "-HG3Omg_89c_000030", "question_text": "What is it?", "answer": 0}
    asked |= {"multi_choice": ["dog", "cat"], "question_relation": "Sound", "question_type": "Which"}
    (tmp_path / "val_qa.json").write_text(json.dumps([asked]))
    (tmp_path / "video").mkdir()
    (tmp_path / "video/-HG3Omg_89c_000030.mp4").touch()
    (record,) = avqa.read(tmp_path)
    row = said(record, record.examples[0], "dog")
    assert row.metadata == {"question_relation": "Sound"}
    assert list(avqa_scorer.slices([row])) == ["type:Sound"]


@pytest.mark.parametrize(
    "metadata", [{}, {"questions": 7}, {"questions": {"q": 7}}, {"questions": {"p": {}}}]
)
def test_a_record_that_says_nothing_adds_nothing(metadata: dict[str, object]) -> None:
    example = Example(id="q", task="vqa", prompt="?", references=("a",))
    record = Record(id="r", dataset="d", split="test", group="g", image="x.jpg", metadata=metadata)
    assert said(record, example, "a").metadata is None


def test_a_sound_to_be_classified_says_how_long_and_how_noisy_it_was() -> None:
    example = Example(id="k", task="classify", prompt="?", references=("speech",))
    about = {"id": "r", "dataset": "d", "split": "test", "group": "g", "audio": Audio(path="x.wav")}
    record = Record(**about, metadata={"snr_db": 5})
    heard = hear(Sound(np.zeros(12_000, dtype=np.float32), 8_000, 8_000, 1))
    assert said(record, example, "speech", heard).metadata == {"snr_db": 5, "duration_seconds": 1.5}


def test_what_was_sent_and_what_the_model_adds_stand_beside_the_facts_of_the_record() -> None:
    example = Example(id="q", task="vqa", prompt="?", references=("a",))
    facts = {"questions": {"q": {"picture_tells": True}}}
    record = Record(id="r", dataset="d", split="test", group="g", image="x.jpg", metadata=facts)
    answer = Answer("a", gate_score=np.float32(0.5), metadata={"choice_log_likelihoods": {"a": -1.0}})
    request = Request(0, record, example, "swap_audio", 1, "r2")
    sent = {"sound": "of:r2", "picture": "own", "gate": 0.5}
    row = to_prediction(request, Reply(answer, None, None), model="safe", seed=0, sent=sent)
    assert row.metadata == {
        "picture_tells": True,
        "sound_of": "r2",
        "sent": sent,
        "choice_log_likelihoods": {"a": -1.0},
    }
    assert (row.gate_score, row.latency_ms) == (0.5, None)
    gated = Answer("a", gate_ms=np.float32(0.25), influence_kl=np.float64(1.5))
    told = to_prediction(request, Reply(gated, None, 9.0), model="safe", seed=0)
    assert (told.gate_ms, told.influence_kl, type(told.influence_kl)) == (0.25, 1.5, float)
    never = Reply(Answer("a", influence_kl=float("inf")), None, None)
    wrong = to_prediction(request, never, model="safe", seed=0)
    assert wrong.error is not None
    assert "influence_kl inf is no divergence; write nats, 0 or more" in wrong.error
    beyond = Reply(Answer("a", gate_score=1.5), None, None)
    wrong = to_prediction(request, beyond, model="safe", seed=0)
    assert wrong.error is not None
    assert "gate_score 1.5 is outside [0, 1]; 0 is closed and 1 is fully open" in wrong.error
