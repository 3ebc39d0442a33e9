"""Families of tests: a table is adjusted as a whole, and one test under two names counts once."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_rows import answers, good_run

from benchmarks.simulations.case import shares
from benchmarks.simulations.families import cases
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.report.comparison_tables import comparison_tables
from safe_eval.results.comparisons import Comparison
from safe_eval.results.families import same_test
from safe_eval.scoring.score import score_predictions
from safe_eval.scoring.scores import Scores
from safe_eval.statistics.multiplicity import adjusted_once, benjamini_hochberg, holm
from safe_eval.text.scores_text import scores_table

QUICK = Sampling(resamples=100)

P_VALUES = st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=12)


def scored(rows: list[Prediction], **options: object) -> Scores:
    return score_predictions(rows, QUICK, ScoreOptions(**options))


def adjusted(scores: Scores, metric: str = "vqa_accuracy") -> dict[tuple[str, str, str], float | None]:
    return {(row.a, row.b, row.slice): row.holm_p for row in scores.comparisons if row.metric == metric}


@given(P_VALUES, st.data())
def test_a_row_written_twice_changes_no_adjusted_p(p_values: list[float | None], data: st.DataObject) -> None:
    tests = list(range(len(p_values)))
    again = data.draw(st.integers(0, len(p_values) - 1))
    for adjust in (holm, benjamini_hochberg):
        once = adjusted_once(p_values, tests, adjust)
        twice = adjusted_once([*p_values, p_values[again]], [*tests, again], adjust)
        assert twice == [*once, once[again]]
        measured = np.array([p_value for p_value in p_values if p_value is not None])
        expected = adjust(measured).tolist() if len(measured) else []
        assert [p_value for p_value in once if p_value is not None] == expected


def test_a_family_is_a_metric_a_dataset_and_a_seed() -> None:
    rows = good_run(20)
    other = [msgspec.structs.replace(r, dataset="other", example_id=f"o{r.example_id}") for r in good_run(15)]
    seeds = [msgspec.structs.replace(r, seed=1) for r in rows if r.model == "safe"]
    scores = scored([*rows, *other, *seeds])
    families: dict[tuple[object, ...], list[Comparison]] = {}
    for row in scores.comparisons:
        families.setdefault((row.metric, row.dataset, row.seed), []).append(row)
    assert len(families) == 3
    for own in families.values():
        # safe under swap_audio, mute_audio and gate_off, and so the base, give the same answers
        assert {row.family for row in own} == {len({(row.slice, row.p_value) for row in own})}
        of_test = {(row.slice, row.p_value): row for row in own}
        expected = holm(np.array([p_value for _, p_value in of_test]))
        assert [row.holm_p for row in of_test.values()] == pytest.approx(expected.tolist())


def test_a_slice_that_holds_every_row_is_the_same_test() -> None:
    pictures = [row for row in good_run(20) if not row.needs_audio]
    silent = [msgspec.structs.replace(row, needs_audio=None) for row in pictures]
    with_slice, without = adjusted(scored(pictures)), adjusted(scored(silent))
    assert {key[2] for key in with_slice} == {"all", "vl"}
    assert {key[2] for key in without} == {"all"}
    assert without == {key: p_value for key, p_value in with_slice.items() if key[2] == "all"}


def test_a_condition_given_again_under_another_name_changes_no_adjusted_p() -> None:
    rows = [row for row in good_run(20) if row.condition in ("full", "mute_audio")]
    again = [msgspec.structs.replace(r, condition="snr_0db") for r in rows if r.condition == "mute_audio"]
    before, after = adjusted(scored(rows)), adjusted(scored([*rows, *again]))
    assert before == {key: after[key] for key in before}
    assert len(after) > len(before)


def test_equals_in_the_other_order_have_the_same_adjusted_p() -> None:
    rows = [
        *answers("alpha", "full", lambda clip, audio: clip % 5 != 0, clips=20),
        *answers("beta", "full", lambda clip, audio: clip % 3 != 0, clips=20),
    ]
    names = {"alpha": "zeta", "beta": "beta"}
    turned = [msgspec.structs.replace(row, model=names[row.model]) for row in rows]
    assert sorted(adjusted(scored(rows)).values()) == sorted(adjusted(scored(turned)).values())
    items, changed = np.arange(5), np.array([0.0, 0.0, -1.0, 1.0, 0.5])
    assert same_test(items, changed) == same_test(items, -changed)
    assert same_test(items, 0 * changed) == same_test(items, -0.0 * changed)
    assert same_test(items, changed) != same_test(items[::-1], changed)
    assert same_test(items, 0 * changed) != same_test(items + 1, 0 * changed)
    seeds = np.stack([changed, -changed])
    assert same_test(items, seeds) == same_test(items, -seeds) != same_test(items, np.abs(seeds))


def test_what_is_not_measured_is_in_no_family() -> None:
    """One cluster has an exact test and no interval; examples that only one side answered have neither."""
    rows = [
        *answers("base", "full", lambda *_: True, clips=3),
        *answers("safe", "full", lambda *_: True, clips=3),
    ]
    apart = [
        msgspec.structs.replace(r, example_id=f"other-{r.example_id}") for r in rows if r.model == "safe"
    ]
    found = scored([*(r for r in rows if r.model == "base"), *apart]).comparisons
    assert {(row.p_value, row.holm_p, row.family) for row in found} == {(None, None, 0)}


def test_tables_name_the_family() -> None:
    scores = scored([row for row in good_run(20) if row.condition in ("full", "mute_audio", "gate_off")])
    text = "\n".join(scores_table(scores))
    assert "interval               p    Holm\n" in text
    assert "  Holm: over the 5 tests of this table; 10 rows repeat another, item by item" in text
    (table,) = comparison_tables(scores.comparisons)
    assert table.note.endswith("Holm: p adjusted over the 5 tests of this table, repeats once")
    assert any(
        line.startswith("Holm ") for row in table.rows for cell in row.cells if cell for line in cell.lines
    )


def test_seeds_have_a_family_too() -> None:
    rows = [msgspec.structs.replace(row, seed=seed) for row in good_run(12) for seed in (0, 1)]
    scores = scored([row for row in rows if row.condition in ("full", "mute_audio")])
    found = scores.seed_comparisons
    assert {(row.slice, row.a, row.b) for row in found if row.family != found[0].family} == set()
    distinct = {(row.slice, row.p_value): row.holm_p for row in found}
    assert found[0].family == len(distinct)
    assert list(distinct.values()) == pytest.approx(holm(np.array([p for _, p in distinct])).tolist())


def test_chance_is_found_in_few_tables_and_in_many_without_adjusting() -> None:
    """All 9 differences are chance: p ≤ 5 % in 23 % of 2,000 tables, by Holm in 3 %."""
    found = shares(next(cases()), trials=120)
    assert found["holm_p"] <= 0.08
    assert found["p"] >= 0.12
