"""Deferral: what confidences and the gate are worth, as numbers, criteria, tables and charts."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_rows import row, shuffled

from safe_data.core.errors import InputError
from safe_eval.arms.all_arms import all_arms
from safe_eval.cli import main
from safe_eval.judging.criterion import Criterion, parse_criterion
from safe_eval.judging.evidence import find_evidence
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.report.charts import risk_coverage_chart
from safe_eval.report.labels import models_of
from safe_eval.report.score_tables import deferral_tables
from safe_eval.results.deferral import DeferralRow, deferral_rows
from safe_eval.scoring.score import score_predictions
from safe_eval.statistics.auroc import auroc
from safe_eval.statistics.risk_coverage import aurc, excess_aurc
from safe_eval.text.deferral_text import deferral_lines
from safe_eval.text.scores_tables import scores_tables

QUICK = Sampling(resamples=200)


def made(n: int = 200, **fields: object) -> list[Prediction]:
    """Honest confidences, and a gate that opens more for questions about sounds; two of a clip."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(n):
        sure, needs = float(rng.random()), bool(i % 2)
        answer = "yes" if rng.random() < sure else "no"
        gate = float(np.clip(rng.normal(0.7 if needs else 0.3, 0.2), 0, 1))
        of_row = {"group": f"g{i // 2}", "confidence": sure, "needs_audio": needs, "model": "safe"}
        of_row |= {"gate_score": gate, "consulted": gate > 0.5}
        rows.append(row(f"q{i}", answer, **(of_row | fields)))
    return rows


def found(rows: list[Prediction]) -> dict[str, DeferralRow]:
    return {one.metric: one for one in deferral_rows(all_arms(rows), QUICK)}


def test_the_numbers_are_those_of_the_statistics() -> None:
    rows = made()
    measured = found(rows)
    sure = np.array([one.confidence for one in rows])
    wrong = np.array([one.answer == "no" for one in rows], dtype=float)
    assert measured["aurc"].value == pytest.approx(aurc(sure, wrong))
    assert measured["aurc"].excess == pytest.approx(excess_aurc(sure, wrong))
    assert measured["auroc_confidence"].value == pytest.approx(auroc(sure, wrong == 0))
    gates = np.array([one.gate_score for one in rows])
    needs = np.array([one.needs_audio for one in rows])
    assert measured["auroc_gate"].value == pytest.approx(auroc(gates, needs))
    assert (measured["auroc_gate"].field, measured["auroc_gate"].positive) == ("gate_score", 100)
    for one in measured.values():
        assert (one.n, one.clusters, one.unsaid, one.why_not) == (200, 100, 0, None)
        assert one.ci_low < one.value < one.ci_high
    assert len(measured["aurc"].curve) == 20
    assert measured["aurc"].curve[-1].risk == pytest.approx(wrong.mean())


def test_a_decision_without_a_score_is_judged_by_its_balanced_accuracy() -> None:
    rows = made(gate_score=None)
    gate = found(rows)["auroc_gate"]
    opens = [one.consulted for one in rows]
    rights = [o == r.needs_audio for o, r in zip(opens, rows, strict=True)]
    right = [np.mean(rights[place::2]) for place in (0, 1)]
    assert (gate.field, gate.value) == ("consulted", pytest.approx(np.mean(right)))


def test_a_graded_answer_is_right_from_a_half_on_and_loses_what_it_lacks() -> None:
    """Of ten humans two say yes: worth 0.6. One says so: worth 0.3."""
    shares = [("yes",) * said + ("maybe",) * (10 - said) for said in (2, 1)]
    rows = [
        row(f"q{i}", references=shares[i % 2], confidence=0.9 - i % 2 / 2, group=f"g{i}") for i in range(20)
    ]
    measured = found(rows)
    assert measured["auroc_confidence"].value == 1.0
    assert measured["auroc_confidence"].positive == 10
    assert measured["aurc"].curve[0].risk == pytest.approx(0.4)
    assert measured["aurc"].curve[-1].risk == pytest.approx(0.55)


@pytest.mark.parametrize(
    ("change", "metric", "why"),
    [
        ({"answer": "yes"}, "auroc_confidence", "every answer is right, so there is no order"),
        ({"answer": "no"}, "auroc_confidence", "no answer is right, so there is no order"),
        ({"needs_audio": True}, "auroc_gate", "every question needs the sound"),
        ({"needs_audio": False}, "auroc_gate", "no question needs the sound"),
        (
            {"needs_audio": None},
            "auroc_gate",
            "no row with a gate says whether its question needs the sound ('needs_audio')",
        ),
    ],
)
def test_what_one_class_leaves_unmeasured_says_why(change: dict, metric: str, why: str) -> None:
    rows = [msgspec.structs.replace(one, **change) for one in made(40)]
    one = found(rows)[metric]
    assert (one.value, one.ci_low, one.why_not) == (None, None, why)
    lines = list(deferral_lines(score_predictions(rows, QUICK)))
    assert f"{metric} of safe/full; not measured: {why}" in " ".join(" ".join(lines).split())


