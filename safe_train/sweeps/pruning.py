"""Pruning: stop a trial at an evaluation if it has drifted too far, or learns worse than the points before.

What decides is read from the logs of the run, so a run that was stopped and goes on is pruned where it would
have been. The points before are those that were finished when the trial was planned: however many trials run
at a time, the same ones are pruned.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from safe_train.retention.drift import shown_above
from safe_train.stages.logs import EVALUATIONS, LOSSES, read_evaluations, read_losses
from safe_train.sweeps.grid import Pruning

RECENT = 20  # steps whose mean loss is compared

Curve = dict[int, float]  # of each evaluation's step, the mean loss of the steps before


class PrunedError(Exception):
    """A trial is not worth its time; the message says why."""


class Pruner:
    """Watches one trial, whose folder holds its logs."""

    def __init__(self, pruning: Pruning | None, folder: Path, earlier: Sequence[Curve]) -> None:
        self._pruning, self._folder, self._earlier = pruning, folder, earlier

    def watch(self, done: int) -> None:
        """Look at the run after so many steps.

        Raises:
            PrunedError: it is to be stopped.
        """
        pruning = self._pruning
        if pruning is None or done < pruning.after:
            return
        evaluations = read_evaluations(self._folder / EVALUATIONS)
        if evaluations and (above := shown_above(evaluations[-1], pruning.drift)):
            worst = max(above, key=lambda one: one.loss.low)
            raise PrunedError(
                f"pruned at step {done}: VL questions are shown to lose {100 * worst.loss.low:.1f} points or "
                f"more with {worst.heard}, above {100 * (pruning.drift or 0):g}"
            )
        if pruning.loss is not None and is_worse(self.curve(), self._earlier, done, pruning):
            raise PrunedError(
                f"pruned at step {done}: its loss is above the {pruning.loss:g}th percentile of "
                f"{len(self._earlier)} points before it"
            )

    def curve(self) -> Curve:
        """The mean loss of the last steps before each evaluation so far."""
        losses = [one.loss for one in read_losses(self._folder / LOSSES)]
        steps = [int(line["step"]) for line in read_evaluations(self._folder / EVALUATIONS)]
        return {step: float(np.mean(losses[max(0, step - RECENT) : step])) for step in steps if step}


def is_worse(curve: Curve, earlier: Sequence[Mapping[int, float]], done: int, pruning: Pruning) -> bool:
    """Whether Optuna's percentile pruner would stop a trial whose losses are these, among those before it.

    Source: Optuna's `PercentilePruner`: the best value so far against the percentile at the same step.

    >>> from safe_train.sweeps.grid import Pruning
    >>> earlier = [{10: 1.0}, {10: 1.1}, {10: 0.9}, {10: 1.0}]
    >>> half = Pruning(loss=50)
    >>> is_worse({10: 2.0}, earlier, 10, half), is_worse({10: 0.5}, earlier, 10, half)
    (True, False)
    >>> is_worse({10: 2.0}, earlier[:3], 10, half)
    False
    """
    import optuna

    pruner = optuna.pruners.PercentilePruner(
        pruning.loss or 100.0, n_startup_trials=pruning.startup, n_warmup_steps=pruning.after
    )
    study = optuna.create_study(direction="minimize", pruner=pruner)
    for before in earlier:
        if before:
            made = optuna.create_trial(value=min(before.values()), intermediate_values=dict(before))
            study.add_trial(made)
    trial = study.ask()
    for step, loss in curve.items():
        trial.report(loss, step)
    return done in curve and bool(trial.should_prune())
