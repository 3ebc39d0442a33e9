"""Stage A: teach the audio pathway to hear, while the frozen base keeps its answers.

Each batch holds audio questions with their own sound (loss: cross-entropy), and questions that SAFE must
answer as the base does (loss: KL divergence): vision questions with an unrelated sound or silence, and audio
questions with silence. The gate is open for all of them: closed, nothing could drift.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor
from tqdm import tqdm

from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.options_file import TRAIN, installed_versions, options_of, write_options
from safe_data.sampling.curriculum_file import Stage, read_stages
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import read_dataset
from safe_train.base.adaptation import adapt
from safe_train.base.adapted_files import save_adapted
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.files import base_files
from safe_train.base.freeze import FreezeAudit, audit_freeze, weights_sha256
from safe_train.base.prompts import IGNORED, Prompts
from safe_train.batches import Batch, Loader
from safe_train.checkpoint import (
    CONFIG,
    AdaptedBase,
    CheckpointConfig,
    TrainedFor,
    TrainedOn,
    UsedEncoder,
    read_checkpoint,
    save_checkpoint,
    used_encoders,
)
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.questions import Corpora, read_questions
from safe_train.retention.distillation import Teacher, answer_logits, distillation_loss
from safe_train.retention.weights import WeightRetention
from safe_train.run_identity import (
    RUN,
    Identity,
    begin,
    check_complete,
    check_out,
    identity_options,
    only_writer,
)
from safe_train.run_state import finish, latest
from safe_train.settings.train import TrainConfig
from safe_train.stages.epochs import steps_per_epoch
from safe_train.stages.evaluation import Evaluation
from safe_train.stages.logs import EVALUATIONS, LOSSES, StepLoss, last_evaluation, read_losses
from safe_train.stages.loop import Counts, Work, train
from safe_train.stages.sampler import StepSampler
from safe_train.track import accelerator_options


class StageAResult(NamedTuple):
    """What stage A wrote, the losses of all its steps, and the metrics of its last evaluation, if any."""

    checkpoint: CheckpointConfig
    losses: list[StepLoss]
    metrics: dict[str, float]


def stage_a(config: TrainConfig) -> StageAResult:
    """Train a pathway for the backbone on one or several datasets, and write the checkpoint to `run.out`.

    A run that was stopped goes on where its last state was saved, and ends with the same bytes. A run that is
    complete is returned as it is.

    Raises:
        InputError: before the first step, for what cannot be trained: an unknown layer, dataset, encoder or
            split, a role without questions, a folder that cannot be written or holds another run; and for a
            loss that is not finite or jumps.
        KeyboardInterrupt: the run was stopped by Ctrl-C or SIGTERM; its state is saved.
    """
    out, force = config.run.out, config.run.force
    trackers = [name for name in config.run.trackers if name != "none"]
    # accelerate ignores the processes of torchrun on a machine without an accelerator, unless it is told.
    no_device = not torch.accelerator.is_available()
    accelerator = Accelerator(cpu=no_device, **accelerator_options(trackers, out / RUN))
    if config.optim.batch_size < accelerator.num_processes:
        count = accelerator.num_processes
        raise InputError(f"batch_size={config.optim.batch_size}: each of {count} processes needs a question")
    if not accelerator.is_main_process:
        return _stage_a(config, accelerator)
    check_out(out, force=force)
    with only_writer(out / RUN):
        return _stage_a(config, accelerator)


def _stage_a(config: TrainConfig, accelerator: Accelerator) -> StageAResult:
    """Stage A in a folder that may be written."""
    out = config.run.out
    corpora = Corpora(config.data.shards, config.data.split, config.data.encoder)
    backbone = load_backbone(config.backbone.source)
    base, before = _audited(backbone, config)
    encoders = used_encoders(corpora.sounding)
    identity = _identity(config, corpora, encoders, base, accelerator)
    work, steps = _work(config, backbone, corpora, accelerator)
    try:
        if accelerator.is_main_process:
            begin(out, identity, force=config.run.force)
        accelerator.wait_for_everyone()
        if (out / CONFIG).is_file():
            check_complete(out, (LOSSES, EVALUATIONS))
        else:
            if accelerator.is_main_process:
                write_options(out, "safe-train stage-a", options_of(config), TRAIN)
            train(work, config, steps=steps, saved=latest(out), accelerator=accelerator)
            adapted = _adapted(config, work.model, base) if accelerator.is_main_process else None
            work.model.detach()  # a base that was trained is what it was before, too
            after = audit_freeze(backbone.model)
            if after != before:
                raise RuntimeError(f"stage A changed the frozen base: {before} became {after}")
            if accelerator.is_main_process:
                _publish(config, work.model, corpora, encoders, base, steps, adapted)
        if accelerator.is_main_process:
            finish(out)
        accelerator.wait_for_everyone()
    finally:
        work.model.detach()
    return StageAResult(
        read_checkpoint(out).config, read_losses(out / LOSSES), last_evaluation(out / EVALUATIONS)
    )


def _work(
    config: TrainConfig, backbone: Backbone, corpora: Corpora, accelerator: Accelerator
) -> tuple[Work, int]:
    """All that the loop needs, checked, and the number of steps."""
    data, optim, seed = config.data, config.optim, config.run.seed
    base = backbone.model
    if base.config.is_encoder_decoder:
        raise InputError(f"{type(base).__name__} is an encoder-decoder; stage A trains decoders only")

    base.to(accelerator.device)
    pathway = new_pathway(config.pathway, base, corpora.shapes, seed)
    model = SafeModel(base, pathway, adapt(base, config.adaptation, seed))
    if config.pathway.standardise:
        for number, (mean, deviation) in enumerate(corpora.statistics()):
            pathway.projector(number).standardise(torch.from_numpy(mean), torch.from_numpy(deviation))
    questions = read_questions(corpora, quiet=config.run.quiet)
    stages = read_stages(data.curriculum) if data.curriculum else ()
    sampler = StepSampler(
        questions,
        stages or (Stage(name="all", weights=data.weights),),
        batch_size=optim.batch_size,
        silent_fraction=data.silent_fraction,
        seed=seed,
        heard=data.heard,
    )
    prompts = Prompts(backbone.processor)
    loader = Loader(questions, backbone.processor, prompts)
    teacher = Teacher(base, loader, untouched=model.untouched) if config.loss.kl_weight else None
    evaluation = _evaluation(config, backbone.processor, prompts) if config.run.eval_steps else None
    if config.run.eval_steps and not (evaluation or config.run.quiet) and accelerator.is_main_process:
        split = f"no dataset has a split {data.validation_split!r} with sounds"
        tqdm.write(f"stage A: {split}, so nothing is evaluated; see --validation-split", file=sys.stderr)
    _check_metrics(stages, evaluation.metrics if evaluation else ())
    losses = _Losses(config, base)
    weights = WeightRetention(config, model, loader, accelerator)
    work = Work("stage A", model, sampler, loader, teacher, losses, evaluation, weights)
    return work, _steps(config, sampler)


class _Losses:
    """The loss of stage A: cross-entropy of the rows that learn, divergence from the base of the others.

    A part that the whole batch has no row for is left out, not 0.
    """

    def __init__(self, config: TrainConfig, base: Any) -> None:
        self._base = base
        self._kl_weight, self._temperature = config.loss.kl_weight, config.loss.temperature

    def __call__(self, model: Any, batch: Batch, taught: Tensor | None, counts: Counts) -> dict[str, Tensor]:
        logits, learns = answer_logits(model, batch, self._base), batch.learns
        zero = logits[:0].sum()  # of the graph, for a pass whose rows have no loss
        cross_entropy, distillation = zero, zero
        if counts.learn and bool(learns.any()):
            answers = batch.answers[learns].flatten()
            summed = F.cross_entropy(
                logits[learns].flatten(0, 1), answers, ignore_index=IGNORED, reduction="sum"
            )
            cross_entropy = summed / counts.learn
        if taught is not None:
            tokens = taught.shape[1]  # the longest answer of the batch may be one that is learnt
            student, real = logits[~learns][:, :tokens], batch.real[~learns][:, :tokens]
            distillation = distillation_loss(student, taught, real, self._temperature, counts.keep)
        losses = {"loss": cross_entropy + self._kl_weight * distillation}
        if counts.learn:
            losses["cross_entropy"] = cross_entropy
        if counts.keep and self._kl_weight:
            losses["distillation"] = distillation
        return losses


def _evaluation(config: TrainConfig, processor: Any, prompts: Prompts) -> Evaluation | None:
    """The evaluation on those datasets that have the validation split; None if none of them has a sound."""
    data, split = config.data, config.data.validation_split
    folders = [folder for folder in data.shards if split in read_dataset(folder).splits]
    if not any(ShardDataset(folder, split).has_audio.any() for folder in folders):
        return None
    corpora = Corpora(folders, data.validation_split, data.encoder)
    questions = read_questions(corpora, quiet=config.run.quiet)
    return Evaluation(
        Loader(questions, processor, prompts),
        questions=data.validation_questions,
        seed=config.run.seed,
        rows=config.optim.rows_per_forward,
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
    options = identity_options(config)
    if config.data.curriculum:
        stages = read_stages(config.data.curriculum)
        options["data"]["curriculum"] = [stage.model_dump(mode="json") for stage in stages]
    return Identity(
        options=options,
        datasets={dataset.name: dataset.fingerprint for dataset in corpora.datasets},
        encoders={encoder.name: encoder.fingerprint for encoder in encoders},
        base=base.files,
        processes=accelerator.num_processes,
        versions=installed_versions(("torch", "transformers")),
    )


def _publish(
    config: TrainConfig,
    model: SafeModel,
    corpora: Corpora,
    encoders: Sequence[UsedEncoder],
    base: TrainedFor,
    steps: int,
    adapted: AdaptedBase | None,
) -> None:
    save_checkpoint(
        config.run.out,
        model.pathway,
        encoders=encoders,
        datasets=[TrainedOn(d.name, d.fingerprint, d.split, len(d)) for d in corpora.datasets],
        base=base,
        loss=config.loss,
        optim=replace(config.optim, steps=steps, epochs=None),
        seed=config.run.seed,
        step=steps,
        adapted=adapted,
    )


def _adapted(config: TrainConfig, model: SafeModel, base: TrainedFor) -> AdaptedBase | None:
    """Write what was trained of the base to OUT; None for a frozen base."""
    settings, adaptation = config.adaptation, model.adaptation
    if settings.base == "frozen":
        return None
    trained = base.weights_sha256 if settings.base == "lora" else weights_sha256(model.base)
    return AdaptedBase(
        settings=settings,
        parameters=sum(weight.numel() for weight in adaptation.weights.values()),
        files=save_adapted(config.run.out, model.base, adaptation, base.name),
        weights_sha256=trained,
    )
