"""Profile: what a checkpoint, or a plan, takes of time and memory here, and what that is enough for.

    OUT/profile.json                        all that was measured (`Profile`)
    OUT/profile.md                          the tables, with the charts
    OUT/throughput.svg, memory.svg, latency.svg     where the extra `report` is installed
    OUT/options.yaml                        what ran

Ways that are compared are run in turns, after a first run that does not count.
"""

import time
from pathlib import Path

import torch
from accelerate import Accelerator

from safe_data.core.errors import InputError
from safe_data.core.files import json_bytes, write_bytes
from safe_data.core.interruption import interrupted_by_sigterm
from safe_data.core.options_file import TRAIN, options_of, write_options
from safe_data.core.overwriting import check_free
from safe_data.core.phases import Phases
from safe_train.gates.front_view import can_draw
from safe_train.parity.memory import bytes_of
from safe_train.pathway.model import SafeModel
from safe_train.profiling import findings
from safe_train.profiling.answering import profile_answering
from safe_train.profiling.answers import Answers
from safe_train.profiling.fitting_rows import GB, Lasting, components_of, largest_of, taken_at
from safe_train.profiling.gauge import NOT_COUNTED, beside_tensors, counted_by
from safe_train.profiling.latency import profile_latency
from safe_train.profiling.machine import describe, load, resident_bytes
from safe_train.profiling.profile_charts import CHARTS, charts_of
from safe_train.profiling.profile_text import profile_markdown
from safe_train.profiling.result import PROFILE, Finding, Largest, Profile, Sounds, Training
from safe_train.profiling.sounds import profile_sounds
from safe_train.profiling.subject import Subject, attached, read_subject
from safe_train.profiling.training import Trained, profile_training
from safe_train.run_identity import RUN
from safe_train.settings.profile import ProfileConfig
from safe_train.stages.processes import precision
from safe_train.track import accelerator_options, tracking

TABLES = "profile.md"


@interrupted_by_sigterm()
def profile_checkpoint(config: ProfileConfig) -> Profile:
    """Profile a checkpoint or a plan, and write what was found to `out`.

    Raises:
        InputError: there is a profile and no `force`; or the checkpoint, base or dataset cannot be read, do
            not fit, or have no question of a kind that training asks.
        KeyboardInterrupt: stopped by Ctrl-C or SIGTERM; nothing is written.
    """
    out = config.out
    check_free(out / PROFILE, force=config.force)
    names = [name for name in config.trackers if name != "none"]
    accelerator = Accelerator(
        cpu=not torch.accelerator.is_available(),
        mixed_precision=precision(config.optim),
        **accelerator_options(names, out / RUN),
    )
    if accelerator.num_processes > 1:
        raise InputError("profile: measures one process on one device; start it without a launcher")
    started, before = time.monotonic(), load()
    with Phases("profiling", quiet=config.quiet) as at:
        at("loading")
        subject = read_subject(config, device=accelerator.device)
        found = _measured(subject, accelerator, at, before, started)
        at("writing")
        _remove_results(out)
        charts = charts_of(found) if can_draw() else {}
        files = {TABLES: profile_markdown(found, list(charts)), **charts}
        write_options(out, "safe-train profile", options_of(config), TRAIN)
        for name, content in files.items():
            write_bytes(out / name, content.encode())
        _track(accelerator, config, found)
        write_bytes(out / PROFILE, json_bytes(found))  # last: where it is, all of it is
    return found


def _measured(
    subject: Subject, accelerator: Accelerator, at: Phases, before: tuple[float, ...], started: float
) -> Profile:
    """Everything that is measured, and what it means."""
    config, base = subject.config, subject.backbone.model
    with attached(subject.to_train()) as model:
        weights = bytes_of(base), bytes_of(model.pathway)
        beside = None
        if not _is_another_card(subject):
            beside = beside_tensors(subject.device, sum(weights), resident_bytes())
        trained = profile_training(subject, model, accelerator, at)
        lasting = Lasting(*weights, trained.gradient_bytes, trained.optimizer_bytes, beside)
        largest = _largest(subject, trained, lasting)
    with attached(subject.to_ask()) as model:
        answers = Answers(subject, model)
        answered = profile_answering(subject, answers, at)
        latency = profile_latency(subject, answers, at)
        sounds, missing = _sounds(subject, model, at)
    dataset, counted = subject.corpora.sounding[0], counted_by(subject.device)
    of_passes = max(trained.training.rungs, key=lambda rung: rung.rows == trained.training.planned_rows)
    return Profile(
        subject="a plan" if subject.checkpoint is None else "a checkpoint",
        backbone=config.backbone.name,
        architecture=type(base).__name__,
        dtype=str(base.dtype).removeprefix("torch."),
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        budgets=config.pathway.budgets,
        gate=None if subject.gate is None else subject.gate.kind,
        repeats=config.measuring.repeats,
        seed=config.seed,
        machine=describe(str(subject.device), (*before, *load())),
        memory_counted=counted,
        not_counted=NOT_COUNTED[counted],
        components=components_of(lasting, of_passes, answered.answering.rungs[-1]),
        training=trained.training,
        answering=answered.answering,
        largest=largest,
        latency=latency,
        latency_limit=config.measuring.latency_limit,
        sounds=sounds,
        sounds_missing=missing,
        operations=(trained.operations, answered.operations),
        findings=(
            *_of_training(subject, trained.training, largest, beside or 0),
            findings.predictable("answers", answered.answering.ladder, config.measuring.memory_error),
            findings.cached(sounds, missing),
            *findings.waits(latency, config.measuring.latency_limit),
        ),
        notes=_notes(subject, beside),
        seconds=time.monotonic() - started,
    )


