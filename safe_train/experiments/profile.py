"""Profile: whether a batch fits, memory can be predicted, and answers stay quick on this machine.

    FOLDER/profile/   what `safe-train profile` writes: profile.json, profile.md and the charts

It is the plan's experiment 6. The criteria are those of the profile.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.options_file import settings_from
from safe_train.experiments.experiment import Estimate, Experiment, Finding, Work, trained_step
from safe_train.experiments.training import planned_training
from safe_train.profiling.profile import profile_checkpoint
from safe_train.profiling.result import PROFILE
from safe_train.settings.backbone import BackboneConfig
from safe_train.settings.plan import PlanConfig
from safe_train.settings.profile import MeasuringConfig, ProfileConfig, ProfiledData

OUT = "profile"


@dataclass(frozen=True)
class ProfileSettings:
    """What is measured.

    Raises:
        InputError: there is no such option of a profile, or a value is refused.
    """

    measuring: dict[str, Any] = field(default_factory=dict)
    """options of `safe-train profile` over its defaults, such as questions: 60, card_gb: 80 or
    samples_per_second: 50"""

    def __post_init__(self) -> None:
        known = MeasuringConfig.__dataclass_fields__
        for name in self.measuring:
            if name not in known:
                raise InputError(f"measuring.{name}: {did_you_mean(name, known, 'see safe-train profile')}")
        settings_from(MeasuringConfig, self.measuring)


def run(work: Work) -> Sequence[Finding]:
    """Profile the checkpoint of the first seed.

    Raises:
        InputError: see `profile_checkpoint`.
    """
    seed = work.plan.seeds[0]
    material = work.material
    found = profile_checkpoint(
        ProfileConfig(
            backbone=BackboneConfig(material.backbone),
            out=work.folder / OUT,
            checkpoint=work.adapter(seed),
            data=ProfiledData(material.shards[:1]),
            measuring=settings_from(MeasuringConfig, work.settings.measuring),
            seed=seed,
            trackers=("none",),
            quiet=work.quiet,
            force=True,
        )
    )
    return [
        Finding(
            name=one.name,
            bound="as safe-train profile judges it",
            decision=one.decision,
            evidence=one.evidence,
            judged_by="safe-train profile",
            file=f"{OUT}/{PROFILE}",
        )
        for one in found.findings
    ]


def _needs(plan: PlanConfig) -> tuple[str, ...]:
    return (trained_step(plan.seeds[0]),)


def _estimate(plan: PlanConfig, settings: ProfileSettings) -> Estimate:
    ways = 1 + len(planned_training(plan).pathway.budgets)  # without a sound, and at each budget
    return Estimate(alone=ways * settings_from(MeasuringConfig, settings.measuring).questions)


EXPERIMENT = Experiment(
    number=6,
    name="profile",
    title="Profile of time and memory",
    settings=ProfileSettings,
    needs=_needs,
    run=run,
    estimate=_estimate,
)
