"""validate says what is in predictions files, what will judge it, and what cannot be measured."""

import json
from pathlib import Path

import msgspec
import pytest
from made_rows import good_run, row

from safe_data.core.errors import InputError
from safe_data.core.table import COLUMNS
from safe_eval.arms.arm import make_arms
from safe_eval.arms.delivery import delivery_notes
from safe_eval.cli import main
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.scoring.validate import validate


def said(tmp_path: Path, capsys: pytest.CaptureFixture[str], *rows: Prediction, options: str = "") -> str:
    write_predictions(tmp_path / "p.jsonl", rows)
    assert main(["validate", str(tmp_path / "p.jsonl"), *options.split()]) == 0
    return capsys.readouterr().out


def test_a_summary_of_80_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(tmp_path, capsys, *good_run(20)[:-3])
    lines = out.splitlines()
    assert lines[0] == "197 rows, 40 examples, 20 clusters (group)"
    assert lines[6].split() == ["made", "safe", "gate_off", "0", "37", "3", "0"]
    assert "made     vqa    197  vqa_accuracy" in out
    assert "note: no row has 'confidence': calibration is not measured" in out
    assert lines[-1] == "valid: p.jsonl"
    assert max(map(len, lines)) <= COLUMNS


def test_rows_with_choices_are_judged_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row("q1", dataset="TextVQA", task="vqa"), row("q0", dataset="TextVQA")]  # vqa without saying so
    rows += [row("q2", dataset="TextVQA", choices=("yes", "no"))]
    lines = [line.split() for line in said(tmp_path, capsys, *rows).splitlines()]
    assert ["TextVQA", "vqa", "2", "vqa_accuracy_normalised"] in lines
    assert ["TextVQA", "vqa,", "choices", "1", "accuracy"] in lines
    with pytest.raises(InputError, match="row 0 'q': reference 'yes' is none of its choices 'a', 'b'"):
        validate([row("q", choices=("a", "b"))])


def test_what_is_missing_is_named() -> None:
    missing = (
        "one model",
        "no condition but full",
        "one seed",
        "no row has 'group'",
        "no row has 'needs_audio'",
        "1 of 2 rows have no 'consulted'",
    )
    notes = " ".join(validate([row("q1"), row("q2", consulted=True)]).notes)
    assert [words for words in missing if words in notes] == list(missing)
    whole = [
        row("q1", model=model, condition=condition, seed=seed, group="g", needs_audio=True)
        for model, condition in (("base", "full"), ("safe", "full"), ("safe", "mute_audio"))
        for seed in (0, 1)
    ]
    notes = " ".join(validate(whole).notes)
    assert not [words for words in missing if words in notes]


def test_models_without_a_base_are_told_how_to_name_one() -> None:
    notes = " ".join(validate([row(model="beta"), row(model="alpha")]).notes)
    assert "no model is called 'base': name the baseline when you score, --baseline alpha" in notes


def test_examples_that_lack_a_condition_are_counted() -> None:
    found = validate(good_run(10)[:-7])
    assert [(cell.condition, cell.rows, cell.absent) for cell in found.cells][-1] == ("gate_off", 13, 7)
    assert found.notes[0].startswith(
        "1 of 5 arms lack examples that another arm has; safe/gate_off lacks most: 7"
    )


def test_which_metrics_judge_which_rows() -> None:
    rows = [
        row("q1", dataset="gqa"),
        row("q2", dataset="vqav2"),
        row("q3", dataset="clotho", task="caption"),
        row("q4", dataset="made", task="summary"),
    ]
    found = validate(rows)
    judging = {of.dataset: of.metrics for of in found.judging}
    assert judging["gqa"] == ("gqa_accuracy",)
    assert judging["vqav2"] == ("vqa_accuracy",)
    assert judging["clotho"][0] == "cider_d"
    assert judging["made"] == ()
    assert "1 rows of task 'summary' are judged by no metric: they are excluded" in found.notes


def test_json_is_the_whole_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(said(tmp_path, capsys, *good_run(5), options="--format json"))
    assert (found["rows"], found["cluster"], found["clusters"]) == (50, "group", 5)
    assert len(found["cells"]) == 5
    assert found["fields"]["group"] == 50


def test_what_scoring_would_refuse_is_refused_here_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row("c1", "a\rdog", task="caption", group="g"), row("c2", "a cat", task="caption")]
    write_predictions(tmp_path / "p.jsonl", rows)
    assert main(["validate", str(tmp_path / "p.jsonl")]) == 3
    err = capsys.readouterr().err
    assert "1 of 2 rows have no 'group', for example 'c2'" in err
    assert "'c1': answer holds the line separator" in err


def test_nothing_is_not_valid() -> None:
    with pytest.raises(InputError, match="no predictions"):
        validate([])


def test_silence_is_the_same_muted() -> None:
    """A clip that was silent to begin with proves nothing against its condition."""
    rows = [
        row("q1", condition=condition, audio_sha256="00", audio_rms_db=-120.0)
        for condition in ("full", "mute_audio")
    ]
    assert not list(delivery_notes(make_arms(rows)))
    loud = [msgspec.structs.replace(one, audio_rms_db=-20.0) for one in rows]
    assert len(list(delivery_notes(make_arms(loud)))) == 2
