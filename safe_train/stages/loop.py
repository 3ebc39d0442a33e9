"""Loop: the steps of a training stage, which can be stopped at any moment and go on as if they had not been.

The loop knows no stage: `Work` says what a step trains on and what its loss is. A step is one global batch;
each process takes its rows of it, in as many forward passes as its memory needs, and all numbers that are
averaged over the batch are divided by the counts of the whole batch.
"""

import hashlib
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from tqdm import tqdm

from safe_data.core.interruption import stopping
from safe_data.core.options_file import options_of
from safe_data.core.terminal import printable
from safe_data.sampling.curriculum import Progress
from safe_train.base.adaptation import adapted_weights, load_adapted
from safe_train.base.loading import input_device
from safe_train.batches import Batch
from safe_train.checkpoint import pathway_weights
from safe_train.run_identity import RUN
from safe_train.run_state import (
    Log,
    Saved,
    State,
    check_taught,
    save,
    save_teacher,
    teacher_until,
)
from safe_train.settings.train import TrainConfig
from safe_train.stages.drift_guard import DriftGuard
from safe_train.stages.epochs import drawn_since, steps_per_epoch, summary
from safe_train.stages.gradients import GradientWatch, components_of, gradient_norms
from safe_train.stages.logs import EPOCHS, EVALUATIONS, LOSSES
from safe_train.stages.loss_guard import LossGuard
from safe_train.stages.optimizer import new_optimizer, optimizer_tensors, restore_optimizer, set_rates
from safe_train.stages.processes import summed
from safe_train.stages.progress import training_progress, training_values
from safe_train.stages.sampler import Ahead, Step
from safe_train.stages.schedule import budget_at, gate_at
from safe_train.stages.training_pass import answer_tokens, training_pass
from safe_train.stages.work import Counts, Work
from safe_train.track import Log as Track
from safe_train.track import tracking

VANISHING_FROM = 20  # steps: before, an output that began at 0 passes little back


StopsAt = Callable[[Progress], bool]


def never(_progress: Progress) -> bool:
    """Stop a run at no step."""
    return False


def train(
    work: Work,
    config: TrainConfig,
    *,
    steps: int,
    saved: Saved | None,
    accelerator: Accelerator,
    stops_at: StopsAt = never,
) -> State:
    """Train the model's pathway in place until the last step, or until it is shown to have drifted.

    The last state is saved and returned.

    `accelerator` is made with `track.accelerator_options`.

    Raises:
        InputError: the loss is not finite or jumps, or a disk is full.
        KeyboardInterrupt: the run was stopped by Ctrl-C, SIGTERM or `stops_at`; its state is saved.
    """
    started = saved.state.progress.step if saved else None
    tracked = tracking(accelerator, config.run.out / RUN, options_of(config), resume_at=started)
    with stopping() as stopped, torch.random.fork_rng(devices=[]), tracked as track:
        loop = Loop(work, config, steps, saved, accelerator, track)
        try:
            if not steps and not loop.metrics:
                loop.evaluate(0)
            while loop.progress.step < steps and not loop.drift.stops(loop.metrics):
                loop.step()
                if summed(accelerator, [stopped.is_set() or stops_at(loop.progress)])[0]:
                    loop.save()
                    raise KeyboardInterrupt
            return loop.save()
        finally:
            loop.close()


