"""Training: the time and the memory of stage A's passes by their rows, as its loop makes them.

Each pass asks what a step of training asks, in the mixture of the settings, and one of its questions is the
longest that was drawn, so that all sizes are padded to the same length. The teacher keeps no answers: its
passes are those of a first epoch, which later ones are spared.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator

from safe_data.core.phases import Phase, unseen
from safe_data.sampling.curriculum import Progress
from safe_data.sampling.curriculum_file import Stage
from safe_eval.models.processors import pictures_apart
from safe_train.base.prompts import Prompts
from safe_train.batches import Batch, Loader
from safe_train.parity.memory import bytes_of
from safe_train.pathway.model import SafeModel
from safe_train.profiling.gauge import Gauge, held_by, pass_memory
from safe_train.profiling.ladder import Climb, climb, in_turns, seconds_of, sizes
from safe_train.profiling.machine import available_bytes
from safe_train.profiling.memory_model import FEWEST_SIZES, model_of
from safe_train.profiling.operations import operations_of
from safe_train.profiling.quantiles import quantile_of
from safe_train.profiling.result import Ladder, Operations, PassMemory, Training, TrainingRung
from safe_train.profiling.subject import Subject
from safe_train.questions import Asked
from safe_train.retention.distillation import Teacher
from safe_train.stages.losses import Losses
from safe_train.stages.optimizer import new_optimizer
from safe_train.stages.sampler import StepSampler
from safe_train.stages.training_pass import answer_tokens, training_pass

_ROOM = 0.9  # of the memory that is free, which a size may be expected to take


@dataclass(frozen=True)
class Trained:
    """What training passes showed: their times, the bytes of what lasts, and how to measure one more."""

    training: Training
    gradient_bytes: int
    optimizer_bytes: int
    operations: Operations
    check: Callable[[int], PassMemory]  # a pass of so many rows


class Passes:
    """Training passes of any number of rows, of one model."""

    def __init__(self, subject: Subject, model: SafeModel, accelerator: Accelerator, most: int) -> None:
        config, base = subject.config, subject.backbone.model
        self._subject, self._model, self._accelerator = subject, model, accelerator
        prompts = Prompts(subject.backbone.processor, config.asking)
        self._loader = Loader(subject.trained_on, subject.backbone.processor, prompts)
        self._losses, self._teacher = Losses(config.loss, base), None
        if config.loss.kl_weight:
            self._teacher = Teacher(base, self._loader, capacity_bytes=0, untouched=model.untouched)
        self._called = accelerator.prepare_model(model, device_placement=False)
        model.train()
        trained = list(model.adaptation.weights.values())
        self.optimizer = new_optimizer(model.pathway, config.optim, trained, config.adaptation.base_lr)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self._longest = max(self._fitting(self._drawn(most)), key=self._length)

    def batch(self, rows: int) -> Batch:
        """What a step of so many questions asks, one of them the longest."""
        asked = self._fitting(self._drawn(rows))
        asked = [asked[place % len(asked)] for place in range(rows)]
        places = [place for place, row in enumerate(asked) if row.role == self._longest.role]
        asked[places[0] if places else 0] = self._longest
        return self.make(asked)

    def make(self, asked: Sequence[Asked]) -> Batch:
        """A batch of these questions; prompts and pictures that were seen before are remembered."""
        return self._loader.batch(asked)

    def run(self, batch: Batch, gauge: Gauge | None = None) -> int | None:
        """Run a pass beside the gradients of an earlier one; with a gauge, what is held for its backward."""
        held: list[int] = []

        def losses(*given: Any) -> Any:
            found = self._losses(*given)
            held.append(gauge.now if gauge else 0)
            return found

        base = self._subject.backbone.model
        training_pass(
            self._model,
            self._called,
            batch.to(self._subject.device, base.dtype),
            answer_tokens([batch]),
            losses=losses,
            teacher=self._teacher,
            gate=1.0,
            tokens=self._model.pathway.config.most_tokens,
            accelerator=self._accelerator,
        )
        return held[0] if gauge else None

    def look(self, rows: int) -> tuple[tuple[Batch, PassMemory], float]:
        """A batch and the memory of its pass, and the seconds of another; the first makes what lasts."""
        batch = self.batch(rows)
        self.run(batch)
        memory = pass_memory(self._subject.device, partial(self.run, batch))
        return (batch, memory), seconds_of(partial(self.run, batch))

    def _sampler(self, rows: int) -> StepSampler:
        config = self._subject.config
        stage = Stage(name="all", weights=config.data.weights)
        silent = config.data.silent_fraction
        questions, seed = self._subject.trained_on, config.seed
        return StepSampler(questions, (stage,), batch_size=rows, silent_fraction=silent, seed=seed)

    def _drawn(self, rows: int) -> list[Asked]:
        return list(self._sampler(rows).sample(Progress()).asked)

    def _fitting(self, asked: Sequence[Asked]) -> list[Asked]:
        """Those that may stand in one batch: where a family asks for it, those with a picture."""
        questions = self._subject.trained_on
        if not pictures_apart(self._subject.backbone.processor):
            return list(asked)
        shown = [row for row in asked if questions.corpora.picture(int(questions.clip[row.question]))]
        return shown or list(asked)

    def _length(self, row: Asked) -> int:
        batch = self._loader.batch([row])
        return int(batch.inputs["input_ids"].shape[1])


def profile_training(
    subject: Subject, model: SafeModel, accelerator: Accelerator, at: Phase = unseen
) -> Trained:
    """Measure stage A's passes.

    Raises:
        InputError: a role of the mixture has no question.
    """
    config, measuring = subject.config, subject.config.measuring
    planned = min(config.optim.rows_per_forward, config.optim.batch_size)
    wanted = sizes(measuring.most_rows, also=planned)
    passes = Passes(subject, model, accelerator, wanted[-1])
    at("training passes")
    climbed = climb(
        wanted,
        passes.look,
        seconds=measuring.ladder_seconds,
        runs=measuring.repeats,
        room=room_for(subject.device),
    )
    if not climbed.seen:
        raise MemoryError("not one row of a training pass fits the memory")
    batches = {rows: batch for rows, (batch, _) in climbed.seen.items()}
    times = in_turns([partial(passes.run, batch) for batch in batches.values()], measuring.repeats)
    largest = batches[max(batches)]
    (made,) = in_turns([partial(passes.make, largest.asked)], measuring.repeats)
    passes.optimizer.step()
    (steps,) = in_turns([passes.optimizer.step], measuring.repeats)
    memory = {rows: seen for rows, (_, seen) in climbed.seen.items()}
    rungs = tuple(
        TrainingRung(
            rows=rows,
            positions=int(batches[rows].inputs["input_ids"].shape[1]),
            pass_ms=quantile_of(taken).scaled(1000),
            memory=memory[rows],
        )
        for rows, taken in zip(batches, times, strict=True)
    )
    states = [t for state in passes.optimizer.state.values() for t in state.values() if torch.is_tensor(t)]
    middle = min(batches, key=lambda rows: abs(rows - planned))
    gradients, optimizer = held_by(p.grad for p in passes.parameters if p.grad is not None), held_by(states)
    always = bytes_of(model.base) + bytes_of(model.pathway) + gradients + optimizer
    training = Training(
        rungs=rungs,
        ladder=ladder_of(climbed, {rows: one.peak_bytes for rows, one in memory.items()}, always),
        step_ms=quantile_of(steps).scaled(1000),
        making_ms=quantile_of(made).scaled(1000 / len(largest.asked)),
        trained_parameters=sum(parameter.numel() for parameter in passes.parameters),
        batch_size=config.optim.batch_size,
        planned_rows=planned,
    )
    return Trained(
        training=training,
        gradient_bytes=gradients,
        optimizer_bytes=optimizer,
        operations=operations_of(
            f"a training pass of {middle} rows", partial(passes.run, batches[middle]), subject.device
        ),
        check=lambda rows: passes.look(rows)[0][1],
    )


def room_for(device: torch.device) -> Callable[[int, dict[int, Any]], bool]:
    """Whether a size may be tried on a CPU, where too large a one would end the process.

    A GPU raises an error instead, so there it is tried.
    """

    def room(size: int, seen: dict[int, Any]) -> bool:
        free = available_bytes()
        if device.type != "cpu" or not seen or free is None:
            return True
        rows = max(seen)
        peak = max(one.peak_bytes for one in seen[rows] if isinstance(one, PassMemory))
        return bool(size / rows * peak <= _ROOM * free)

    return room


def ladder_of(climbed: Climb[Any], peaks: dict[int, int], always: int) -> Ladder:
    """Why a ladder ended, and the line through its peaks beside what is always there."""
    model = model_of(peaks, always) if len(peaks) >= FEWEST_SIZES else None
    return Ladder(stopped_by=climbed.stopped_by, at=climbed.at, model=model)
