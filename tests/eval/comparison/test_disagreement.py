"""Why two sides score an item differently: each item has one reason, and the counts add up."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import row
from made_two_files import QUICK, written

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.comparison.compare import compare_files
from safe_eval.comparison.comparison_file import ComparisonFile
from safe_eval.comparison.disagreement import REASONS, DisagreementRow
from safe_eval.options import CompareOptions
from safe_eval.prediction import Prediction

CHOICES = ("dog", "cat")


def said(example: str, answer: str, hit: float | None, **fields: object) -> Prediction:
    about = {"choices": CHOICES, "references": ("cat",), "prompt": f"{example}?"}
    return row(example, answer, **{**about, "scores": None if hit is None else {"hit": hit}, **fields})


def sides() -> tuple[list[Prediction], list[Prediction]]:
    a = [said(name, "B", 1.0) for name in ("same", "answer", "prompt", "parsing", "guess")]
    a += [said("scoring", "B", 1.0, metadata={"extracted": "cat"})]
    b = [
        said("same", "B", 1.0),
        said("answer", "A", 0.0),
        said("prompt", "A", 0.0, prompt="other?"),
        said("parsing", "B", 0.0, prompt="parsing? Be brief."),  # a prompt explains no equal answers
        said("guess", "B", 0.0),
        said("scoring", "B", 0.0, metadata={"extracted": "(B)"}),
    ]
    return a, b


def compared(folder: Path, a: list[Prediction], b: list[Prediction], **options: object) -> ComparisonFile:
    files = (written(folder / "a.jsonl", a), written(folder / "b.jsonl", b))
    return compare_files(files, QUICK, CompareOptions(**options), out=folder / "out", force=True)


def reasons(found: ComparisonFile, metric: str = "given:hit") -> dict[str, DisagreementRow]:
    return {row.reason: row for row in found.disagreement if row.metric_a == metric}


def test_every_reason_is_told_apart(tmp_path: Path):
    found = reasons(compared(tmp_path, *sides()))
    assert {why: row.examples for why, row in found.items()} == {
        "prompt": ("prompt",),
        "answer": ("answer",),
        "parsing": ("guess", "parsing"),
        "scoring": ("scoring",),
    }
    assert (found["parsing"].share, found["parsing"].a_higher) == (pytest.approx(2 / 6), 2)
    assert found["answer"].same == 1


def test_a_metric_here_differs_only_where_the_answers_do(tmp_path: Path):
    assert {why: row.n for why, row in reasons(compared(tmp_path, *sides()), "accuracy").items()} == {
        "prompt": 1,
        "answer": 1,
    }


def test_readings_that_are_known_tell_parsing_from_scoring(tmp_path: Path):
    a = [said("q", "cat, or a dog", 1.0, choices=None, metadata={"extracted": "cat"})]
    b = [said("q", "cat, or a dog", 0.0, choices=None, metadata={"extracted": "dog"})]
    assert list(reasons(compared(tmp_path, a, b))) == ["parsing"]
    same = [said("q", "cat, or a dog", 0.0, choices=None, metadata={"extracted": "Cat"})]
    assert list(reasons(compared(tmp_path, a, same))) == ["scoring"]


def test_scores_of_other_names_stand_side_by_side_without_a_difference(tmp_path: Path):
    a = [said(f"q{i}", "B", 1.0) for i in range(4)]
    b = [said(f"q{i}", "A", None, scores={"exact_match": 0.0}) for i in range(4)]
    found = compared(tmp_path, a, b)
    (cross,) = [row for row in found.disagreement if row.metric_a == "given:hit"]
    assert (cross.metric_b, cross.n, cross.reason) == ("given:exact_match", 4, "answer")
    assert {row.metric for row in found.rows} == {"accuracy"}
    assert "A gives 'hit' and B 'exact_match'" in "\n".join(found.notes)


def test_a_given_score_is_compared_where_both_sides_have_it(tmp_path: Path):
    a = [said(f"q{i}", "B", 1.0) for i in range(6)]
    b = [said(f"q{i}", "B", 0.0 if i < 4 else None) for i in range(6)]
    found = compared(tmp_path, a, b, metric="given:hit", margin=("given:hit=0.1",))
    (difference,) = found.rows
    assert (difference.metric, difference.difference, difference.n) == ("given:hit", 1.0, 4)
    assert found.decision == "not shown"
    assert "given:hit: 2 of 6 examples are left out" in "\n".join(found.notes)
    with pytest.raises(InputError, match="given:other: is not given by both sides"):
        compared(tmp_path, a, b, metric="given:other")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from(["A", "B", "eh"]), st.booleans()] * 2), min_size=1, max_size=15))
def test_reasons_and_equal_scores_add_up(items: list[tuple[str, bool, str, bool]]):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        a = [said(f"q{i}", item[0], float(item[1])) for i, item in enumerate(items)]
        b = [said(f"q{i}", item[2], float(item[3])) for i, item in enumerate(items)]
        found = compared(Path(folder), a, b)
        text = (Path(folder) / "out/disagreements.csv").read_text("utf-8")
    own = reasons(found)
    assert set(own) <= set(REASONS)
    assert sum(row.n for row in own.values()) == sum(item[1] != item[3] for item in items)
    assert all(row.n + 0 == row.a_higher + row.b_higher for row in own.values())
    assert all(row.same + sum(r.n for r in own.values()) == len(items) for row in own.values())
    assert len([*csv.DictReader(io.StringIO(text))]) == sum(row.n for row in found.disagreement)


def test_the_command_prints_the_table_and_writes_the_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    a, b = sides()
    files = [str(written(tmp_path / "a.jsonl", a)), str(written(tmp_path / "b.jsonl", b))]
    out = tmp_path / "out"
    assert main(["compare", *files, "--out", str(out), "--resamples", "200"]) == 0
    text = capsys.readouterr().out
    assert "disagreement: given:hit: A model/full and B model/full are scored" in text
    assert "parsing" in text
    assert max(len(line) for line in text.splitlines() if not line.startswith("wrote")) <= 80
    listed = [*csv.DictReader(io.StringIO((out / "disagreements.csv").read_text("utf-8")))]
    (scoring,) = [item for item in listed if item["why"] == "scoring"]
    assert (scoring["read_a"], scoring["read_b"], scoring["references_a"]) == ("cat", "(B)", "cat")
    command = ["compare", *files, "--format", "csv", "--table", "disagreement", "--resamples", "200"]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("score of A,score of B,dataset")
