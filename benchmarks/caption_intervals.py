"""How wide intervals of caption metrics are on AudioCaps, so what differences so many clips can show.

A human caption of each clip is scored against the others of its clip, and two human captions are compared
against the same three references. A system's captions of 464 clips, the example of aac-metrics, come beside.
The captions are not part of the repository; without ../shared/truth this says so and measures nothing.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.captions import TRUTH
from benchmarks.timing import print_line
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.scoring.score import score_predictions
from safe_eval.scoring.scores import Scores

METRICS = ("cider_d", "rouge_l", "bleu_4")
SAMPLING = Sampling()


def human_captions() -> list[list[str]]:
    """The five captions of each of the 495 clips of AudioCaps' val split."""
    clips: dict[str, list[str]] = {}
    for line in _lines(TRUTH / "audio/audiocaps_val.csv")[1:]:
        clips.setdefault(f"{line[1]} {line[2]}", []).append(line[3])
    return [captions for captions in clips.values() if len(captions) == 5]


def system_captions() -> list[list[str]]:
    """What a system said about each of 464 of these clips, then the captions of five people."""
    return [line[:6] for line in _lines(TRUTH / "audio/aac_metrics_example_1.csv")[1:]]


def captioned(answers: Sequence[str], references: Sequence[Sequence[str]], model: str) -> list[Prediction]:
    """Captions of one model, a clip a row; its group is the clip."""
    return [
        Prediction(
            example_id=f"{i:03}",
            references=tuple(texts),
            answer=answer,
            task="caption",
            dataset="audiocaps",
            group=f"{i:03}",
            model=model,
        )
        for i, (answer, texts) in enumerate(zip(answers, references, strict=True))
    ]


def print_intervals(what: str, scores: Scores, model: str) -> None:
    """The value of each metric and half the width of its interval."""
    for row in scores.metrics:
        if (row.model, row.slice) == (model, "all") and row.metric in METRICS:
            _print(what, row.metric, row.n, row.value, row.ci_low, row.ci_high)


def print_differences(what: str, scores: Scores) -> None:
    """The paired difference of the two models, and half the width of its interval."""
    for row in scores.comparisons:
        if row.slice == "all" and row.metric in METRICS:
            _print(what, row.metric, row.n, row.difference, row.ci_low, row.ci_high)


def _print(what: str, metric: str, clips: int, value: float, low: float | None, high: float | None) -> None:
    half = None if low is None or high is None else (high - low) / 2
    found = {"metric": metric, "clips": clips, "value": value, "half_width": half}
    print_line(benchmark="caption_intervals", what=what, **found)


def _lines(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def main() -> None:
    """Print a JSON line a number: CIDEr-D in its published scale of 0 to 10, the others as fractions."""
    if not TRUTH.is_dir():
        print_line(benchmark="caption_intervals", not_measured=f"no captions in {TRUTH.name}/")
        return
    people, system = human_captions(), system_captions()
    for number in range(5):
        four = [[*clip[:number], *clip[number + 1 :]] for clip in people]
        one = captioned([clip[number] for clip in people], four, "human")
        what = f"human caption {number + 1} against the four others"
        print_intervals(what, score_predictions(one, SAMPLING), "human")
    others = [clip[2:] for clip in people]
    two = [captioned([clip[i] for clip in people], others, ("base", "human")[i]) for i in range(2)]
    print_differences(
        "two human captions against the same three", score_predictions([*two[0], *two[1]], SAMPLING)
    )
    said = captioned([clip[0] for clip in system], [clip[1:] for clip in system], "system")
    print_intervals("a system's captions against five", score_predictions(said, SAMPLING), "system")
