"""Java runs only where it is asked for, and models only where they are named; a verdict checks both again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_text_models as tiny
from made_captions import captioned

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.comparison.compare import compare_files
from safe_eval.options import CaptionModels, CompareOptions, Sampling, ScoreOptions
from safe_eval.predictions import write_predictions
from safe_eval.scorers.captions.java import find_jar
from safe_eval.scoring.recheck import check_scores
from safe_eval.scoring.score import score_files, score_predictions
from safe_eval.scoring.scores import read_scores

QUICK = Sampling(resamples=100)
PERFECT = "3 3 1 1 2 2 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 3 3"  # as the jar of METEOR says it
CRITERION = """criteria:
  - {name: words, metric: meteor, condition: safe/full, bound: ">= 0.1"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_predictions(tmp_path / "p.jsonl", captioned(6))
    (tmp_path / "criteria.yaml").write_text(CRITERION)
    return tmp_path


@pytest.fixture
def no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Whether Java was started: here it only leaves a file."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/java").write_text(f"#!/bin/sh\n/bin/touch {tmp_path}/started\n")
    (tmp_path / "bin/java").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return (tmp_path / "started").exists


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    tiny.save_sentence_bert(root / "sbert")
    tiny.save_fluency(root / "fluency")
    return root


def score(folder: Path, *options: str) -> int:
    return main(
        ["score", f"{folder}/p.jsonl", "--out", f"{folder}/run", "--resamples", "100", *map(str, options)]
    )


