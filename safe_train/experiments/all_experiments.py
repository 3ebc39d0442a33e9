"""All experiments of the plan, by name, in the order of their numbers."""

from safe_train.experiments import (
    curriculum,
    data,
    freeze,
    gates,
    listening,
    overfit,
    pilot,
    policy,
    profile,
    retention,
    sweep,
    variance,
)
from safe_train.experiments.experiment import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    one.name: one
    for one in (
        data.EXPERIMENT,
        freeze.EXPERIMENT,
        overfit.EXPERIMENT,
        pilot.EXPERIMENT,
        gates.EXPERIMENT,
        profile.EXPERIMENT,
        listening.EXPERIMENT,
        curriculum.EXPERIMENT,
        retention.EXPERIMENT,
        sweep.EXPERIMENT,
        variance.EXPERIMENT,
        policy.EXPERIMENT,
    )
}
