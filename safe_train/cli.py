"""safe-train: the demo, and its halves as commands of their own: stage A, and answers by what it made."""

import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from safe_data.core.command import HOLDS, NOT_JUDGED, Command, run
from safe_data.core.errors import require_extra

SUMMARY = "Teach a frozen vision-language model to hear, and have it answer."
# What the commands import; the demo also checks its shards and writes a report.
_TRAIN = ("torch", "transformers", "tokenizers", "safetensors", "accelerate")
_DEMO = (*_TRAIN, "great_expectations", "pandas", "jinja2", "altair", "vl_convert")


def demo(*, out: Path, seed: int = 0) -> int:
    """Run the whole path on a synthetic world, in about two minutes: 0 go, 1 no-go, 2 not measured.

    Args:
        out: folder of the run; what is already there and still fits is used again
        seed: of the world, the models and the intervals
    """
    require_extra("the demo", "train,gx,report", *_DEMO)
    from safe_train.demo import run_demo

    return run_demo(out, seed=seed)


def stage_a(
    shards: Path,
    *,
    backbone: str,
    out: Path,
    encoder: str = "logmel",
    layer: tuple[int, ...] = (),
    tokens: int = 4,
    rank: int = 8,
    heads: int = 2,
    bottleneck: int = 128,
    steps: int = 800,
    audio_rows: int = 32,
    vision_rows: int = 32,
    muted_rows: int = 16,
    silent_fraction: float = 0.25,
    learning_rate: float = 3e-3,
    kl_weight: float = 3.0,
    temperature: float = 2.0,
    seed: int = 0,
) -> None:
    """Train an audio pathway for a frozen backbone, and write it to OUT.

    Args:
        shards: a dataset with a split named train
        backbone: a vision-language model: a directory as save_pretrained writes it, or a hub id
        out: folder for adapter.safetensors, config.json, options.yaml and losses.jsonl
        encoder: what the dataset's embeddings were made with
        layer: a decoder layer that is to hear, counted from 1 (default: four, evenly spread)
        tokens: audio tokens a clip
        rank: dimensions of the cross-attention
        heads: heads of the cross-attention
        bottleneck: dimensions of the projector's middle
        steps: how many batches
        audio_rows: a batch's audio questions under their own sound
        vision_rows: a batch's vision questions under a sound that does not belong
        muted_rows: a batch's audio questions under silence
        silent_fraction: share of the vision questions that hear silence instead
        learning_rate: at its highest
        kl_weight: weight of staying as the base against learning to hear
        temperature: of the comparison with the base
        seed: of the first weights and of the batches
    """
    options = dict(locals())
    require_extra("safe-train stage-a", "train", *_TRAIN)
    from safe_data.core.options_file import TRAIN, write_options
    from safe_train.base.backbone import load_backbone
    from safe_train.config import PathwayConfig, StageAConfig
    from safe_train.stages.stage_a import stage_a as train

    pathway = PathwayConfig(layers=layer, tokens=tokens, rank=rank, heads=heads, bottleneck=bottleneck)
    config = StageAConfig(**{field.name: options[field.name] for field in fields(StageAConfig)})
    loaded = _quietly(load_backbone, backbone)
    trained = train(
        shards,
        loaded,
        out,
        base_name=Path(backbone).resolve().name,
        encoder=encoder,
        pathway=pathway,
        config=config,
    )
    write_options(out, "safe-train stage-a", options, TRAIN)
    last, facts = trained.losses[-1], trained.checkpoint
    print(
        f"{out}: {facts.trained_parameters:,} parameters trained on {facts.dataset.records} clips, "
        f"the base's {trained.after.parameters:,} unchanged\n"
        f"  in the last batch, nats a token: {last.cross_entropy:.3f} from the answers about sounds, "
        f"{last.distillation:.4f} from the base"
    )


def predict(
    checkpoint: Path,
    shards: Path,
    *,
    backbone: str,
    out: Path,
    condition: tuple[str, ...] = ("full", "mute_audio", "swap_audio", "gate_off"),
    split: str = "test",
    encoder: str | None = None,
    seed: int = 0,
    batch_size: int = 32,
    allow_other_dataset: bool = False,
) -> int:
    """Have a checkpoint answer a split under each condition, and its base alone: 0, or 2 if anything failed.

    Args:
        checkpoint: folder written by `safe-train stage-a`
        shards: a dataset
        backbone: the model the checkpoint was trained for: a directory or a hub id
        out: predictions file, JSON Lines
        condition: full, mute_audio, swap_audio, gate_off, noise_audio, snr_<n>db, mute_vision
        split: of the dataset
        encoder: where the checkpoint's encoder lies, if its name does not say
        seed: of what a condition draws
        batch_size: questions answered at once
        allow_other_dataset: answer a dataset the checkpoint was not trained on
    """
    require_extra("safe-train predict", "train", *_TRAIN)
    from accelerate import PartialState

    from safe_data.shards.dataset import ShardDataset
    from safe_eval.predictions import write_predictions
    from safe_train.base.backbone import load_backbone
    from safe_train.checkpoint import attach_checkpoint, check_dataset, read_checkpoint
    from safe_train.predict import predictions

    read = read_checkpoint(checkpoint, encoder)
    dataset = ShardDataset(shards, split)
    check_dataset(read, dataset, allow_other=allow_other_dataset)
    loaded = _quietly(load_backbone, backbone)
    loaded.model.to(PartialState().device)
    model = attach_checkpoint(read, loaded.model)
    rows = predictions(model, loaded, read.encoder, dataset, condition, seed=seed, batch_size=batch_size)
    answered = list(rows)
    write_predictions(out, answered)
    failed = [row for row in answered if row.error is not None]
    print(f"{out}: {len(answered)} predictions, {len(failed)} errors")
    if failed:
        print(f"the first: {failed[0].example_id!r}: {failed[0].error}", file=sys.stderr)
    return NOT_JUDGED if failed else HOLDS


def _quietly(load: Any, source: str) -> Any:
    """Load without a progress bar where nobody watches one move."""
    from transformers.utils import logging

    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    return load(source)


COMMANDS: dict[str, Command] = {"demo": demo, "stage-a": stage_a, "predict": predict}


def main(argv: Sequence[str] | None = None) -> int:
    """Run safe-train; returns the exit code."""
    return run("safe-train", SUMMARY, COMMANDS, argv)
