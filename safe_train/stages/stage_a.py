"""Stage A: teach the audio pathway to hear, while the frozen base keeps its answers.

Each batch holds audio questions with their own sound (loss: cross-entropy), and questions that SAFE must
answer as the base does (loss: KL divergence): vision questions with an unrelated sound or silence, and audio
questions with silence. The gate is open for all of them: closed, nothing could drift.
"""

import dataclasses
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor
from tqdm import tqdm

from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.only_writer import only_writer
from safe_data.core.options_file import TRAIN, installed_versions, options_of, write_options
from safe_data.sampling.curriculum_file import Stage, read_stages
from safe_data.sampling.mixture import ORDER_VERSION
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import read_dataset
from safe_eval.models.files import base_files
from safe_train.augmentation import Augmentation, Ranges
from safe_train.base.adaptation import adapt
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.freeze import FreezeAudit, audit_freeze
from safe_train.base.loading import check_processes, place
from safe_train.base.prompts import Prompts, check_pictures
from safe_train.batches import Batch, Loader
from safe_train.checkpoint import (
    CONFIG,
    CheckpointConfig,
    TrainedFor,
    UsedEncoder,
    read_checkpoint,
    used_encoders,
)
from safe_train.corpora import Corpora
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.questions import Questions, drawn_questions, read_questions
from safe_train.retention.distillation import Teacher, answer_logits
from safe_train.retention.drift import DriftedError, shown_above, stop_message
from safe_train.retention.weights import WeightRetention
from safe_train.run_identity import RUN, Identity, begin, check_complete, check_out, identity_options
from safe_train.run_state import finish, latest
from safe_train.settings.train import TrainConfig
from safe_train.stages.epochs import steps_per_epoch
from safe_train.stages.evaluation import Evaluation
from safe_train.stages.logs import (
    EVALUATIONS,
    LOSSES,
    StepLoss,
    last_evaluation,
    read_evaluations,
    read_losses,
)
from safe_train.stages.loop import StopsAt, never, train
from safe_train.stages.losses import Losses
from safe_train.stages.processes import precision
from safe_train.stages.publish import adapted_base, kept_state, publish
from safe_train.stages.sampler import StepSampler
from safe_train.stages.work import Work
from safe_train.track import accelerator_options


class StageAResult(NamedTuple):
    """What stage A wrote, the losses of all its steps, and the metrics of its last evaluation, if any."""

    checkpoint: CheckpointConfig
    losses: list[StepLoss]
    metrics: dict[str, float]


def stage_a(
    config: TrainConfig, *, stops_at: StopsAt = never, watch: Callable[[int], None] | None = None
) -> StageAResult:
    """Train a pathway for the backbone on one or several datasets, and write the checkpoint to `run.out`.

    A run that was stopped goes on where its last state was saved, and ends with the same bytes. A run that is
    complete is returned as it is. `stops_at` is asked after each step; where it says so, the run stops as by
    Ctrl-C. Of several processes, all must be told the same. `watch` is called after each evaluation; what it
    raises ends the run.

    Raises:
        InputError: before the first step, for what cannot be trained: an unknown layer, dataset, encoder or
            split, a role without questions, a folder that cannot be written or holds another run; and for a
            loss that is not finite or jumps.
        KeyboardInterrupt: the run was stopped by Ctrl-C or SIGTERM; its state is saved.
        DriftedError: VL questions are shown to lose more than `run.drift_stop`. The checkpoint is the best
            state before that, if there is one. The same call again trains no further, and says so again.
    """
    out, force = config.run.out, config.run.force
    trackers = [name for name in config.run.trackers if name != "none"]
    # accelerate ignores the processes of torchrun on a machine without an accelerator, unless it is told.
    no_device = not torch.accelerator.is_available()
    accelerator = Accelerator(
        cpu=no_device, mixed_precision=precision(config.optim), **accelerator_options(trackers, out / RUN)
    )
    if config.optim.batch_size < accelerator.num_processes:
        count = accelerator.num_processes
        raise InputError(f"batch_size={config.optim.batch_size}: each of {count} processes needs a question")
    if not accelerator.is_main_process:
        return _stage_a(config, accelerator, stops_at, watch)
    check_out(out, force=force)
    with only_writer(out / RUN):
        return _stage_a(config, accelerator, stops_at, watch)


