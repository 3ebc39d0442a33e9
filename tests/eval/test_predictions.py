"""A predictions file is read completely, or refused with every fault named."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import row

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_eval.condition import is_condition
from safe_eval.predictions import read_predictions, select, write_predictions

GOOD = {"condition": "full", "example_id": "q1", "references": ["yes"], "answer": "no"}


def write(path: Path, *lines: dict[str, Any] | str) -> Path:
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines), "utf-8")
    return path


def message(*paths: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_predictions(*paths)
    return str(caught.value)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rows = [
        row(
            "q1", condition="snr_-5db", confidence=0.25, choice_probabilities={"yes": 0.25}, needs_audio=True
        ),
        row("q2", None, error="RuntimeError: out of memory", metadata={"any": ["thing", 1]}),
        row("q3", "déjà vu\n", references=("a", "b", "a"), seed=3, latency_ms=12.5),
    ]
    write_predictions(tmp_path / "new" / "p.jsonl", rows)
    assert read_predictions(tmp_path / "new" / "p.jsonl") == rows
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["p.jsonl"]


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=20), st.lists(st.text(max_size=5), min_size=1, max_size=3), st.floats(0, 1))
def test_any_text_makes_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, answer: str, references: list[str], confidence: float
) -> None:
    path = tmp_path_factory.mktemp("trip") / "p.jsonl"
    rows = [row("q", answer, references=tuple(references), confidence=confidence)]
    write_predictions(path, rows)
    assert read_predictions(path) == rows


def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", GOOD)

    def failing() -> Any:
        yield row("q1")
        raise RuntimeError("the model is gone")

    with pytest.raises(RuntimeError):
        write_predictions(path, failing())
    assert read_predictions(path)[0].answer == "no"
    assert [p.name for p in tmp_path.iterdir()] == ["p.jsonl"]


def test_parquet_holds_the_same(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        GOOD | {"choice_probabilities": '{"yes": 0.2}', "seed": 1},
        GOOD | {"example_id": "q2", "seed": 1},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    read = read_predictions(tmp_path / "p.parquet")
    assert read[0] == row("q1", "no", choice_probabilities={"yes": 0.2}, seed=1)
    assert read[1].references == ("yes",)
    write(tmp_path / "broken.parquet", "no parquet")
    assert "broken.parquet: is not a complete Parquet file" in message(tmp_path / "broken.parquet")
    pq.write_table(pa.Table.from_pylist([GOOD | {"metadata": "{"}]), tmp_path / "text.parquet")
    assert "text.parquet:1 'q1': Expected `object | null`, got `str` - at `$.metadata`" in message(
        tmp_path / "text.parquet"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("not json", "p.jsonl:1 is not a JSON object"),
        ('{"example_id": "q1", "ans', "write one object per line"),
        ('{"metadata": ' + "[" * 100_000, "p.jsonl:1 is not a JSON object"),
        ("7", "p.jsonl:1 is not a JSON object; write one object per line"),
        ({"example_id": "q1", "references": ["yes"]}, "p.jsonl:1 'q1': has no 'answer'; each row needs"),
        ({"answer": "x"}, "'?': has no 'example_id' and no 'references'"),
        (GOOD | {"confidense": 0.3}, "unknown field 'confidense'; did you mean 'confidence'?"),
        (GOOD | {"zzz": 0.3}, "put facts of your own under 'metadata'"),
        (GOOD | {"confidence": 1.3}, "confidence 1.3 is outside [0, 1]; write probabilities, not logits"),
        (GOOD | {"gate_score": 1.5}, "gate_score 1.5 is outside [0, 1]; 0 is closed and 1 is fully open"),
        (GOOD | {"gate_ms": -0.1}, "gate_ms -0.1 is not a time"),
        (GOOD | {"influence_kl": -1e-9}, "influence_kl -1e-09 is no divergence; write nats, 0 or more"),
        (GOOD | {"choice_probabilities": {"a": -2}}, "probability -2.0 of choice 'a' is outside [0, 1]"),
        (GOOD | {"references": []}, "references is empty; give at least one"),
        (GOOD | {"references": "yes"}, "Expected `array`, got `str` - at `$.references`"),
        (GOOD | {"answer": None}, "answer is null; write the text, or say in 'error' why there is none"),
        (GOOD | {"condition": "mute_audo"}, "condition 'mute_audo' is not one of full, mute_audio"),
        (GOOD | {"condition": "mute_audo"}, "did you mean 'mute_audio'?"),
        (GOOD | {"latency_ms": -1}, "latency_ms -1.0 is not a time"),
        (GOOD | {"seed": 1.5}, "Expected `int`, got `float` - at `$.seed`"),
    ],
)
def test_one_fault_is_said_in_one_line(line: dict[str, Any] | str, words: str, tmp_path: Path) -> None:
    said = message(write(tmp_path / "p.jsonl", line))
    assert words in said
    assert said.startswith("p.jsonl:1 ")
    assert "\n" not in said


def test_a_file_cut_off_says_so(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(GOOD) + '\n{"example_id": "q2", "refer')
    assert "p.jsonl:2 is not a JSON object" in message(path)
    assert "(the file was cut off here?)" in message(path)


def test_no_file_and_an_empty_file(tmp_path: Path) -> None:
    assert message(tmp_path / "absent.jsonl").endswith("absent.jsonl: no such predictions file")
    assert "holds no predictions; an empty file has no score" in message(write(tmp_path / "e.jsonl", "", " "))


def test_an_answer_given_twice(tmp_path: Path) -> None:
    said = message(write(tmp_path / "p.jsonl", GOOD, GOOD | {"answer": "yes"}))
    assert (
        "p.jsonl:2 'q1': already answered at p.jsonl:1 by model 'model' under 'full', seed 0; keep one"
        in said
    )
    other = [
        GOOD | {"condition": "gate_off"},
        GOOD | {"seed": 1},
        GOOD | {"model": "m"},
        GOOD | {"dataset": "d"},
    ]
    assert len(read_predictions(write(tmp_path / "ok.jsonl", GOOD, *other))) == 5


def test_files_are_read_as_one(tmp_path: Path) -> None:
    a = write(tmp_path / "a.jsonl", GOOD)
    b = write(tmp_path / "b.jsonl", GOOD | {"condition": "gate_off"})
    assert len(read_predictions(a, b)) == 2
    assert "a.jsonl:1" in message(a, write(tmp_path / "c.jsonl", GOOD))
    assert "e.jsonl: holds no predictions" in message(a, write(tmp_path / "e.jsonl"))


def test_one_example_has_one_truth(tmp_path: Path) -> None:
    muted = GOOD | {"condition": "mute_audio"}
    said = message(write(tmp_path / "p.jsonl", GOOD, muted | {"references": ["no"]}))
    assert "p.jsonl:2 'q1': references differs from p.jsonl:1; one example has one truth" in said
    assert "'q1': group differs" in message(write(tmp_path / "g.jsonl", GOOD, muted | {"group": "g"}))
    failed = muted | {"references": [], "answer": None, "error": "no media"}
    assert len(read_predictions(write(tmp_path / "ok.jsonl", GOOD, failed))) == 2


def test_all_faults_at_once(tmp_path: Path) -> None:
    bad = [GOOD | {"example_id": f"q{i}", "confidence": 2} for i in range(25)]
    said = message(write(tmp_path / "p.jsonl", GOOD | {"example_id": "good"}, *bad, "{"))
    assert said.splitlines()[0] == "p.jsonl: 26 rows cannot be read"
    assert "p.jsonl:2 'q0': confidence 2.0" in said
    assert len(said.splitlines()) == 22
    assert said.endswith("… and 6 more")


def test_conditions() -> None:
    assert is_condition("snr_-10db")
    assert not is_condition("snr_db")
    assert not is_condition("Full")


def test_select_and_hash(tmp_path: Path) -> None:
    rows = [row("q1"), row("q1", model="base"), row("q2", condition="gate_off")]
    assert select(rows, model="base") == [rows[1]]
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert file_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_that_is_given_twice_is_named_once(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    write_predictions(path, [row()])
    with pytest.raises(InputError, match=r"^\S+p\.jsonl: is given twice; give each file once$"):
        read_predictions(path, tmp_path / "." / "p.jsonl")
