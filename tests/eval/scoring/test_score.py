"""Scores: every number with its interval, its pairs and what became of every example."""

import json
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import answers, good_run, row, shuffled

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.results.comparisons import Comparison
from safe_eval.results.metrics import Metric
from safe_eval.scoring.score import score_files, score_predictions
from safe_eval.scoring.scores import Scores, read_scores, write_scores
from safe_eval.statistics.paired import MCNEMAR, SIGN_FLIP, mcnemar
from safe_eval.text.scores_text import scores_table

QUICK = Sampling(resamples=200)


def scored(rows: list[Prediction]) -> Scores:
    return score_predictions(rows, QUICK)


def metric(scores: Scores, name: str, slice_name: str = "all") -> Metric:
    found = [m for m in scores.metrics if (f"{m.model}/{m.condition}", m.slice) == (name, slice_name)]
    assert len(found) == 1
    return found[0]


def pair(scores: Scores, a: str, b: str, slice_name: str = "all") -> Comparison:
    found = [c for c in scores.comparisons if (c.a, c.b, c.slice) == (a, b, slice_name)]
    assert len(found) == 1
    return found[0]


def test_means_by_slice_and_question_type() -> None:
    scores = scored(good_run())
    assert metric(scores, "base/full", "audio").value == pytest.approx(0.2)
    assert metric(scores, "base/full", "vl").value == pytest.approx(0.9)
    assert metric(scores, "base/full").value == pytest.approx(0.55)
    assert metric(scores, "safe/full", "type:sound") == msgspec.structs.replace(
        metric(scores, "safe/full", "audio"), slice="type:sound"
    )
    both = metric(scores, "safe/full")
    assert (both.n, both.clusters, both.dataset, both.seed, both.confidence) == (100, 50, "made", 0, 0.95)
    assert both.ci_low < both.value < both.ci_high
    assert both.interval == "clustered score"
    assert {m.metric for m in scores.metrics} == {"vqa_accuracy"}


def test_comparisons_say_what_each_condition_and_the_model_change() -> None:
    scores = scored(good_run())
    assert [(c.a, c.b) for c in scores.comparisons if c.slice == "audio"] == [
        ("safe/full", "safe/mute_audio"),
        ("safe/full", "safe/swap_audio"),
        ("safe/full", "safe/gate_off"),
        ("safe/full", "base/full"),
        ("safe/mute_audio", "base/full"),
        ("safe/swap_audio", "base/full"),
        ("safe/gate_off", "base/full"),
    ]
    heard = pair(scores, "safe/full", "safe/mute_audio", "audio")
    assert heard.difference == pytest.approx(0.7)  # 45 of 50 against 10 of 50
    assert (heard.gained, heard.lost, heard.changed, heard.n, heard.clusters) == (35, 0, 35, 50, 50)
    assert (heard.p_value, heard.test) == (mcnemar(35, 0), MCNEMAR)
    assert 0 < heard.ci_low < heard.equivalence_low < 0.7 < heard.equivalence_high < heard.ci_high
    same = pair(scores, "safe/gate_off", "base/full")
    assert (same.difference, same.changed, same.p_value, same.interval) == (
        0.0,
        0,
        1.0,
        "bounded cluster mean",
    )
    assert -same.ci_low == same.ci_high > 0.05


def test_shares_are_compared_by_sign_flips() -> None:
    humans = ("yes",) * 2 + ("no",) * 8  # "yes" is right to 0.6
    rows = [
        row(f"q{i}", "yes" if i % 3 else answer, references=humans, model=model)
        for model, answer in (("base", "no"), ("safe", "maybe"))
        for i in range(30)
    ]
    compared = pair(scored(rows), "safe/full", "base/full")
    assert compared.test == SIGN_FLIP
    assert compared.difference == pytest.approx(-1 / 3)
    assert compared.lost == 10


def test_examples_without_a_partner_are_counted() -> None:
    right = lambda clip, needs_audio: True  # noqa: E731
    rows = answers("safe", "full", right, clips=20) + answers("safe", "gate_off", right, clips=12)[1:]
    compared = pair(scored(rows), "safe/full", "safe/gate_off")
    assert (compared.n, compared.only_a, compared.only_b) == (23, 17, 0)