def _stage_a(
    config: TrainConfig,
    accelerator: Accelerator,
    stops_at: StopsAt,
    watch: Callable[[int], None] | None,
) -> StageAResult:
    """Stage A in a folder that may be written."""
    out = config.run.out
    check_processes(config.loading, accelerator.num_processes)
    corpora = Corpora(config.data.shards, config.data.split, config.data.encoder)
    check_pictures(config.asking, corpora.datasets)
    backbone = load_backbone(config.backbone.source, config.loading)
    base, before = _audited(backbone, config)
    encoders = used_encoders(corpora.sounding)
    identity = _identity(config, corpora, encoders, base, accelerator)
    work, steps = _work(config, backbone, corpora, accelerator)
    work = dataclasses.replace(work, watch=watch)
    try:
        if accelerator.is_main_process:
            begin(out, identity, force=config.run.force)
        accelerator.wait_for_everyone()
        if (out / CONFIG).is_file():
            check_complete(out, (LOSSES, EVALUATIONS))
        else:
            if accelerator.is_main_process:
                write_options(out, "safe-train stage-a", options_of(config), TRAIN)
            state = train(
                work, config, steps=steps, saved=latest(out), accelerator=accelerator, stops_at=stops_at
            )
            kept = kept_state(config, work.model, state)
            adapted = adapted_base(config, work.model, base) if kept and accelerator.is_main_process else None
            work.model.detach()  # a base that was trained is what it was before, too
            after = audit_freeze(backbone.model)
            if after != before:
                raise RuntimeError(f"stage A changed the frozen base: {before} became {after}")
            if kept and accelerator.is_main_process:
                publish(config, work.model, corpora, encoders, base, steps, kept.step, adapted)
        accelerator.wait_for_everyone()
        is_published = (out / CONFIG).is_file()
        if is_published and accelerator.is_main_process:
            finish(out)
        accelerator.wait_for_everyone()
    finally:
        work.model.detach()
    checkpoint = read_checkpoint(out).config if is_published else None
    evaluations, limit = read_evaluations(out / EVALUATIONS), config.run.drift_stop
    if checkpoint is None or (evaluations and shown_above(evaluations[-1], limit)):
        published = checkpoint.step if checkpoint else None
        raise DriftedError(stop_message(out, evaluations, limit or 0.0, published))
    return StageAResult(checkpoint, read_losses(out / LOSSES), last_evaluation(out / EVALUATIONS))


def _work(
    config: TrainConfig, backbone: Backbone, corpora: Corpora, accelerator: Accelerator
) -> tuple[Work, int]:
    """All that the loop needs, checked, and the number of steps."""
    data, optim, seed = config.data, config.optim, config.run.seed
    base = backbone.model
    place(base, config.loading, accelerator.device)
    pathway = new_pathway(config.pathway, base, corpora.shapes, seed)
    adaptation = adapt(base, config.adaptation, seed)
    model = SafeModel(base, pathway, adaptation, recompute=optim.activation_checkpointing)
    if config.pathway.standardise:
        for number, (mean, deviation) in enumerate(corpora.statistics()):
            pathway.projector(number).standardise(torch.from_numpy(mean), torch.from_numpy(deviation))
    questions = trained_questions(config, corpora)
    stages = read_stages(data.curriculum) if data.curriculum else ()
    sampler = StepSampler(
        questions,
        stages or (Stage(name="all", weights=data.weights),),
        batch_size=optim.batch_size,
        silent_fraction=data.silent_fraction,
        seed=seed,
        heard=data.heard,
        ranges=Ranges.of(data),
    )
    prompts = Prompts(backbone.processor, config.asking)
    augmentation = Augmentation(corpora.sounding, data.encoder_source) if Ranges.of(data).any else None
    loader = Loader(questions, backbone.processor, prompts, augmentation)
    teacher = Teacher(base, loader, untouched=model.untouched) if config.loss.kl_weight else None
    evaluation = _evaluation(config, backbone.processor, prompts, model) if config.run.eval_steps else None
    if config.run.eval_steps and not (evaluation or config.run.quiet) and accelerator.is_main_process:
        split = f"no dataset has a split {data.validation_split!r} with sounds"
        tqdm.write(f"stage A: {split}, so nothing is evaluated; see --validation-split", file=sys.stderr)
    for note in sampler.curriculum.notes() if accelerator.is_main_process and not config.run.quiet else ():
        tqdm.write(f"stage A: {note}", file=sys.stderr)
    _check_metrics(stages, evaluation.metrics if evaluation else ())
    losses = Losses(config.loss, base)
    weights = WeightRetention(config, model, loader, accelerator)
    work = Work("stage A", model, sampler, loader, teacher, losses, evaluation, weights)
    return work, _steps(config, sampler)


