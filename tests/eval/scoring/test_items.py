"""items.parquet: every mean of scores.json follows from it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_captions import captioned
from made_rows import good_run, row, shuffled

from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.scoring import items
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import Scores

OPTIONS = ScoreOptions(metric=("exact_match",))
OF_ITS_OWN = ("ece", "brier", "nll", "confidence", "bleu_")  # no means of the items' values


def mixed() -> list[Prediction]:
    rows = [*good_run(8), *captioned(6), *captioned(6, seed=1)]
    rows += [row("x", "y", task="translate", dataset="made", group="x")]
    replies = {"m1": "There are two", "m2": "a few", "m3": None, "m4": " "}
    for name, said in replies.items():
        failed = "out of memory" if said is None else None
        fields = {"dataset": "music_avqa", "group": name, "question_type": "Audio/Counting", "error": failed}
        rows.append(row(name, said, references=("two",), consulted=name != "m2", **fields))
    return rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_predictions(tmp_path / "p.jsonl", mixed())
    return tmp_path


def score(folder: Path) -> tuple[Scores, pa.Table]:
    sampling, out = Sampling(resamples=200), folder / "run"
    scores = score_files([folder / "p.jsonl"], sampling, OPTIONS, out=out, force=True)
    return scores, pq.read_table(folder / "run/items.parquet")


def test_every_mean_follows_from_the_items(folder: Path) -> None:
    scores, table = score(folder)
    needs = {(p.dataset, p.example_id): p.needs_audio for p in mixed()}
    types = {(p.dataset, p.example_id): p.question_type for p in mixed()}
    values: dict[tuple[object, ...], list[tuple[tuple[str, str], float]]] = {}
    for item in table.to_pylist():
        key = (item["metric"], item["dataset"], item["model"], item["condition"], item["seed"])
        values.setdefault(key, []).append(((item["dataset"], item["example_id"]), item["value"]))
    checked = set()
    for found in scores.metrics:
        if found.metric.startswith(OF_ITS_OWN):
            continue
        inside = {
            "all": lambda example: True,
            "audio": lambda example: needs[example] is True,
            "vl": lambda example: needs[example] is False,
        }.get(found.slice, lambda example, name=found.slice: _is_type(types[example], name))
        key = (found.metric, found.dataset, found.model, found.condition, found.seed)
        of_slice = [value for example, value in values[key] if inside(example)]
        assert found.value == pytest.approx(np.mean(of_slice), abs=1e-12)
        assert found.n == len(of_slice)
        checked.add(found.metric)
    assert {
        "vqa_accuracy",
        "music_avqa_accuracy",
        "exact_match",
        "cider_d",
        "rouge_l",
        "consulted",
    } <= checked


def _is_type(question_type: str | None, slice_name: str) -> bool:
    return (
        f"type:{question_type}" == slice_name or f"type:{(question_type or '').split('/')[0]}" == slice_name
    )


def test_what_became_of_each_answer(folder: Path) -> None:
    _, table = score(folder)
    music = [i for i in table.to_pylist() if i["metric"] == "music_avqa_accuracy"]
    assert {i["example_id"]: (i["value"], i["coverage"]) for i in music} == {
        "m1": (1.0, "answered"),
        "m2": (0.0, "unparsed"),
        "m3": (0.0, "errored"),
        "m4": (0.0, "unparsed"),
    }
    (left_out,) = [i for i in table.to_pylist() if i["coverage"] == "excluded"]
    assert (left_out["example_id"], left_out["metric"], left_out["value"]) == ("x", None, None)
    assert {i["coverage"] for i in table.to_pylist() if i["metric"] == "exact_match"} == {
        "answered",
        "unparsed",
        "errored",
    }


def test_columns_and_types(folder: Path) -> None:
    _, table = score(folder)
    assert tuple(table.column_names) == items.COLUMNS
    assert table.schema.field("value").type == pa.float64()
    assert table.schema.field("seed").type == pa.int64()
    assert {i["seed"] for i in table.to_pylist() if i["metric"] == "cider_d"} == {0, 1}


def test_the_same_predictions_in_any_order_make_the_same_bytes(folder: Path) -> None:
    score(folder)
    before = (folder / "run/items.parquet").read_bytes()
    write_predictions(folder / "p.jsonl", shuffled(mixed()))
    score(folder)
    assert (folder / "run/items.parquet").read_bytes() == before
    assert sorted(path.name for path in (folder / "run").iterdir()) == [
        "flips.csv",
        "items.parquet",
        "scores.json",
    ]


def test_a_write_that_fails_leaves_the_file_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score(folder)
    before = (folder / "run/items.parquet").read_bytes()

    def fails(writer: pq.ParquetWriter, table: pa.Table, **options: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", fails)
    with pytest.raises(OSError, match="no space left"):
        score(folder)
    assert (folder / "run/items.parquet").read_bytes() == before
    assert sorted(path.name for path in (folder / "run").iterdir()) == [
        "flips.csv",
        "items.parquet",
        "scores.json",
    ]
