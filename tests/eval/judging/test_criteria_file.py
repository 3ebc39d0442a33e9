"""Criteria files: templates with parameters, found by name, printable, and as their JSON schema says."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from made_rows import answers, good_run

from safe_data.core.errors import InputError
from safe_data.core.yaml_file import read_yaml
from safe_eval.cli import main
from safe_eval.judging.criteria_file import (
    criteria_path,
    criteria_schema,
    fill_criteria,
    read_criteria,
    shipped_criteria,
)
from safe_eval.predictions import write_predictions

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/criteria.md").read_text("utf-8")
EQUAL = """
parameters: {model: safe, baseline: base}
leaves_out: {slice: all}
criteria:
  - name: as_good
    metric: vqa_accuracy
    condition: ${model}/full
    against: ${baseline}/full
    use: non_inferiority
    bound: ">= -0.1"
"""
ONE = """
parameters:
  model: safe
  dataset: null
leaves_out: {slice: all}
criteria:
  - name: it
    metric: vqa_accuracy
    dataset: ${dataset}
    condition: ${model}/full
    against: base/full
    bound: "> 0"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, "utf-8")
    return path


def test_parameters_are_filled_in(tmp_path: Path) -> None:
    path = written(tmp_path, ONE)
    (kept,) = read_criteria(path)
    assert (kept.condition, kept.against, kept.dataset) == ("safe/full", "base/full", None)
    filled = fill_criteria(path, ["model=alpha", "dataset=gqa"])
    assert (filled.criteria[0].condition, filled.criteria[0].dataset) == ("alpha/full", "gqa")
    assert filled.parameters == {"model": "alpha", "dataset": "gqa"}


@pytest.mark.parametrize(
    ("text", "settings", "words"),
    [
        (ONE, ["modle=alpha"], "has no parameter 'modle'; did you mean 'model'?"),
        (ONE, ["model"], "--set model: expected NAME=VALUE, for example --set model=alpha"),
        (ONE, ["model="], "expected NAME=VALUE"),
        (ONE, ["model=a", "model=b"], "--set model=b: 'model' is also set to 'a'; give one of them"),
        (ONE.replace("${model}", "${modle}"), [], "no parameter 'modle'; did you mean 'model'?"),
        (ONE.replace("${model}", "alpha"), [], "no criterion uses the parameter 'model'"),
        (
            ONE.replace("model: safe", "model: null"),
            [],
            "'${model}/full' needs a value of 'model', which is null",
        ),
        (ONE.replace("model: safe", "Model: safe"), [], "'Model' is no name of a parameter"),
        (
            ONE.replace("model: safe", "model: [a]"),
            [],
            "parameter 'model' is neither a text, a number nor null",
        ),
        (ONE.replace("model: safe", "model: true"), [], "parameter 'model' is neither a text"),
        (ONE.replace("\n  model: safe\n  dataset: null", " [a]"), [], "'parameters' is not a mapping"),
        (
            ONE.replace("parameters:", "parametres:"),
            [],
            "expected a list named 'criteria', and beside it only",
        ),
        (
            ONE,
            ["model=alpha", "model=beta"],
            "--set model=beta: 'model' is also set to 'alpha'; give one of them",
        ),
        (ONE, ["model=null"], "'${model}/full' needs a value of 'model', which is null"),
        (ONE, ["model=no/such/cond"], "'no/such/cond/full'"),
        (ONE.replace("model: safe", "model: safe\n  model: b"), [], "'model' is given twice"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(
    tmp_path: Path, text: str, settings: list[str], words: str
) -> None:
    if words == "'no/such/cond/full'":  # a model may have slashes in its name
        assert read_criteria(written(tmp_path, text), settings)[0].condition == "no/such/cond/full"
        return
    with pytest.raises(InputError) as caught:
        fill_criteria(written(tmp_path, text), settings)
    assert words in str(caught.value)


def test_null_on_the_command_line_is_no_value(tmp_path: Path) -> None:
    path = written(tmp_path, ONE.replace("dataset: null", "dataset: gqa"))
    assert fill_criteria(path).criteria[0].dataset == "gqa"
    assert fill_criteria(path, ["dataset=null"]).criteria[0].dataset is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("[1, 2]", "criterion 1 [1, 2]: Expected `str`, got `array`"),
        ("{a: 1}", "Expected `str`, got `object`"),
        ("' '", "its name is blank; a verdict needs one to show"),
        ("expected_answers", "'expected_answers' is kept for the answers that a run should have given"),
    ],
)
def test_a_name_that_a_verdict_cannot_show_is_refused(tmp_path: Path, name: str, words: str) -> None:
    text = f"criteria:\n  - {{name: {name}, metric: coverage, bound: '== 1'}}\n"
    with pytest.raises(InputError) as caught:
        fill_criteria(written(tmp_path, text))
    assert words in str(caught.value)


def test_a_file_in_the_working_directory_shadows_no_shipped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("demo", "demo.yaml", "success"):
        (tmp_path / name).write_text(ONE, "utf-8")
    assert criteria_path("demo") == shipped_criteria()["demo"]
    assert criteria_path(Path("demo")) == shipped_criteria()["demo"]
    assert criteria_path("./demo") == Path("demo")
    assert criteria_path("demo.yaml") == Path("demo.yaml")
    write_predictions(tmp_path / "p.jsonl", good_run(20))
    assert main(["score", "p.jsonl", "--out", "run", "--resamples", "100"]) == 0
    assert main(["verdict", "run", "--criteria", "demo", "--set", "margin=0.15"]) == 0
    assert json.loads((tmp_path / "run/verdict.json").read_text())["criteria_file"]["name"] == "demo.yaml"
    assert "verdict: go (7 of 7 criteria hold)" in capsys.readouterr().out
    assert main(["verdict", "run", "--criteria", "./demo", "--force"]) == 0
    assert "verdict: go (1 of 1 criteria hold)" in capsys.readouterr().out


@pytest.mark.parametrize("name", shipped_criteria())
def test_every_shipped_file_can_judge_one_dataset_of_another_model(name: str) -> None:
    of_two = ["other=gqa"] if name == "real" else []  # it trains on one corpus, and asks another, too
    filled = fill_criteria(shipped_criteria()[name], ["dataset=gqa", *of_two])
    assert {criterion.dataset for criterion in filled.criteria} == {"gqa"}
    conditions = [one.condition for one in filled.criteria if one.condition is not None]
    if conditions:
        renamed = fill_criteria(shipped_criteria()[name], ["model=alpha"]).criteria
        assert all(one.condition.startswith("alpha/") for one in renamed if one.condition is not None)


def test_a_name_that_is_nearly_shipped() -> None:
    with pytest.raises(InputError, match="no such criteria file; did you mean 'success'\\?; shipped with"):
        criteria_path("sucess")


def test_what_is_shown_can_be_kept_and_judges_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, path in shipped_criteria().items():
        assert main(["criteria", "show", name]) == 0
        mine = written(tmp_path, capsys.readouterr().out)
        assert mine.read_text("utf-8") == path.read_text("utf-8")
        assert fill_criteria(mine) == fill_criteria(path)


def test_the_list_names_every_file_and_its_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["criteria", "list"]) == 0
    said = capsys.readouterr().out
    assert all(f"\n{name} (" in f"\n{said}" for name in shipped_criteria())
    assert "parameters: metric=accuracy, model=safe, baseline=base, dataset=null" in said
    assert all(len(line) <= 80 for line in said.splitlines())


