"""Metadata of a prediction: the facts of its record that the benchmark's own script reads."""

import json
from pathlib import Path

import numpy as np
import pytest

from safe_data.records import Audio, Example, Record
from safe_data.sources import avqa, gqa
from safe_eval.models.model import Answer, Input
from safe_eval.prediction import Prediction
from safe_eval.runner.run import Reply, Request, to_prediction
from safe_eval.scorers import avqa as avqa_scorer
from safe_eval.scorers.gqa import aggregates


def said(record: Record, example: Example, answer: str, given: Input | None = None) -> Prediction:
    request = Request(0, record, example, "full")
    return to_prediction(request, given, Reply(Answer(answer), None, 1.0), model="safe", seed=0)


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
    given = Input(example, None, np.zeros(12_000, dtype=np.float32), 8_000)
    assert said(record, example, "speech", given).metadata == {"snr_db": 5, "duration_seconds": 1.5}