def test_nothing_in_common_is_not_measured() -> None:
    rows = [row("q1", group="a"), row("q2", group="b", condition="gate_off")]
    compared = pair(scored(rows), "safe/full".replace("safe", "model"), "model/gate_off")
    assert (compared.n, compared.only_a, compared.only_b) == (0, 1, 1)
    assert (compared.difference, compared.ci_low, compared.p_value, compared.test) == (None, None, None, None)


def test_errors_count_as_wrong_and_coverage_says_so() -> None:
    rows = good_run(10)
    lost = rows.pop()
    rows[-1] = msgspec.structs.replace(rows[-1], answer=None, error="RuntimeError: out of memory")
    rows[-2] = msgspec.structs.replace(rows[-2], answer="  ")
    scores = scored(rows)
    gate_off = scores.coverage["gate_off"]
    assert lost.condition == "gate_off"
    assert (gate_off.expected, gate_off.answered, gate_off.errored, gate_off.unparsed, gate_off.excluded) == (
        20,
        17,
        1,
        1,
        0,
    )
    assert scores.coverage["full"] == msgspec.convert(
        {"expected": 40, "answered": 40, "errored": 0, "unparsed": 0, "excluded": 0}, type(gate_off)
    )
    assert metric(scores, "safe/gate_off").n == 19
    assert metric(scores, "safe/gate_off", "audio").value == pytest.approx(
        sum(p.answer == "yes" for p in rows if p.condition == "gate_off" and p.needs_audio) / 10
    )
    changed = pair(scores, "safe/gate_off", "base/full")
    assert (changed.changed, changed.only_b) == (2, 1)
    assert "1 missing" in "\n".join(scores_table(scores))


def test_two_failures_are_no_agreement() -> None:
    rows = [row("q1", None, error="x", model=model) for model in ("base", "safe")]
    rows += [row("q2", model=model) for model in ("base", "safe")]
    assert pair(scored(rows), "safe/full", "base/full").changed == 1


def test_coverage_expects_what_any_row_of_the_dataset_asks() -> None:
    rows = [row("q1", dataset="a"), row("q2", dataset="a", model="other"), row("q1", dataset="b")]
    cells = {(c.dataset, c.model): c for c in scored(rows).cells}
    assert {key: (c.expected, c.answered) for key, c in cells.items()} == {
        ("a", "model"): (2, 1),
        ("a", "other"): (2, 1),
        ("b", "model"): (1, 1),
    }


def test_tasks_that_no_metric_judges_are_excluded_not_scored() -> None:
    rows = [row("q1", task="vqa"), row("q2", task="translate", answer="ein Hund bellt")]
    scores = scored(rows)
    assert scores.coverage["full"].excluded == 1
    assert metric(scores, "model/full").n == 1
    with pytest.raises(InputError, match=r"no metric judges the tasks of these predictions \(translate\)"):
        scored(rows[1:])


def test_datasets_and_seeds_are_kept_apart() -> None:
    right, wrong = (lambda clip, needs_audio, r=r: r for r in (True, False))
    rows = [
        *answers("base", "full", wrong),
        *answers("safe", "full", right, seed=0),
        *answers("safe", "full", wrong, seed=1),
    ]
    scores = scored(rows)
    assert {(m.seed, m.value) for m in scores.metrics if m.model == "safe"} == {(0, 1.0), (1, 0.0)}
    differences = {c.seed: c.difference for c in scores.comparisons if c.slice == "all"}
    assert differences == {0: 1.0, 1: 0.0}  # the base model's only seed stands beside both


def test_the_clusters_are_named() -> None:
    assert scored(good_run()).provenance.cluster == "group"
    alone = scored([row("q1"), row("q2", "no")])
    assert alone.provenance.cluster == "example_id"
    assert "no row has a 'group'" in " ".join(alone.notes)
    assert scored([row("q1", record_id="r"), row("q2", record_id="r")]).provenance.cluster == "record_id"
    with pytest.raises(
        InputError, match="1 of 2 rows have no 'group', for example 'q2'; give it in every row"
    ):
        scored([row("q1", group="g"), row("q2")])


def test_one_cluster_is_not_measured() -> None:
    scores = scored([row("q1", group="g"), row("q2", "no", group="g"), row("q1", group="g", model="base")])
    only = metric(scores, "model/full")
    assert (only.value, only.stderr, only.ci_low, only.ci_high, only.interval) == (
        0.5,
        None,
        None,
        None,
        None,
    )
    assert "not measured" in "\n".join(scores_table(scores))


