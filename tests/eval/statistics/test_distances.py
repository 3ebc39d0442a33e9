"""Distances equal SciPy, choices are paired by example, and equal accuracy must be shown."""

import numpy as np
import pytest

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.results.retention import match_choices
from safe_eval.statistics.distances import drift, kl_nats, total_variation

RNG = np.random.default_rng(0)
BASE, SAFE = RNG.dirichlet(np.ones(4), size=200), RNG.dirichlet(np.ones(4), size=200)


def test_distances_are_scipys() -> None:
    from scipy.stats import entropy

    assert kl_nats(BASE, SAFE) == pytest.approx(entropy(BASE, SAFE, axis=1))
    assert total_variation(BASE, SAFE) == pytest.approx(np.maximum(BASE - SAFE, 0).sum(axis=1))


def test_the_same_distributions_have_not_moved() -> None:
    still = drift(BASE, BASE, np.arange(200), Sampling())
    assert (still.kl_nats, still.total_variation, still.same_choice) == (0.0, 0.0, 1.0)
    assert still.total_variation_interval.high > 0  # 200 clusters do not speak for all others


def test_a_choice_safe_rules_out_is_far_but_not_infinite() -> None:
    certain = kl_nats(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    assert certain == pytest.approx(-np.log(1e-12))
    assert total_variation(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])) == 1.0


def test_drift_has_intervals_and_the_share_of_kept_choices() -> None:
    moved = drift(BASE, SAFE, np.arange(200) // 2, Sampling())
    assert moved.kl_interval.low < moved.kl_nats < moved.kl_interval.high
    assert moved.total_variation_interval.low < moved.total_variation < moved.total_variation_interval.high
    assert moved.same_choice == (BASE.argmax(1) == SAFE.argmax(1)).mean()
    assert (moved.n, moved.clusters) == (200, 100)


def test_examples_are_paired_by_id_and_choices_by_name() -> None:
    base = {"q1": {"yes": 0.8, "no": 0.2}, "q2": {"a": 0.5, "b": 0.25, "c": 0.25}, "q3": {"x": 1.0}}
    safe = {"q2": {"c": 0.25, "a": 0.5, "b": 0.25}, "q1": {"no": 0.4, "yes": 0.604}}
    paired = match_choices(base, safe)
    assert paired.examples == ("q1", "q2")
    assert paired.base.tolist() == [[0.2, 0.8, 0.0], [0.5, 0.25, 0.25]]
    assert paired.safe == pytest.approx(np.array([[0.4 / 1.004, 0.604 / 1.004, 0.0], [0.5, 0.25, 0.25]]))
    assert (paired.only_base, paired.only_safe) == (1, 0)
    assert kl_nats(paired.base, paired.safe)[1] == 0


def test_choices_that_are_no_pairs_are_all_named() -> None:
    base = {"q1": {"yes": 0.8, "no": 0.2}, "q2": {"a": 1.0}, "q3": {"a": 0.5, "b": 0.5}}
    safe = {"q1": {"yes": 0.8, "maybe": 0.2}, "q2": {"a": 0.7}, "q3": {"a": 0.5, "b": 0.5}}
    with pytest.raises(InputError) as raised:
        match_choices(base, safe)
    assert "'q1': choice 'maybe' is on one side only" in str(raised.value)
    assert "'q2': the probabilities of this model sum to 0.7, not to 1" in str(raised.value)
    with pytest.raises(InputError, match="no example has choice probabilities from both"):
        match_choices({"q1": {"a": 1.0}}, {"q2": {"a": 1.0}})


def test_what_is_no_pair() -> None:
    with pytest.raises(InputError, match="are not paired"):
        drift(BASE, SAFE[:5], np.arange(200), Sampling())
