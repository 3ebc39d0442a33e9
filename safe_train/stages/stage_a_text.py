"""Stage A text: what a training run wrote, in a few lines."""

from safe_train.retention.drift import drift_table
from safe_train.settings.train import TrainConfig
from safe_train.stages.logs import StepLoss
from safe_train.stages.stage_a import StageAResult


def stage_a_lines(trained: StageAResult, config: TrainConfig) -> list[str]:
    """What was trained, on how much, and the last losses and metrics."""
    checkpoint = trained.checkpoint
    records = sum(dataset.records for dataset in checkpoint.datasets)
    adapted = checkpoint.adapted
    if adapted and adapted.settings.base == "full":
        base = f"of them {adapted.parameters:,} of the base's {checkpoint.base.parameters:,}"
    else:
        base = f"the base's {checkpoint.base.parameters:,} unchanged"
    trained_on = f"{checkpoint.trained_parameters:,} parameters trained on {records:,} records"
    lines = [f"{config.run.out}: {trained_on}, {base}"]
    if trained.losses:
        lines.append(f"  last batch, in nats per token: {last_losses(trained.losses[-1])}")
    if trained.metrics:
        heard = trained.metrics.get("audio_accuracy")
        shown = "not measured" if heard is None else f"{heard:.3f}"
        lines.append(f"  last evaluation, on the validation split: audio accuracy {shown}")
        lines += [f"  {line}" for line in drift_table(trained.metrics, config.run.drift_stop)]
    return lines


def last_losses(last: StepLoss) -> str:
    """The losses of a step, in words."""
    on_audio = (
        "not measured" if last.cross_entropy is None else f"{last.cross_entropy:.3f} on audio questions"
    )
    from_base = "not measured" if last.distillation is None else f"{last.distillation:z.4f} from the base"
    return f"cross-entropy {on_audio}, KL divergence {from_base}"
