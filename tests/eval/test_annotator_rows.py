"""A prediction that is written as a row per annotator is read as one, with the references of all."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from safe_data.core.errors import InputError
from safe_eval.predictions import read_predictions
from safe_eval.scoring.score import score_predictions

GIVEN = ("yes", "yes", "no", "yes", "maybe", "yes", "yes", "no", "yes", "unsure")


def rows_of(example_id: str, **fields: Any) -> list[dict[str, Any]]:
    """Ten rows of one prediction, with annotators 1 to 10."""
    return [
        {"example_id": example_id, "references": [text], "answer": "yes", "annotator": number} | fields
        for number, text in enumerate(GIVEN, 1)
    ]


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "p.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_ten_rows_are_one_prediction_in_the_order_of_the_annotators(tmp_path: Path) -> None:
    rows = [row for name in ("q1", "q2") for condition in ("full", "mute_audio")
            for row in rows_of(name, condition=condition)]  # fmt: skip
    random.Random(0).shuffle(rows)
    found = read_predictions(written(tmp_path, rows))
    assert len(found) == 4
    assert {row.references for row in found} == {GIVEN}
    together = [row | {"references": list(GIVEN)} for row in rows if row["annotator"] == 1]
    for row in together:
        row.pop("annotator")
    expected = read_predictions(written(tmp_path, together))
    assert sorted(map(str, found)) == sorted(map(str, expected))
    assert score_predictions(found).metrics == score_predictions(expected).metrics


@pytest.mark.parametrize("numbered", [True, False])
def test_parquet_too(tmp_path: Path, numbered: bool) -> None:
    rows = [row | ({} if numbered else {"annotator": f"{row['annotator']}"}) for row in rows_of("q1")]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    (found,) = read_predictions(tmp_path / "p.parquet")
    assert found.references == GIVEN


def test_a_column_that_is_null_everywhere_names_nobody(tmp_path: Path) -> None:
    (found,) = read_predictions(written(tmp_path, [rows_of("q1", annotator=None)[0]]))
    assert found.references == ("yes",)


def changed(number: int, **fields: Any) -> list[dict[str, Any]]:
    rows = rows_of("q1")
    rows[number - 1] |= fields
    return rows


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            changed(4, answer="no"),
            "p.jsonl:4 'q1': answer differs from p.jsonl:1; the rows of one prediction differ in annotator "
            "and references alone",
        ),
        (changed(3, confidence=0.5), "p.jsonl:3 'q1': confidence differs from p.jsonl:1"),
        (changed(10, annotator=2), "p.jsonl:10 'q1': annotator '2' is already at p.jsonl:2; keep one"),
        (changed(10, annotator="2"), "p.jsonl:10 'q1': annotator '2' is already at p.jsonl:2; keep one"),
        (changed(5, annotator=" "), "p.jsonl:5 'q1': annotator is blank; write a name or a number"),
        (changed(5, annotator=None), "p.jsonl:5 names no 'annotator', but other rows do; write it in every"),
        (changed(5, references=[]), "p.jsonl:5 'q1': references is empty; give at least one"),
        (changed(5, answr="yes"), "p.jsonl:5 'q1': unknown field 'answr'; did you mean 'answer'?"),
        (
            [*rows_of("q1"), *rows_of("q2")[:9]],
            "p.jsonl:11 'q2': has 9 annotators, but 'q1' has 10; give each example the same number, or one "
            "row with all texts in 'references'",
        ),
        (
            [*rows_of("q1"), *(row | {"model": "b", "references": ["no"]} for row in rows_of("q1"))],
            "p.jsonl:11 'q1': references differs from p.jsonl:1; one example has one truth",
        ),
        ([{"example_id": "q1", "anotator": 1, "references": ["a"], "answer": "a"}], "mean 'annotator'?"),
    ],
)
def test_rows_that_are_not_of_one_prediction_are_refused(
    tmp_path: Path, rows: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(InputError) as raised:
        read_predictions(written(tmp_path, rows))
    assert words in str(raised.value)


def test_a_repeated_key_is_found_here_too(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(
        '{"example_id": "q1", "annotator": 1, "annotator": 2, "references": ["a"], "answer": "a"}\n'
    )
    with pytest.raises(InputError, match="has the key 'annotator' twice"):
        read_predictions(path)


def test_a_reference_that_is_no_choice_is_refused_at_the_first_row_of_its_prediction(tmp_path: Path) -> None:
    rows = [*rows_of("q1", choices=["yes", "no", "maybe", "unsure"]), *rows_of("q2", choices=["yes", "no"])]
    with pytest.raises(InputError, match=r"p\.jsonl:11 'q2': reference 'maybe' is none of its choices"):
        read_predictions(written(tmp_path, rows))


def test_rows_of_annotators_who_are_not_named_are_told_how(tmp_path: Path) -> None:
    rows = [{name: value for name, value in row.items() if name != "annotator"} for row in rows_of("q1")]
    with pytest.raises(InputError) as refused:
        read_predictions(written(tmp_path, rows))
    told = [line for line in str(refused.value).splitlines() if line.endswith("; keep one")]
    assert len(told) == GIVEN.count("yes") - 1
    assert "keep one, or say in annotator who gave the references of each row" in str(refused.value)
