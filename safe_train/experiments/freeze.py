"""Freeze: only the pathway can be trained, and behind a closed gate the base is what it was.

    FOLDER/audit.json     counts and budgets, as `safe-train audit` writes them
    FOLDER/parity.json    the closed gate, as `safe-train parity` writes it

It is the plan's experiment 2. What is demanded is what these two commands demand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from safe_data.core.errors import check_at_least_one
from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED
from safe_train.audit.audit import AUDIT, Audit, run_audit, write_audit
from safe_train.experiments.experiment import (
    WARNING,
    Estimate,
    Experiment,
    Finding,
    Work,
    decided,
    material_step,
)
from safe_train.experiments.plan_questions import by_dataset
from safe_train.experiments.training import training_of
from safe_train.parity.parity import Finding as ParityFinding
from safe_train.parity.parity import ParityReport, check_parity
from safe_train.settings.audit import AuditConfig, AuditedData, AuditedRun, BudgetConfig
from safe_train.settings.parity import ParityConfig
from safe_train.settings.plan import PlanConfig
from safe_train.settings.train import TrainConfig

PARITY = "parity.json"
# The plan's budget, which a toy of 300,000 parameters cannot be asked to keep.
LEAST_TRAINABLE, MOST_TRAINABLE = 10_000_000, 50_000_000
_DECISIONS = {"holds": GO, "does not hold": NO_GO}


@dataclass(frozen=True)
class FreezeSettings:
    """What is counted, and how many questions are asked.

    Raises:
        InputError: a number outside the range that its option names.
    """

    samples: int = 1000
    """VL questions that are asked behind the closed gate, at least 1"""

    pathways: int = 2
    """fresh pathways that are attached, at least 1; one alone cannot tell their checksums apart"""

    repeats: int = 60
    """paired repeats that are timed, at least 8; more narrow the interval"""

    time_limit: float = 1.01
    """how many times as long a closed gate may take as the base, above 1"""

    least_trainable: int | None = None
    """the fewest parameters that must be trained (default: 10 million of a model of yours; none of a toy)"""

    most_trainable: int | None = None
    """the most parameters that may be trained (default: 50 million of a model of yours; none of a toy)"""

    most_share: float | None = None
    """the largest share of all parameters that may be trained, such as 0.01 (default: not checked)"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "samples", "pathways")


def run(work: Work) -> Sequence[Finding]:
    """Count what stage A would train, and ask the base with and without closed gates.

    Raises:
        InputError: the config of the base cannot be read, a layer does not exist, or no VL questions.
    """
    material = work.material
    training = training_of(work.plan, material, work.folder / "adapter", seed=material.seed, quiet=work.quiet)
    audit = run_audit(audit_config(training, work.settings, toy=work.plan.world is not None))
    write_audit(audit, work.folder / AUDIT, force=True)
    report = closed_gate(parity_config(training, work.settings, work.folder / PARITY))
    return [*audit_findings(audit), *parity_findings(report, work.settings.time_limit)]


def closed_gate(config: ParityConfig) -> ParityReport:
    """The proof of a closed gate, which is made once and kept in the file that the settings name.

    Raises:
        InputError: see `check_parity`.
    """
    if config.out is not None and config.out.is_file():
        return msgspec.json.decode(config.out.read_bytes(), type=ParityReport)
    return check_parity(config)


def audit_config(training: TrainConfig, settings: FreezeSettings, *, toy: bool) -> AuditConfig:
    """The audit of a training, with the plan's budget unless the base is a toy."""
    data = training.data
    least, most = (None, None) if toy else (LEAST_TRAINABLE, MOST_TRAINABLE)
    return AuditConfig(
        backbone=training.backbone,
        data=AuditedData(shards=data.shards, encoder=data.encoder, split=data.split),
        run=AuditedRun(),
        loading=training.loading,
        asking=training.asking,
        pathway=training.pathway,
        loss=training.loss,
        optim=training.optim,
        adaptation=training.adaptation,
        audit=BudgetConfig(
            least_trainable=settings.least_trainable or least,
            most_trainable=settings.most_trainable or most,
            most_share=settings.most_share,
        ),
    )


