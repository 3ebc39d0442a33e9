"""Protocols: TextVQA by its own rule, by another one, and what a note says of the difference."""

import ast
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from made_rows import row

from safe_data.core.errors import InputError
from safe_eval.arms.all_arms import all_arms
from safe_eval.arms.protocols import fact_notes, protocol_notes
from safe_eval.cli import main
from safe_eval.comparison.comparison_file import ComparisonFile
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.scorers.scorer import scorer_of
from safe_eval.scoring.recheck import check_scores
from safe_eval.scoring.scores import read_scores, write_scores

ROOT = Path(__file__).resolve().parents[3]
CASES = json.loads((ROOT / "tests/golden/textvqa.json").read_text("utf-8"))["cases"]
LOGS = ROOT.parent / "shared/truth/logs/vlmevalkit"
RULES = {
    "vqa_accuracy": "official",
    "vqa_accuracy_2017": "official_2017",
    "vqa_accuracy_normalised": "normalised",
    "evalai_accuracy": "evalai",
}
_CELLS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def textvqa() -> list[Prediction]:
    """The golden cases as rows, in VLMEvalKit's spelling of the dataset."""
    return [
        row(f"q{i}", case["answer"], references=tuple(case["references"]), dataset="TextVQA_VAL")
        for i, case in enumerate(CASES)
    ]


def sheet(path: Path) -> Iterator[dict[str, str]]:
    """The rows of the first sheet of an xlsx file, by the names in its first row."""
    with zipfile.ZipFile(path) as book:
        shared = ElementTree.fromstring(book.read("xl/sharedStrings.xml")).iter(f"{_CELLS}si")
        strings = ["".join(text.text or "" for text in one.iter(f"{_CELLS}t")) for one in shared]
        table = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    lines = [[(cell.get("t"), cell.findtext(f"{_CELLS}v")) for cell in r] for r in table.iter(f"{_CELLS}row")]
    texts = [[strings[int(value)] if kind == "s" else value for kind, value in line] for line in lines]
    return (dict(zip(texts[0], line, strict=True)) for line in texts[1:])


@pytest.mark.parametrize("rule", RULES)
def test_golden(rule: str) -> None:
    found = (100 * scorer_of(rule).score_all(textvqa())).round(2).tolist()
    assert found == [case[RULES[rule]] for case in CASES]


@pytest.mark.skipif(
    not LOGS.is_dir(), reason="VILA-8b's answers lie outside the repository, in ../shared/truth"
)
def test_real_answers_score_what_their_harness_states() -> None:
    stated = json.loads((LOGS / "vila_8b_TextVQA_VAL_acc.csv").read_text("utf-8").splitlines()[1])
    rows = [
        row(
            line["index"],
            line["prediction"],
            references=tuple(ast.literal_eval(line["answer"])),
            dataset="TextVQA_VAL",
            model="vila-8b",
        )
        for line in sheet(LOGS / "vila_8b_TextVQA_VAL.xlsx")
    ]
    judged = all_arms(rows).judged
    (arm,) = judged.pop("vqa_accuracy_normalised")
    assert not judged
    assert len(arm.scores) == 5000
    assert 100 * arm.scores.mean() == pytest.approx(float(stated), abs=1e-9) == pytest.approx(60.162)
    assert list(protocol_notes({arm.metric: (arm,)})) == [
        "TextVQA_VAL: vila-8b/full scores 60.16 by vqa_accuracy_normalised, 47.92 by vqa_accuracy, "
        "58.20 by vqa_accuracy_2017; say which rule a reported number is by"
    ]


def test_another_protocol_is_scored_recorded_and_checked(tmp_path: Path, capsys) -> None:
    write_predictions(tmp_path / "p.jsonl", textvqa())
    run = tmp_path / "run"
    options = ["--protocol", "vqa_accuracy", "--metric", "evalai_accuracy", "--resamples", "100"]
    assert main(["score", f"{tmp_path}/p.jsonl", "--out", f"{run}", *options]) == 0
    scores = read_scores(run)
    assert scores.provenance.protocol == "vqa_accuracy"
    assert {metric.metric: 100 * metric.value for metric in scores.metrics} == pytest.approx(
        {
            name: sum(case[RULES[name]] for case in CASES) / len(CASES)
            for name in ("vqa_accuracy", "evalai_accuracy")
        }
    )
    assert check_scores(run) == scores
    forged = msgspec.structs.replace(
        scores, provenance=msgspec.structs.replace(scores.provenance, protocol=None)
    )
    write_scores(forged, run)
    with pytest.raises(InputError, match="entries are not what its predictions give"):
        check_scores(run)


