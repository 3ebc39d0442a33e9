"""Retention: every arm beside the base model, with distributions where both give them."""

import msgspec
import numpy as np
import pytest
from made_rows import good_run
from made_success import stated

from safe_eval.arms.all_arms import all_arms
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.retention import RetentionRow, retention_rows
from safe_eval.statistics.distances import kl_nats, total_variation

QUICK = Sampling(resamples=200)


def run(clips: int = 40) -> list[Prediction]:
    return [stated(row) for row in good_run(clips)]


def kept(rows: list[Prediction]) -> dict[tuple[str, str], RetentionRow]:
    return {(row.condition, row.slice): row for row in retention_rows(all_arms(rows), QUICK)}


def test_every_condition_on_all_and_on_pictures() -> None:
    rows = kept(run())
    assert set(rows) == {
        (condition, name)
        for condition in ("full", "mute_audio", "swap_audio", "gate_off")
        for name in ("all", "vl")
    }
    pictures = rows["full", "vl"]
    assert (pictures.model, pictures.base_accuracy, pictures.accuracy) == ("safe", 0.9, 0.9)
    assert (pictures.difference, pictures.margin, pictures.verdict) == (0.0, 0.005, "undecided")
    assert (pictures.n, pictures.clusters, pictures.only_base, pictures.only_safe) == (40, 40, 0, 0)
    assert (pictures.kl_nats, pictures.same_choice, pictures.drift_n) == (0.0, 1.0, 40)
    everything = rows["full", "all"]
    assert everything.difference == pytest.approx(0.35)
    assert everything.verdict == "different"
    assert everything.same_choice == pytest.approx(1 - 28 / 80)


def test_distances_are_those_of_the_pairs() -> None:
    rows = run()
    of = {(r.model, r.condition, r.example_id): r.choice_probabilities for r in rows}
    names = sorted({r.example_id for r in rows})
    base, safe = (
        np.array([[of[model, "full", name]["yes"], of[model, "full", name]["no"]] for name in names])
        for model in ("base", "safe")
    )
    found = kept(rows)["full", "all"]
    assert found.kl_nats == pytest.approx(kl_nats(base, safe).mean())
    assert found.total_variation == pytest.approx(total_variation(base, safe).mean())
    assert found.kl_low < found.kl_nats < found.kl_high
    assert found.drift_interval == "cluster bootstrap"


def test_equivalence_takes_many_clusters() -> None:
    assert kept(run(600))["full", "vl"].verdict == "equivalent"


def test_without_distributions_accuracy_is_still_compared() -> None:
    rows = [msgspec.structs.replace(r, choice_probabilities=None) if r.model == "base" else r for r in run()]
    found = kept(rows)["full", "vl"]
    assert (found.difference, found.kl_nats, found.drift_n) == (0.0, None, 0)
    assert found.why_not == "base gives no choice_probabilities here"


def test_choices_that_are_no_pairs_are_a_reason_and_no_crash() -> None:
    rows = run()
    place = next(i for i, r in enumerate(rows) if r.model == "safe" and r.example_id == "c3-vl")
    rows[place] = msgspec.structs.replace(rows[place], choice_probabilities={"yes": 0.5, "perhaps": 0.5})
    found = kept(rows)["full", "vl"]
    assert found.kl_nats is None
    assert "'c3-vl': choice 'no' is on one side only" in found.why_not


def test_examples_without_a_partner_are_counted() -> None:
    rows = [r for r in run() if not (r.model == "safe" and r.condition == "full" and r.record_id == "c7")]
    found = kept(rows)["full", "vl"]
    assert (found.n, found.only_base, found.only_safe) == (39, 1, 0)


def test_without_a_base_model_nothing_is_kept() -> None:
    assert kept([r for r in run(5) if r.model != "base"]) == {}


def test_one_base_model_stands_beside_every_seed() -> None:
    rows = [r for r in run(10) if r.model == "base"] + [
        msgspec.structs.replace(r, seed=seed) for seed in (1, 2) for r in run(10) if r.model == "safe"
    ]
    assert {row.seed for row in retention_rows(all_arms(rows), QUICK)} == {1, 2}
