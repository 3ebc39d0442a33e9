"""Sides: whose answers are A and B, in two files, in one file, and in the folders of runs."""

from pathlib import Path

import msgspec
import pytest
from made_rows import answers
from made_two_files import QUICK, compared, make_two_files, of_slice, written

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.comparison.compare import compare_files
from safe_eval.options import ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.scoring.score import score_files


def named(path: Path, **options: str) -> tuple[str, str]:
    found = compared((path,), **options)
    return found.a.model, found.b.model


def models(*names: str) -> list[Prediction]:
    return [
        row for name in names for row in answers(name, "full", lambda clip, _, n=name: clip > len(n), clips=9)
    ]


@pytest.mark.parametrize(
    ("held", "options", "sides"),
    [
        (("base", "safe"), {}, ("safe", "base")),
        (("alpha", "beta"), {}, ("alpha", "beta")),
        (("alpha", "beta"), {"baseline": "alpha"}, ("beta", "alpha")),
        (("alpha", "beta"), {"model_a": "beta"}, ("beta", "alpha")),
        (("alpha", "base", "beta"), {"model_a": "beta"}, ("beta", "base")),
        (("alpha", "base", "beta"), {"model_a": "beta", "baseline": "alpha"}, ("beta", "alpha")),
        (("base", "safe"), {"model_a": "base"}, ("base", "safe")),
        (("alone",), {}, ("alone", "alone")),
    ],
)
def test_the_models_of_one_file(
    tmp_path: Path, held: tuple[str, ...], options: dict[str, str], sides: tuple[str, str]
) -> None:
    assert named(written(tmp_path / "p.jsonl", models(*held)), **options) == sides


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, r"A \(p.jsonl\): holds several models \(alpha, base, beta\); choose one with --model-a"),
        ({"baseline": "gamma"}, "--baseline gamma: no model has this name here; there are alpha, base, beta"),
        ({"baseline": "bta"}, "--baseline bta: no model has this name here; did you mean 'beta'?"),
        ({"baseline": "base", "model_b": "beta"}, "both name the model of B; give one"),
    ],
)
def test_models_that_are_not_clear_are_asked_for(tmp_path: Path, options: dict[str, str], said: str) -> None:
    path = written(tmp_path / "p.jsonl", models("alpha", "base", "beta"))
    with pytest.raises(InputError, match=said):
        compared((path,), **({"model_a": "alpha"} | options if "baseline" in options else options))


def test_the_model_that_is_proposed_is_not_the_one_that_was_given(tmp_path: Path) -> None:
    path = written(tmp_path / "p.jsonl", models("alpha", "base", "beta"))
    with pytest.raises(InputError, match=r"choose one with --model-a, for example --model-a base$"):
        compared((path,), baseline="beta")
    with pytest.raises(InputError, match=r"choose one with --model-a, for example --model-a beta$"):
        compared((path,), baseline="alpha")


def test_a_run_is_compared_with_its_own_baseline(tmp_path: Path) -> None:
    files = written(tmp_path / "a.jsonl", models("alpha")), written(tmp_path / "b.jsonl", models("beta"))
    run = tmp_path / "runs" / "mine"
    score_files(files, QUICK, ScoreOptions(baseline="alpha"), out=run)
    found = compare_files([run], QUICK)
    assert (found.a.model, found.b.model) == ("beta", "alpha")
    assert [file.name for file in found.a.files] == ["a.jsonl", "b.jsonl"]


def test_two_runs_whose_predictions_lie_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [tmp_path / "runs" / name for name in "ab"]
    for path, run in zip(make_two_files(tmp_path), runs, strict=True):
        score_files([path], QUICK, out=run)
    assert main(["compare", *map(str, runs), "--resamples", "200"]) == 0
    assert "A  new, seed 0, in a.jsonl" in capsys.readouterr().out
    (tmp_path / "b.jsonl").unlink()
    assert main(["compare", *map(str, runs)]) == 3
    assert "b.jsonl: no such file, but" in capsys.readouterr().err


def test_more_than_two_files_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(written(tmp_path / "p.jsonl", models("alpha")))
    assert main(["compare", path, path, path]) == 3
    assert "compare takes A and B, not 3 files; use score for more than two models" in capsys.readouterr().err


@pytest.mark.parametrize("margin", [(), ("--margin", "0.005")])
def test_a_copy_is_equivalent_and_a_note_says_it_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], margin: tuple[str, ...]
) -> None:
    rows = models("alpha")
    rows[3] = msgspec.structs.replace(rows[3], answer=None, error="out of memory")
    old, new = written(tmp_path / "old.jsonl", rows), written(tmp_path / "new.jsonl", rows)
    assert main(["compare", str(old), str(new), "--resamples", "200", *margin]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "all 18 answers are the same: A full and B full" in said
    assert "A and B are the same bytes, alpha under full in old.jsonl and new.jsonl; if others were" in said
    decided = "within ±0.005 on all: equivalent, because all answers are the same"
    assert (decided in said) == bool(margin)
    assert main(["compare", str(old), str(old), *margin]) == 0


def test_the_same_answers_of_another_model_are_equivalent_too(tmp_path: Path) -> None:
    rows = models("alpha")
    other = [msgspec.structs.replace(row, model="beta", confidence=0.5) for row in rows]
    files = written(tmp_path / "a.jsonl", rows), written(tmp_path / "b.jsonl", other)
    found = compared(files, margin=("0.005",))
    assert (found.same, found.decision) == (True, "equivalent")
    assert found.notes[0].startswith("made, all: 9 clusters; below 20, intervals are wide")
    assert found.matched[0].same_answers == 18
    assert {row.difference for row in found.rows} == {0.0}
    assert of_slice(found, "all").equivalence == "undecided"  # of other examples, so few show nothing
    other[0] = msgspec.structs.replace(other[0], answer="what?")
    written(files[1], other)
    assert (found := compared(files, margin=("0.005",))).decision == "not shown"
    assert (found.same, found.matched[0].same_answers) == (False, 17)


def test_the_same_answers_that_consulted_otherwise_are_not_the_same(tmp_path: Path) -> None:
    rows = [msgspec.structs.replace(row, consulted=True) for row in models("alpha")]
    other = [msgspec.structs.replace(row, consulted=False) for row in rows]
    files = written(tmp_path / "a.jsonl", rows), written(tmp_path / "b.jsonl", other)
    found = compared(files, metric="consulted", margin=("0.005",))
    assert (found.same, found.decision) == (False, "not shown")


def test_prompts_that_differ_between_the_sides_are_named(tmp_path: Path) -> None:
    files = tuple(
        written(tmp_path / f"{name}.jsonl", [msgspec.structs.replace(r, prompt=f"{name}?") for r in rows])
        for name, rows in (("a", models("alpha")), ("b", models("beta")))
    )
    note = compared(files).notes[-1]
    assert note.startswith("18 of 18 examples have different prompts under one id: 'c0-audio': 'a?' (A/full)")


def test_sides_turned_round_turn_the_numbers_round(tmp_path: Path) -> None:
    files = make_two_files(tmp_path)
    before, after = compared(files, margin=("0.1",)), compared(files[::-1], margin=("0.1",))
    for one, other in zip(before.rows, after.rows, strict=True):
        assert (other.difference, other.ci_low, other.ci_high) == (-one.difference, -one.ci_high, -one.ci_low)
        assert (other.p_value, other.gained, other.lost) == (one.p_value, one.lost, one.gained)
        assert (other.equivalence, other.mean_a, other.mean_b) == (one.equivalence, one.mean_b, one.mean_a)