class Loop:
    """A run between two of its steps."""

    def __init__(
        self,
        work: Work,
        config: TrainConfig,
        steps: int,
        saved: Saved | None,
        accelerator: Accelerator,
        track: Track,
    ) -> None:
        self.work, self.config, self.steps, self.accelerator = work, config, steps, accelerator
        self.pathway = work.model.pathway
        self.adaptation = work.model.adaptation
        self.components = components_of(work.model)
        trained = list(self.adaptation.weights.values())
        self.optimizer = new_optimizer(self.pathway, config.optim, trained, config.adaptation.base_lr)
        state = saved.state if saved else State(Progress(), {}, {}, [])
        self.progress, self.metrics = state.progress, dict(state.metrics)
        self.drift = DriftGuard(config.run, state.best)
        if saved:
            self.pathway.load_state_dict(saved.pathway)
            load_adapted(self.adaptation, saved.base)
            restore_optimizer(self.optimizer, saved.optimizer)
            work.weights.restore(saved.retention)
        out, rank = config.run.out, accelerator.process_index
        if work.teacher:
            work.teacher.restore(teacher_until(out, self.progress.step, rank))
            check_taught(out, self._taught(), state)
        # Only what is trained: accelerate may wrap and move what it prepares, and the base stays where it is.
        self.model = accelerator.prepare_model(work.model, device_placement=False)
        work.model.train()
        names = (LOSSES, EVALUATIONS, EPOCHS) if accelerator.is_main_process else ()
        self.logs = {name: Log(out / name, state.logs.get(name)) for name in names}
        self.track = track
        self.guard = LossGuard(config.run.spike_factor, state.losses)
        self.watch = GradientWatch(work.model.base, vanishing_from=VANISHING_FROM, trained=trained)
        self.epoch_steps = steps_per_epoch(work.sampler, config.optim.batch_size)
        first = self.progress.step // self.epoch_steps * self.epoch_steps
        self.drawn = drawn_since(out / LOSSES, first) if LOSSES in self.logs else []
        quiet = config.run.quiet or not accelerator.is_main_process
        self.shown = training_progress(work.name, steps, start=self.progress.step, quiet=quiet)
        self.ahead = Ahead(
            self._make, work.sampler.curriculum.advance, workers=config.data.workers, steps=steps
        )

    def step(self) -> None:
        """Train on one global batch; evaluate and save if it is time."""
        step, optim, run = self.progress.step, self.config.optim, self.config.run
        drawn, batches = self.ahead.get(self.progress)
        torch.manual_seed(seed_of(run.seed, step, self.accelerator.process_index))
        gate = gate_at(step, optim.gate_warm_up, optim.gate_warm_up_steps)
        budgets = self.pathway.config.budgets
        tokens = budget_at(step, budgets, run.seed)
        rates = set_rates(self.optimizer, step, self.steps, optim)
        self.work.weights.prepare(step)
        losses = self._backward(batches, gate, tokens)
        ids = partial(self.work.loader.example_ids, drawn.asked)
        self.guard.check(step, losses["loss"], ids)
        losses = self.work.weights.penalise(losses)  # it may jump when it is estimated again
        norms = gradient_norms(self.components)
        self._warn(self.watch.warnings(step, norms))
        norm = float(torch.nn.utils.clip_grad_norm_(self.work.model.parameters(), optim.clip_norm))
        self.guard.check_gradient(step, norm, ids)
        self.optimizer.step()
        self.work.weights.project()
        self.optimizer.zero_grad()
        values = losses | {"gate": gate} | rates | {"gradient_norm": norm}
        values |= {"audio_tokens": tokens} if len(budgets) > 1 else {}
        composition = drawn.composition()
        self._write(LOSSES, {"step": step, **values, "gradient_norms": norms, **composition})
        by_component = {f"gradient_norm/{name}": value for name, value in norms.items()}
        self.track(values | by_component | {"audio_ratio": composition["audio_ratio"]}, step)
        self._end_epoch()
        evaluated = self.evaluate(step + 1) if self._is_due(run.eval_steps) else None
        self._show(losses["loss"], gate, len(drawn.asked))
        self.progress = self._advanced(evaluated)
        best = self.drift.best
        is_best = best is not None and best.step == self.progress.step
        if is_best or self.progress.step % run.checkpoint_steps == 0:
            self.save()

    def save(self) -> State:
        """Save the state between two steps, if there is none of it yet."""
        logs = {name: log.sync() for name, log in self.logs.items()}
        losses, taught = list(self.guard.losses), self._taught()
        state = State(self.progress, logs, self.metrics, losses, self.drift.best, taught)
        out, step = self.config.run.out, self.progress.step
        if self.work.teacher:
            save_teacher(out, step, self.accelerator.process_index, self.work.teacher.unsaved())
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            weights, base = pathway_weights(self.pathway), adapted_weights(self.adaptation)
            optimizer, retention = optimizer_tensors(self.optimizer), self.work.weights.state()
            save(out, state, weights, optimizer, retention, base)
        self.accelerator.wait_for_everyone()
        return state

    def close(self) -> None:
        """End the threads and close the logs."""
        self.ahead.close()
        self.shown.close()
        for log in self.logs.values():
            log.close()

    def _taught(self) -> int:
        """How many answers the teachers of all processes keep."""
        kept = self.work.teacher.answers_kept if self.work.teacher else 0
        return int(summed(self.accelerator, [kept])[0])

    def _make(self, progress: Progress) -> tuple[Step, list[Batch]]:
        """A step, and the batches of this process."""
        drawn = self.work.sampler.sample(progress)
        mine = drawn.asked[self.accelerator.process_index :: self.accelerator.num_processes]
        return drawn, self.work.loader.batches(mine, self.config.optim.rows_per_forward)

    def _backward(self, batches: Sequence[Batch], gate: float, tokens: int) -> dict[str, float]:
        """Add up the gradients of this process's forward passes; return the losses of the whole batch."""
        base = self.work.model.base
        device = input_device(base)
        counts = self._counts(batches)
        sums: dict[str, float] = {}
        for number, batch in enumerate(batches, 1):
            is_last = number == len(batches)  # only then do processes exchange gradients
            waiting = nullcontext() if is_last else self.accelerator.no_sync(self.model)
            with waiting:
                losses = training_pass(
                    self.work.model,
                    self.model,
                    batch.to(device, base.dtype),
                    counts,
                    losses=self.work.losses,
                    teacher=self.work.teacher,
                    gate=gate,
                    tokens=tokens,
                    accelerator=self.accelerator,
                )
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
        return dict(zip(sums, summed(self.accelerator, list(sums.values())), strict=True))

    def _counts(self, batches: Sequence[Batch]) -> Counts:
        learn, keep = map(int, summed(self.accelerator, answer_tokens(batches)))
        return Counts(learn, keep)

    def _end_epoch(self) -> None:
        """Write what the epoch drew, if this was its last step or the run's."""
        if EPOCHS not in self.logs:
            return
        self.drawn.append(self.progress)
        epoch, place = divmod(self.progress.step, self.epoch_steps)
        if place == self.epoch_steps - 1 or self.progress.step == self.steps - 1:
            found = summary(self.work.sampler, self.work.loader.questions, self.drawn)
            self._write(EPOCHS, {"epoch": epoch, "last_step": self.progress.step, **found})
            self.drawn.clear()

    def _advanced(self, evaluated: dict[str, float] | None) -> Progress:
        """The progress after this step; says when a stage begins or is extended."""
        curriculum, now = self.work.sampler.curriculum, self.progress
        following = curriculum.advance(now, evaluated)
        if following.stage != now.stage:
            self._say(f"step {following.step}: stage {curriculum.stages[following.stage].name!r} begins")
        elif curriculum.is_extended(following) and not curriculum.is_extended(now):
            name = curriculum.stages[now.stage].name
            self._say(f"step {following.step}: stage {name!r} is extended, its metric does not hold yet")
        return following

    def _say(self, text: str) -> None:
        if text and not self.config.run.quiet and self.accelerator.is_main_process:
            tqdm.write(printable(f"{self.work.name}: {text}"), file=sys.stderr)

    def _warn(self, texts: Sequence[str]) -> None:
        for text in texts:
            if self.accelerator.is_main_process:
                warnings.warn(text, RuntimeWarning, stacklevel=3)

    def _show(self, loss: float, gate: float, samples: int) -> None:
        values = training_values(
            loss=loss,
            audio_accuracy=self.metrics.get("audio_accuracy"),
            vl_accuracy=self.metrics.get("vl_accuracy"),
            gate=gate,
        )
        self.shown.update(items=samples, shown=values)

    def _is_due(self, every: int) -> bool:
        done = self.progress.step + 1
        return self.work.evaluation is not None and every > 0 and (done % every == 0 or done == self.steps)

    def evaluate(self, done: int) -> dict[str, float]:
        """The metrics after so many steps, if there is an evaluation; the best state so far is remembered."""
        if self.work.evaluation is None:
            return {}
        metrics = self.work.evaluation(self.work.model, self.accelerator)
        self.metrics = metrics
        self._write(EVALUATIONS, {"step": done, **metrics})
        self.track({f"validation/{name}": value for name, value in metrics.items()}, self.progress.step)
        self.drift.keep_if_best(done, metrics)
        self._say(self.drift.said(done, metrics))
        self._warn(self.drift.warnings(done, metrics))
        if self.work.watch is not None:
            self.work.watch(done)
        return metrics

    def _write(self, log: str, line: dict[str, Any]) -> None:
        if log in self.logs:
            self.logs[log].write(line)


def seed_of(seed: int, step: int, rank: int) -> int:
    """The seed of a step's dropout in one process."""
    digest = hashlib.blake2b(f"{seed}/{step}/{rank}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "little")