def parity_config(
    training: TrainConfig, settings: FreezeSettings, out: Path, *, checkpoints: tuple[Path, ...] = ()
) -> ParityConfig:
    """The proof of a closed gate on the first dataset's questions, of checkpoints or of fresh pathways."""
    return ParityConfig(
        checkpoints=checkpoints,
        data=training.data.shards[0],
        backbone=training.backbone,
        loading=training.loading,
        asking=training.asking,
        pathway=training.pathway,
        seeds=tuple(range(settings.pathways)),
        samples=settings.samples,
        repeats=settings.repeats,
        time_limit=settings.time_limit,
        out=out,
        quiet=training.run.quiet,
        force=True,
    )


def audit_findings(audit: Audit) -> list[Finding]:
    """The freeze, and each budget that was stated; one that was not decides nothing."""
    faults = audit.freeze_faults
    share = f"{audit.trainable:,} of {audit.parameters:,} parameters are trained, all of projector and fusion"
    found = [
        Finding(
            name="only_the_pathway_is_trained",
            bound="no parameter of the base requires a gradient, and no other than projector and fusion",
            decision=decided(not faults),
            evidence="; ".join(faults) or share,
            judged_by="safe-train audit",
            file=AUDIT,
            value=float(audit.trainable),
        )
    ]
    for check in audit.checks:
        if check.name == "card":
            continue  # whether a batch fits is measured by profiling
        found.append(
            Finding(
                name=check.name.replace(" ", "_"),
                bound=check.bound or "no budget is stated",
                decision=decided(check.holds),
                evidence=f"{check.found}; a toy claims no budget" if check.holds is None else check.found,
                judged_by="safe-train audit",
                file=AUDIT,
                severity=WARNING if check.holds is None else "critical",
            )
        )
    return found


def parity_findings(report: ParityReport, time_limit: float) -> list[Finding]:
    """What parity found; a time whose interval crosses its limit was not measured well enough."""
    times = {"time, forward": report.forward_time, "time, generation": report.generation_time}
    largest = max(one.gate_off.mean_difference for one in report.pathways)
    found = []
    for one in report.findings:
        ratio = times.get(one.name)
        number = ratio.ratio if ratio else largest if one.name == "logits" else None
        found.append(
            Finding(
                name=one.name.replace(", ", "_").replace(" ", "_"),
                bound=_bound(one, time_limit),
                decision=_DECISIONS.get(one.decision, NOT_MEASURED),
                evidence=f"{one.decision}: {one.evidence}" if one.decision == "not shown" else one.evidence,
                judged_by="safe-train parity",
                file=PARITY,
                value=number,
                ci_low=ratio.low if ratio else None,
                ci_high=ratio.high if ratio else None,
            )
        )
    return found


def _bound(one: ParityFinding, time_limit: float) -> str:
    """What parity demands, in words: its findings state the numbers beside what they found."""
    return {
        "logits": "no logit differs by more than 1e-05",
        "control": "the open gate moves the logits",
        "generations": "every answer has the tokens of the base's",
        "checksums": "one hash of all logits and answers",
        "weights": "the base's hash is the same before and after",
    }.get(one.name, f"<= {time_limit:g} times the base, by the interval")


def _estimate(plan: PlanConfig, settings: FreezeSettings) -> Estimate:
    found = by_dataset(plan, "test")
    asked = settings.samples
    if found:  # the first dataset's VL questions, if there are fewer
        asked = min(asked, next(iter(found.values())).vl)
    return Estimate(answers=asked * (1 + settings.pathways))


EXPERIMENT = Experiment(
    number=2,
    name="freeze",
    title="Freeze and parity",
    settings=FreezeSettings,
    needs=material_step,
    run=run,
    estimate=_estimate,
)