@pytest.mark.parametrize("words", [["shw", "demo"], ["show"], ["list", "demo"], ["show", "a", "b"]])
def test_other_words_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["criteria", *words]) == 3
    assert "expected list, show NAME or schema" in capsys.readouterr().err


def test_the_schema_is_printed_and_published(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["criteria", "schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == criteria_schema()
    assert printed == json.loads((ROOT / "docs/criteria.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(printed)


@pytest.mark.parametrize("name", shipped_criteria())
def test_the_schema_holds_for_every_shipped_file(name: str) -> None:
    jsonschema.validate(read_yaml(shipped_criteria()[name])[1], criteria_schema())


@pytest.mark.parametrize(
    "expected", ["../shards", {"source": "a", "splits": ["test"]}, ["a", {"source": "b"}]]
)
def test_the_schema_knows_what_a_run_should_have_answered(expected: Any, tmp_path: Path) -> None:
    content = read_yaml(written(tmp_path, ONE))[1] | {"expected": expected}
    jsonschema.validate(content, criteria_schema())
    assert read_criteria(written(tmp_path, json.dumps(content)))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"expected": {"sauce": "a"}}, criteria_schema())


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("criteria"),
        lambda content: content.update(criteria=[]),
        lambda content: content.update(criterions=[]),
        lambda content: content["criteria"][0].pop("bound"),
        lambda content: content["criteria"][0].update(slise="vl"),
        lambda content: content["criteria"][0].update(use="mean"),
        lambda content: content["criteria"][0].update(over="models"),
        lambda content: content["criteria"][0].update(min_seeds="3"),
        lambda content: content["criteria"][0].update(min_clusters=0),
        lambda content: content["parameters"].update(model=["a"]),
    ],
)
def test_what_the_schema_refuses_the_reader_refuses_too(tmp_path: Path, change: Any) -> None:
    content = read_yaml(written(tmp_path, ONE))[1]
    change(content)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, criteria_schema())
    with pytest.raises(InputError):
        read_criteria(written(tmp_path, json.dumps(content)))


def test_the_page_names_every_field_file_and_use() -> None:
    definitions = criteria_schema()["$defs"]
    assert [name for name in definitions["Criterion"]["properties"] if f"`{name}`" not in PAGE] == []
    assert [name for name in shipped_criteria() if f"`{name}`" not in PAGE] == []
    uses = definitions["Criterion"]["properties"]["use"]["enum"]
    assert [use for use in uses if f"`{use}`" not in PAGE] == []


def test_a_verdict_of_two_models_takes_the_name_of_the_baseline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """alpha and beta by one file; gamma was not scored beside beta, and the verdict says what to do."""
    rows = [line for model in ("alpha", "beta", "gamma") for line in answers(model, "full", lambda *_: True)]
    write_predictions(tmp_path / "p.jsonl", rows)
    run, mine = tmp_path / "run", written(tmp_path, EQUAL)
    quick = ["--resamples", "100", "--quiet", "--out", str(run)]
    assert main(["score", str(tmp_path / "p.jsonl"), "--baseline", "alpha", *quick]) == 0
    judge = ["verdict", str(run), "--criteria", str(mine), "--force", "--quiet", "--baseline"]
    assert main([*judge, "alpha", "--set", "model=beta"]) == 0
    assert "beta/full − alpha/full" in capsys.readouterr().out
    assert main([*judge, "gamma", "--set", "model=beta"]) == 2
    said = " ".join(capsys.readouterr().out.split())
    assert "all models are compared with alpha; score again with --baseline gamma, or with --pairs" in said
    assert main([*judge, "beta", "--set", "baseline=alpha"]) == 3
    assert "'baseline' is also set to 'alpha'; give one of them" in capsys.readouterr().err