def test_few_references_are_noted() -> None:
    assert "1 examples have 2 or 3 references" in scored([row(references=("yes", "yes")), row("q2")]).notes[0]


@pytest.fixture(scope="module")
def in_order() -> Scores:
    return scored(good_run(12))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_the_rows_does_not_matter(in_order: Scores, seed: int) -> None:
    assert scored(shuffled(good_run(12), seed)) == in_order


def test_a_perfect_model_scores_one_and_its_interval_does_not() -> None:
    scores = scored(answers("safe", "full", lambda clip, needs_audio: True))
    assert {m.value for m in scores.metrics} == {1.0}
    assert all(
        m.ci_low < 0.95 and m.ci_high == 1.0 and m.interval == "clustered score" for m in scores.metrics
    )


def test_an_answer_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match="'q1' is answered twice by model/full, seed 0; keep one"):
        scored([row("q1"), row("q2"), row("q1", "no")])


def test_nothing_has_no_score() -> None:
    with pytest.raises(InputError, match="an empty set has no score"):
        scored([])
    with pytest.raises(InputError, match="no predictions file given"):
        score_files([], QUICK)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_predictions(tmp_path / "predictions.jsonl", good_run(12))
    write_scores(score_files([tmp_path / "predictions.jsonl"], QUICK), tmp_path)
    return tmp_path


def test_the_file_is_the_contract(run: Path) -> None:
    text = (run / "scores.json").read_text("utf-8")
    content = json.loads(text, parse_constant=pytest.fail)  # NaN and Infinity are no JSON
    promised = "coverage cells metrics comparisons notes provenance aggregates seeds retention"
    assert set(promised.split()) <= set(content)
    assert content["coverage"]["gate_off"] == {
        "expected": 24,
        "answered": 24,
        "errored": 0,
        "unparsed": 0,
        "excluded": 0,
    }
    promised = "metric dataset slice condition model seed value stderr ci_low ci_high confidence n clusters"
    assert set(promised.split()) <= set(content["metrics"][0])
    promised = "metric slice a b difference ci_low ci_high p_value test gained lost"
    assert set(promised.split()) <= set(content["comparisons"][0])
    made = content["provenance"]
    assert made["predictions"][0]["name"] == "predictions.jsonl"
    assert (made["seed"], made["resamples"], made["confidence"], made["rows"]) == (0, 200, 0.95, 120)
    assert {"numpy", "scipy", "safe-hearing"} <= set(made["versions"])
    assert str(run) not in text
    assert read_scores(run) == score_files([run / "predictions.jsonl"], QUICK)


def test_the_same_predictions_make_the_same_bytes(run: Path) -> None:
    before = (run / "scores.json").read_bytes()
    write_scores(score_files([run / "predictions.jsonl"], QUICK), run)
    assert (run / "scores.json").read_bytes() == before
    assert sorted(path.name for path in run.iterdir()) == ["predictions.jsonl", "scores.json"]


def test_stale_and_broken_scores_are_refused(run: Path) -> None:
    write_predictions(run / "predictions.jsonl", good_run(13))
    with pytest.raises(InputError, match=r"was computed from another predictions\.jsonl than "):
        read_scores(run)
    (run / "predictions.jsonl").unlink()
    with pytest.raises(
        InputError, match=r"no such file, so nothing shows that scores\.json was computed from it"
    ):
        read_scores(run)
    (run / "scores.json").write_text('{"metrics": []')
    with pytest.raises(InputError, match="is not a scores file"):
        read_scores(run)
    (run / "scores.json").unlink()
    with pytest.raises(InputError, match="safe-eval score PREDICTIONS --out"):
        read_scores(run)


def test_the_table_fits_80_columns() -> None:
    lines = list(scores_table(scored(good_run())))
    assert max(map(len, lines)) <= 80
    assert any("safe/mute_audio − base/full" in line for line in lines)
    assert not any("nan" in line or "None" in line for line in lines)


def test_values_are_finite_or_absent() -> None:
    for found in scored(good_run()).metrics:
        numbers = [found.value, found.stderr, found.ci_low, found.ci_high]
        assert all(number is None or math.isfinite(number) for number in numbers)
        assert np.isclose(found.ci_low <= found.value <= found.ci_high, True)
