"""Mapped tables: columns by name and by --map, numbers as text, rows that cannot be predictions."""

from pathlib import Path

import pytest
from made_logs import read, write_lines

from safe_data.core.errors import InputError

MAP = ("example_id=id", "references=gold", "answer=reply")


def csv(tmp_path: Path, text: str) -> Path:
    (tmp_path / "mine.csv").write_text(text)
    return tmp_path / "mine.csv"


def test_columns_become_fields(tmp_path: Path) -> None:
    path = csv(tmp_path, 'id,gold,reply,grade,speaker,seed,more\n1,"[""a"", ""b""]",a,0.5,s1,3,x\n')
    log, (row,), _ = read(path, map=(*MAP, "scores.judge=grade", "metadata.by=speaker", "group=speaker"))
    assert (row.example_id, row.references, row.answer, row.seed) == ("1", ("a", "b"), "a", 3)
    assert (row.scores, row.metadata, row.group) == ({"judge": 0.5}, {"by": "s1"}, "s1")
    assert log.notes == ["columns that no field was named for are not read: more"]


def test_json_lines_with_paths_and_numbers(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "mine.jsonl", [{"id": 1, "gold": 3, "reply": 3.0, "doc": {"v": 7}, "g": float("nan")}]
    )
    _, (row,), _ = read(path, map=(*MAP, "group=doc.v", "scores.judge=g"), dataset="d", model="m")
    assert (row.example_id, row.references, row.answer, row.group) == ("1", ("3",), "3", "7")
    assert (row.dataset, row.model, row.scores) == ("d", "m", None)


def test_the_table_names_the_model_of_the_rows(tmp_path: Path) -> None:
    path = csv(tmp_path, "example_id,references,answer,model\nq,yes,no,alpha\n")
    assert read(path)[0].model == "alpha"
    assert read(path, model="beta")[0].model == "beta"
    assert read(csv(tmp_path, "example_id,references,answer\nq,yes,no\n"))[0].model == "model"


def test_fields_by_their_own_names_need_no_map(tmp_path: Path) -> None:
    _, (row,), _ = read(csv(tmp_path, "example_id,references,answer,needs_audio\nq,yes,no,true\n"))
    assert (row.example_id, row.references, row.answer, row.needs_audio) == ("q", ("yes",), "no", True)


def test_rows_that_cannot_be_predictions_are_left_out_with_a_reason(tmp_path: Path) -> None:
    rows = "q1,yes,no,0.5\nq2,yes,no,high\nq3,yes,no,1.5\nq4,,no,0.5\nq5,yes,,0.5\n"
    _, kept, left = read(csv(tmp_path, f"example_id,references,answer,confidence\n{rows}"))
    assert [(row.example_id, row.error) for row in kept] == [("q1", None), ("q5", "no answer")]
    assert [(one.place, one.why[:32]) for one in left] == [
        (3, "confidence is 'high', which is n"),
        (4, "'q3': confidence 1.5 is outside "),
        (5, "it has neither a reference nor a"),
    ]


@pytest.mark.parametrize(
    ("map", "words"),
    [
        (("anser=reply",), "--map anser=reply: 'anser' is no field; did you mean 'answer'"),
        (("answer=repl",), r"--map answer=repl: mine\.csv has no column 'repl'; did you mean 'reply'"),
        (
            MAP[:1],
            "nothing says where to find answer and references; name .* --map answer=COLUMN",
        ),
    ],
)
def test_what_cannot_be_mapped(tmp_path: Path, map: tuple[str, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(csv(tmp_path, "id,gold,reply\n1,a,b\n"), map=map)


def test_a_row_with_too_few_cells(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine\.csv:3: does not have the 3 cells of the first line"):
        read(csv(tmp_path, "example_id,references,answer\na,b,c\na,b\n"))


def test_an_option_that_is_no_pair(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'answer': is not FIELD=COLUMN"):
        read(csv(tmp_path, "a\n1\n"), map=("answer",))
    with pytest.raises(InputError, match="logs of lm_eval have known fields"):
        read(csv(tmp_path, "a\n1\n"), map=("answer=a",), harness="lm_eval")
