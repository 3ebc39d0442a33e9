"""A verdict by a template: its parameters, its labels and its one-sided tests are part of the chain."""

from pathlib import Path

import msgspec
import pytest
from made_labels import labelled_table
from made_rows import good_run

from safe_data.core.errors import InputError
from safe_eval.judging.chain import chain_links, read_verdict
from safe_eval.judging.criteria_file import fill_criteria
from safe_eval.judging.verdict import Verdict, decide, sealed
from safe_eval.options import Sampling
from safe_eval.predictions import write_predictions
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import read_scores


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_predictions(tmp_path / "run/predictions.jsonl", good_run(60))
    score_files([tmp_path / "run/predictions.jsonl"], Sampling(resamples=100), out=tmp_path / "run")
    return tmp_path / "run"


def rewritten(run: Path, verdict: Verdict) -> None:
    """A verdict as a forger who knows its hashes would write it."""
    (run / "verdict.json").write_bytes(msgspec.json.encode(sealed(verdict)))


def test_a_go_that_its_one_sided_tests_do_not_carry_is_refused(run: Path) -> None:
    replace = msgspec.structs.replace
    verdict = decide(run, "demo", settings=["margin=0.06"], force=True)
    assert read_verdict(run, read_scores(run)) == verdict
    place = [row.name for row in verdict.criteria].index("seeing_is_kept")
    for low in (-0.07, None):
        rows = list(verdict.criteria)
        rows[place] = replace(rows[place], equivalence_low=low)
        rewritten(run, replace(verdict, criteria=tuple(rows)))
        with pytest.raises(InputError, match="says go of 'seeing_is_kept', whose number does not meet"):
            read_verdict(run, read_scores(run))


def test_the_parameters_are_sealed(run: Path) -> None:
    verdict = decide(run, "demo", settings=["margin=0.06"], force=True)
    milder = msgspec.structs.replace(verdict, parameters=verdict.parameters | {"margin": "0.02"})
    (run / "verdict.json").write_bytes(msgspec.json.encode(milder))
    with pytest.raises(InputError, match="was changed after it was written"):
        read_verdict(run, read_scores(run))
    assert verdict.asked[3].bound == ">= -0.06"


def test_the_labels_are_a_link_of_the_chain(run: Path, tmp_path: Path) -> None:
    labels = labelled_table(run, tmp_path, 200)
    verdict = decide(run, "parser", labels=labels, force=True)
    (link,) = [one for one in chain_links(run, read_scores(run), verdict) if one.role == "labelled answers"]
    assert link.sha256 == link.found
    labels.write_text(labels.read_text("utf-8").replace("right", "wrong"), "utf-8")
    with pytest.raises(InputError, match=r"rests on another labels\.csv than the one here"):
        read_verdict(run, read_scores(run))


def test_a_template_may_name_what_is_expected(run: Path, tmp_path: Path) -> None:
    text = """
parameters: {model: safe}
expected: run/predictions.jsonl
leaves_out: {slice: vl}
criteria:
  - {name: it, metric: vqa_accuracy, slice: audio, condition: "${model}/full", bound: "> 0.5"}
"""
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    assert fill_criteria(tmp_path / "mine.yaml").criteria[0].condition == "safe/full"
    verdict = decide(run, tmp_path / "mine.yaml", force=True)
    assert [row.name for row in verdict.criteria] == ["it", "expected_answers"]
    assert verdict.decision == "go"
