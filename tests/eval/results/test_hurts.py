"""Hurts: what is gained and lost by hearing, type by type, against each arm without the sound."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import answers, good_run, row, shuffled

from safe_eval.arms.all_arms import all_arms
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.hurts import HurtRow, hurt_rows
from safe_eval.scoring.score import score_predictions
from safe_eval.statistics.paired import mcnemar
from safe_eval.text.hurts_text import hurt_lines

QUICK = Sampling(resamples=200)


def typed(types: dict[str, tuple[int, int]], clips: int = 40, **fields: object) -> list[Prediction]:
    """Questions of each type: so many of the first are gained, and so many of the last are lost."""
    made = []
    for kind, (gained, lost) in types.items():
        for clip in range(clips):
            turned = {"full": clip >= gained + lost or clip < gained, "mute_audio": clip >= gained}
            for name, right in turned.items():
                answer = "yes" if right else "no"
                made.append(
                    row(f"{kind}-{clip}", answer, group=f"{kind}{clip}", question_type=kind, condition=name)
                )
    return [msgspec.structs.replace(one, model="safe", **fields) for one in made]


def found(rows: list[Prediction]) -> list[HurtRow]:
    return list(hurt_rows(all_arms(rows), QUICK))


def test_each_type_has_its_gains_and_losses_and_the_worst_comes_first() -> None:
    rows = found(typed({"count": (8, 2), "colour": (1, 9), "tone": (4, 4)}))
    assert [(row.slice, row.gained, row.lost, row.net) for row in rows] == [
        ("all", 13, 15, pytest.approx(-2 / 120)),
        ("type:colour", 1, 9, -0.2),
        ("type:tone", 4, 4, 0.0),
        ("type:count", 8, 2, pytest.approx(0.15)),
    ]
    assert {(row.model, row.against, row.n) for row in rows[1:]} == {("safe", "mute_audio", 40)}
    assert all(row.ci_low < row.net < row.ci_high for row in rows)


def test_types_are_tested_by_mcnemar_and_adjusted_together() -> None:
    whole, worst, *others = found(typed({"count": (8, 2), "colour": (1, 9), "tone": (4, 4)}))
    assert (worst.mcnemar_p, worst.p_value, worst.test) == (mcnemar(1, 9), mcnemar(1, 9), "exact McNemar")
    assert worst.holm_p == pytest.approx(3 * mcnemar(1, 9))
    assert {row.family for row in (worst, *others)} == {3}
    assert (whole.holm_p, whole.family) == (None, 0)


def test_clusters_decide_the_test() -> None:
    made = [
        msgspec.structs.replace(one, group=str(int(one.example_id[6:]) // 9))
        for one in typed({"tones": (0, 9)})
    ]
    (_, row) = found(made)
    assert row.test == "cluster sign-flip permutation"  # all nine that are lost are of one group
    assert row.p_value > 0.9 > 0.01 > row.mcnemar_p
    together = [msgspec.structs.replace(one, group="g") for one in typed({"tone": (0, 9)})]
    assert {row.why_not for row in found(together)} == {"all its items are of one cluster"}
    assert {row.ci_low for row in found(together)} == {None}


def test_silence_the_gate_and_the_baseline_are_each_compared() -> None:
    rows = found(good_run())
    assert list(dict.fromkeys((row.model, row.against) for row in rows)) == [
        ("safe", "mute_audio"),
        ("safe", "gate_off"),
        ("safe", "base/full"),
    ]
    assert {row.slice for row in rows} == {"all", "audio", "vl", "type:sound", "type:colour"}
    assert found([row for row in good_run() if row.condition == "full" and row.model == "safe"]) == []


def test_what_one_side_alone_answered_is_counted_apart() -> None:
    made = typed({"tone": (4, 4)})
    (whole, _) = found([one for one in made if (one.example_id, one.condition) != ("tone-0", "full")])
    assert (whole.n, whole.only_full, whole.only_without, whole.gained) == (39, 0, 1, 3)


def test_over_seeds_each_answer_counts() -> None:
    rows = found([*typed({"tone": (2, 8)}), *typed({"tone": (4, 8)}, seed=1)])
    over = [row for row in rows if row.seed is None]
    assert [(row.gained, row.lost, row.n, row.seeds) for row in over] == [(6, 16, 80, (0, 1))] * 2
    assert {row.test for row in over} == {"cluster and seed t"}


def test_graded_answers_are_right_from_one_half() -> None:
    three = ("yes", "yes", "no", "maybe", "so", "x")  # yes scores between 0 and 1
    made = [
        msgspec.structs.replace(one, references=three if one.example_id == "tone-0" else one.references)
        for one in typed({"tone": (4, 4)})
    ]
    (whole, _) = found(made)
    assert whole.gained - whole.lost == pytest.approx(whole.net * whole.n)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_net_is_gained_less_lost_and_order_does_not_matter(data: st.DataObject) -> None:
    right = st.lists(st.booleans(), min_size=12, max_size=12)
    full, muted = data.draw(right), data.draw(right)
    made = [
        *answers("safe", "full", lambda clip, hears: full[clip + 6 * hears], clips=6),
        *answers("safe", "mute_audio", lambda clip, hears: muted[clip + 6 * hears], clips=6),
    ]
    rows = found(made)
    assert rows == found(shuffled(made, data.draw(st.integers(0, 99))))
    assert all(row.gained - row.lost == pytest.approx(row.net * row.n) for row in rows)
    whole, *sides = [row for row in rows if row.slice in ("all", "audio", "vl")]
    assert (whole.gained, whole.lost) == (sum(r.gained for r in sides), sum(r.lost for r in sides))
    assert whole.gained == sum(one and not other for one, other in zip(full, muted, strict=True))


def test_the_text_fits_80_columns_and_shows_the_worst_types() -> None:
    types = {f"kind number {place}": (0, place) for place in range(15)}
    lines = list(hurt_lines(score_predictions(typed(types), QUICK)))
    assert max(map(len, lines)) <= 80
    assert lines[1] == "when audio hurts: safe/full against mute_audio, vqa_accuracy, seed 0"
    shown = [line.split()[2] for line in lines if line.startswith("  type:kind")]
    assert shown == [str(place) for place in range(14, 4, -1)]
    assert "  … 5 types that lose less are in scores.json" in lines
    assert "  typical errors, of 105 answers lost: given → right" in lines
    assert any(line.startswith("    no → yes") and line.endswith("100.0 %") for line in lines)
