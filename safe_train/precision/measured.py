"""Measured: a checkpoint and its base at one precision, timed in turns with those of the first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.core.phases import Phase
from safe_eval.options import Sampling
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.loading import loading_options, place
from safe_train.checkpoint import Checkpoint, attach_checkpoint
from safe_train.corpora import Corpora
from safe_train.gates.gate import Gate
from safe_train.parity.comparison import Asking
from safe_train.parity.memory import bytes_of
from safe_train.parity.parity import PathwayParity, pathway_parity
from safe_train.parity.timing import TimeRatio, ratio_of
from safe_train.pathway.model import SafeModel
from safe_train.precision.asked import Questionnaire, Said, answered
from safe_train.precision.result import Bytes, Measured, Times
from safe_train.profiling.answers import Answers, of_length
from safe_train.profiling.gauge import Gauge, pass_memory
from safe_train.profiling.ladder import in_turns, release
from safe_train.profiling.latency import Way, ask_in_turns, asker, gated, latency_of
from safe_train.profiling.quantiles import quantile_of
from safe_train.profiling.subject import Subject
from safe_train.questions import read_questions
from safe_train.settings.backbone import BackboneConfig
from safe_train.settings.precision import PrecisionConfig
from safe_train.settings.profile import MeasuringConfig, ProfileConfig, ProfiledData

_NO_KERNEL = "not implemented for"  # how PyTorch says that a device does not compute with a kind of numbers


class NotHereError(Exception):
    """A precision that this machine, or this checkpoint, cannot run."""


@dataclass(frozen=True)
class Place:
    """What is measured at every precision, and where."""

    checkpoint: Checkpoint
    shards: Path
    backbone: Path
    config: PrecisionConfig
    questionnaire: Questionnaire
    gate: Gate
    device: torch.device


@dataclass(frozen=True)
class Ready:
    """A model at one precision, with what it said to all questions, and how its questions are timed."""

    name: str
    architecture: str
    backbone: Backbone
    model: SafeModel
    parity: PathwayParity | None
    said: Said
    answers: Answers
    subject: Subject

    @property
    def memory(self) -> tuple[int, int]:
        """The bytes of the weights of the base and of the pathway."""
        return bytes_of(self.model.base), bytes_of(self.model.pathway)


def prepare(where: Place, name: str, at: Phase) -> Ready:
    """Load a precision, compare its base before and after the pathway is attached, and ask all questions.

    Raises:
        NotHereError: it cannot be loaded on this machine.
        InputError: checkpoint and base do not fit.
    """
    config, questionnaire = where.config, where.questionnaire
    at(f"{name}: loading")
    _check_here(where, name)
    backbone = load_backbone(where.backbone, config.loading(name))
    place(backbone.model, config.loading(name), where.device)
    vl = questionnaire.vl
    asking = Asking(backbone, vl, config.batch_size, asking=questionnaire.asking, generate=True, quiet=True)
    at(f"{name}: the base alone")
    is_adapted = where.checkpoint.config.adapted is not None
    base = [] if is_adapted else list(asking.said("the base"))
    model = attach_checkpoint(where.checkpoint, backbone, config.pathway(name))
    try:
        at(f"{name}: the closed gate")
        parity = None if is_adapted else pathway_parity(name, asking, base, model)
        at(f"{name}: answers")
        said = questionnaire.say(model, backbone, where.gate)
        subject = _subject(where, name, backbone)
        architecture = type(backbone.model).__name__
        return Ready(name, architecture, backbone, model, parity, said, Answers(subject, model), subject)
    except BaseException:
        model.detach()
        raise


def measure(where: Place, ready: Ready, first: Ready, at: Phase) -> Measured:
    """What a precision costs, against the first one, which may be the same."""
    sampling = Sampling(seed=where.config.seed)
    at(f"{ready.name}: times")
    times, peak = _times(where, ready, first)
    base, pathway = ready.memory
    unknown = "the checkpoint trained its base, so a closed gate does not give it back"
    return msgspec.structs.replace(
        planned(where.config, ready.name),
        answered=answered(where.questionnaire, first.said, ready.said, sampling),
        times=times,
        memory=Bytes(base=base, pathway=pathway, peak=peak),
        gate_off=ready.parity,
        gate_off_unknown=unknown if ready.parity is None else None,
    )


def planned(config: PrecisionConfig, name: str, not_run: str | None = None) -> Measured:
    """The row of a precision of which nothing is measured yet, or why nothing was."""
    loading = config.loading(name)
    return Measured(
        name=name,
        dtype=loading.dtype,
        quantization=loading.quantization,
        pathway=config.pathway(name),
        not_run=not_run,
    )


def why_not(error: Exception) -> str | None:
    """Why a precision cannot run on this machine; None if the error says something else."""
    if isinstance(error, NotHereError):
        return str(error)
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return "it does not fit the memory, beside the first precision if it is another one"
    said = str(error).partition("\n")[0]
    return said if isinstance(error, RuntimeError) and _NO_KERNEL in said else None


def let_go(ready: Ready) -> None:
    """Take the pathway off its base; the memory of both is free once nobody holds them."""
    ready.model.detach()
    release()


def _check_here(where: Place, name: str) -> None:
    loading, adapted = where.config.loading(name), where.checkpoint.config.adapted
    try:
        loading_options(loading)
    except InputError as error:
        raise NotHereError(str(error)) from None
    if loading.quantization is not None and adapted is not None and adapted.settings.base == "full":
        raise NotHereError("the checkpoint trained its base whole, and those weights fit no quantised base")


def _subject(where: Place, name: str, backbone: Backbone) -> Subject:
    """The questions that are timed, as a profile asks them."""
    config, facts = where.config, where.checkpoint.config
    corpora = Corpora((where.shards,), config.split, [encoder.name for encoder in facts.encoders])
    questions = read_questions(corpora, quiet=True)
    settings = ProfileConfig(
        BackboneConfig(str(where.backbone)),
        Path(),
        data=ProfiledData(shards=(where.shards,)),
        loading=config.loading(name),
        asking=facts.asking,
        pathway=facts.pathway,
        measuring=MeasuringConfig(asked_split=config.split),
    )
    return Subject(
        settings, backbone, where.checkpoint, None, questions, questions, facts.encoders, where.device
    )


def _times(where: Place, ready: Ready, first: Ready) -> tuple[Times, int]:
    """Times in turns with the first precision, whose answers give the lengths; and the peak of a batch."""
    config = where.config
    numbers = first.subject.questions_with_sounds(config.alone)
    lengths = first.answers.lengths(numbers)
    requests = [
        (number, ready.answers.audio([number]), length)
        for number, length in zip(numbers, lengths, strict=True)
    ]
    is_first = ready is first
    both = [first] if is_first else [first, ready]
    ways = [_way(one, where.gate) for one in both]
    ask_in_turns(ways, requests)
    alone = latency_of(ways[-1], ways[0].asked)
    rows = [numbers[place % len(numbers)] for place in range(config.batch_size)]
    runs = [_batch(one, rows, max(lengths)) for one in both]
    for run in runs:
        run(None)
    seconds = in_turns([partial(run, None) for run in runs], config.repeats)
    peak = pass_memory(where.device, runs[-1]).peak_bytes
    return (
        Times(
            p50_ms=alone.p50_ms,
            p95_ms=alone.p95_ms,
            latency_ratio=None if is_first else alone.ratio,
            batch_ms=quantile_of(seconds[-1]).scaled(1000),
            batch_rows=len(rows),
            batch_tokens=max(lengths),
            batch_ratio=None if is_first else _ratio(seconds),
        ),
        peak,
    )


def _way(one: Ready, gate: Gate) -> Way:
    """A question is asked as it is answered: by the gate, or with the most tokens where it lets all hear."""
    most = one.model.pathway.config.most_tokens
    if gate.needs_state:
        return Way(one.name, None, gated(one.answers, gate))
    return Way(one.name, most, asker(one.answers, most))


def _batch(one: Ready, numbers: Sequence[int], tokens: int) -> Callable[[Gauge | None], None]:
    """A batch of answers of so many tokens, which all hear with the most audio tokens."""
    dialogue = one.answers.dialogue(tokens, remembers=True)
    inputs = of_length(dialogue.encode([one.answers.question(number) for number in numbers]), tokens)
    audio: tuple[Tensor, ...] = one.answers.audio(numbers)
    most = one.model.pathway.config.most_tokens

    def run(_: Gauge | None) -> None:
        with one.answers.hearing(audio, most):
            dialogue.generate(dict(inputs))

    return run


def _ratio(seconds: Sequence[Sequence[float]]) -> TimeRatio:
    return ratio_of(list(zip(seconds[0], seconds[1], strict=True)))
