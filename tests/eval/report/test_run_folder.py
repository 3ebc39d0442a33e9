"""What the report reads of a run: files that belong together, and nothing that it would score again."""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_run import make_run

import safe_eval
from safe_data.core.errors import InputError
from safe_eval.arms.arm import make_arms
from safe_eval.arms.caption_arms import CaptionInputs, caption_arms
from safe_eval.report.report import write_report
from safe_eval.scoring.recheck import check_scores


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("scores.json", "safe-eval score"),
        ("verdict.json", "safe-eval verdict {run} --criteria FILE.yaml"),
    ],
)
def test_a_missing_file_is_named_with_the_command_that_makes_it(run, tmp_path, name, fix):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    with pytest.raises(InputError) as caught:
        write_report(tmp_path / "run")
    assert str(tmp_path / "run" / name) in str(caught.value)
    assert fix.format(run=tmp_path / "run") in str(caught.value)
    assert not (tmp_path / "run" / "report.html").exists()


def test_scores_and_verdict_of_something_else_are_refused(run, answers, tmp_path):
    mixed = shutil.copytree(run, tmp_path / "run")
    other = make_run(tmp_path / "other", answers[:-5])
    shutil.copy(other / "verdict.json", mixed)
    with pytest.raises(InputError, match="judges other scores than the scores"):
        write_report(mixed)
    shutil.copy(other / "predictions.jsonl", mixed)
    with pytest.raises(InputError, match="was computed from another predictions"):
        write_report(mixed)
    with pytest.raises(InputError, match="no such run folder"):
        write_report(tmp_path / "nowhere")


def test_a_verdict_that_its_criteria_do_not_give_is_refused(run, tmp_path):
    forged = shutil.copytree(run, tmp_path / "run")
    verdict = json.loads((forged / "verdict.json").read_text("utf-8"))
    decision = "no-go" if verdict["decision"] == "go" else "go"
    (forged / "verdict.json").write_text(json.dumps(verdict | {"decision": decision}), "utf-8")
    with pytest.raises(InputError, match=f"says {decision}, its criteria say {verdict['decision']}"):
        write_report(forged)


def test_items_that_changed_after_scoring_are_refused(run, tmp_path):
    changed = shutil.copytree(run, tmp_path / "run")
    table = pq.read_table(changed / "items.parquet")
    place = table.column_names.index("value")
    all_right = table.set_column(place, "value", pa.array(np.ones(table.num_rows)))
    pq.write_table(all_right, changed / "items.parquet")
    with pytest.raises(InputError) as caught:
        write_report(changed)
    assert str(caught.value) == (
        f"{changed / 'items.parquet'}: is not the file that was written with its scores.json; score the "
        f"predictions again: safe-eval score PREDICTIONS --out {changed} --force"
    )
    assert not (changed / "report.html").exists()


def calls_of(work: Callable[[], object]) -> Counter[str]:
    """How often each function that reads predictions or scores them is called during some work."""
    packages = Path(safe_eval.__file__).parent
    codes: dict[int, CodeType] = {}  # by identity: equal code may lie in two files
    called: Counter[int] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            codes[id(frame.f_code)] = frame.f_code
            called[id(frame.f_code)] += 1

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    counted: Counter[str] = Counter()
    for number, times in called.items():
        code = codes[number]
        path = Path(code.co_filename)
        if path.is_relative_to(packages) and code.co_name != "<module>":
            place = path.relative_to(packages)
            if place.parts[0] in ("predictions.py", "scorers"):
                counted[f"{place.as_posix()}: {code.co_name}"] += times
    return counted


def test_a_report_reads_no_predictions_and_scores_nothing(run, shards, tmp_path):
    out = tmp_path / "report.html"
    write_report(run, shards=shards, out=out)  # loads every module, so that only calls are counted
    assert calls_of(lambda: write_report(run, shards=shards, out=out)) == Counter()


def test_the_count_of_calls_can_fail(run, answers):
    captions = [msgspec.structs.replace(row, task="caption") for row in answers if row.condition == "full"]
    scored = calls_of(lambda: check_scores(run)) + calls_of(
        lambda: caption_arms(make_arms(captions), CaptionInputs())
    )
    for name in ("read_predictions", "score_all", "score_captions"):
        assert any(call.endswith(f": {name}") for call in scored), name
    assert sum(scored.values()) > len(answers)
