"""Families of tests, and verdicts on two datasets: how often a chance is found, or a fall is go."""

import itertools
from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.simulations.case import Case
from benchmarks.simulations.worlds import clusters_of, outcomes
from safe_eval.arms.all_arms import all_arms
from safe_eval.judging.criteria_file import criteria_path, fill_criteria
from safe_eval.judging.judged import GO, judge, overall
from safe_eval.judging.unjudged import find_unjudged, unjudged_rows
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.families import same_test
from safe_eval.scoring.score import score_predictions
from safe_eval.statistics.multiplicity import adjusted_once
from safe_eval.statistics.paired import paired_test

_CLUSTERS, _CONDITIONS = 120, 3
_QUICK = Sampling(resamples=1000)
_CLIPS = 20  # of each dataset
_ARMS = (("base", "full"), *(("safe", name) for name in ("full", "mute_audio", "swap_audio", "gate_off")))


def cases() -> Iterator[Case]:
    """Tables whose differences are all chance, and runs in which one slice of one dataset fell."""
    yield Case("any false finding in a table of 9 differences, 120 clusters", "<= 0.05", _any_found)
    for options in ((), ("metric=vqa_accuracy",)):
        by = f", --set {options[0]}" if options else ""
        name = f"demo is go although a slice of one of two datasets fell from 90 to 50 %{by}"
        yield Case(name, "0", partial(_fallen_is_go, options=("margin=0.3", *options)))


def _any_found(rng: np.random.Generator) -> dict[str, bool]:
    """Three conditions with the same accuracy as full, on all questions and on those of either half."""
    clusters = clusters_of(rng, _CLUSTERS)
    full = outcomes(rng, clusters, 0.7, 0.3)
    hears = rng.random(len(clusters)) < 0.5
    p_values, tests = [], []
    for _ in range(_CONDITIONS):
        other = outcomes(rng, clusters, 0.7, 0.3)
        for inside in (np.ones(len(clusters), dtype=bool), hears, ~hears):
            p_value, _ = paired_test(full[inside], other[inside], clusters[inside], _QUICK)
            p_values.append(p_value)
            tests.append(same_test(np.flatnonzero(inside), (full - other)[inside]))
    adjusted = [p_value for p_value in adjusted_once(p_values, tests) if p_value is not None]
    raw = [p_value for p_value in p_values if p_value is not None]
    return {"p": min(raw) <= 0.05, "holm_p": min(adjusted) <= 0.05}


def _fallen_is_go(rng: np.random.Generator, options: tuple[str, ...]) -> dict[str, bool]:
    """One slice of one of two datasets falls from what the base model knows, under every condition."""
    fallen, needs_audio = rng.integers(2), bool(rng.integers(2))
    rows = []
    for place, dataset in enumerate(("vqav2", "gqa")):
        rows += _answers(rng, dataset, needs_audio if place == fallen else None)
    return {"go": _decision(rows, options) == GO}


def _answers(rng: np.random.Generator, dataset: str, fallen: bool | None) -> list[Prediction]:
    """All arms: 90 % of the pictures, and of the sounds where they are heard; 50 % of what fell.

    `fallen` is whether the questions about the sound fell, or those about the picture; None: neither.
    """
    rows = []
    for clip, hears in itertools.product(range(_CLIPS), (True, False)):
        lucky, known = rng.random() < 0.2, rng.random() < 0.9
        is_fallen = hears is fallen
        kept = known and (not is_fallen or rng.random() < 0.5 / 0.9)
        for model, condition in _ARMS:
            without = known if is_fallen or not hears else lucky
            is_base = model == "base" or condition == "gate_off"
            is_silent = hears and not is_fallen and condition != "full"
            rows.append(
                Prediction(
                    example_id=f"{dataset}-{clip}-{hears}",
                    references=("yes",),
                    answer="yes" if (without if is_base or is_silent else kept) else "no",
                    group=f"{dataset}-{clip}",
                    dataset=dataset,
                    task="vqa",
                    needs_audio=hears,
                    model=model,
                    condition=condition,
                )
            )
    return rows


def _decision(rows: list[Prediction], options: tuple[str, ...]) -> str:
    filled = fill_criteria(criteria_path("demo"), options)
    scores = score_predictions(rows, Sampling(resamples=100))
    claims = find_unjudged(filled.criteria, all_arms(rows), filled.scope)
    return overall([*(judge(one, scores) for one in filled.criteria), *unjudged_rows(claims.unjudged)])
