"""Fitting on a table: what is kept, what is found, and what is said where nothing could be shown."""

from dataclasses import replace

import numpy as np
import pytest
from made_gates import planted, stated_outcomes
from made_outcomes import made_outcomes

from safe_data.core.errors import InputError
from safe_train.gates.drop import slice_rows
from safe_train.gates.fitting import fit_on
from safe_train.gates.gate_text import compared_lines, gate_lines
from safe_train.gates.threshold import LISTEN_NEVER
from safe_train.settings.gate import GateConfig

TABLE = stated_outcomes(4000)


def test_what_is_found_is_what_the_table_says() -> None:
    gate = fit_on(TABLE, GateConfig(kind="entropy", tokens=8))
    decisions, found = gate.decide(TABLE.states), gate.facts.found
    assert set(decisions.tokens.tolist()) == {0, 8}
    audio = slice_rows(TABLE, "audio")
    skips = ~decisions.listens
    assert found.skips.value == pytest.approx(skips.mean())
    assert found.skips_audio is not None
    assert found.skips_audio.value == pytest.approx(skips[audio].mean())
    assert found.false_consultation is not None
    assert found.false_consultation.value == pytest.approx(decisions.listens[~audio].mean())
    assert found.drop_audio is not None
    lost = TABLE.scores[audio, 2] - TABLE.under(decisions)[audio]
    assert found.drop_audio.value == pytest.approx(lost.mean())
    assert found.mean_tokens == pytest.approx(8 * decisions.listens.mean())
    assert gate.facts.calibration is not None
    assert sum(bar.n for bar in gate.facts.calibration.bars) == 4000


def test_a_learned_gate_is_judged_out_of_fold_and_skips_more_than_entropy() -> None:
    linear, entropy = (fit_on(TABLE, GateConfig(kind=kind)).facts for kind in ("linear", "entropy"))
    assert linear.holds
    assert entropy.holds
    assert linear.found.skips.value > entropy.found.skips.value
    assert linear.calibration is not None
    assert linear.calibration.auroc is not None
    assert entropy.calibration is not None
    assert entropy.calibration.auroc is not None
    assert linear.calibration.auroc.value > entropy.calibration.auroc.value
    assert linear.calibration.ece.value < 0.05


def test_a_table_that_is_not_whole_or_not_finite_fits_no_gate() -> None:
    scores, entropy = TABLE.scores.copy(), TABLE.states.entropy.copy()
    scores[3, 1] = entropy[5] = np.nan
    with pytest.raises(InputError, match="not every budget was tried for every question"):
        fit_on(replace(TABLE, scores=scores), GateConfig(kind="entropy"))
    with pytest.raises(ValueError, match="scored outside"):
        fit_on(replace(TABLE, states=replace(TABLE.states, entropy=entropy)), GateConfig(kind="entropy"))


def test_the_same_table_and_seed_give_the_same_gate() -> None:
    first, again = (fit_on(TABLE, GateConfig(seed=4)) for _ in range(2))
    assert first.facts == again.facts
    assert all((first.weights[name] == again.weights[name]).all() for name in first.weights)


def test_order_of_questions_changes_nothing_found() -> None:
    order = np.random.default_rng(0).permutation(len(TABLE)).tolist()
    shuffled = replace(
        TABLE,
        **{
            name: tuple(getattr(TABLE, name)[row] for row in order)
            for name in ("example_ids", "groups", "question_types", "answers")
        },
        needs_audio=TABLE.needs_audio[order],
        scores=TABLE.scores[order],
        influence_kl=TABLE.influence_kl[order],
        states=TABLE.states.of(order),
    )
    one, other = (fit_on(table, GateConfig(kind="entropy")).facts for table in (TABLE, shuffled))
    assert one.threshold == other.threshold
    assert one.found == other.found


def test_always_and_never_are_judged_like_others() -> None:
    always, never = (fit_on(TABLE, GateConfig(kind=kind)).facts for kind in ("always", "never"))
    assert always.found.skips.value == 0
    assert always.holds
    assert always.found.false_consultation is not None
    assert always.found.false_consultation.value == 1
    assert never.found.skips.value == 1
    assert (never.holds, never.shown, never.exit_code) == (False, True, 1)


def test_where_no_threshold_passes_it_listens_always_and_says_so() -> None:
    hard = stated_outcomes(4000)
    hard.scores[hard.needs_audio, 0] = 0.0  # the base is right on none of them, however sure it is
    gate = fit_on(hard, GateConfig(kind="margin", bound=0.004))
    assert gate.decide(hard.states).listens.all()
    assert (gate.facts.holds, gate.facts.exit_code) == (False, 1)
    lines = gate_lines(gate.facts)
    assert "  listens to every question, with 4 audio tokens" in lines
    assert lines[-2:] == [
        "Does not hold: no threshold above always listening was shown to keep the limits.",
        "  no threshold passed: this gate listens to every question",
    ]


def test_few_questions_are_not_judged_and_it_is_said_what_they_cannot_show() -> None:
    facts = fit_on(stated_outcomes(400), GateConfig(kind="entropy")).facts
    assert (facts.holds, facts.shown, facts.exit_code) == (False, False, 2)
    assert gate_lines(facts)[-6:] == [
        "Not judged: these questions cannot show that the drops are within their limits.",
        "  no threshold passed: this gate listens to every question",
        "  200 audio questions in 100 groups bound a drop by 2.95 points at best; the",
        "    limit is 1, for which about 296 groups are needed",
        "  200 VL questions in 100 groups bound a drop by 2.95 points at best; the limit",
        "    is 0.5, for which about 591 groups are needed",
    ]


def test_the_point_rule_is_judged_by_the_bound_all_the_same() -> None:
    table, _ = planted(4000, 0)
    upper, point = (fit_on(table, GateConfig(kind="entropy", rule=rule)).facts for rule in ("upper", "point"))
    assert upper.threshold is not None
    assert point.threshold is not None
    assert upper.threshold < point.threshold
    assert (upper.exit_code, point.exit_code) == (0, 1)


def test_the_text_fits_80_columns_and_names_everything() -> None:
    kinds = ("linear", "entropy", "confidence", "margin", "always", "never")
    gates = [fit_on(TABLE, GateConfig(kind=kind)).facts for kind in kinds]
    lines = [line for facts in gates for line in gate_lines(facts)] + compared_lines(gates)
    assert max(map(len, lines)) <= 80
    table = compared_lines(gates)
    assert [line.split()[0] for line in table[2:]] == list(kinds)
    never = fit_on(planted(3000, 0, audio_loses=0.0)[0], GateConfig(kind="entropy", rule="point")).facts
    assert never.threshold == LISTEN_NEVER
    assert any("a score above 1, so never" in line for line in gate_lines(never))


def test_a_table_of_unknown_origin_is_refused() -> None:
    with pytest.raises(InputError, match=r"these outcomes do not say what they are of \('adapter_sha256'\)"):
        fit_on(made_outcomes(4000), GateConfig(kind="entropy"))
    with pytest.raises(InputError, match=r"5 audio tokens: these outcomes are of the budgets \[0, 4, 8\]"):
        fit_on(TABLE, GateConfig(kind="entropy", tokens=5))
