"""The demo: the whole path, from raw clips to a verdict and a report, on a world made here."""

import contextlib
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from safe_data.audit import check as expect
from safe_data.build.build import build_dataset
from safe_data.core.command import DOES_NOT_HOLD, HOLDS
from safe_data.core.errors import InputError
from safe_data.core.options_file import TRAIN, write_options
from safe_data.encoders.inference import one_thread
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.world import write_world
from safe_eval.judging.verdict import EXIT_CODES, GO, Verdict, decide
from safe_eval.predictions import write_predictions
from safe_eval.report.report import write_report
from safe_eval.results.metrics import Metric
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import Scores
from safe_eval.statistics.sampling import Sampling
from safe_train.base.backbone import load_backbone
from safe_train.checkpoint import attach_checkpoint, check_dataset, read_checkpoint
from safe_train.config import StageAConfig
from safe_train.parity import Freeze, compare_gate_off, prove_freeze, write_freeze
from safe_train.predict import predictions
from safe_train.stages.stage_a import Trained, stage_a
from safe_train.toy.backbone import pretrain, read_made
from safe_train.toy.recipe import Recipe

ENCODER = "logmel"
STEPS = 7
METRIC = "vqa_accuracy"
# Results of an earlier run in the same folder: they must not outlive a run that stops half way.
_RESULTS = ("predictions.jsonl", "scores.json", "verdict.json", "report.html", "report.md", "freeze.json")
_COLUMNS = {
    "base": ("base", "full"),
    "SAFE": ("safe", "full"),
    "audio muted": ("safe", "mute_audio"),
    "audio swapped": ("safe", "swap_audio"),
    "gate off": ("safe", "gate_off"),
}
_ROWS = {"VL questions": "vl", "audio questions": "audio"}


@dataclass(frozen=True)
class Plan:
    """How large the demo is."""

    clips: int = 2000
    recipe: Recipe = field(default_factory=Recipe)
    stage_a_steps: int = 800
    criteria: str = "demo"


def run_demo(out: Path, *, seed: int = 0, plan: Plan | None = None) -> int:
    """Run the seven steps in a folder; the world, the shards and the backbone are made once.

    Returns 0 for go, 1 for no-go, 2 where something could not be measured.

    Raises:
        InputError: the folder holds the demo of another seed, or the shards failed their check.
    """
    plan = plan or Plan()
    started = time.monotonic()
    for name in _RESULTS:
        (out / name).unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    write_options(out, "safe-train demo", {"out": out, "seed": seed}, TRAIN)
    with one_thread():
        _data(out, seed, plan)
        trained = _train(out, seed, plan)
        freeze = _predict(out, seed, trained)
    scores, verdict = _judge(out, seed, plan)
    print(f"\n{_table(scores)}\n\n{_freeze_line(freeze)}\n{_verdict_line(verdict)}")
    print(f"report: {out / 'report.html'} ({time.monotonic() - started:.0f} s in all)")
    decided = EXIT_CODES[verdict.decision]
    return DOES_NOT_HOLD if decided == HOLDS and not freeze.holds else decided


def _data(out: Path, seed: int, plan: Plan) -> None:
    with _step(1, f"world: {plan.clips} clips of pictures, sounds and questions"):
        write_world(out / "world", clips=plan.clips, seed=seed)
    with _step(2, "shards with cached audio embeddings"):
        build_dataset(out / "world", out / "shards", encoders=(ENCODER,))
    with _step(3, "check of schema, integrity and leakage"):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = expect.check(out / "shards")
        if code != HOLDS:
            raise InputError(
                f"{said.getvalue()}{out / 'shards'}: failed its check; nothing is trained on such data"
            )


