"""Measures have intervals over the clusters of the whole file, in scores.json and in every table."""

import csv
from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_rows import row, shuffled

from safe_eval.cli import main
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.results.aggregates import OWN_AGGREGATES, AggregateRow
from safe_eval.scoring.score import score_predictions
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.score_interval import SCORE, score_interval
from safe_eval.text.scores_text import aggregate_lines

QUICK = Sampling(resamples=200)


def questions(pictures: int = 20, **fields: object) -> list[Prediction]:
    """Two questions about each picture, the first of which entails the second; most answers are right."""
    rng = np.random.default_rng(0)
    rows = []
    for picture in range(pictures):
        for nth, entailed in enumerate([[f"q{picture}-1"], []]):
            about = {"dataset": "gqa", "group": f"p{picture}", "question_type": "verify"} | fields
            facts = {"entailed": entailed, "groups": {"global": "g"}, "valid": ["yes", "no"]}
            said = "yes" if rng.random() < 0.7 else "no"
            rows.append(row(f"q{picture}-{nth}", said, metadata=facts, **about))
    return rows


def clips(count: int = 40, **fields: object) -> list[Prediction]:
    rng = np.random.default_rng(1)
    truths = ["noise" if i % 4 == 0 else "speech" for i in range(count)]
    said = ["noise" if rng.random() < 0.3 else truth for truth in truths]
    about = {"choices": ("speech", "noise"), "task": "classify", "dataset": "clips"} | fields
    return [
        row(f"k{i}", answer, references=(truth,), group=f"s{i // 2}", **about)
        for i, (truth, answer) in enumerate(zip(truths, said, strict=True))
    ]


def measured(rows: list[Prediction]) -> dict[str, AggregateRow]:
    return {found.name: found for found in score_predictions(rows, QUICK).aggregates}


def interval(found: AggregateRow) -> Interval:
    return Interval(found.ci_low, found.ci_high, found.interval)


def test_intervals_are_those_of_the_mean_of_the_rows_that_have_a_value() -> None:
    rows = questions()
    right = {made.example_id: float(made.answer == "yes") for made in rows}
    of_all = score_interval(np.array(list(right.values())), np.array([made.group for made in rows]), 0.95)
    entailing = [made for made in rows if made.metadata["entailed"] and right[made.example_id]]
    shares = np.array([right[made.metadata["entailed"][0]] for made in entailing])
    pictures = np.array([made.group for made in entailing])
    found = measured(rows)
    assert interval(found["accuracy"]) == interval(found["binary"]) == of_all
    assert interval(found["consistency"]) == score_interval(shares, pictures, 0.95)
    assert found["consistency"].value == pytest.approx(shares.mean())
    assert (found["consistency"].n, found["consistency"].clusters) == (len(shares), len(set(pictures)))
    assert (found["accuracy"].n, found["accuracy"].clusters, found["accuracy"].confidence) == (40, 20, 0.95)
    assert interval(found["validity"]).method == SCORE
    assert interval(found["validity"]).low < 0.9  # every answer is valid, of 20 pictures


def test_recalls_have_intervals_over_the_clips_of_their_class() -> None:
    rows = clips()
    noise = [made for made in rows if made.references == ("noise",)]
    right = np.array([float(made.answer == "noise") for made in noise])
    speech = [made for made in rows if made.references == ("speech",)]
    found = measured(rows)
    assert interval(found["recall:noise"]) == score_interval(right, np.arange(len(noise)), 0.95)
    heard = np.array([float(made.answer == "speech") for made in speech])
    groups = np.array([made.group for made in speech])
    assert interval(found["recall:speech"]) == score_interval(heard, groups, 0.95)
    assert found["balanced_accuracy"].ci_low < found["balanced_accuracy"].value
    assert found["recall by snr_db"].ci_low is None


def test_what_is_no_mean_or_was_not_measured_has_no_interval() -> None:
    found = measured(questions())
    for name in ("distribution", "plausibility"):
        assert interval(found[name]) == Interval()
        assert found[name].clusters is found[name].confidence is None
    assert found["distribution"].value is not None


