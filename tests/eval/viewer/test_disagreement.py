"""The disagreement of runs: counts that lead to their items, differences, and why answers differ."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import msgspec
import pytest
from html_page import OURS, Page, external
from made_rows import answers
from seen_runs import Seen, behind, make_scored, seen

from safe_eval.prediction import Prediction
from safe_eval.scoring.scores import read_scores
from safe_eval.viewer.arm_pairs import arm_pairs
from safe_eval.viewer.disagreement import compare_html, disagreement_of

CLIPS = 24


def a_rows() -> list[Prediction]:
    base = answers("base", "full", lambda clip, hears: not hears, clips=CLIPS)
    return base + answers("safe", "full", lambda clip, hears: clip < 18 or not hears, clips=CLIPS)


def b_rows() -> list[Prediction]:
    """Another order of right and wrong, one answer in other words, and another prompt for one item."""
    rows = answers("safe", "full", lambda clip, hears: clip >= 6 or not hears, clips=CLIPS)
    return [
        msgspec.structs.replace(one, prompt="Is it?" if one.example_id == "c0-audio" else "Which?")
        for one in rows
    ]


@pytest.fixture(scope="module")
def of_runs() -> dict[str, list[Prediction]]:
    a = [msgspec.structs.replace(one, prompt="Which?") for one in a_rows()]
    return {"a": a, "b": b_rows()}


@pytest.fixture(scope="module")
def both(tmp_path_factory, of_runs) -> Seen:
    folder = tmp_path_factory.mktemp("runs")
    return seen(*(make_scored(folder / name, rows) for name, rows in of_runs.items()))


def html(shown: Seen, of_runs: Mapping[str, list[Prediction]]) -> str:
    numbers = {(arm.run, arm.model, arm.condition, arm.seed): arm.arm for arm in shown.arms}
    found: dict[tuple[str | None, str], dict[int, Prediction]] = {}
    for run, rows in of_runs.items():
        for one in rows:
            number = numbers[run, one.model, one.condition, one.seed]
            found.setdefault((one.dataset, one.example_id), {})[number] = one
    return disagreement_of(shown, lambda dataset, example: found[dataset, example])


def test_two_runs_are_counted_item_by_item(both, of_runs):
    (pair,) = arm_pairs(both.runs, both.metric_of)
    assert (pair.a.run, pair.a.model, pair.b.run, pair.b.model) == ("b", "safe", "a", "safe")
    counts = pair.counts
    assert (counts.both, counts.right, counts.only_a, counts.only_b) == (48, 36, 6, 6)
    assert (pair.compared.gained, pair.compared.lost, pair.compared.difference) == (6, 6, 0.0)
    said = Page(html(both, of_runs)).said
    assert (
        "b: safe beside a: safe vqa_accuracy on made 48 36 75.0 % 6 12.5 % 6 12.5 % 0 0.0 % 0 0.0 %" in said
    )
    assert "0.0 pp [−" in said


def test_the_counts_lead_to_their_items(both, of_runs):
    text = html(both, of_runs)
    found = re.findall(r'<a href="(#[^"]*)">([^<]*)</a>', text)
    assert [int(said) for _, said in found] == [36, 6, 6]
    assert [len(behind(unescape(href), both, of_runs)) for href, _ in found] == [36, 6, 6]


@dataclass(frozen=True)
class WithRows(Seen):
    """The runs with their answers by the numbers of the items: those of both runs have the same ids."""

    of_runs: Mapping[str, list[Prediction]]

    def rows_of(self, item: int) -> dict[int, Prediction]:
        ids = sorted({row.example_id for rows in self.of_runs.values() for row in rows})
        return {
            arm.arm: row
            for arm in self.arms
            for row in self.of_runs[arm.run]
            if (row.example_id, row.model, row.seed) == (ids[item], arm.model, arm.seed)
        }


def test_only_the_items_that_a_filter_shows_count(both, of_runs):
    shown = WithRows(both.runs, both.arms, both.metric_of, of_runs)
    assert compare_html(shown) == html(both, of_runs)
    ids = sorted({row.example_id for row in of_runs["a"]})
    audio = [number for number, name in enumerate(ids) if name.endswith("audio")]
    page = Page(compare_html(shown, audio))
    assert "of the items that the filter shows" in page.said
    assert "vqa_accuracy on made 24 12 50.0 % 6 25.0 % 6 25.0 %" in page.said


def test_it_says_why_they_differ(both, of_runs):
    said = Page(html(both, of_runs)).said
    assert "Another prompt Another answer Read otherwise Scored otherwise" in said
    assert "12 1 A higher 0, B higher 1 11 A higher 6, B higher 5 – –" in said


def test_one_run_is_compared_with_its_baseline(both, of_runs):
    one = seen(both.runs[0].folder)
    (pair,) = arm_pairs(one.runs, one.metric_of)
    row = next(
        r
        for r in read_scores(both.runs[0].folder).comparisons
        if (r.a, r.b, r.slice) == ("safe/full", "base/full", "all")
    )
    assert (pair.compared.difference, pair.compared.ci_low, pair.compared.p_value) == (
        row.difference,
        row.ci_low,
        row.p_value,
    )
    assert "The models of this run beside each other" in Page(html(one, {"a": of_runs["a"]})).said


def test_runs_without_a_common_item_are_named(tmp_path, of_runs, both):
    other = [msgspec.structs.replace(one, example_id=f"x{one.example_id}") for one in of_runs["b"]]
    apart = seen(both.runs[0].folder, make_scored(tmp_path / "<i>", other))
    text = html(apart, {"a": of_runs["a"], "<i>": other})
    page = Page(text)
    assert "Not measured: <i> beside a: no item, by dataset and id" in page.said
    assert "--pair-by prompt" in page.said
    assert "<table" not in text


def test_text_from_outside_stays_text(tmp_path, of_runs):
    evil = "<script>alert(1)</script>\"'&{{ 7*7 }}"
    runs: dict[str, list[Prediction]] = {
        name: [
            msgspec.structs.replace(one, model=evil, dataset=evil, answer=one.answer)
            for one in rows
            if one.model == "safe"
        ]
        for name, rows in of_runs.items()
    }
    folders: list[Path] = [make_scored(tmp_path / name, rows) for name, rows in runs.items()]
    page = Page(html(seen(*folders), runs))
    assert page.tags <= OURS
    assert external(page.text) == []
    assert evil in page.said
