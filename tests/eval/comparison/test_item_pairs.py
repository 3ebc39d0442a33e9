"""Pairs of models compared by their scored items: the same numbers as scoring gives, without scoring."""

import msgspec
import pyarrow as pa
import pytest
from made_captions import captioned
from made_rows import row

from safe_eval.arms.all_arms import all_arms
from safe_eval.arms.caption_arms import CaptionInputs
from safe_eval.comparison.item_pairs import compare_items
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.results.comparisons import Comparison
from safe_eval.scoring.items import item_tables
from safe_eval.scoring.score import score_predictions

SAMPLING = Sampling(resamples=200)


def items_of(rows: list[Prediction]) -> pa.Table:
    arms = all_arms(rows, captions=CaptionInputs(), metrics=("exact_match",) if rows[0].task is None else ())
    return pa.concat_tables(item_tables(arms))


def scored(rows: list[Prediction], baseline: str) -> list[Comparison]:
    options = ScoreOptions(baseline=baseline)
    return [
        c for c in score_predictions(rows, SAMPLING, options).comparisons if f" {baseline}/full" in f" {c.b}"
    ]


def answered(
    model: str, wrong: set[int], *, seed: int = 0, count: int = 40, **fields: object
) -> list[Prediction]:
    return [
        row(
            f"q{i}",
            "no" if i in wrong else "yes",
            references=("yes",),
            model=model,
            seed=seed,
            needs_audio=i % 3 == 0,
            group=f"g{i // 2}",
            **fields,
        )
        for i in range(count)
    ]


def test_the_numbers_are_those_of_scoring():
    rows = [*answered("alpha", {1, 2, 5}), *answered("beta", {2, 9, 11, 14, 30})]
    found = list(compare_items(items_of(rows), [("alpha", "beta")], cluster="group", sampling=SAMPLING))
    assert [c for c in found if c.metric == "vqa_accuracy"] == scored(rows, "beta")
    assert {c.slice for c in found} == {"all", "audio", "vl"}
    assert found[0].difference == pytest.approx(2 / 40)
    assert (found[0].gained, found[0].lost) == (4, 2)


def test_captions_have_their_means_and_none_of_what_needs_counts():
    rows = captioned()
    other = [msgspec.structs.replace(r, model="beta", answer=f"{r.answer} loud") for r in rows]
    both = [r for r in [*rows, *other] if r.condition == "full"]
    found = list(compare_items(items_of(both), [("safe", "beta")], cluster="group", sampling=SAMPLING))
    by_scoring = {c.metric: c for c in scored(both, "beta") if c.slice == "all"}
    of_all = {c.metric: c for c in found if c.slice == "all"}
    assert set(by_scoring) - set(of_all) == {"bleu_1", "bleu_2", "bleu_3", "bleu_4"}
    for metric, one in of_all.items():
        assert one == by_scoring[metric], metric


def test_conditions_are_paired_and_a_single_seed_goes_with_every_other():
    rows = [*answered("alpha", {1}, seed=4), *answered("alpha", {1}, seed=4, condition="mute_audio")]
    rows += [*answered("beta", {2}, seed=1), *answered("beta", {2, 3}, seed=2, condition="mute_audio")]
    rows += answered("beta", {2, 3}, seed=2)
    found = compare_items(items_of(rows), [("beta", "alpha")], cluster="group", sampling=SAMPLING)
    pairs = {(c.a, c.b, c.seed) for c in found if c.slice == "all"}
    assert pairs == {
        ("beta/full", "alpha/full", 1),
        ("beta/full", "alpha/full", 2),
        ("beta/mute_audio", "alpha/mute_audio", 2),
    }


def test_errors_are_no_agreement_and_missing_items_are_counted():
    rows = [*answered("alpha", set()), *answered("beta", set())[:-4]]
    rows[0] = msgspec.structs.replace(rows[0], answer=None, error="out of memory")
    (one, *_) = compare_items(items_of(rows), [("alpha", "beta")], cluster="group", sampling=SAMPLING)
    assert (one.slice, one.n, one.only_a, one.only_b, one.changed, one.lost) == ("all", 36, 4, 0, 1, 1)
