"""The progress of a training: its loss, what it measured last, and samples per second.

    with training_progress("stage A", 800, start=120) as progress:
        progress.update(items=80, shown=training_values(loss=0.412, gate=0.6))

    stage A 121/800  loss 0.412  gate 0.60  412 samples/s  ETA 2 min 12 s

Evaluation and prediction loops, which have nothing else to show, use `safe_data.core.progress.Progress`.
"""

import time

from safe_data.core.numerals import percent
from safe_data.core.progress import Clock, Progress

LABELS = ("loss", "audio", "VL", "gate")


def training_progress(
    stage: str,
    steps: int | None,
    *,
    start: int = 0,
    quiet: bool = False,
    clock: Clock = time.monotonic,
) -> Progress:
    """The progress of a training stage, which counts samples per second and always ends with a line.

    Args:
        stage: name of the stage
        steps: steps of the whole stage, those before a resumption included; None if nobody knows
        start: steps that were done before a resumption
        quiet: show nothing, as in every process but the main one
        clock: for tests
    """
    return Progress(
        stage,
        steps,
        rated="samples",
        labels=LABELS,
        start=start,
        quiet=quiet,
        ends_with_line=True,
        clock=clock,
    )


def training_values(
    *,
    loss: float | None = None,
    audio_accuracy: float | None = None,
    vl_accuracy: float | None = None,
    gate: float | None = None,
) -> dict[str, str]:
    """What was measured in a step, as the progress shows it; accuracies are fractions from 0 to 1.

    >>> training_values(loss=0.4116, audio_accuracy=0.6123, vl_accuracy=1.0)
    {'loss': '0.412', 'audio': '61.2 %', 'VL': '100 %'}
    """
    texts = (
        None if loss is None else f"{loss:.3f}",
        None if audio_accuracy is None else percent(round(audio_accuracy, 3)),
        None if vl_accuracy is None else percent(round(vl_accuracy, 3)),
        None if gate is None else f"{gate:.2f}",
    )
    return {label: text for label, text in zip(LABELS, texts, strict=True) if text is not None}
