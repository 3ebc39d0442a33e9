"""Data: whether the datasets may be trained on, by the suites, and whether training draws what it should.

    FOLDER/check/        what `safe-data check` writes: results, facts, the page
    FOLDER/sampling.json the suite of sampling, on what training's own sampler drew
    FOLDER/findings.json

It is the plan's experiment 1. The rules and their severities are those of the suites (expectations/).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from safe_data.audit.check import judge_datasets
from safe_data.audit.check_files import write_files
from safe_data.audit.corpus import Given, open_corpus
from safe_data.audit.facts.fact import Fact, not_applicable
from safe_data.audit.facts.sampling import (
    MOST_BATCHES,
    NOTHING_DRAWN,
    DrawnStage,
    difficulty_violations,
    ratio_error,
    undrawable,
)
from safe_data.audit.judge import judge
from safe_data.audit.rule_results import RuleResult, exit_code
from safe_data.audit.suites import load_suites
from safe_data.core.command import HOLDS
from safe_data.core.errors import InputError
from safe_data.core.files import write_bytes
from safe_data.sampling.curriculum import UNRATED, Progress
from safe_data.sampling.curriculum_file import Stage, read_stages
from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED
from safe_train.corpora import Corpora
from safe_train.experiments.experiment import (
    WARNING,
    Estimate,
    Experiment,
    Finding,
    Work,
    decided,
    material_step,
)
from safe_train.experiments.training import training_of
from safe_train.questions import Questions
from safe_train.settings.plan import PlanConfig
from safe_train.settings.train import TrainConfig
from safe_train.stages.sampler import StepSampler
from safe_train.stages.stage_a import trained_questions

CHECK, SAMPLING, FOUND = "check", "sampling.json", "findings.json"
# Rules that the plan names with a bound, so that each is a finding beside its suite's.
NAMED = (
    "load_rate",
    "class_imbalance",
    "sounds_in_two_splits",
    "annotated_aligned_rate",
    "annotated_mismatched_rate",
    "event_overlap",
    "speech_agreement",
)


@dataclass(frozen=True)
class DataSettings:
    """What is checked."""

    suites: tuple[str, ...] = (
        "schema",
        "load",
        "balance",
        "leakage",
        "duplicates",
        "alignment",
        "content",
    )
    """suites that come with SAFE, or paths of your own .json; that of sampling is always judged"""

    annotations: Path | None = None
    """what a person marked in a spot check of pairs, see `safe-data audit --spot-check` (default: none)"""


def run(work: Work) -> Sequence[Finding]:
    """Check all datasets of the plan together, and draw batches from them as training would.

    Raises:
        InputError: a suite cannot be read, or a package of the check is not installed.
    """
    material = work.material
    file = work.folder / FOUND
    if file.is_file():  # written last
        return msgspec.json.decode(file.read_bytes(), type=tuple[Finding, ...])
    settings: DataSettings = work.settings
    out = work.folder / CHECK
    judged, corpus = judge_datasets(
        *material.shards,
        suites=settings.suites,
        given=Given(annotations=settings.annotations),
        quiet=work.quiet,
    )
    write_files(judged, corpus, out, force=True)
    training = training_of(work.plan, material, work.folder / "adapter", seed=material.seed, quiet=work.quiet)
    sampled = sampling_results(training)
    _write(work.folder / SAMPLING, [{"label": one.label, **asdict(one)} for one in sampled])
    found = (
        *suite_findings(judged.results, f"{CHECK}/results.json"),
        *suite_findings(sampled, SAMPLING),
        *named_findings(judged.results, NAMED, f"{CHECK}/results.json"),
        *named_findings(sampled, ("ratio_error",), SAMPLING),
    )
    _write(file, found)
    return found


def _write(file: Path, content: Any) -> None:
    write_bytes(file, msgspec.json.format(msgspec.json.encode(content, enc_hook=str), indent=1) + b"\n")


def suite_findings(results: Sequence[RuleResult], file: str) -> list[Finding]:
    """One finding for each suite: whether all its critical rules hold, and the first that does not."""
    return [
        _suite_finding(suite, list(rules), file) for suite, rules in groupby(results, attrgetter("suite"))
    ]


def _suite_finding(suite: str, rules: Sequence[RuleResult], file: str) -> Finding:
    """A rule that fails outweighs one that could not be judged, since no judgement could undo it."""
    critical = [rule for rule in rules if rule.severity == "critical"]
    failed = [rule for rule in critical if rule.label == "FAIL"]
    unknown = [rule for rule in critical if rule.label == "not judged"]
    decision = NO_GO if failed else GO if exit_code(critical, (suite,)) == HOLDS else NOT_MEASURED
    kept = sum(bool(rule.success) for rule in critical)
    apply = sum(rule.applies for rule in critical)
    words = [f"{kept} of {apply} critical rules hold"]
    words += [f"{len(critical) - apply} do not apply"] if apply < len(critical) else []
    reasons = [*failed, *unknown, *(critical if not apply else ())]
    words += [f"first: {_said(rule)}" for rule in reasons[:1]]
    if warned := [rule for rule in rules if rule.label == "warn"]:
        words.append(f"{len(warned)} warn, first: {_said(warned[0])}")
    return Finding(
        name=f"suite_{suite}",
        bound="every critical rule holds",
        decision=decision,
        evidence="; ".join(words),
        judged_by=f"suite {suite}",
        file=file,
    )


def named_findings(results: Sequence[RuleResult], names: Sequence[str], file: str) -> list[Finding]:
    """The rules about these facts, each as a finding; one that does not apply decides nothing."""
    found = []
    for rule in results:
        if rule.name not in names:
            continue
        number = rule.observed if isinstance(rule.observed, int | float) else None
        found.append(
            Finding(
                name=rule.name,
                bound=rule.bound,
                decision=decided(rule.success),
                evidence=_said(rule),
                judged_by=f"suite {rule.suite}",
                file=file,
                value=None if number is None else float(number),
                severity=rule.severity if rule.applies else WARNING,
            )
        )
    return found


def _said(rule: RuleResult) -> str:
    """A rule in a sentence: what was seen, of how many, and why it does not hold."""
    reasons = f": {'; '.join(rule.reasons[:2])}" if rule.reasons else ""
    return f"{rule.name} {rule.seen} ({rule.bound}){reasons}"


def sampling_results(training: TrainConfig) -> list[RuleResult]:
    """The suite of sampling, judged on what the sampler of a training draws in its first batches."""
    data = training.data
    questions = trained_questions(training, Corpora(data.shards, data.split, data.encoder))
    stages = read_stages(data.curriculum) if data.curriculum else (Stage(name="all", weights=data.weights),)
    drawn = [_drawn(stage, questions, training) for stage in stages]
    able = [one for one in drawn if one.fault is None]
    facts = {
        "ratio_error": _of(able, ratio_error),
        "difficulty_violations": _of(able, difficulty_violations),
        "undrawable_stages": undrawable(drawn),
    }
    corpus = open_corpus([str(folder) for folder in data.shards])
    return judge(load_suites(("sampling",)), corpus, facts)


def _of(drawn: list[DrawnStage], measure: Callable[[list[DrawnStage]], Fact]) -> Fact:
    return measure(drawn) if drawn else not_applicable(NOTHING_DRAWN)


def _drawn(stage: Stage, questions: Questions, training: TrainConfig) -> DrawnStage:
    """What training would draw in a stage: questions in their roles, where the suite alone knows clips."""
    data = training.data
    try:
        sampler = StepSampler(
            questions,
            (stage,),
            batch_size=training.optim.batch_size,
            silent_fraction=data.silent_fraction,
            seed=training.run.seed,
            heard=data.heard,
        )
    except InputError as error:
        return DrawnStage(stage, fault=str(error))
    batches = min(stage.until.most_steps if stage.until else MOST_BATCHES, MOST_BATCHES)
    counts: dict[str, int] = {}
    excluded: dict[str, int] = {}
    for step in range(batches):
        draw = sampler.curriculum.batch(Progress(step=step))
        for name, count in draw.counts.items():
            counts[name] = counts.get(name, 0) + count
        for name, wanted in stage.difficulty.items():
            asked = sampler.pools[name][draw.rows(name)]
            levels = [questions.difficulty[question] or UNRATED for question in asked]
            if wrong := int((~np.isin(levels, wanted)).sum()):
                excluded[name] = excluded.get(name, 0) + wrong
    return DrawnStage(stage, batches, counts, excluded)


def _estimate(_plan: PlanConfig, _settings: DataSettings) -> Estimate:
    return Estimate()  # it trains nothing and asks nothing


EXPERIMENT = Experiment(
    number=1,
    name="data",
    title="Data audit",
    settings=DataSettings,
    needs=material_step,
    run=run,
    estimate=_estimate,
)