def test_java_starts_only_if_it_is_asked_for(
    folder: Path, no_java: Callable[[], bool], capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(folder) == 0
    assert "METEOR is not measured: score with --metric meteor" in capsys.readouterr().out
    assert main(["verdict", f"{folder}/run", "--criteria", f"{folder}/criteria.yaml"]) == 2
    verdict = json.loads((folder / "run/verdict.json").read_text("utf-8"))
    assert "METEOR is not measured: score with --metric meteor" in verdict["criteria"][0]["evidence"]
    assert not no_java()
    if find_jar("meteor", "meteor-1.5.jar") is None:
        pytest.skip("needs pycocoevalcap")
    assert score(folder, "--metric", "meteor", "--force") == 0
    assert no_java()


def test_a_run_without_a_java_metric_is_checked_without_java(
    folder: Path, no_java: Callable[[], bool]
) -> None:
    """It was asked for where Java did not work, so nothing of it is there to be checked."""
    score_files([folder / "p.jsonl"], QUICK, ScoreOptions(metric=("meteor",)), out=folder / "run")
    (folder / "started").unlink(missing_ok=True)
    assert check_scores(folder / "run").provenance.metrics == ("meteor",)
    assert not no_java()


@pytest.mark.skipif(find_jar("meteor", "meteor-1.5.jar") is None, reason="needs pycocoevalcap")
def test_meteor_is_measured_and_checked_where_it_is_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Java here finds every caption perfect, and starts at once."""
    (folder / "java").write_text(f"#!/bin/sh\nwhile read -r line; do echo {PERFECT}; done\n")
    (folder / "java").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    assert score(folder, "--metric", "meteor") == 0
    found = [row for row in read_scores(folder / "run").metrics if row.metric == "meteor"]
    assert {row.value for row in found} == {1.0}
    assert main(["verdict", f"{folder}/run", "--criteria", f"{folder}/criteria.yaml"]) == 0
    (folder / "java").unlink()
    with pytest.raises(InputError, match=r"meteor .*: cannot be checked without Java"):
        check_scores(folder / "run")


def test_models_judge_captions_in_scores_and_comparisons(
    folder: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = ("--sbert", str(models / "sbert"), "--fluency", str(models / "fluency"))
    assert score(folder, *named) == 0
    printed = capsys.readouterr().out
    assert "note: sbert_sim is by sbert (sha256 " in printed
    scores = check_scores(folder / "run")
    assert {name: file.name for name, file in scores.provenance.models.items()} == {
        "sbert": "sbert",
        "fluency": "fluency",
    }
    for metric in ("sbert_sim", "fluency_error", "fense"):
        (row,) = [m for m in scores.metrics if (m.metric, m.condition, m.slice) == (metric, "full", "all")]
        assert row.n == row.clusters == 6
        assert row.ci_low is not None
        pairs = [c for c in scores.comparisons if c.metric == metric]
        assert [c.p_value is not None for c in pairs] == [True]
    options = CompareOptions(
        metric="fense",
        condition_a="full",
        condition_b="mute_audio",
        models=CaptionModels(sbert=str(models / "sbert"), fluency=str(models / "fluency")),
    )
    (found,) = compare_files([folder / "p.jsonl"], QUICK, options).rows
    (pair,) = [c for c in scores.comparisons if (c.metric, c.slice) == ("fense", "all")]
    assert found.difference == pytest.approx(pair.difference, abs=1e-9)


def test_a_verdict_refuses_other_weights(folder: Path, models: Path) -> None:
    shutil.copytree(models / "sbert", folder / "sbert")
    assert score(folder, "--sbert", str(folder / "sbert")) == 0
    tokens = folder / "sbert/tokenizer_config.json"
    tokens.write_text(tokens.read_text("utf-8") + " ")
    with pytest.raises(InputError, match=r"was computed with another --sbert than .* is now; score again"):
        check_scores(folder / "run")
    shutil.rmtree(folder / "sbert")
    with pytest.raises(InputError, match="is not a directory"):
        check_scores(folder / "run")


def test_a_forged_similarity_is_found(folder: Path, models: Path) -> None:
    assert score(folder, "--sbert", str(models / "sbert")) == 0
    file = folder / "run/scores.json"
    scores = json.loads(file.read_text("utf-8"))
    row = next(row for row in scores["metrics"] if row["metric"] == "sbert_sim")
    row["value"] += 0.1
    file.write_text(json.dumps(scores))
    with pytest.raises(InputError, match=r"metrics sbert_sim .*: value is"):
        check_scores(folder / "run")


def test_models_without_captions_are_refused(models: Path) -> None:
    from made_rows import row

    named = ScoreOptions(models=CaptionModels(sbert=str(models / "sbert")))
    with pytest.raises(InputError, match=r"--sbert .*: it judges captions, and here are none; leave it out"):
        score_predictions([row("q1"), row("q2")], QUICK, named)


def test_a_metric_that_cannot_be_compared_says_why(folder: Path) -> None:
    options = CompareOptions(metric="fense", condition_a="full", condition_b="mute_audio")
    with pytest.raises(InputError, match=r"FENSE needs both. .* with --sbert, .* with --fluency"):
        compare_files([folder / "p.jsonl"], QUICK, options)


def test_diversity_is_an_aggregate_of_each_arm(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score(folder) == 0
    rows = [row for row in read_scores(folder / "run").aggregates if row.metric == "caption diversity"]
    assert [(row.condition, row.name) for row in rows] == [
        ("full", "vocabulary"),
        ("full", "self_bleu_4"),
        ("mute_audio", "vocabulary"),
        ("mute_audio", "self_bleu_4"),
    ]
    assert all(row.value is not None and row.ci_low is None and row.n == 6 for row in rows)
    printed = capsys.readouterr().out
    assert "caption diversity on made, seed 0\n" in printed
    assert f"  vocabulary        {rows[0].value:>7g}" in printed.replace("safe/full           ", "  ")
    (folder / "criteria.yaml").write_text(
        "leaves_out: {slice: all}\n"
        'criteria: [{name: w, metric: vocabulary, condition: safe/full, bound: ">= 5"}]'
    )
    assert main(["verdict", f"{folder}/run", "--criteria", f"{folder}/criteria.yaml"]) == 0


def test_a_run_that_hides_its_model_is_refused(folder: Path, models: Path) -> None:
    assert score(folder, "--sbert", str(models / "sbert")) == 0
    file = folder / "run/scores.json"
    scores = json.loads(file.read_text("utf-8"))
    scores["provenance"]["models"] = {"other": scores["provenance"]["models"]["sbert"]}
    file.write_text(json.dumps(scores))
    with pytest.raises(InputError, match=r"metrics sbert_sim .*: the predictions give no such row"):
        check_scores(folder / "run")