def trained_questions(config: TrainConfig, corpora: Corpora) -> Questions:
    """The questions that are trained on: all of the split, or as many as `data.examples` says.

    Raises:
        InputError: there are none.
    """
    questions = read_questions(corpora, tasks=config.data.tasks, quiet=config.run.quiet)
    if config.data.examples is None:
        return questions
    return drawn_questions(questions, config.data.examples, config.run.seed)


def _evaluation(config: TrainConfig, processor: Any, prompts: Prompts, model: SafeModel) -> Evaluation | None:
    """The evaluation on those datasets that have the validation split; None if none of them has a sound."""
    data, split = config.data, config.data.validation_split
    folders = [folder for folder in data.shards if split in read_dataset(folder).splits]
    if not any(ShardDataset(folder, split).has_audio.any() for folder in folders):
        return None
    corpora = Corpora(folders, data.validation_split, data.encoder)
    questions = read_questions(corpora, tasks=data.tasks, quiet=config.run.quiet)

    def before_training(batch: Batch) -> Tensor:
        with model.untouched():
            return answer_logits(model.base, batch)

    return Evaluation(
        Loader(questions, processor, prompts),
        questions=data.validation_questions,
        seed=config.run.seed,
        rows=config.optim.rows_per_forward,
        base_logits=None if config.adaptation.base == "frozen" else before_training,
    )


def _check_metrics(stages: Sequence[Stage], measured: Sequence[str]) -> None:
    """Check that what a stage waits for will be measured.

    Raises:
        InputError: it will not.
    """
    for stage in stages:
        wanted = stage.until.metric if stage.until else None
        if wanted is not None and wanted not in measured:
            known = (
                ", ".join(measured) or "nothing: there is no --eval-steps, or no validation split with sounds"
            )
            hint = did_you_mean(wanted, measured, f"evaluated is {known}")
            raise InputError(f"stage {stage.name!r} waits for {wanted!r}; {hint}")


def _steps(config: TrainConfig, sampler: StepSampler) -> int:
    """The number of steps: given, or as many as draw the audio questions so many times."""
    if config.optim.steps is not None:
        return config.optim.steps
    epochs = 1.0 if config.optim.epochs is None else config.optim.epochs
    return math.ceil(epochs * steps_per_epoch(sampler, config.optim.batch_size))


def _audited(backbone: Backbone, config: TrainConfig) -> tuple[TrainedFor, FreezeAudit]:
    audit = audit_freeze(backbone.model)
    files = base_files(backbone.folder, quiet=config.run.quiet)
    return TrainedFor(
        config.backbone.name, audit.architecture, files, audit.parameters, audit.weights_sha256
    ), audit


def _identity(
    config: TrainConfig,
    corpora: Corpora,
    encoders: Sequence[UsedEncoder],
    base: TrainedFor,
    accelerator: Accelerator,
) -> Identity:
    return Identity(
        options=identity_options(config),
        datasets={dataset.name: dataset.fingerprint for dataset in corpora.datasets},
        encoders={encoder.name: encoder.fingerprint for encoder in encoders},
        base=base.files,
        processes=accelerator.num_processes,
        versions=installed_versions(("torch", "transformers")),
        draw_order=ORDER_VERSION,
    )
