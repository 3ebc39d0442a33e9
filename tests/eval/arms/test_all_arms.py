"""All arms: requested metrics, aggregates and seeds, from predictions to scores.json."""

from pathlib import Path

import pytest
from made_rows import row

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.results.aggregates import AggregateRow
from safe_eval.scoring.score import score_predictions
from safe_eval.scoring.scores import Scores, read_scores
from safe_eval.text.scores_text import aggregate_lines

QUICK = Sampling(resamples=200)
TEN = ("yes",) * 4 + ("no",) * 6


def gqa(name: str, said: str, **metadata: object) -> Prediction:
    return row(name, said, dataset="gqa", group=name, question_type="verify", metadata=metadata)


def measured(scores: Scores) -> dict[str, AggregateRow]:
    return {row.name: row for row in scores.aggregates}


def test_requested_metrics_stand_with_the_others(tmp_path, capsys) -> None:
    write_predictions(tmp_path / "p.jsonl", [row("q1", "Yes", references=("yes",) * 10), row("q2")])
    options = ["--metric", "vqa_accuracy_normalised", "--metric", "exact_match", "--metric", "vqa_accuracy"]
    assert main(["score", f"{tmp_path}/p.jsonl", "--out", f"{tmp_path}/run", *options]) == 0
    scores = read_scores(tmp_path / "run")
    assert {m.metric: m.value for m in scores.metrics} == {
        "vqa_accuracy": 0.5,  # where all annotators agree, the official code compares letter by letter
        "vqa_accuracy_normalised": 1.0,
        "exact_match": 1.0,
    }
    assert scores.provenance.metrics == ("vqa_accuracy_normalised", "exact_match", "vqa_accuracy")
    assert scores.coverage["full"].expected == 2
    assert "exact_match, seed 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("exact_mach", "no metric is named 'exact_mach'; did you mean 'exact_match'? on request: vqa_"),
        ("zzz", "no metric is named 'zzz'; on request: vqa_accuracy_2017"),
        ("gqa_accuracy", "gqa_accuracy judges none of these predictions; leave it out"),
        ("cider_d", "cider_d judges none of these predictions"),
    ],
)
def test_metrics_that_cannot_be_had(metric: str, words: str, tmp_path, capsys) -> None:
    write_predictions(tmp_path / "p.jsonl", [row("q1", references=TEN)])
    assert main(["score", f"{tmp_path}/p.jsonl", "--out", f"{tmp_path}/run", "--metric", metric]) == 3
    assert words in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_metric_on_request_changes_no_other_number() -> None:
    rows = [
        row(f"q{i}", "a few" if i else "two", references=("two",), dataset="music_avqa") for i in range(4)
    ]
    alone = score_predictions(rows, QUICK)
    beside = score_predictions(rows, QUICK, ScoreOptions(metric=("exact_match",)))
    assert beside.coverage == alone.coverage
    assert beside.coverage["full"].unparsed == 3
    assert [m for m in beside.metrics if m.metric != "exact_match"] == list(alone.metrics)


def test_gqa_aggregates_come_with_every_arm() -> None:
    rows = [gqa("a", "yes", entailed=["b"]), gqa("b", "no", entailed=[]), gqa("c", "yes", entailed=["a"])]
    found = measured(score_predictions(rows, QUICK))
    assert found["consistency"].value == 0.5  # a entails b, which is wrong; c entails a, which is right
    assert (found["consistency"].model, found["consistency"].dataset) == ("model", "gqa")
    assert found["validity"].value is None
    assert found["validity"].why_not.startswith("3 of 3 rows have no metadata 'valid'")


def test_recalls_and_balanced_accuracy_come_with_every_arm() -> None:
    rows = [
        row(f"k{i}", "speech", references=(name,), choices=("speech", "noise"), task="classify", model=model)
        for i, name in enumerate(("speech", "speech", "speech", "noise"))
        for model in ("base", "safe")
    ]
    scores = score_predictions(rows, QUICK)
    balanced = [m for m in scores.aggregates if m.name == "balanced_accuracy"]
    assert [(m.model, m.value) for m in balanced] == [("base", 0.5), ("safe", 0.5)]
    assert measured(scores)["recall:noise"].value == 0.0
    assert type(balanced[0].value) is float


def test_aggregates_are_shown_in_80_columns() -> None:
    rows = [gqa("a", "yes", entailed=["b"]), gqa("b", "no", entailed=[])]
    lines = list(aggregate_lines(score_predictions(rows, QUICK)))
    assert max(map(len, lines)) <= 80
    assert any("consistency" in line for line in lines)
    assert any("validity; not measured: 2 of 2 rows" in line for line in lines)


def test_metadata_of_another_shape_are_refused_in_words() -> None:
    with pytest.raises(InputError, match="'a': metadata 'types' is 'verify'; write it as in the question"):
        score_predictions([gqa("a", "yes", types="verify")], QUICK)
    with pytest.raises(InputError, match="the metadata are not as gqa_accuracy reads them"):
        score_predictions([gqa("a", "yes", entailed=7)], QUICK)


def test_what_is_refused_while_it_is_scored_leaves_nothing_behind(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.jsonl", [gqa("a", "yes", types="verify")])
    assert main(["score", f"{tmp_path}/p.jsonl", "--out", f"{tmp_path}/run"]) == 3
    assert not (tmp_path / "run").exists()


def test_seeds_are_scored_in_one_call(tmp_path) -> None:
    for seed in range(3):
        rows = [row(f"q{i}", "yes" if i > seed else "no", group=f"g{i}", seed=seed) for i in range(20)]
        write_predictions(tmp_path / f"{seed}.jsonl", rows)
    files = [f"{tmp_path}/{seed}.jsonl" for seed in range(3)]
    assert main(["score", *files, "--out", f"{tmp_path}/run", "--resamples", "200"]) == 0
    scores = read_scores(tmp_path / "run")
    (over,) = [row for row in scores.seeds if row.slice == "all"]
    assert (over.seeds, over.mean) == ((0, 1, 2), pytest.approx(0.9))
    assert (over.always_wrong, over.mixed, over.always_right) == (1, 2, 17)
    assert {m.seed: m.value for m in scores.metrics} == {0: 0.95, 1: 0.9, 2: 0.85}