@pytest.mark.parametrize("sure", [1.0, 0.0, 0.5])
@pytest.mark.parametrize(("n", "groups"), [(1, 1), (40, 2), (40, 40)])
def test_no_model_is_too_bad_for_numbers(sure: float, n: int, groups: int) -> None:
    for answer in ("yes", "no", None):
        rows = made(n, confidence=sure)
        if answer:
            rows = [msgspec.structs.replace(one, answer=answer) for one in rows]
        rows = [msgspec.structs.replace(one, group=f"g{i % groups}") for i, one in enumerate(rows)]
        scores = score_predictions(rows, QUICK)
        measured = {one.metric: one for one in scores.deferral}
        accuracy = next(m.value for m in scores.metrics if m.metric == "vqa_accuracy")
        assert measured["aurc"].value == pytest.approx(1 - accuracy)  # equal confidences order nothing
        assert measured["auroc_confidence"].value in (0.5, None)
        assert max(map(len, deferral_lines(scores))) <= 80


def test_answers_that_failed_or_say_nothing_are_counted_out_and_no_evidence() -> None:
    rows = made(40)
    rows[0] = msgspec.structs.replace(rows[0], confidence=None, gate_score=None)
    rows[1] = msgspec.structs.replace(rows[1], answer=None, error="out of memory")
    measured = found(rows)
    assert {(one.n, one.unsaid) for one in measured.values()} == {(38, 2)}
    (evidence,) = find_evidence(criterion("aurc"), score_predictions(rows, QUICK))
    assert evidence.value is None
    assert evidence.text == (
        "aurc of safe/full by 'confidence', n 38 in 19 clusters; without 'confidence': 2 more"
    )


def test_rows_without_confidence_or_gate_have_none() -> None:
    assert found([row()]) == {}
    assert list(found([row(confidence=0.5)])) == ["aurc", "auroc_confidence"]
    assert list(found([row(consulted=True)])) == ["auroc_gate"]


def test_the_order_of_the_rows_does_not_matter() -> None:
    assert found(shuffled(made(60))) == found(made(60))


def criterion(metric: str, bound: str = ">= 0.5", **fields: object) -> Criterion:
    return Criterion(name=metric, metric=metric, condition="safe/full", bound=bound, **fields)


@pytest.mark.parametrize("metric", ["aurc", "auroc_confidence", "auroc_gate"])
def test_each_is_a_metric_of_criteria(metric: str) -> None:
    scores = score_predictions(made(), QUICK)
    (evidence,) = find_evidence(criterion(metric), scores)
    one = next(one for one in scores.deferral if one.metric == metric)
    assert (evidence.value, evidence.ci_low, evidence.ci_high) == (one.value, one.ci_low, one.ci_high)
    assert (evidence.n, evidence.clusters, evidence.confidence) == (200, 100, 0.95)
    assert evidence.text.startswith(f"{metric} of safe/full by '{one.field}', n 200 in 100 clusters")
    assert criterion(metric, ">= -1").vacuous == "no number could miss this bound"
    text = parse_criterion(msgspec.to_builtins(criterion(metric, slice="vl")))
    assert text == f"{metric} is computed on the slices all, not on 'vl'"
    with pytest.raises(InputError, match=f"--metric {metric}: is computed unasked"):
        score_predictions(made(4), QUICK, ScoreOptions(metric=(metric,)))


def test_a_criterion_without_rows_says_what_it_needs() -> None:
    scores = score_predictions([row(model="safe")], QUICK)
    for metric, field in (("aurc", "has a 'confidence'"), ("auroc_gate", "no row has a 'gate_score'")):
        (evidence,) = find_evidence(criterion(metric), scores)
        assert field in evidence.text


def test_a_forged_curve_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_predictions(tmp_path / "p.jsonl", made(40))
    assert main(["score", str(tmp_path / "p.jsonl"), "--out", str(tmp_path), "--resamples", "100"]) == 0
    file = tmp_path / "scores.json"
    scores = json.loads(file.read_text())
    scores["deferral"][0]["curve"][0]["risk"] = 0.001
    file.write_text(json.dumps(scores))
    (tmp_path / "c.yaml").write_text(
        "criteria:\n  - {name: sure, metric: aurc, condition: safe/full, bound: '<= 0.9'}\n"
    )
    capsys.readouterr()
    assert main(["verdict", str(tmp_path), "--criteria", str(tmp_path / "c.yaml")]) == 3
    assert "1 entry is not what its predictions give" in capsys.readouterr().err


def test_the_tables_hold_the_numbers_and_the_curve() -> None:
    scores = score_predictions(made(), QUICK)
    tables = {table.name: table for table in scores_tables(scores)}
    assert [line[0] for line in tables["deferral"].rows] == ["aurc", "auroc_confidence", "auroc_gate"]
    assert len(tables["risk_coverage"].rows) == 20
    text = "\n".join(deferral_lines(scores))
    assert "safe/full            aurc" in text
    assert "risk at coverage         10%     25%     50%     75%     90%    100%" in text
    (table,) = deferral_tables(scores, models_of({"safe"}, None))
    assert [line.label for line in table.rows] == ["aurc", "auroc_confidence", "auroc_gate"]


def test_the_chart_has_a_line_and_a_band_for_each_arm() -> None:
    pytest.importorskip("vl_convert")
    rows = made() + made(model="base") + made(model="flat", confidence=0.5)
    curves = [one for one in score_predictions(rows, QUICK).deferral if one.curve]
    svg = risk_coverage_chart(curves, models_of({"safe", "base", "flat"}, "base"))
    assert svg.count("mark-line") == 2  # none where all confidences are equal
    assert ">safe<" in svg
    assert ">base<" in svg
    assert risk_coverage_chart([], models_of({"safe"}, None)) == ""
