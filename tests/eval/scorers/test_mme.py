"""MME: real replies score what VLMEvalKit and lmms-eval gave them, per category and in all."""

import csv
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_rows import row
from xlsx_sheet import sheet_rows

from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.scorers import mme, yes_no
from safe_eval.scoring.score import score_predictions

LOGS = Path(__file__).resolve().parents[3].parent / "shared" / "truth" / "logs"
QUICK = Sampling(resamples=200)


@pytest.fixture(scope="module")
def vila() -> list[Prediction]:
    if not LOGS.is_dir():
        pytest.skip("the logs of other harnesses are not here")
    return [
        row(
            line["index"],
            line["prediction"],
            dataset="MME",
            group=line["image_path"],
            question_type=line["category"],
            references=(line["answer"],),
        )
        for line in sheet_rows(LOGS / "vlmevalkit" / "vila_8b_MME.xlsx")
    ]


def test_the_kits_reading_and_scores_are_reproduced(vila: list[Prediction]) -> None:
    judged = sheet_rows(LOGS / "vlmevalkit" / "vila_8b_MME_auxmatch.xlsx")
    scores = yes_no.score_words(vila)
    extracted = [one["extracted"] for one in judged]
    assert np.isnan(scores).tolist() == [word == "Unknown" for word in extracted]
    given = [float(one["score"]) for one in judged]
    assert np.nan_to_num(scores).tolist() == given
    found = {one.name: one.value for one in mme.pair_aggregates(vila, np.array(given))}
    with (LOGS / "vlmevalkit" / "vila_8b_MME_score.csv").open() as file:
        published = next(csv.DictReader(file))
    assert found["perception_score"] == pytest.approx(float(published["perception"]), abs=1e-9)
    assert found["cognition_score"] == pytest.approx(float(published["reasoning"]), abs=1e-9)


def test_our_reader_differs_only_where_the_kit_says_unknown(vila: list[Prediction]) -> None:
    ours, words = yes_no.score_all(vila), yes_no.score_words(vila)
    differs = ~np.isclose(ours, words, equal_nan=True)
    assert np.isnan(words[differs]).all()
    assert (int(differs.sum()), int(np.isnan(ours).sum())) == (3, 5)


def test_the_scores_of_a_run_have_intervals_on_their_own_scale(vila: list[Prediction]) -> None:
    found = {one.name: one for one in score_predictions(vila, QUICK).aggregates}
    perception = found["perception_score"]
    assert 1450 < perception.ci_low < perception.value < perception.ci_high < 1650
    assert (found["accuracy_plus"].n, perception.n, found["cognition_score"].n) == (1187, 2114, 260)


@pytest.mark.parametrize("name", ["hf-bf16_20260923_172512", "vllm-awq_20260923_232048"])
def test_the_rule_of_lmms_eval_gives_its_scores(name: str) -> None:
    if not LOGS.is_dir():
        pytest.skip("the logs of other harnesses are not here")
    lines = (LOGS / "lmms_eval" / f"{name}_samples_mme.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    answered = [row(str(one["doc_id"]), one["filtered_resps"], references=(one["target"],)) for one in rows]
    given = [one["mme_cognition_score"]["score"] for one in rows]
    assert np.nan_to_num(mme.score_first_letters(answered)).tolist() == given
    assert yes_no.score_all(answered).tolist() == given


def pictures(*, right: int = 2, categories: tuple[str, ...] = mme.COGNITION) -> list[Prediction]:
    """One picture of each category, with so many of its two questions answered right."""
    return [
        row(
            f"{name}-{truth}",
            truth if i < right else "unsure",
            references=(truth,),
            question_type=name,
            record_id=f"{name}.jpg",
            dataset="mme",
        )
        for name in categories
        for i, truth in enumerate(("yes", "no"))
    ]


@pytest.mark.parametrize(("right", "score"), [(0, 0.0), (1, 200.0), (2, 800.0)])
def test_a_picture_needs_both_answers_for_its_second_half(right: int, score: float) -> None:
    found = {one.name: one.value for one in mme.aggregates(pictures(right=right))}
    assert found["cognition_score"] == score
    assert found["accuracy_plus"] == float(right == 2)


def test_what_is_missing_is_named() -> None:
    some = pictures()
    why = {one.name: one.why_not for one in mme.aggregates(some[:-2])}
    assert why["perception_score"] == "10 of 10 categories have no question (existence, count, position, …)"
    assert why["cognition_score"] == "1 of 4 categories have no question (code_reasoning)"
    why = {one.name: one.why_not for one in mme.aggregates(some[:-1])}
    expected = "1 picture does not have 2 questions, for example 'code_reasoning.jpg', which has 1 question"
    assert why["accuracy_plus"] == expected
    without = [msgspec.structs.replace(one, record_id=None) for one in some]
    why = {one.name: one.why_not for one in mme.aggregates(without)}
    assert "names no picture: give 'record_id' or 'group'" in why["cognition_score"]
