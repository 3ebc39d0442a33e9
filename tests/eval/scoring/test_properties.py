"""What must hold of every score, whatever the answers: order, names and company do not matter; bounds do."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import row, shuffled

from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.results.metrics import Metric
from safe_eval.scorers.captions.caption_scores import MAXIMA, score_captions
from safe_eval.scorers.scorer import ON_REQUEST, SCORERS
from safe_eval.scoring.score import score_predictions
from safe_eval.statistics.intervals import clustered_stderr, mean_interval
from safe_eval.statistics.paired import sign_flip

QUICK = Sampling(resamples=100)
ALL = {**SCORERS, **ON_REQUEST}
WORD_RULES = ("music_avqa_contained", "mmau_words")
LETTER_RULES = (
    *("scienceqa_letter", "scienceqa_llava", "daily_omni_first_letter", "omnibench_last_letter"),
    "worldsense_any_letter",
)
YES_NO_RULES = (
    *("yes_no_accuracy", "yes_no_words", "pope_first_sentence", "mme_first_letters", "cmm_first_letters"),
)
BY_SCORER = {
    "gqa_accuracy": {"dataset": "gqa", "references": ("yes",), "choices": None},
    "music_avqa_accuracy": {"dataset": "music_avqa", "references": ("two",)},
    "avqa_accuracy": {"dataset": "avqa", "references": ("dog",), "choices": ("cat", "dog")},
    **{rule: {"references": ("dog",), "choices": ("cat", "dog")} for rule in WORD_RULES},
    **{rule: {"references": ("B",), "choices": ("cat", "dog")} for rule in LETTER_RULES},
    **{rule: {"references": ("yes",)} for rule in YES_NO_RULES},
    "accuracy": {"task": "classify", "references": ("dog",), "choices": ("cat", "dog")},
}
SENTENCES = ("a dog barks at night", "rain falls on the tin roof", "two men talk while wind blows")

texts = st.text(max_size=30) | st.sampled_from(["", " ", "two", "B)", "The answer is: dog.", "yes, because"])


@st.composite
def runs(draw: st.DrawFn) -> list[Prediction]:
    """A model and the base model under two conditions, on up to twelve questions in up to five groups."""
    told = st.sampled_from(["yes", "no", "Yes.", "two", ""])
    rows = []
    for i in range(draw(st.integers(2, 12))):
        asked = {
            "references": tuple(draw(st.lists(st.sampled_from(["yes", "no", "2"]), min_size=1, max_size=10))),
            "group": f"g{draw(st.integers(0, 4))}",
            "needs_audio": draw(st.booleans()),
            "question_type": draw(st.sampled_from(["what", "count"])),
            "dataset": "made",
        }
        for model, condition in (("base", "full"), ("safe", "full"), ("safe", "mute_audio")):
            error = draw(st.sampled_from([None, None, None, "out of memory"]))
            answer = None if error else draw(told)
            rows.append(
                row(
                    f"q{i}",
                    answer,
                    model=model,
                    condition=condition,
                    error=error,
                    confidence=draw(st.none() | st.floats(0, 1)),
                    **asked,
                )
            )
    return rows


def caption_run() -> list[Prediction]:
    return [
        row(f"c{i}", " ".join(words[: 3 + (i + j) % 3]), references=(text,), task="caption", model=model)
        for j, model in enumerate(("base", "safe"))
        for i, text in enumerate(SENTENCES)
        for words in (text.split(),)
    ]


def metrics_of(rows: list[Prediction], **fields: object) -> dict[tuple[object, ...], Metric]:
    found = score_predictions(rows, QUICK).metrics
    return {
        (m.metric, m.model, m.condition, m.slice): m
        for m in found
        if all(getattr(m, name) == value for name, value in fields.items())
    }


def numbers(metric: Metric) -> list[float | None]:
    return [metric.value, metric.stderr, metric.ci_low, metric.ci_high, metric.n, metric.clusters]


@settings(deadline=None, max_examples=10)
@given(runs(), st.integers(0, 99))
def test_row_order_never_matters(rows: list[Prediction], seed: int) -> None:
    """To the last byte, so that two machines that wrote rows in another order agree."""
    given_order, other = (score_predictions(some, QUICK) for some in (rows, shuffled(rows, seed)))
    assert msgspec.json.encode(given_order) == msgspec.json.encode(other)


def test_row_order_never_matters_to_captions() -> None:
    rows, asked = caption_run(), ScoreOptions()
    given_order, other = (score_predictions(some, QUICK, asked) for some in (rows, rows[::-1]))
    assert msgspec.json.encode(given_order) == msgspec.json.encode(other)


@settings(deadline=None, max_examples=10)
@given(runs())
def test_names_of_examples_and_groups_change_no_number(rows: list[Prediction]) -> None:
    renamed = [
        msgspec.structs.replace(one, example_id=f"x{one.example_id[::-1]}", group=f"z{9 - int(one.group[1])}")
        for one in rows
    ]
    before, after = metrics_of(rows), metrics_of(renamed)
    assert before.keys() == after.keys()
    for key, metric in before.items():
        assert numbers(after[key]) == pytest.approx(numbers(metric), abs=1e-9), key


@settings(deadline=None, max_examples=10)
@given(runs())
def test_another_condition_changes_no_number_of_the_others(rows: list[Prediction]) -> None:
    fewer = [one for one in rows if one.condition != "mute_audio"]
    with_it, without = metrics_of(rows, condition="full"), metrics_of(fewer, condition="full")
    assert {key: numbers(metric) for key, metric in with_it.items()} == {
        key: numbers(metric) for key, metric in without.items()
    }


@settings(deadline=None, max_examples=10)
@given(runs())
def test_numbers_stay_in_their_bounds(rows: list[Prediction]) -> None:
    scores = score_predictions(rows, QUICK)
    for metric in scores.metrics:
        if metric.metric in ALL:
            assert 0 <= metric.value <= ALL[metric.metric].highest
            if metric.ci_low is not None:
                assert 0 <= metric.ci_low <= metric.value + 1e-9
                assert metric.value - 1e-9 <= metric.ci_high <= ALL[metric.metric].highest + 1e-9
    for pair in scores.comparisons:
        if pair.metric in ALL:
            assert -1 <= pair.difference <= 1
            assert 0 <= pair.p_value <= 1
    for coverage in scores.cells:
        counted = coverage.answered + coverage.errored + coverage.unparsed + coverage.excluded
        assert counted == coverage.expected


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(ALL)), texts, st.lists(texts, min_size=1, max_size=10))
def test_any_answer_scores_between_nothing_and_everything(
    metric: str, answer: str, references: list[str]
) -> None:
    fields = {**BY_SCORER.get(metric, {}), "references": tuple(references)}
    score = ALL[metric].score_all([row(answer=answer, **fields)])[0]
    assert np.isnan(score) or 0 <= score <= ALL[metric].highest


@pytest.mark.parametrize("metric", ALL)
def test_a_perfect_answer_scores_the_maximum(metric: str) -> None:
    """Without answer ids whoever agrees is left out, so that only a single annotator can be matched."""
    annotators = 1 if metric == "vqa_accuracy_no_answer_ids" else 10
    fields = {"references": ("dog",) * annotators, **BY_SCORER.get(metric, {})}
    rows = [row(answer=fields["references"][0], **fields)]
    assert ALL[metric].score_all(rows).tolist() == [ALL[metric].highest]


@settings(deadline=None, max_examples=20)
@given(st.permutations(SENTENCES), st.integers(1, 5))
def test_a_perfect_caption_scores_the_maximum_of_every_metric(sentences: list[str], references: int) -> None:
    rows = [row(f"c{i}", text, references=(text,) * references) for i, text in enumerate(sentences)]
    scores = score_captions(rows)
    for metric, items in scores.items.items():
        assert items.tolist() == pytest.approx([MAXIMA[metric]] * len(rows), abs=1e-6), metric
        assert scores.corpus(metric) == pytest.approx(MAXIMA[metric], abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text("ab .,'!K2", max_size=25), min_size=2, max_size=5))
def test_any_caption_scores_within_bounds(captions: list[str]) -> None:
    rows = [row(f"c{i}", text, references=(SENTENCES[i % 3], "a b")) for i, text in enumerate(captions)]
    for metric, items in score_captions(rows).items.items():
        assert (items >= 0).all(), metric
        assert (items <= MAXIMA[metric] + 1e-9).all(), metric


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.3, 1.0])), min_size=4, max_size=20))
def test_items_written_twice_with_their_clusters_shrink_no_interval(items: list[tuple[int, float]]) -> None:
    clusters, scores = np.array([of for of, _ in items]), np.array([score for _, score in items])
    once, twice = (
        mean_interval(np.tile(scores, k), np.tile(clusters, k), Sampling(resamples=200)) for k in (1, 2)
    )
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))
    assert clustered_stderr(np.tile(scores, 2), np.tile(clusters, 2)) == pytest.approx(
        clustered_stderr(scores, clusters)
    )
    flips = [sign_flip(np.tile(scores - 0.5, k), np.tile(clusters, k), QUICK) for k in (1, 2)]
    assert flips[0] == flips[1]


def test_rows_written_twice_shrink_no_interval_of_a_score() -> None:
    rows = [row(f"q{i}", "yes" if i % 3 else "no", group=f"g{i % 7}") for i in range(40)]
    copies = [msgspec.structs.replace(one, example_id=f"{one.example_id}-again") for one in rows]
    once, twice = (next(iter(metrics_of(some, slice="all").values())) for some in (rows, rows + copies))
    assert (twice.n, twice.clusters) == (80, 7)
    assert numbers(twice)[:2] == pytest.approx(numbers(once)[:2])
    assert numbers(twice)[2] <= numbers(once)[2] + 1e-9  # few clusters decide this end
    assert twice.ci_high - twice.ci_low > 0.85 * (once.ci_high - once.ci_low)
