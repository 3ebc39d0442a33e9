"""The command import: real logs with their own numbers, refusals that write nothing, and rows that score."""

import json
from pathlib import Path

import pytest
from made_logs import LMMS, REAL, header, needs_real, sample, write_eval, write_lines, write_sheet

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.import_options import ImportOptions
from safe_eval.logs.all_logs import find_logs
from safe_eval.predictions import read_predictions
from safe_eval.scoring.imported import import_logs


def test_one_command_reads_scores_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_eval(tmp_path / "a.eval", [sample(1), sample(2)], header(2, 1.0))
    out = tmp_path / "p.jsonl"
    assert main(["import", str(path), "--out", str(out), "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("2 rows of 1 log\n")
    assert "match/accuracy   1.000  1.000  yes      2 rows, given scores" in shown
    assert [row.scores for row in read_predictions(out)] == [{"match": 1.0}] * 2
    assert main(["validate", str(out)]) == 0
    assert main(["score", str(out), "--out", str(tmp_path / "run"), "--resamples", "100"]) == 0


def test_exit_codes(tmp_path: Path) -> None:
    samples = [sample(1), sample(2, invalidation={"by": "me"})]
    cases = {0: (samples[:1], header(1, 1.0)), 1: (samples[:1], header(1, 0.9)), 2: (samples, header(1, 1.0))}
    for code, (given, head) in cases.items():
        path = write_eval(tmp_path / f"{code}.eval", given, head)
        assert import_logs([path], out=tmp_path / f"{code}.jsonl").exit_code == code
    both = [tmp_path / "1.eval", tmp_path / "2.eval"]
    assert main(["import", str(both[1]), "--out", str(tmp_path / "p.jsonl")]) == 2
    with pytest.raises(
        InputError, match=r"2\.eval: answers '1' of 'clips' by model .*, which 1\.eval does too"
    ):
        import_logs(both, out=tmp_path / "q.jsonl")


def test_all_faults_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    for number, version in enumerate((3, 1)):
        write_eval(tmp_path / f"{number}.eval", [sample(1)], header(1, 1.0, version=version))
    with pytest.raises(InputError, match="2 faults in 2 logs; nothing is written") as fault:
        import_logs([tmp_path], out=tmp_path / "p.jsonl")
    assert [line.rpartition("/")[2].partition(":")[0] for line in fault.value.lines[1:]] == [
        "0.eval",
        "1.eval",
    ]
    assert not (tmp_path / "p.jsonl").exists()


def test_a_fault_in_the_last_row_leaves_the_old_file(tmp_path: Path) -> None:
    rows = [{"doc_id": 0, "target": "a", "filtered_resps": "a", "input": "?"}] * 2
    path, out = write_lines(tmp_path / LMMS, rows), tmp_path / "p.jsonl"
    out.write_text("old")
    with pytest.raises(InputError, match="is there already"):
        import_logs([path], out=out)
    with pytest.raises(InputError, match="holds doc_id 0 again"):
        import_logs([path], out=out, force=True)
    assert out.read_text() == "old"


def test_what_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps({"results": {}, "configs": {}}))
    (tmp_path / "a.bin").write_text("x")
    (tmp_path / "empty").mkdir()
    for name, words in {
        "results.json": "is the aggregate of a run",
        "a.bin": "is no table that is read",
        "empty": "holds no log that its name tells",
        "gone.eval": "no such log",
    }.items():
        with pytest.raises(InputError, match=words):
            import_logs([tmp_path / name], out=tmp_path / "p.jsonl")


def test_rows_that_were_left_out_are_counted_with_a_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("example_id,references,answer\nq1,yes,no\nq2,,no\nq3,,yes\n")
    assert main(["import", str(tmp_path / "a.csv"), "--out", str(tmp_path / "p.jsonl")]) == 2
    assert "2  a.csv:3  it has neither a reference nor a score" in capsys.readouterr().out


def test_our_own_rule_stands_in_for_scores_that_are_not_there(tmp_path: Path) -> None:
    path = write_sheet(
        tmp_path / "m_TextVQA_VAL.xlsx",
        ("index", "answer", "prediction"),
        [(1, str(["dog"] * 10), "A dog."), (2, str(["cat"] * 10), "dog")],
    )
    for stated, agrees in ((50.0, True), (60.0, None)):
        (tmp_path / "m_TextVQA_VAL_acc.csv").write_text(f'"Overall"\n"{stated}"\n')
        (own,) = import_logs([path], out=tmp_path / "p.jsonl", force=True).logs[0].own
        assert own.agrees is agrees
        assert "vqa_accuracy_normalised" in own.by + own.why_not


@needs_real
def test_every_real_log_is_read_and_its_numbers_follow(tmp_path: Path) -> None:
    options, out = ImportOptions(allow_partial=True), tmp_path / "p.jsonl"
    paths = find_logs([REAL])
    found = []
    for path in paths:
        found.append(import_logs([path], options, out=out, force=True))
        assert len(read_predictions(out)) == found[-1].rows  # what was imported can be scored
    assert (len(paths), sum(one.rows for one in found)) == (14, 8243)
    own = {(log.log[:12], one.name): one for each in found for log in each.logs for one in log.own}
    assert not [name for name, one in own.items() if one.agrees is False]
    assert [one.why_not for one in own.values() if one.agrees is None] == [
        "0 of 78 rows are here",
        "10 of 5000 rows are here",
        "60 of 2017 rows are here",
    ]
    assert own["vila_8b_Text", "Overall"].found == pytest.approx(60.162, abs=1e-9)
    assert own["vila_8b_MME.", "perception"].found == pytest.approx(1558.5247098839536)
    assert own["2025-05-12T2", "match/accuracy"].found == pytest.approx(2 / 3)
