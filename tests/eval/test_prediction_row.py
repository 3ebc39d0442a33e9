"""A row is a Prediction or one sentence on its fault: repeated keys, blank ids, odd Parquet, half signs."""

import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import row

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.prediction import Prediction
from safe_eval.prediction_row import prediction_line, prediction_of
from safe_eval.predictions import partial_line, read_predictions, write_predictions

GOOD = {"example_id": "q1", "references": ["yes"], "answer": "no"}
LINE = json.dumps(GOOD).encode()
FIELDS = [*Prediction.__struct_fields__, "other"]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def fault(line: bytes) -> str:
    found = prediction_of(line)
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (LINE[:-1] + b', "answer": "yes"}', "answer"),
        (LINE[:-1] + b', "answer" :"yes"}', "answer"),
        (LINE[:-1] + b',"answer"\t:"say \\": "}', "answer"),
        (LINE[:-1] + b', "\\u0061nswer": "yes"}', "answer"),
        (LINE[:-1] + b', "metadata": {"a": 1, "a": 1}}', "a"),
        (LINE[:-1] + b', "metadata": {"b": [{"c": 1, "c": 2}]}}', "c"),
        (LINE[:-1] + b', "choice_probabilities": {"x": 0.5, "x": 0.25}}', "x"),
    ],
)
def test_a_repeated_key_is_refused(line: bytes, key: str) -> None:
    assert fault(line) == f"'q1': has the key '{key}' twice; give each key once"


def test_text_like_a_key_and_equal_keys_of_different_objects_are_none() -> None:
    said = 'it said "answer": "yes", {"answer":1}'
    content = GOOD | {"answer": said, "metadata": {"answer": {"answer": 1}, "seed": {"answer": 2}}}
    for text in (
        json.dumps(content),
        json.dumps(content, indent=1),
        json.dumps(content, separators=(",", ":")),
    ):
        found = prediction_of(text.replace("\n", "").encode())
        assert isinstance(found, Prediction)
        assert found.answer == said


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), anything, max_size=5), st.sampled_from([None, *FIELDS]))
def test_any_object_is_a_prediction_or_one_sentence(changes: dict[str, Any], twice: str | None) -> None:
    content = GOOD | changes
    text = json.dumps(content)
    if twice in content:
        text = f"{text[:-1]}, {json.dumps(twice)}: {json.dumps(content[twice])}}}"
    found = prediction_of(text.encode() + b"\n")
    if isinstance(found, str):
        assert "\n" not in found
    else:
        assert twice not in content
        assert prediction_of(prediction_line(found)) == found


@pytest.mark.parametrize("blank", ["", " ", "\t", "\u00a0", "\u200b", " \u2060\n"])
@pytest.mark.parametrize("field", ["example_id", "record_id", "dataset", "group", "model"])
def test_a_blank_id_is_refused(field: str, blank: str) -> None:
    said = fault(json.dumps(GOOD | {field: blank}).encode())
    assert f"{field} is {'empty' if field == 'example_id' and not blank else 'blank'}; " in said


def test_half_of_a_character_is_a_reply(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.jsonl"
    whole, half, reversed_, escaped = r"\ud83d\ude00", r"yes \ud83d", r"\uDE00\uD83D \n", r"\\ud83d"
    answers = [whole, half, reversed_, escaped]
    lines = [
        json.dumps(GOOD | {"example_id": f"q{i}", "answer": "?", "group": f"g{i}"}).replace("?", text)
        for i, text in enumerate(answers)
    ]
    file.write_text("\n".join(lines))
    read = [one.answer for one in read_predictions(file)]
    assert read == ["\N{GRINNING FACE}", "yes \ufffd", "\ufffd\ufffd \n", r"\ud83d"]
    assert main(["score", str(file), "--out", str(tmp_path / "run"), "--resamples", "100"]) == 0
    assert "4 predictions" in capsys.readouterr().out
    file.write_bytes(json.dumps(GOOD | {"answer": "cut \ud83d"}).encode())
    assert partial_line(file) is None
    write_predictions(file, [row("q1", "cut \ud83d", references=("yes",))])
    assert read_predictions(file)[0].answer == "cut \ufffd"
    assert "unknown field 'x'" in fault(json.dumps(GOOD | {"x": "\ud83d"}).encode())


ODD = [
    pa.array([True]),
    pa.array([1.5]),
    pa.array([b"\xff"]),
    pa.array([[1, 2]]),
    pa.array([["ab", "cd"]]),
    pa.array([[("a", 1.0)]], pa.map_(pa.string(), pa.float64())),
    pa.array([[("a", 1.0), ("a", 2.0)]], pa.map_(pa.string(), pa.float64())),
    pa.array([[(1, 1.0)]], pa.map_(pa.int64(), pa.float64())),
    pa.array([{"a": None, "b": {"c": 1}}]),
    pa.array([2**62], pa.timestamp("us")),
    pa.array([2**62], pa.duration("s")),
    pa.array(["[" * 9999]),
    pa.array(['{"a": 1, "a": 2}']),
    pa.nulls(1),
]


def refusal(file: Path) -> str:
    """What is said about a file that is refused; nothing about one that is read."""
    try:
        read_predictions(file)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("column", ODD, ids=lambda column: str(column.type))
def test_any_column_of_parquet_is_read_or_refused(column: pa.Array, tmp_path: Path) -> None:
    good = {name: pa.array([value]) for name, value in GOOD.items()}
    said = []
    for field in FIELDS:
        pq.write_table(pa.table(good | {field: column}), tmp_path / "p.parquet")
        said.append(refusal(tmp_path / "p.parquet"))
    assert all("p.parquet" in one and "\n" not in one for one in said if one)
    assert said[-1], "a column that is no field is refused"


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([True]), "p.parquet:1 'q1': Expected `object | null`, got `bool` - at `$.metadata`"),
        (pa.array([[1, 2]]), "Expected `object | null`, got `array` - at `$.metadata`"),
        (pa.array(['{"a": 1, "a": 2}']), "p.parquet:1 'q1': has the key 'a' twice"),
        (pa.array([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int64())), "has the key 'a' twice"),
    ],
)
def test_what_is_no_map_is_named(column: pa.Array, words: str, tmp_path: Path) -> None:
    good = {name: pa.array([value]) for name, value in GOOD.items()}
    pq.write_table(pa.table(good | {"metadata": column}), tmp_path / "p.parquet")
    assert words in refusal(tmp_path / "p.parquet")


@pytest.mark.parametrize(
    "fault", [{"confidense": 1}, {"x{}": 1}, {"condition": "mute_audo"}, {"metadata": 1}]
)
def test_many_faulty_rows_are_refused_in_no_time(fault: dict[str, Any], tmp_path: Path) -> None:
    """A fifth of the 100,000 rows that take at most two seconds."""
    count = 20_000
    line = json.dumps(GOOD | fault)
    rows = (line.replace("q1", f"q{i}").replace("x{}", f"x{i}") for i in range(count))
    (file := tmp_path / "p.jsonl").write_text("\n".join(rows))
    started = time.process_time()
    said = refusal(file).splitlines()
    assert time.process_time() - started < 2
    assert said[0] == f"p.jsonl: {count} rows cannot be read"
    assert said[1].startswith("p.jsonl:1 'q0': ")
    assert len(said) == 22
    assert said[-1] == f"… and {count - 20} more"
