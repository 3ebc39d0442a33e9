"""The five ways in which a suite passes without seeing anything, and suites that would not judge."""

import json
from pathlib import Path
from typing import Any

import pytest
from manifests import (
    check,
    corpus_of,
    fact_rule,
    rejected,
    results,
    row,
    rows,
    rule,
    write_dataset,
    write_suite,
)

from safe_data.audit import judge as judging
from safe_data.audit.facts.all_facts import FACTS
from safe_data.audit.facts.fact import Fact
from safe_data.audit.rule_results import exit_code
from safe_data.audit.suites import load_suites
from safe_data.shards import manifest

EXPECTATIONS = Path(__file__).resolve().parents[3] / "expectations"


@pytest.mark.parametrize("company", [[], [fact_rule("rows", min_value=1)]])
def test_trap_1_an_unknown_type_is_refused_where_great_expectations_drops_it(
    tmp_path: Path,
    company: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    import great_expectations as gx

    unknown = rule("expect_no_leakage_across_splits", column="group")
    dropped = gx.ExpectationSuite(
        name="trap", expectations=[{k: unknown[k] for k in ("type", "kwargs", "meta")}]
    )
    assert dropped.expectations == []
    root = write_dataset(tmp_path, rows(4))
    assert check(root, write_suite(tmp_path / "mine.json", *company, unknown)) == 3
    assert "Great Expectations has no such type; " in capsys.readouterr().err


def test_trap_1_fewer_results_than_expectations_is_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = judging.validate
    monkeypatch.setattr(judging, "validate", lambda *given, **more: [*real(*given, **more)[:-1], None])
    root = write_dataset(tmp_path, rows(4))
    assert check(root, "schema") == 2
    assert results(root)["records_without_group"]["exception"] == "Great Expectations gave no result"


def test_trap_2_no_rows_cannot_be_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(write_dataset(tmp_path, [])) == 3
    assert "has no rows, so there is nothing to judge" in capsys.readouterr().err
    (result,) = judging.judge(load_suites(["schema"]), corpus_of(manifest.table([])), {})[2:3]
    assert (result.success, result.exception) == (None, "there was no value to look at")


@pytest.mark.parametrize(("known", "code"), [(0, 1), (5, 1), (94, 1), (95, 0)])
def test_trap_2_nulls_are_misses(tmp_path: Path, known: int, code: int) -> None:
    values = rule("expect_column_values_to_be_in_set", column="difficulty", value_set=["easy"], mostly=0.95)
    root = write_dataset(
        tmp_path, [row(index, difficulty="easy" if index < known else None) for index in range(100)]
    )
    assert check(root, write_suite(tmp_path / "mine.json", values)) == code
    assert (results(root)["difficulty"]["observed"], results(root)["difficulty"]["among"]) == (known, 100)


@pytest.mark.parametrize(("difficulty", "code"), [("easy", 0), ("hard", 1), (None, 2)])
def test_trap_2_a_column_without_values_is_not_in_the_set(
    tmp_path: Path, difficulty: str | None, code: int
) -> None:
    kind = "expect_column_distinct_values_to_be_in_set"
    known = write_suite(tmp_path / "mine.json", rule(kind, column="difficulty", value_set=["easy"]))
    assert check(write_dataset(tmp_path, rows(4, difficulty=difficulty)), known) == code


def test_trap_2_a_condition_that_may_match_no_row_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = rule("expect_column_values_to_not_be_null", column="label", mostly=1.0)
    values["kwargs"] |= {"row_condition": 'split == "trian"', "condition_parser": "pandas"}
    assert check(write_dataset(tmp_path, rows(4)), write_suite(tmp_path / "mine.json", values)) == 3
    assert "row_condition is evaluated as code, and may choose no row at all" in capsys.readouterr().err


@pytest.mark.parametrize(("strict", "code"), [(False, 0), (True, 1)])
def test_trap_3_a_bound_includes_its_value_unless_it_is_strict(
    tmp_path: Path, strict: bool, code: int
) -> None:
    root = write_dataset(tmp_path, [*rows(19), rejected(19)])
    assert (
        check(
            root,
            write_suite(tmp_path / "mine.json", fact_rule("load_rate", min_value=0.95, strict_min=strict)),
        )
        == code
    )
    assert results(root)["load_rate"]["bound"] == ("> 0.95" if strict else "≥ 0.95")


def test_trap_3_mostly_includes_its_value_so_no_committed_rule_leans_on_it() -> None:
    shares = [
        rule.kwargs["mostly"]
        for suite in load_suites()
        for rule in suite.expectations
        if "mostly" in rule.kwargs
    ]
    assert shares
    assert set(shares) == {1.0}


def test_trap_4_hashes_that_were_never_computed_are_not_zero_leaks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_dataset(tmp_path, rows(4, pcm_sha256=None))
    assert check(root, "leakage") == 2
    found = results(root)["sounds_in_two_splits"]
    assert (found["success"], found["observed"]) == (None, None)
    assert "not measured: 4 of 4 rows have no pcm_sha256" in capsys.readouterr().out


def test_trap_4_a_fact_that_nobody_computes_is_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_dataset(tmp_path, rows(4))
    assert check(root, write_suite(tmp_path / "mine.json", fact_rule("leaked_pairs", max_value=0))) == 3
    assert "no fact is named 'leaked_pairs'; " in capsys.readouterr().err
    (suite,) = load_suites(["load"])
    result = judging.judge([suite], corpus_of(manifest.table(rows(2))), {})[0]
    assert (result.label, result.exception) == ("not judged", "the fact rows was not computed")


@pytest.mark.parametrize(("value", "success", "code"), [(None, None, 2), (float("nan"), False, 1)])
def test_trap_4_a_fact_without_a_number_does_not_pass(
    value: float | None, success: bool | None, code: int
) -> None:
    facts = {**dict.fromkeys(FACTS, Fact(1.0)), "load_rate": Fact(value, why_not="the builder stopped")}
    judged = judging.judge(load_suites(["load"]), corpus_of(manifest.table(rows(2))), facts)
    (of_load_rate,) = [result for result in judged if result.columns == ("load_rate",)]
    assert of_load_rate.success is success
    assert exit_code(judged) == code


def test_trap_5_warnings_alone_hold(tmp_path: Path) -> None:
    warning = {**fact_rule("rows", min_value=10), "severity": "warning"}
    root = write_dataset(tmp_path, rows(4))
    assert check(root, write_suite(tmp_path / "mine.json", warning)) == 0
    assert results(root)["rows"]["success"] is False


def test_trap_5_a_rule_that_raised_is_not_judged_though_it_only_warns(tmp_path: Path) -> None:
    raising = rule("expect_column_values_to_not_be_null", severity="warning", column="absent", mostly=1.0)
    root = write_dataset(tmp_path, rows(4))
    assert check(root, write_suite(tmp_path / "mine.json", raising, fact_rule("rows", max_value=1))) == 2
    assert "the manifest has no column 'absent'; " in results(root)["absent"]["exception"]
    assert results(root)["rows"]["success"] is False


def test_no_findings_are_not_a_verdict() -> None:
    assert exit_code([]) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a suite"),
        ("{", "not a suite"),
        ("[" * 100_000, "not a suite"),
        ('{"name": "mine"}', "missing required field `expectations`"),
        (
            '{"name": "mine", "expectations": []}',
            "has no expectations; an empty suite would hold for anything",
        ),
        ('{"name": "mine", "expectations": [{"type": "x"}]}', "missing required field `kwargs`"),
        (
            json.dumps({"name": "m", "expectations": [{**fact_rule("rows", min_value=1), "sevrity": "x"}]}),
            "sevrity",
        ),
        (
            json.dumps(
                {"name": "m", "expectations": [{**fact_rule("rows", min_value=1), "severity": "bad"}]}
            ),
            "bad",
        ),
        (
            json.dumps({"name": "m", "expectations": [fact_rule("rows", min_value=float("nan"))]}),
            "not a suite",
        ),
        (
            json.dumps({"name": "m", "expectations": [fact_rule("rows")]}),
            "both null, so it would hold for anything",
        ),
        (
            json.dumps({"name": "m", "expectations": [fact_rule("rows", max_vlaue=1, min_value=1)]}),
            "max_vlaue",
        ),
        (
            json.dumps({"name": "m", "expectations": [rule("expect_column_values_to_be_unique")]}),
            "has no 'column'; add it",
        ),
        (" " * 2**21, "larger than a suite can be"),
    ],
)
def test_a_suite_that_would_not_judge_is_refused(
    tmp_path: Path, content: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.json"
    path.write_text(content)
    assert check(write_dataset(tmp_path / "shards", rows(4)), path) == 3
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed


def test_names_that_are_no_suites_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_dataset(tmp_path, rows(4))
    for words, message in [
        (
            ["leakge"],
            "no suite 'leakge'; did you mean 'leakage'?",
        ),
        ([tmp_path / "nowhere.json"], "nowhere.json: no such suite"),
        (["leakage", EXPECTATIONS / "leakage.json"], "two of the chosen suites are called 'leakage'"),
    ]:
        assert check(root, *words) == 3
        assert message in capsys.readouterr().err