def test_an_unknown_protocol_writes_nothing(tmp_path: Path, capsys) -> None:
    write_predictions(tmp_path / "p.jsonl", textvqa())
    assert main(["score", f"{tmp_path}/p.jsonl", "--out", f"{tmp_path}/run", "--protocol", "exact"]) == 3
    assert "TextVQA has vqa_accuracy_normalised, evalai_accuracy, " in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_compare_takes_the_protocol_too(tmp_path: Path, capsys) -> None:
    write_predictions(tmp_path / "a.jsonl", textvqa())
    write_predictions(tmp_path / "b.jsonl", [msgspec.structs.replace(r, answer="x") for r in textvqa()])
    for protocol, value in ((None, 72.5), ("vqa_accuracy", 35.0)):
        asked = [] if protocol is None else ["--protocol", protocol]
        out = tmp_path / f"out-{protocol}"
        assert main(["compare", f"{tmp_path}/a.jsonl", f"{tmp_path}/b.jsonl", "--out", f"{out}", *asked]) == 0
        found = msgspec.json.decode((out / "comparison.json").read_bytes(), type=ComparisonFile)
        assert found.provenance.protocol == protocol
        assert 100 * found.rows[0].difference == pytest.approx(value)


def test_a_note_speaks_of_more_than_a_point_and_of_what_the_rows_hold() -> None:
    def notes(*rows: Prediction) -> list[str]:
        return list(protocol_notes(all_arms(rows).judged))

    same = [row(f"q{i}", references=("yes",) * 10, dataset="okvqa") for i in range(200)]
    assert notes(*same) == []
    assert notes(*same[:-2], row("q198", "Yes", dataset="okvqa", references=("yes",) * 10), same[-1]) == []
    three = [row(f"c{i}", "Yes", dataset="okvqa", references=("yes",) * 10) for i in range(3)]
    (note,) = notes(*same, *three)
    assert note.startswith(
        "okvqa: model/full scores 98.52 by vqa_accuracy, 100.00 by vqa_accuracy_normalised, "
    )
    (other,) = notes(row("q", "Yes", references=("yes",) * 10, dataset="mine"))
    assert other.startswith(
        "mine: model/full scores 0.00 by vqa_accuracy, 100.00 by vqa_accuracy_normalised; say"
    )
    assert (
        notes(row("q", "yes", references=("yes",) * 4, dataset="vizwiz")) == []
    )  # without answer_confidence
    told = {"answer_confidence": ["yes"] * 4}
    (entries,) = notes(row("q", "yes", references=("yes",) * 4, dataset="vizwiz", metadata=told))
    assert "0.00 by vqa_accuracy_no_answer_ids" in entries


def test_a_rule_that_lacks_what_it_reads_is_no_published_one() -> None:
    rule = "vqa_accuracy_no_answer_ids"
    lacking = row("q1", references=("yes",) * 4, dataset="VizWiz")
    told = row("q2", references=("yes",) * 4, dataset="VizWiz", metadata={"answer_confidence": ["yes"] * 4})
    said = f"rows have no metadata 'answer_confidence', which {rule} reads: its values are not those of the "
    said += "published rule"
    assert list(fact_notes(all_arms([lacking, told], protocol=rule).scored)) == [f"VizWiz: 1 of 2 {said}"]
    assert list(fact_notes(all_arms([lacking], metrics=[rule]).scored)) == [f"VizWiz: 1 of 1 {said}"]
    assert list(fact_notes(all_arms([told], protocol=rule).scored)) == []
    other = row("q1", references=("yes",) * 4, dataset="vqav2")
    assert list(fact_notes(all_arms([other], metrics=[rule]).scored)) == []  # scored so on request alone


def test_compare_tells_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_predictions(tmp_path / "p.jsonl", [row("q", references=("yes",) * 4, dataset="VizWiz")])
    command = ["compare", f"{tmp_path}/p.jsonl", f"{tmp_path}/p.jsonl", "--resamples", "100"]
    assert main([*command, "--protocol", "vqa_accuracy_no_answer_ids"]) == 0
    assert "note: VizWiz: 2 of 2 rows have no metadata 'answer_confidence'" in capsys.readouterr().out
