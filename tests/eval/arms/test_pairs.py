"""Pairs: the baseline is named or `base`, and without one models are equals."""

import pytest
from made_rows import good_run, row

from safe_data.core.errors import InputError
from safe_eval.arms.all_arms import all_arms
from safe_eval.arms.arm import ArmKey
from safe_eval.arms.pairs import MOST_MODELS, Pairing, equal_pairs, pairing_notes, pairing_of, unpaired_notes
from safe_eval.prediction import Prediction


def told(rows: list[Prediction], **options: bool | str) -> str:
    arms = all_arms(rows, **options)  # type: ignore[arg-type]
    return " ".join(pairing_notes(arms.pairing, arms.arms))


def test_the_baseline_is_named_or_base_and_must_be_there() -> None:
    assert pairing_of(["safe", "base"], None, pairs=False) == Pairing("base", as_equals=False)
    assert pairing_of(["safe", "base"], "safe", pairs=True) == Pairing("safe", as_equals=True)
    said = "baseline 'alhpa' is none of the models; did you mean 'alpha'"
    with pytest.raises(InputError, match=said):
        pairing_of(["beta", "alpha"], "alhpa", pairs=False)


def test_the_arms_of_the_baseline_come_first() -> None:
    arms = all_arms(good_run(2), baseline="safe").arms
    assert [arm.key.model for arm in arms] == ["safe"] * 4 + ["base"]


def test_models_without_a_baseline_are_equals_and_a_note_says_how_to_name_one() -> None:
    rows = [row(model=model) for model in ("beta", "alpha")]
    assert told(rows) == (
        "no model is called base: each pair of models is compared as equals; to compare every model with "
        "one, name it: --baseline alpha"
    )
    assert told(rows, baseline="beta") == told([row()]) == told(good_run(2)) == ""


def test_equals_with_nothing_in_common_are_named() -> None:
    rows = [row(model="alpha"), row(model="beta", condition="mute_audio"), row(model="gamma")]
    said = told(rows)
    assert "alpha and beta are not compared: they answered no dataset under the same condition" in said
    assert "beta and gamma are not compared" in said
    assert "alpha and gamma are not compared" not in said
    apart = [row(model="alpha", dataset="one"), row(model="beta", dataset="two")]
    assert "alpha and beta are not compared" in told(apart)
    seeds = [row(model=model, seed=seed) for model, seed in (("a", 1), ("a", 2), ("b", 3), ("b", 4))]
    assert "a and b are not compared: both have several seeds, and none in common" in told(seeds)
    assert "not compared" not in told([*seeds, row(model="b", seed=2)])


def test_many_models_are_compared_in_pairs_only_if_asked() -> None:
    rows = [row(model=f"m{number}") for number in range(MOST_MODELS + 1)]
    assert "7 models are compared with none" in told(rows)
    assert "each pair of models" in told(rows, pairs=True)


def test_each_pair_stands_once_and_only_under_the_same_condition() -> None:
    rows = [row(model=model, condition=name) for model in "ba" for name in ("full", "mute_audio")]
    keys = [arm.key for arm in all_arms(rows).arms]
    named = [(one.name, other.name) for one, other in equal_pairs(keys, Pairing(None, as_equals=True))]
    assert named == [("a/full", "b/full"), ("a/mute_audio", "b/mute_audio")]
    named = [(one.name, other.name) for one, other in equal_pairs(keys, Pairing("a", as_equals=True))]
    assert named == [("b/mute_audio", "a/mute_audio")]  # b/full − a/full is there already
    apart = [ArmKey("d", 0, "a", "full"), ArmKey("e", 0, "b", "full")]
    assert not list(equal_pairs(apart, Pairing(None, as_equals=True)))


def test_what_the_baseline_did_not_answer_is_said() -> None:
    rows = [row(model=model, dataset="one") for model in ("alpha", "beta")]
    rows += [row(model="beta", dataset="two"), row(model="alpha", dataset="two", condition="mute_audio")]
    assert told(rows, baseline="alpha") == (
        "the baseline alpha did not answer on two under full: no model is compared with it there"
    )
    rows = [row(model="base", seed=seed) for seed in (0, 1)] + [row(model="safe", seed=s) for s in (1, 7)]
    assert told(rows) == "safe, seed 7, is not compared with base, which has the seeds 0, 1"


def test_a_model_that_nothing_is_compared_with_is_named() -> None:
    def unpaired(rows: list[Prediction], **options: bool | str) -> list[str]:
        arms = all_arms(rows, **options)  # type: ignore[arg-type]
        return list(unpaired_notes(arms.pairing, arms.scored))

    why = (
        " is compared with no other model: models are compared by one metric on one dataset, whose name they "
    )
    why += "spell alike"
    spelled = [row(model="alpha", dataset="POPE"), row(model="beta", dataset="pope_val")]
    assert unpaired(spelled) == [
        f"alpha (yes_no_accuracy on POPE){why}",
        f"beta (yes_no_accuracy on pope_val){why}",
    ]
    chosen = [row(model="base"), row(model="safe", choices=("yes", "no"))]
    assert unpaired(chosen) == [f"safe (accuracy){why}"]
    assert unpaired([*chosen, row(model="third")]) == [f"safe (accuracy){why}"]
    assert unpaired([row(model="alpha"), row(model="beta")]) == unpaired([row()]) == []