def test_one_cluster_has_values_and_no_interval() -> None:
    one = [msgspec.structs.replace(made, group="p") for made in [*questions(), *clips()]]
    for name in ("accuracy", "consistency", "balanced_accuracy"):
        found = measured(one)[name]
        assert found.value is not None
        assert (interval(found), found.clusters, found.confidence) == (Interval(), 1, 0.95)


def test_the_same_answers_again_in_their_clusters_make_no_interval_narrower() -> None:
    rows = clips()
    again = [msgspec.structs.replace(made, example_id=f"{made.example_id}-again") for made in rows]
    once, twice = measured(rows), measured(rows + again)
    for name in ("accuracy", "balanced_accuracy", "recall:speech"):
        assert twice[name].n == 2 * once[name].n
        assert twice[name].effective_clusters == once[name].effective_clusters
        widths = [found.ci_high - found.ci_low for found in (once[name], twice[name])]
        assert widths[1] > 0.85 * widths[0]  # a little, since pairs that agree say that clusters do


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = [*questions(), *clips(), *clips(condition="gate_off")]
    ordered, other = score_predictions(rows, QUICK), score_predictions(shuffled(rows), QUICK)
    assert other.aggregates == ordered.aggregates


def test_clusters_are_of_the_field_that_all_rows_have() -> None:
    rows = [msgspec.structs.replace(made, group=None) for made in clips()]
    assert measured(rows)["accuracy"].clusters == 40
    records = [msgspec.structs.replace(made, record_id=f"r{i // 4}") for i, made in enumerate(rows)]
    assert measured(records)["accuracy"].clusters == 10


def test_a_line_a_measure_with_its_interval_in_80_columns() -> None:
    rows = [*questions(model="a_model_with_a_long_name"), *clips()]
    lines = list(aggregate_lines(score_predictions(rows, QUICK)))
    assert max(map(len, lines)) <= 80
    shown = {line[20:37].strip(): line[37:].split(maxsplit=1)[1] for line in lines if "." in line[37:45]}
    found = measured(rows)
    of_these = {
        name for name, metric in OWN_AGGREGATES.items() if metric not in ("yes_no_accuracy", "bleu_4")
    }
    assert set(shown) == of_these - {"plausibility"}
    balanced = found["balanced_accuracy"]
    assert f"[{balanced.ci_low:.3f}, {balanced.ci_high:.3f}]" in shown["balanced_accuracy"]
    assert shown["balanced_accuracy"].split()[-2:] == ["40", "10.0/20"]  # the class noise has 10 clusters
    assert shown["distribution"].split() == ["–", "40", "–"]
    assert lines[3].startswith("  a_model_with_a_l… consistency")


def test_what_no_seed_measures_is_said_once() -> None:
    rows = [made for seed in (0, 1) for made in questions(seed=seed)]
    lines = list(aggregate_lines(score_predictions(rows, QUICK)))
    assert [line for line in lines if line.endswith(": other aggregates")] == [
        "gqa_accuracy on gqa, seed 0: other aggregates",
        "gqa_accuracy on gqa, seed 1: other aggregates",
        "gqa_accuracy on gqa: other aggregates",
    ]
    assert sum("plausibility; not measured" in line for line in lines) == 1


def test_what_only_one_seed_lacks_is_said_with_its_seed() -> None:
    rows = questions(seed=0) + [
        msgspec.structs.replace(made, metadata=made.metadata | {"plausible": ["yes"]})
        for made in questions(seed=1)
    ]
    lines = list(aggregate_lines(score_predictions(rows, QUICK)))
    places = {line: place for place, line in enumerate(lines)}
    lacking = next(place for line, place in places.items() if "plausibility; not measured" in line)
    assert lacking < places["gqa_accuracy on gqa, seed 1: other aggregates"]


def test_tables_for_machines_hold_the_intervals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_predictions(tmp_path / "p.jsonl", clips())
    typed = ["score", f"{tmp_path}/p.jsonl", "--out", f"{tmp_path}/run", "--resamples", "200"]
    assert main([*typed, "--format", "csv", "--table", "aggregates"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    found = measured(clips())["balanced_accuracy"]
    (shown,) = [made for made in rows if made["aggregate"] == "balanced_accuracy"]
    assert (float(shown["low"]), float(shown["high"])) == (found.ci_low, found.ci_high)
    assert (shown["n"], shown["clusters"]) == ("40", "20")
