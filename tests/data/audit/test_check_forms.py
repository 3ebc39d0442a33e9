"""What a check prints and writes: text, JSON, Markdown, JUnit XML, the page, Data Docs; what is chosen."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import corpus_of, fact_rule, row, rows, rule, write_dataset, write_suite

from safe_data.audit import page_media
from safe_data.audit.check_files import formatted
from safe_data.audit.data_docs import escaped_for_page, write_data_docs
from safe_data.audit.facts.fact import Fact, Offender
from safe_data.audit.judged import Judged
from safe_data.audit.junit import junit_xml
from safe_data.audit.markdown_summary import markdown_summary
from safe_data.audit.page import html_page
from safe_data.audit.rule_results import RuleResult, exit_code, table, unjudged
from safe_data.build.build import build_dataset
from safe_data.cli import main
from safe_data.shards import manifest
from safe_data.sources.synthetic.world import write_world

HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e]]>&|`$x {{ 7 * 7 }}\n# @all"


def result(label: str = "ok", **changes: Any) -> RuleResult:
    """A result of each label."""
    success = {"ok": True, "FAIL": False, "warn": False}.get(label)
    severity = "warning" if label == "warn" else "critical"
    arguments = {
        "column": "rows",
        "min_value": None,
        "max_value": 0,
        "strict_min": False,
        "strict_max": False,
    }
    fields: dict[str, Any] = {"arguments": arguments, "applies": label != "n/a"}
    fields |= {"exception": None if success is not None else "no transcripts"}
    about = ("mine", "expect_column_max_to_be_between", ("rows",), "rows of it", severity, "≤ 0", success)
    made = RuleResult(*about, 3 if success is not None else None, 9, **fields)
    return replace(made, **changes)


def judged(*results: RuleResult, **changes: Any) -> Judged:
    return Judged(**{"title": "world", "records": 4, "results": results, "facts": {}, **changes})


# What decides


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        (["ok", "n/a"], 0),
        (["ok", "warn", "n/a"], 0),
        (["ok", "FAIL", "n/a"], 1),
        (["ok", "FAIL", "not judged"], 2),
        (["n/a", "n/a"], 2),
        ([], 2),
    ],
)
def test_what_does_not_apply_decides_nothing_unless_it_is_all(labels: list[str], code: int) -> None:
    assert [result(label).label for label in labels] == labels
    assert exit_code([result(label) for label in labels]) == code


def test_what_was_asked_for_and_does_not_apply_is_not_judged() -> None:
    results = [result("ok"), result("n/a", suite="alignment", columns=("event_overlap",))]
    assert exit_code(results) == 0
    for name in ("alignment", "event_overlap"):
        assert exit_code(results, [name]) == 2
        assert unjudged(results, [name]) == [
            f"{name} was asked for, and nothing of it applies: no transcripts"
        ]
    assert exit_code(results, ["mine"]) == 0


def test_rules_that_do_not_apply_are_one_line_a_reason() -> None:
    lines = table([result("n/a"), result("n/a"), result("n/a", exception="no events"), result("ok")])
    assert lines == [
        "",
        "mine",
        "  ok          rows  3 of 9  ≤ 0",
        "  n/a         2 rules: no transcripts",
        "  n/a         1 rule: no events",
    ]


# What is chosen


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["check", *map(str, words), "--quiet"])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "leakge"], "--only leakge: is no suite, fact or column; did you mean 'leakage'?"),
        (["--only", "loadd_rate"], "did you mean 'load_rate'?"),
        (["--only", "pictures"], "--only pictures: has no rule in the chosen suites"),
        (["--suites", "nowhere"], "nowhere: no such folder of suites"),
        (["--suite", "leakge"], "no suite 'leakge'; did you mean 'leakage'?"),
    ],
)
def test_a_name_that_is_none_is_told_before_anything_is_read(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, tmp_path / "no dataset", *words)
    assert (code, out) == (3, "")
    assert message in err


def test_only_names_suites_facts_and_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_dataset(tmp_path / "shards", rows(4))
    code, out, _ = run(
        capsys, root, "--only", "load_rate", "--only", "status", "--format", "json", "--out", tmp_path / "a"
    )
    found = json.loads(out)
    assert code == 0
    assert {name for one in found["results"] for name in one["columns"]} == {"load_rate", "status"}
    assert found["only"] == ["load_rate", "status"]
    assert json.loads((tmp_path / "a" / "results.json").read_text()) == found


def test_all_suites_of_a_folder_are_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_dataset(tmp_path / "shards", rows(4))
    (tmp_path / "rules").mkdir()
    assert run(capsys, root, "--suites", tmp_path / "rules")[0] == 3
    write_suite(tmp_path / "rules" / "a.json", fact_rule("rows", min_value=5))
    code, out, _ = run(capsys, root, "--suites", tmp_path / "rules")
    assert (code, out.splitlines()[-2]) == (1, "does not hold: 1 rule, 1 FAIL")


def test_several_datasets_are_judged_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write_dataset(tmp_path / "one", [row(1), row(2)])
    two = write_dataset(tmp_path / "two", [row(1, "test"), row(3, "test")])
    bad = rule("expect_column_values_to_be_in_set", column="split", value_set=["train"])
    mine = write_suite(tmp_path / "mine.json", bad)
    code, out, _ = run(capsys, f"a={one}", f"b={two}", "--suite", mine, "--suite", "leakage")
    assert code == 1
    assert out.startswith("a, b: 4 records\n")
    assert "split test: b:test/clip-1" in out
    assert not (one / "check").exists()


def test_a_column_that_a_manifest_lacks_is_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_dataset(tmp_path / "shards", rows(4))
    typo = rule("expect_column_values_to_not_be_null", column="lable")
    code, out, _ = run(capsys, root, "--suite", write_suite(tmp_path / "mine.json", typo))
    assert code == 2
    assert "the manifest has no column 'lable'; did you mean 'label'?" in out


def test_rules_about_the_columns_see_all_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_dataset(tmp_path / "shards", rows(4))
    count = rule("expect_table_column_count_to_equal", value=len(manifest.SCHEMA))
    there = rule("expect_column_to_exist", column="duration_seconds")
    code, out, _ = run(capsys, root, "--suite", write_suite(tmp_path / "mine.json", count, there))
    assert code == 0, out


def test_the_list_names_what_a_rule_may_be_about(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--list")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert re.search(r"^  load_rate +fraction of all records", out, re.MULTILINE)
    assert re.search(r"^  duration_seconds +double", out, re.MULTILINE)
    found = json.loads(run(capsys, "--list", "--format", "json")[1])
    assert found["types"]["expect_column_values_to_be_unique"] == ["column", "mostly"]
    assert found["suites"]["load"][1]["bound"] == "≥ 0.95"
    assert run(capsys, "--list", "--format", "junit")[0] == 3


# The forms


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=60), label=st.sampled_from(["ok", "FAIL", "warn", "n/a", "not judged"]))
def test_no_text_breaks_a_form(text: str, label: str) -> None:
    one = result(label, suite=text, description=text, columns=(text,), detail=text, exception=text or None)
    hostile = judged(replace(one, offenders=(Offender(text, (text,)),)), title=text)
    for case in ElementTree.fromstring(junit_xml(hostile)).iter("testcase"):
        assert case.get("name") is not None
    assert json.loads("\n".join(formatted(hostile, "json")))["results"]
    assert all(
        line.startswith(("|", "#", "-", "<", "1 ", "4 ")) or not line
        for line in formatted(hostile, "markdown")
    )


def test_junit_has_a_test_for_each_rule() -> None:
    given_ = [result(label) for label in ("ok", "FAIL", "warn", "n/a", "not judged")]
    (suite,) = ElementTree.fromstring(junit_xml(judged(*given_)))
    outcomes = [[outcome.tag for outcome in case] for case in suite]
    assert outcomes == [[], ["failure"], ["skipped"], ["skipped"], ["error"]]
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "5", "failures": "1", "errors": "1", "skipped": "2"}
    assert suite[1][0].get("message") == "FAIL: 3 of 9, asked for ≤ 0"


def test_junit_is_not_green_where_nothing_was_judged() -> None:
    cases = list(ElementTree.fromstring(junit_xml(judged(result("n/a")))).iter("error"))
    assert [case.get("message") for case in cases] == ["nothing was judged, so nothing holds"]


def test_markdown_says_what_fails_first_and_folds_what_holds() -> None:
    text = markdown_summary(judged(result("ok"), result("warn"), result("FAIL"), result("n/a")))
    assert text.startswith("## ❌ world: does not hold\n\n4 records, 4 rules, 1 FAIL, 1 warn, 1 n/a.\n")
    assert text.index("| ❌ |") < text.index("| ⚠️ |") < text.index("<details>") < text.index("| ✅ |")


def page_of(*results: RuleResult, **changes: Any) -> str:
    return html_page(judged(*results, **changes), corpus_of(manifest.table(rows(2))))


def test_the_page_shows_what_fails_first_and_folds_what_holds() -> None:
    page = page_of(result("n/a"), result("ok"), result("warn"), result("not judged"), result("FAIL"))
    titles = re.findall(r"<h2>([^<]+)</h2>", page)
    assert titles == [
        "Does not hold", "Could not be judged", "Warnings",
        "Holds (1)", "Does not apply (1)", "Computed from",
    ]  # fmt: skip
    assert page.count("<details") == 2
    assert not re.search(r"https?://|<script|src=(?!\"data:)", page)
    assert "default-src 'none'" in page


def test_every_text_on_the_page_is_escaped() -> None:
    offender = Offender(HOSTILE, (HOSTILE, "train/clip-0"))
    page = page_of(
        result(
            "FAIL", suite=HOSTILE, description=HOSTILE, columns=(HOSTILE,), detail=HOSTILE, bound=HOSTILE,
            exception=HOSTILE, offenders=(offender,),
        ),
        title=HOSTILE,
        asked=(HOSTILE,),
        about={HOSTILE: {HOSTILE: HOSTILE}},
    )  # fmt: skip
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "{{ 7 * 7 }}" in page


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(folder / "world", clips=24, seed=0)
    build_dataset(folder / "world", folder / "shards", encoders=())
    return folder / "shards"


def hostile_suite(folder: Path) -> Path:
    bad = rule("expect_column_values_to_be_in_set", column="label", value_set=["<img src=x onerror=a>"])
    return write_suite(folder / "mine.json", {**bad, "description": HOSTILE})


def test_the_page_plays_and_shows_the_worst_examples(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = hostile_suite(tmp_path)
    assert run(capsys, world, "--suite", suite, "--out", tmp_path / "a")[0] == 1
    page = (tmp_path / "a" / "index.html").read_text()
    assert len(re.findall(r'<audio controls [^>]*src="data:audio/(wav|flac|ogg);base64,', page)) == 5
    assert len(re.findall(r'<img src="data:image/jpeg;base64,', page)) == 5
    monkeypatch.setattr(page_media, "MAX_SOUND_BYTES", 1)
    monkeypatch.setattr(page_media, "MAX_PAGE_BYTES", 20_000)
    assert run(capsys, world, "--suite", suite, "--out", tmp_path / "a", "--force")[0] == 1
    page = (tmp_path / "a" / "index.html").read_text()
    assert "its sound is shown as 10 s of Ogg at most" in page
    assert re.search(r"\d+ sounds and pictures are left out: the page holds at most 8 MB", page)


def test_damaged_media_do_not_stop_a_page(tmp_path: Path) -> None:
    table = manifest.table([replace(one, audio_offset=0, audio_size=9) for one in rows(2)])
    failing = result("FAIL", offenders=(Offender("x", ("train/clip-0", "test/clip-1")),))
    page = html_page(judged(failing), corpus_of(table))
    assert page.count("its sound cannot be played (") == 2


def test_data_docs_are_escaped_and_stay_in_their_folder(tmp_path: Path) -> None:
    offender = Offender(HOSTILE, ("train/clip-0",))
    fails = result(
        "FAIL", suite="../../out", description=HOSTILE, offenders=(offender,),
        expectation="expect_column_values_to_be_in_set",
        arguments={"column": "label", "value_set": [HOSTILE, 1], "mostly": 1.0},
    )  # fmt: skip
    results = [result("not judged", exception=HOSTILE), fails, result("n/a", suite="rest")]
    index = write_data_docs(judged(*results), tmp_path / "a" / "docs", force=False)
    assert index.is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"a"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"docs"}
    pages = [path.read_text() for path in (tmp_path / "a").rglob("*.html")]
    assert len(pages) == 5
    assert not any("<script>alert" in page for page in pages)
    assert any("&lt;script&gt;alert" in page for page in pages)


def test_a_text_is_escaped_for_data_docs_wherever_it_is() -> None:
    assert escaped_for_page({"a<": ["$x", 1, None]}) == {"a&lt;": ["&#36;x", 1, None]}


def test_facts_are_written_with_what_they_were_counted_among(tmp_path: Path) -> None:
    made = judged(result("ok"), facts={"rows": Fact(4.0), "nan": Fact(float("nan"))}, about={"only": []})
    from safe_data.audit.check_files import write_files

    write_files(made, corpus_of(manifest.table(rows(2))), tmp_path, force=False)
    found = json.loads((tmp_path / "facts.json").read_text())["facts"]
    assert (found["rows"]["value"], found["nan"]["value"]) == (4.0, None)