def _is_another_card(subject: Subject) -> bool:
    """Whether the card is only stated: what this process holds in a CPU's memory is then not on it."""
    return subject.config.measuring.card_gb is not None and subject.device.type == "cpu"


def _largest(subject: Subject, trained: Trained, lasting: Lasting) -> Largest:
    """The most rows of a training pass that fit; checked where they are not far beyond the ladder."""
    measuring, rungs = subject.config.measuring, trained.training.rungs
    machine = describe(str(subject.device), ())
    stated = measuring.card_gb is not None
    card = int((measuring.card_gb or 0.0) * GB) if stated else machine.card_bytes
    return largest_of(
        trained.training.ladder.model,
        always=lasting.total,
        card=card,
        card_from="--card-gb" if stated else f"this machine's {machine.device}",
        headroom=measuring.headroom,
        most_run=2 * rungs[-1].rows if trained.training.ladder.stopped_by != "memory" else rungs[-1].rows,
        check=trained.check,
    )


def _of_training(subject: Subject, training: Training, largest: Largest, beside: int) -> list[Finding]:
    """The findings that training decides."""
    measuring, rows, ladder = subject.config.measuring, training.planned_rows, training.ladder
    rung = next((one for one in training.rungs if one.rows == rows), None)
    taken = None if rung is None else taken_at(rung, largest.always_bytes, beside)
    return [
        findings.fits(taken, rows, largest, ladder),
        findings.predictable("training", ladder, measuring.memory_error),
        findings.suffices(findings.planned_rate(training), rows, measuring.samples_per_second),
    ]


def _sounds(subject: Subject, model: SafeModel, at: Phases) -> tuple[Sounds | None, str | None]:
    """What sounds take, or why that was not measured: an encoder may not be at hand."""
    try:
        return profile_sounds(subject, model, at), None
    except InputError as error:
        return None, str(error)


def _notes(subject: Subject, beside: int | None) -> tuple[str, ...]:
    """What a reader must know of these numbers."""
    loss, notes = subject.config.loss, []
    if subject.checkpoint is None:
        notes.append("the pathway is untrained, with random outputs: it is as fast as a trained one")
    if loss.fisher_weight or loss.null_space_energy is not None:
        notes.append("Fisher information and the null space are not in these passes")
    if _is_another_card(subject):
        notes.append(
            "of a stated card only tensors are counted, not its context or what its allocator wastes"
        )
    elif beside is None:
        notes.append("this system does not say what a process holds, so only tensors are counted")
    return tuple(notes)


def _remove_results(out: Path) -> None:
    """Remove an earlier profile before any of a new one is written, so that none of it stays beside."""
    for name in (PROFILE, TABLES, *CHARTS):
        (out / name).unlink(missing_ok=True)


def _track(accelerator: Accelerator, config: ProfileConfig, found: Profile) -> None:
    """Log the curves: those of sizes by rows, those of latency by audio tokens."""
    if not accelerator.log_with:
        return
    with tracking(accelerator, config.out / RUN, options_of(config)) as log:
        for rows, values in sorted(curves_of(found).items()):
            log(values, rows)


def curves_of(found: Profile) -> dict[int, dict[str, float]]:
    """The values that trackers get, by rows of a pass, or by audio tokens of an answer."""
    curves: dict[int, dict[str, float]] = {}
    for rung in found.training.rungs:
        curves.setdefault(rung.rows, {}).update(
            {
                "training/samples_per_second": rung.samples_per_second.value,
                "training/peak_mb": rung.memory.peak_bytes / 1e6,
            }
        )
    for asked in found.answering.rungs:
        curves.setdefault(asked.rows, {}).update(
            {
                "answers/per_second_with_sound": asked.answers_per_second(with_sound=True).value,
                "answers/per_second_without": asked.answers_per_second(with_sound=False).value,
                "answers/peak_mb_with_sound": asked.with_sound.peak_bytes / 1e6,
            }
        )
    for one in found.latency:
        if one.tokens is not None:
            times = {"latency/p50_ms": one.p50_ms.value, "latency/p95_ms": one.p95_ms.value}
            curves.setdefault(one.tokens, {}).update(times)
    return curves