def _train(out: Path, seed: int, plan: Plan) -> Trained:
    from transformers.utils import logging

    logging.disable_progress_bar()  # it is the toy that is loaded, in a moment
    with _step(4, "backbone: a toy vision-language model") as say:
        pretrain(out / "backbone", seed=seed, recipe=plan.recipe)
        made = read_made(out / "backbone")
        say(f"{made.parameters:,} parameters, {made.held_out_accuracy:.1%} right about pictures it never saw")
    with _step(5, "stage A: teach it to hear") as say:
        trained = stage_a(
            out / "shards",
            load_backbone(out / "backbone"),
            out / "adapter",
            base_name="backbone",
            encoder=ENCODER,
            config=StageAConfig(steps=plan.stage_a_steps, seed=seed),
        )
        say(f"{trained.checkpoint.trained_parameters:,} parameters, the base frozen")
    return trained


def _predict(out: Path, seed: int, trained: Trained) -> Freeze:
    """All from disk again: what is judged is what was saved."""
    with _step(6, "answers of the base, and of SAFE under four conditions") as say:
        checkpoint = read_checkpoint(out / "adapter")
        dataset = ShardDataset(out / "shards", "test", ENCODER)
        check_dataset(checkpoint, dataset, allow_other=False)
        untouched, fused = load_backbone(out / "backbone"), load_backbone(out / "backbone")
        model = attach_checkpoint(checkpoint, fused.model)
        rows = list(predictions(model, untouched, checkpoint.encoder, dataset, seed=seed, batch_size=64))
        write_predictions(out / "predictions.jsonl", rows)
        gate_off = compare_gate_off(model, untouched, dataset, ENCODER)
        freeze = prove_freeze(trained.before, trained.after, trained.checkpoint.trained_parameters, gate_off)
        write_freeze(freeze, out)
        say(f"{len(rows)} predictions")
    return freeze


def _judge(out: Path, seed: int, plan: Plan) -> tuple[Scores, Verdict]:
    with _step(7, "scores, verdict and report"):
        scores = score_files([out / "predictions.jsonl"], Sampling(seed=seed), out=out)
        verdict = decide(out, Path(plan.criteria))
        write_report(out, shards=out / "shards")
    return scores, verdict


@contextlib.contextmanager
def _step(number: int, text: str) -> Iterator[Callable[[str], None]]:
    """Say in one line what was done, what came of it, and how long it took."""
    said = [text]
    started = time.monotonic()
    yield said.append
    print(f"{number}/{STEPS} {'; '.join(said)} ({time.monotonic() - started:.1f} s)", flush=True)


def _table(scores: Scores) -> str:
    """Accuracies in percent, each with its interval."""
    found = {(m.slice, m.model, m.condition): m for m in scores.metrics if m.metric == METRIC}
    confidence = f"{scores.provenance.confidence:.0%}"
    lines = [[f"right, in % [{confidence} interval]", *_COLUMNS]]
    for title, part in _ROWS.items():
        cells = [found[part, model, condition] for model, condition in _COLUMNS.values()]
        lines.append([f"{title} ({cells[0].n})", *map(_cell, cells)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _cell(metric: Metric) -> str:
    if metric.ci_low is None or metric.ci_high is None:
        return f"{100 * metric.value:.1f}"
    return f"{100 * metric.value:.1f} [{100 * metric.ci_low:.1f}, {100 * metric.ci_high:.1f}]"


def _freeze_line(freeze: Freeze) -> str:
    gate_off = freeze.gate_off
    same = "the same" if freeze.base_weights_sha256_before == freeze.base_weights_sha256_after else "CHANGED"
    return (
        f"base: weights {same} by sha256, {freeze.trainable_base_parameters} of {freeze.base_parameters:,} "
        "parameters trainable\n"
        f"gate off: logits bit-identical in {gate_off.identical_batches} of {gate_off.batches} batches of "
        "questions"
    )


def _verdict_line(verdict: Verdict) -> str:
    kept = sum(row.decision == GO for row in verdict.criteria)
    lines = [f"verdict: {verdict.decision} ({kept} of {len(verdict.criteria)} criteria hold)"]
    lines += [
        f"  {row.decision}: {row.name}: {row.evidence}" for row in verdict.criteria if row.decision != GO
    ]
    return "\n".join(lines)
