"""`safe-eval run`: rows a second with a callable that answers at once, and what it adds to a model's time.

The overhead is that of a whole run of the toy behind `safe:CHECKPOINT`: the seconds that are not spent in the
model's `answer`, without the seconds of loading it. Set SAFE_BENCHMARK_DEMO to the folder of a finished demo.
"""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.timing import print_line
from safe_data.build.build import build_dataset
from safe_data.sources.synthetic.world import write_world
from safe_eval.models.all_models import load_models
from safe_eval.models.model import Answer, Input, Model
from safe_eval.run_options import ModelOptions, RunOptions
from safe_eval.runner import evaluation

CLIPS, LEAST_ROWS, MOST_OVERHEAD = 2000, 2000.0, 0.05
CONDITIONS = ("full", "mute_audio", "swap_audio", "gate_off")


def instant(_: Input) -> str:
    """Answer at once."""
    return "yes"


def main() -> None:
    """Measure both, and say whether the goals were met."""
    print_line(benchmark="running", **describe())
    with tempfile.TemporaryDirectory() as folder:
        write_world(Path(folder) / "world", clips=CLIPS, seed=0)
        build_dataset(Path(folder) / "world", Path(folder) / "shards", encoders=())
        _instant(Path(folder))
    demo = os.environ.get("SAFE_BENCHMARK_DEMO")
    if demo is None:
        print_line(what="overhead", measured=False, why="SAFE_BENCHMARK_DEMO names no demo")
        return
    _overhead(Path(demo))


def _instant(folder: Path) -> None:
    for conditions in (("full",), ("full", "mute_audio", "swap_audio"), ("noise_audio", "blur")):
        started = time.perf_counter()
        done = evaluation.evaluate(
            "python:benchmarks.running:instant",
            [folder / "shards"],
            out=folder / "-".join(conditions),
            options=RunOptions(conditions=conditions, split="train"),
            quiet=True,
        )
        rate = done.finished.rows / (time.perf_counter() - started)
        print_line(
            what=f"a callable under {', '.join(conditions)}",
            rows=done.finished.rows,
            rows_per_second=round(rate),
            goal=LEAST_ROWS,
            met=rate >= LEAST_ROWS,
        )


class _Timed:
    """A model that counts the seconds in its own answers."""

    seconds = 0.0

    def __init__(self, model: Model) -> None:
        self._model = model

    def __getattr__(self, name: str) -> object:
        return getattr(self._model, name)

    def answer(self, inputs: Sequence[Input]) -> Sequence[Answer]:
        started = time.perf_counter()
        answers = self._model.answer(inputs)
        _Timed.seconds += time.perf_counter() - started
        return answers


def _overhead(demo: Path) -> None:
    """The seconds of a run, without loading, beyond those of the model."""
    models = load_models(f"safe:{demo / 'adapter'}", ModelOptions(arg=(f"backbone={demo / 'backbone'}",)))
    timed = [_Timed(model) for model in models]
    evaluation._loaded = lambda *_: timed  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        evaluation.evaluate(
            "safe:timed",
            [demo / "shards"],
            out=Path(out) / "run",
            options=RunOptions(conditions=CONDITIONS),
            quiet=True,
        )
        whole = time.perf_counter() - started
    share = whole / _Timed.seconds - 1
    print_line(
        what="the toy as safe:CHECKPOINT, four conditions and its base",
        model_seconds=round(_Timed.seconds, 2),
        run_seconds=round(whole, 2),
        overhead=round(share, 4),
        goal=MOST_OVERHEAD,
        met=share <= MOST_OVERHEAD,
    )
