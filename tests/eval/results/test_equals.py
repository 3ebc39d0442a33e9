"""Two models are equals: a name decides nothing, and A − B is B − A turned round."""

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import answers, row

from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.results.comparisons import Comparison
from safe_eval.scoring.score import score_predictions
from safe_eval.scoring.scores import Scores
from safe_eval.text.scores_text import scores_table

QUICK = Sampling(resamples=100)
SEEN = [*[("full", model) for model in ("alpha", "beta", "gamma")], ("mute_audio", "alpha")]
SEEN += [("mute_audio", "beta")]


@st.composite
def runs(draw: st.DrawFn) -> list[Prediction]:
    """Three models, two of them under two conditions, on up to eight questions in up to four groups."""
    rows = []
    for i in range(draw(st.integers(2, 8))):
        asked = {"group": f"g{draw(st.integers(0, 3))}", "needs_audio": draw(st.booleans())}
        for condition, model in SEEN:
            sure = draw(st.sampled_from([0.25, 0.75]))
            said = draw(st.sampled_from(["yes", "no"]))
            chances = {"yes": sure, "no": 1 - sure}
            fields = asked | {"confidence": sure, "choice_probabilities": chances}
            rows.append(row(f"q{i}", said, model=model, condition=condition, **fields))
    return rows


def captions() -> list[Prediction]:
    said = {"a dog barks": ("a dog", "dogs bark at night"), "rain falls on it": ("rain", "it rains on it")}
    return [
        row(f"c{i}-{j}", words[place], references=(text,), task="caption", model=model, group=f"g{i}")
        for i, (text, words) in enumerate(said.items())
        for j in range(2)
        for place, model in enumerate(("alpha", "beta"))
    ]


def renamed(rows: list[Prediction], **names: str) -> list[Prediction]:
    return [msgspec.structs.replace(row, model=names.get(row.model, row.model)) for row in rows]


def text_of(scores: Scores, **names: str) -> str:
    """scores.json with other names."""
    text = msgspec.json.encode(scores).decode()
    for name, other in names.items():
        text = text.replace(name, other)
    return text


def scored(rows: list[Prediction], baseline: str | None = None, *, pairs: bool = False) -> Scores:
    return score_predictions(rows, QUICK, ScoreOptions(baseline=baseline, pairs=pairs))


def by_names(rows: tuple[Comparison, ...]) -> dict[tuple[object, ...], Comparison]:
    return {(row.metric, row.slice, row.seed, row.a, row.b): row for row in rows}


@settings(max_examples=8, deadline=None)
@given(rows=runs(), pairs=st.booleans())
def test_the_baseline_by_any_name_is_what_base_would_be(rows: list[Prediction], pairs: bool) -> None:
    as_base = scored(renamed(rows, beta="base"), pairs=pairs)
    assert text_of(scored(rows, "beta", pairs=pairs), beta="base") == text_of(as_base)


@settings(max_examples=8, deadline=None)
@given(rows=runs())
def test_names_change_nothing_but_names(rows: list[Prediction]) -> None:
    names = {"alpha": "delta", "beta": "phi", "gamma": "sigma"}
    assert text_of(scored(rows), **names) == text_of(scored(renamed(rows, **names)))


@settings(max_examples=8, deadline=None)
@given(rows=runs())
def test_swapped_names_turn_differences_round(rows: list[Prediction]) -> None:
    assert_turned(rows)


def test_swapped_names_turn_differences_of_captions_round() -> None:
    assert_turned(captions())


def assert_turned(rows: list[Prediction]) -> None:
    before, after = scored(rows), scored(renamed(rows, alpha="beta", beta="alpha"))
    turned = by_names(after.comparisons)
    for (*about, a, b), found in by_names(before.comparisons).items():
        if {a.partition("/")[0], b.partition("/")[0]} != {"alpha", "beta"}:
            continue
        other = turned[(*about, a, b)]  # named as before, but each holds the other's answers
        assert other.difference == pytest.approx(-found.difference, abs=1e-12)
        for low, high in (("ci_low", "ci_high"), ("equivalence_low", "equivalence_high")):
            ends = getattr(found, high), getattr(found, low)
            expected = [None if end is None else pytest.approx(-end, abs=1e-9) for end in ends]
            assert [getattr(other, low), getattr(other, high)] == expected
        assert (other.gained, other.lost) == (found.lost, found.gained)
        assert other.p_value == found.p_value
        assert (other.changed, other.n, other.test) == (found.changed, found.n, found.test)


def test_without_a_baseline_each_pair_is_compared_once_and_a_note_says_so() -> None:
    rows = [r for model in ("alpha", "beta", "gamma") for r in answers(model, "full", lambda c, _: c > 2)]
    found = scored(rows)
    pairs = list(itertools.combinations(["alpha/full", "beta/full", "gamma/full"], 2))
    assert [(row.a, row.b) for row in found.comparisons if row.slice == "all"] == pairs
    kept = [(f"{row.model}/{row.condition}", row.against) for row in found.retention if row.slice == "all"]
    assert kept == pairs
    assert {row.verdict for row in found.retention} == {"undecided"}
    assert found.provenance.baseline is None
    assert any(note.startswith("no model is called base: each pair") for note in found.notes)


def test_with_pairs_models_beside_the_baseline_are_compared_too() -> None:
    rows = [r for model in ("alpha", "base", "beta") for r in answers(model, "full", lambda c, _: c > 2)]
    sides = [(row.a, row.b) for row in scored(rows, pairs=True).comparisons if row.slice == "all"]
    assert sides == [("alpha/full", "base/full"), ("beta/full", "base/full"), ("alpha/full", "beta/full")]
    assert sides[:2] == [(row.a, row.b) for row in scored(rows).comparisons if row.slice == "all"]


def test_one_seed_of_either_model_goes_with_every_seed_of_the_other() -> None:
    alone = answers("alpha", "full", lambda clip, _: clip < 20, clips=30, seed=7)
    several = [
        r
        for seed in (0, 1, 2)
        for r in answers("beta", "full", lambda clip, _, s=seed: clip < 10 + s, clips=30, seed=seed)
    ]
    found = scored([*alone, *several])
    by_seed = {row.seed: row.difference for row in found.comparisons if row.slice == "all"}
    assert by_seed == {seed: pytest.approx((10 - seed) / 30) for seed in (0, 1, 2)}
    (over,) = [row for row in found.seed_comparisons if row.slice == "all"]
    assert (over.a, over.b, over.seeds) == ("alpha/full", "beta/full", (0, 1, 2))
    assert over.mean == pytest.approx(9 / 30)
    assert {row.seed for row in found.retention} == {0, 1, 2}


def test_long_names_have_a_line_of_their_own() -> None:
    names = ("llava-onevision-qwen2-7b", "llava-onevision-qwen2-72b")
    rows = [r for model in names for r in answers(model, "full", lambda clip, _: clip > 2, clips=9)]
    lines = list(scores_table(scored(rows)))
    assert f"  {names[1]}/full − {names[0]}/full" in lines
    assert max(map(len, lines)) <= 80


def test_examples_that_one_of_two_models_answered_are_counted_below_the_differences() -> None:
    rows = [*answers("alpha", "full", lambda *_: True, clips=9), *answers("beta", "full", lambda *_: True)]
    said = " ".join(" ".join(scores_table(scored(rows))).split())
    assert "alpha/full − beta/full: 18 examples were answered by both, 0 only by alpha/full, 82 only" in said
    rows = [line for model in ("alpha", "beta") for line in answers(model, "full", lambda *_: True)]
    assert "answered by both" not in " ".join(scores_table(scored(rows)))
