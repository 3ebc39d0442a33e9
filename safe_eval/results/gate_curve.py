"""Gate curve: what a model would have scored at each threshold of its gate."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.arms.arm import Places, shared_examples
from safe_eval.arms.scored_arm import ScoredArm

_THRESHOLDS = 21  # as many as 5 % of the answers apart
_FEWEST = 3  # thresholds of a curve; two are the model with its gate always open, and never

Table = Float[ndarray, "thresholds items"]


@dataclass(frozen=True)
class GateCurve:
    """At each threshold, the score of every answer and whether the sound was used; and notes on both."""

    thresholds: Float[ndarray, " thresholds"]
    at: Places  # of the examples in `full`
    values: Table
    opened: Table
    notes: tuple[str, ...] = ()


def gate_curve(full: ScoredArm, off: ScoredArm, always_on: ScoredArm | None = None) -> GateCurve:
    """The answer with the sound where `gate_score` reaches a threshold, and of `gate_off` elsewhere.

    The answer with the sound is that of the same model with its gate always open, if it is there. Otherwise
    it is that of `full`, which is none where the gate was shut. So no threshold is tried at which such an
    answer would have needed it. Empty where rows state no `gate_score`, or not all of them, or where it
    is one of two numbers.
    """
    scores = np.array([np.nan if row.gate_score is None else row.gate_score for row in full.rows])
    if np.isnan(scores).all():
        return _none()
    name = f"{full.key.model}, seed {full.key.seed}"
    unsaid = int((np.isnan(scores) & ~full.arm.failed[full.at]).sum())
    if unsaid:
        of_all = f"{unsaid} of {len(scores)} answers state no gate_score"
        return _none(f"no curve over the gate of {name}: {of_all}")
    at, at_off = shared_examples(full.examples, off.examples)
    heard = full if always_on is None else always_on
    both, at_heard = shared_examples(full.examples[at], heard.examples)
    usable = ~np.isnan(scores[at[both]])
    at, at_off, at_heard = at[both][usable], at_off[both][usable], at_heard[usable]
    if not len(at):
        return _none(f"no curve over the gate of {name}: full and gate_off have no example in common")
    shut = np.array([row.consulted is False for row in full.rows])[at]
    if always_on is not None:
        shut[:] = False
    least = float(scores[at][shut].max(initial=-np.inf))
    thresholds = _thresholds(scores[at], least)
    if len(np.unique(scores[at])) <= 2:  # open or shut, and nothing to choose between
        return _none()
    if len(thresholds) < _FEWEST:
        return _none(
            f"no curve over the gate of {name}: too few gate_scores lie above those at which it was shut"
        )
    opened = scores[at] >= thresholds[:, None]
    notes = (
        f"the gate of {name} was shut up to a gate_score of {least:.3g}, so its curve begins above; answer "
        "with the gate always open to see the rest",
    )
    return GateCurve(
        thresholds,
        at,
        np.where(opened, heard.scores[at_heard], off.scores[at_off]),
        opened.astype(float),
        notes if shut.any() else (),
    )


def _thresholds(scores: Float[ndarray, " items"], least: float) -> Float[ndarray, " thresholds"]:
    """Thresholds that shut out 5 % more of the answers each, the last of them all.

    >>> _thresholds(np.array([0.2, 0.2, 0.8]), -np.inf).round(6).tolist()
    [0.2, 0.8, 0.8]
    """
    steps = np.quantile(scores, np.linspace(0, 1, _THRESHOLDS - 1), method="higher")
    every = np.unique(np.append(steps, np.nextafter(scores.max(), 2.0)))
    above: Float[ndarray, " thresholds"] = every[every > least]
    return above


def _none(*notes: str) -> GateCurve:
    nothing = np.zeros((0, 0))
    return GateCurve(np.zeros(0), np.zeros(0, dtype=int), nothing, nothing, notes)
