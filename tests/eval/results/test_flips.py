"""Flips: the examples that are right on one side only, as scores and comparisons count them."""

import csv
from pathlib import Path

import msgspec
import pytest
from made_rows import answers, good_run, row
from made_two_files import compared, make_two_files, written

from safe_eval.arms.all_arms import all_arms
from safe_eval.arms.caption_arms import CaptionInputs
from safe_eval.cli import main
from safe_eval.comparison.comparison_file import ComparisonFile
from safe_eval.results.flips import Flip, flips_of_models, write_flips

ANNOTATED = ("yes", "yes", "no", "yes", "yes")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_flip_is_listed_with_both_answers(tmp_path: Path) -> None:
    found = compared(make_two_files(tmp_path))
    (counted,) = [flip for flip in found.flips if flip.of == "all"]
    assert [flip.flip for flip in found.flipped] == ["gained"] * counted.only_a_right
    first = found.flipped[0]
    assert (first.example_id, first.a, first.b) == ("c12-audio", "new/full", "old/full")
    assert (first.answer_a, first.answer_b, first.score_a, first.score_b) == ("yes", "no", 1.0, 0.0)
    assert (first.question_type, first.needs_audio, first.group) == ("sound", True, "g12")
    assert first.references == ("yes",)


def test_the_command_writes_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = make_two_files(tmp_path)
    assert main(["compare", str(b), str(a), "--out", str(tmp_path / "o"), "--resamples", "200"]) == 0
    content = (tmp_path / "o" / "comparison.json").read_bytes()
    listed = msgspec.json.decode(content, type=ComparisonFile).flipped
    table = read(tmp_path / "o" / "flips.csv")
    assert [line["example_id"] for line in table] == [flip.example_id for flip in listed]
    assert {line["flip"] for line in table} == {"lost"}  # B is better here
    assert len(table) == 35


def test_a_run_lists_the_flips_of_each_model_against_the_baseline(tmp_path: Path) -> None:
    rows = [*good_run(20), *answers("other", "full", lambda clip, _: clip == 0, clips=20)]
    path = written(tmp_path / "p.jsonl", rows)
    assert main(["score", str(path), "--out", str(tmp_path), "--resamples", "100"]) == 0
    table = read(tmp_path / "flips.csv")
    assert {(line["a"], line["b"]) for line in table} == {
        ("safe/full", "base/full"),
        ("other/full", "base/full"),
    }
    gained = [line["example_id"] for line in table if (line["a"], line["flip"]) == ("safe/full", "gained")]
    assert gained == [f"c{clip}-audio" for clip in (12, 13, 14, 16, 17, 18, 19, 2, 3, 4, 6, 7, 8, 9)]


def test_errors_are_told_and_equals_are_listed_once() -> None:
    rows = [row(model="alpha"), row(answer=None, error="out of memory", model="beta")]
    (flip,) = flips_of_models(all_arms(rows))
    assert (flip.a, flip.b, flip.flip) == ("alpha/full", "beta/full", "gained")
    assert (flip.answer_b, flip.error_b) == (None, "out of memory")


def test_captions_and_consultation_do_not_flip(tmp_path: Path) -> None:
    rows = [
        row(f"c{i}", said, references=("a dog barks",), task="caption", model=model, consulted=model == "a")
        for i in range(3)
        for model, said in (("a", "a dog barks"), ("b", "rain"))
    ]
    assert list(flips_of_models(all_arms(rows, captions=CaptionInputs(java=False)))) == []


def test_the_table_is_whole_and_safe_in_a_spreadsheet(tmp_path: Path) -> None:
    asked = 'Is it, "really",\nso?'
    rows = [row(prompt=asked, model="alpha", references=ANNOTATED)]
    rows.append(row(answer="=1+1", prompt=asked, model="beta", references=ANNOTATED))
    (line,) = read(write_flips(tmp_path, list(flips_of_models(all_arms(rows)))))
    assert line["prompt"] == 'Is it, "really", so?'
    assert line["answer_b"] == "'=1+1"
    assert line["references"] == "yes ×4 | no"
    assert set(Flip.__struct_fields__) <= line.keys()
    assert read(write_flips(tmp_path, [])) == []  # an older file does not stay
