"""Stage A: teach the audio pathway to hear, while the frozen base keeps its answers.

A plain loop over accelerate. Each batch holds audio questions with their own sound (loss: cross-entropy), and
questions that SAFE must answer as the base does (loss: KL divergence): vision questions with an unrelated
sound or silence, and audio questions with silence. The gate is open for all of them: closed, nothing could
drift.
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
from safe_data.sampling.order import Order
from safe_data.shards.dataset import ShardDataset
from safe_train.base.backbone import Backbone
from safe_train.base.freeze import FreezeAudit, audit_freeze
from safe_train.base.prompts import IGNORED
from safe_train.batches import SILENCE, Batch, Loader
from safe_train.checkpoint import CheckpointConfig, TrainedFor, save_checkpoint
from safe_train.config import PathwayConfig, StageAConfig
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.questions import Questions, TrainingQuestion
from safe_train.retention.distillation import Teacher, answer_logits, distillation_loss
from safe_train.stages.schedule import warm_up_then_cosine

LOSSES = "losses.jsonl"
MAX_GRADIENT_NORM = 1.0
LOG_INTERVAL_STEPS = 20
_UNRELATED_STREAM = 3  # the stream of random numbers that draws unrelated sounds


class StepLoss(NamedTuple):
    """The losses of one step, in nats per token."""

    step: int
    loss: float
    cross_entropy: float
    distillation: float


class StageAResult(NamedTuple):
    """What stage A wrote, and the audits of the base before and after training."""

    checkpoint: CheckpointConfig
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
) -> StageAResult:
    """Train a pathway for the backbone on the train split of a dataset, and write the checkpoint to `out`.

    `base_name` is the name of the backbone in the checkpoint; `encoder` made the embeddings of the shards.

    Raises:
        InputError: the shards lack a kind of question or the encoder's embeddings, the base does not have a
            layer, or the loss becomes infinite or NaN.
    """
    config = config or StageAConfig()
    audio_encoder = load_encoder(encoder)
    dataset = ShardDataset(shards, "train", audio_encoder.name)
    loader = Loader(dataset, backbone.processor, audio_encoder)
    questions = Questions(dataset, backbone.processor)
    before = audit_freeze(backbone.model)
    untrained = new_pathway(pathway or PathwayConfig(), backbone.model, len(loader.silence), config.seed)
    model = SafeModel(backbone.model, untrained)
    try:
        losses = train_stage_a(model, questions, loader, config)
    finally:
        model.detach()
    after = audit_freeze(backbone.model)
    if after != before:
        raise RuntimeError(f"stage A changed the frozen base: {before} became {after}")
    trained_for = TrainedFor(base_name, before.architecture, before.weights_sha256)
    checkpoint = save_checkpoint(out, model.pathway, dataset, trained_for, config)
    lines = [msgspec.json.encode(loss._asdict()) + b"\n" for loss in losses]
    write_bytes(out / LOSSES, b"".join(lines))
    return StageAResult(checkpoint, losses, before, after)


def train_stage_a(
    model: SafeModel, questions: Questions, loader: Loader, config: StageAConfig
) -> list[StepLoss]:
    """Train the model's pathway in place; return the losses of every 20th step and of the last.

    Raises:
        InputError: the loss becomes infinite or NaN, or the base is an encoder-decoder.
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
    # Only the pathway: accelerate may wrap, cast and save what it prepares.
    model.pathway, optimizer, schedule = accelerator.prepare(model.pathway, optimizer, schedule)
    model.pathway.train()
    teacher = Teacher(model.base, loader, questions.vision + questions.audio)
    sampler = StepSampler(questions, config)
    losses = []
    bar = tqdm(range(config.steps), desc="stage A", unit="step", disable=None, leave=False)
    for step in bar:
        asked, sounds = sampler.sample(step)
        batch = loader.batch(asked, sounds).to(accelerator.device, model.base.dtype)
        teacher_logits = teacher.logits(asked[config.audio_rows :])
        # Backward inside the request: activation checkpointing runs the hooks again.
        with accelerator.autocast(), model.fuse(audio=batch.audio, gate=1.0):
            cross_entropy, distillation = _losses(model, batch, teacher_logits, config)
            loss = cross_entropy + config.kl_weight * distillation
            if not torch.isfinite(loss):
                raise InputError(
                    f"step {step}: the loss is {loss.item()}; lower the learning rate "
                    f"({config.learning_rate:g}), or look for broken embeddings with `safe-data check`"
                )
            accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.pathway.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % LOG_INTERVAL_STEPS == 0 or step == config.steps - 1:
            losses.append(StepLoss(step, loss.item(), cross_entropy.item(), distillation.item()))
            bar.set_postfix(ce=f"{losses[-1].cross_entropy:.3f}", kl=f"{losses[-1].distillation:.4f}")
    model.pathway = accelerator.unwrap_model(model.pathway)
    model.pathway.eval()
    return losses


class StepSampler:
    """Which questions a step asks, and with which sounds: a pure function of the seed and the step.

    There is no iterator to restore: a run resumed at step 500 sees what it would have seen uninterrupted.
    """

    def __init__(self, questions: Questions, config: StageAConfig) -> None:
        self._questions = questions
        self._config = config
        self._audio = Order(len(questions.audio), config.seed, "audio")
        self._vision = Order(len(questions.vision), config.seed, "vision")
        self._muted = Order(len(questions.audio), config.seed, "muted")

    def sample(self, step: int) -> tuple[list[TrainingQuestion], list[int]]:
        """The step's questions, first those with their own sound; and the record of each one's sound."""
        config, questions = self._config, self._questions
        audio = _take(questions.audio, self._audio, step, config.audio_rows)
        vision = _take(questions.vision, self._vision, step, config.vision_rows)
        muted = _take(questions.audio, self._muted, step, config.muted_rows)
        rng = np.random.default_rng((config.seed, _UNRELATED_STREAM, step))
        unrelated = questions.unrelated_sounds(vision, rng)
        silent = round(config.silent_fraction * len(vision))
        sounds = [question.record_index for question in audio]
        sounds += [SILENCE] * silent + unrelated[silent:] + [SILENCE] * len(muted)
        return audio + vision + muted, sounds


def _take(
    questions: Sequence[TrainingQuestion], order: Order, step: int, count: int
) -> list[TrainingQuestion]:
    return [questions[i] for i in order.indices(step * count, (step + 1) * count)]


def _losses(
    model: SafeModel,
    batch: Batch,
    teacher_logits: Float[Tensor, "questions tokens vocab"],
    config: StageAConfig,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The cross-entropy of the first `audio_rows` questions, and the distillation loss of the others."""
    logits = answer_logits(model.base, batch)
    learnt = config.audio_rows
    cross_entropy = F.cross_entropy(
        logits[:learnt].flatten(0, 1), batch.answers[:learnt].flatten(), ignore_index=IGNORED
    )
    tokens = teacher_logits.shape[1]  # the longest answer of the batch may be one of the first
    real, student = batch.real[learnt:, :tokens], logits[learnt:, :tokens]
    return cross_entropy, distillation_loss(student, teacher_logits, real, config.temperature)
