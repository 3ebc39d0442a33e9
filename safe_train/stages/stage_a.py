"""Stage A: teach the audio pathway to hear while the frozen base stays what it was.

A plain loop over accelerate. Each step mixes audio questions under their own sound (cross-entropy) with
questions the base must go on answering as it does: vision questions under a sound that does not belong or
under silence, and audio questions under silence. All with the gate open: closed, the base cannot drift.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from safe_data.core.errors import InputError
from safe_data.core.files import write_bytes
from safe_data.encoders.encoder import load_encoder
from safe_data.shards.dataset import ShardDataset
from safe_train.base.backbone import Backbone
from safe_train.base.freeze import FreezeAudit, audit_freeze
from safe_train.batches import SILENCE, Batch, Loader, Question, epoch_order
from safe_train.checkpoint import Facts, TrainedFor, save_checkpoint
from safe_train.config import PathwayConfig, StageAConfig
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.retention.distillation import Teacher, answer_logits, distillation_loss
from safe_train.stages.schedule import warm_up_then_cosine

LOSSES = "losses.jsonl"
LARGEST_GRADIENT = 1.0
LOG_EVERY = 20
_HEARING, _SEEING, _MUTED, _CLIPS = range(4)  # streams of random numbers of one seed


class StepLoss(NamedTuple):
    """What a step's batch cost, in nats a token."""

    step: int
    loss: float
    cross_entropy: float
    distillation: float


class Trained(NamedTuple):
    """What stage A made, and the base audited before and after it."""

    checkpoint: Facts
    losses: list[StepLoss]
    before: FreezeAudit
    after: FreezeAudit


def stage_a(
    shards: Path,
    backbone: Backbone,
    out: Path,
    *,
    base_name: str,
    encoder: str = "logmel",
    pathway: PathwayConfig | None = None,
    config: StageAConfig | None = None,
) -> Trained:
    """Train a pathway for the backbone on the train split of shards, and write it to a folder.

    Raises:
        InputError: shards it cannot learn from, layers the base does not have, or a loss that is no number.
    """
    config = config or StageAConfig()
    heard_by = load_encoder(encoder)
    dataset = ShardDataset(shards, "train", heard_by.name)
    loader = Loader(dataset, backbone.processor, heard_by)
    before = audit_freeze(backbone.model)
    fresh = new_pathway(pathway or PathwayConfig(), backbone.model, len(loader.silence), config.seed)
    model = SafeModel(backbone.model, fresh)
    try:
        losses = train_stage_a(model, loader, config)
    finally:
        model.detach()
    after = audit_freeze(backbone.model)
    if after != before:
        raise RuntimeError(f"stage A changed the frozen base: {before} became {after}")
    trained_for = TrainedFor(base_name, before.architecture, before.weights_sha256)
    facts = save_checkpoint(out, model.pathway, dataset, trained_for, config)
    lines = [msgspec.json.encode(loss._asdict()) + b"\n" for loss in losses]
    write_bytes(out / LOSSES, b"".join(lines))
    return Trained(facts, losses, before, after)


def train_stage_a(model: SafeModel, loader: Loader, config: StageAConfig) -> list[StepLoss]:
    """Train the model's pathway in place; the losses of every 20th step and of the last.

    Raises:
        InputError: the loss is no number, or the base is no decoder that goes on from its prompt.
    """
    from accelerate import Accelerator

    if model.base.config.is_encoder_decoder:
        raise InputError(f"{type(model.base).__name__} is an encoder-decoder; stage A trains decoders only")
    accelerator = Accelerator()
    model.base.to(accelerator.device)
    optimizer = torch.optim.AdamW(model.pathway.parameters(), lr=config.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warm_up_then_cosine(step, config.steps)
    )
    # Never the base: what accelerate prepares it may wrap, cast and save.
    model.pathway, optimizer, schedule = accelerator.prepare(model.pathway, optimizer, schedule)
    model.pathway.train()
    teacher = Teacher(model.base, loader, loader.seeing + loader.hearing)
    losses = []
    bar = tqdm(range(config.steps), desc="stage A", unit="step", disable=None, leave=False)
    for step in bar:
        questions, clips = step_questions(loader, config, step)
        batch = loader.batch(questions, clips).to(accelerator.device, model.base.dtype)
        kept = teacher.logits(questions[config.audio_rows :])
        # Backward inside the request: activation checkpointing runs the hooks again.
        with accelerator.autocast(), model.fuse(audio=batch.audio, gate=1.0):
            cross_entropy, distillation = _losses(model, batch, kept, config)
            loss = cross_entropy + config.kl_weight * distillation
            if not torch.isfinite(loss):
                raise InputError(
                    f"step {step}: the loss is {loss.item()}; lower the learning rate "
                    f"({config.learning_rate:g}), or look for broken embeddings with `safe-data check`"
                )
            accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.pathway.parameters(), LARGEST_GRADIENT)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % LOG_EVERY == 0 or step == config.steps - 1:
            losses.append(StepLoss(step, loss.item(), cross_entropy.item(), distillation.item()))
            bar.set_postfix(hears=f"{losses[-1].cross_entropy:.3f}", drifts=f"{losses[-1].distillation:.4f}")
    model.pathway = accelerator.unwrap_model(model.pathway)
    model.pathway.eval()
    return losses


def step_questions(loader: Loader, config: StageAConfig, step: int) -> tuple[list[Question], list[int]]:
    """The step's questions and the clip each is heard with: first those to learn from, then those to keep."""
    hearing = _take(loader.hearing, config.audio_rows, config, step, _HEARING)
    seeing = _take(loader.seeing, config.vision_rows, config, step, _SEEING)
    muted = _take(loader.hearing, config.muted_rows, config, step, _MUTED)
    unrelated = loader.unrelated_clips(seeing, np.random.default_rng((config.seed, _CLIPS, step)))
    silent = round(config.silent_fraction * len(seeing))
    clips = [question.clip for question in hearing]
    clips += [SILENCE] * silent + unrelated[silent:] + [SILENCE] * len(muted)
    return hearing + seeing + muted, clips


def _take(
    questions: Sequence[Question], rows: int, config: StageAConfig, step: int, stream: int
) -> list[Question]:
    order = epoch_order(len(questions), step=step, rows=rows, seed=config.seed, stream=stream)
    return [questions[i] for i in order]


def _losses(
    model: SafeModel, batch: Batch, kept: Float[Tensor, "rows tokens vocab"], config: StageAConfig
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    logits = answer_logits(model.base, batch)
    learnt = config.audio_rows
    cross_entropy = F.cross_entropy(
        logits[:learnt].flatten(0, 1), batch.answers[:learnt].flatten(), ignore_index=-100
    )
    real = batch.real[learnt:, : kept.shape[1]]  # an answer to learn may be longer than all those to keep
    student = logits[learnt:, : kept.shape[1]]
    return cross_entropy, distillation_loss(student, kept, real, config.temperature)
