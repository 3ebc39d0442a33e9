"""Demo: everything from raw clips to a verdict and a report, on a world made here."""

import contextlib
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from safe_data.audit.check import check
from safe_data.build.build import build_dataset
from safe_data.core.command import DOES_NOT_HOLD, HOLDS
from safe_data.core.errors import InputError
from safe_data.core.files import write_json
from safe_data.core.options_file import TRAIN, write_options
from safe_data.core.terminal import say
from safe_data.encoders.inference import one_thread
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.world import write_world
from safe_eval.judging.judged import GO
from safe_eval.judging.verdict import EXIT_CODES, Verdict, decide
from safe_eval.options import Sampling
from safe_eval.predictions import write_predictions
from safe_eval.report.report import write_report
from safe_eval.results.metrics import Metric
from safe_eval.runner.plan import sample_of_groups
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import Scores
from safe_train.base.backbone import load_backbone
from safe_train.base.freeze import audit_freeze
from safe_train.checkpoint import attach_checkpoint, check_dataset, read_checkpoint
from safe_train.parity.comparison import gate_off_parity
from safe_train.parity.freeze_proof import FREEZE_FILE, FreezeProof, freeze_proof
from safe_train.predict.predict import predictions, wanted_encoders
from safe_train.presets import preset_config
from safe_train.settings.predict import CONDITIONS
from safe_train.stages.stage_a import StageAResult, stage_a
from safe_train.toy.backbone import pretrain, read_toy_backbone
from safe_train.toy.recipe import Recipe

ENCODER = "logmel"
METRIC = "accuracy"
SUITES = ("schema", "load", "leakage")
# Results of an earlier run in the same folder are removed first, so that a stopped run does not leave them.
_RESULTS = ("predictions.jsonl", "scores.json", "verdict.json", "report.html", "report.md", FREEZE_FILE)
# The curve of accuracy against noise, which the criteria leave out: it is asked on a sample of whole groups.
NOISE = ("snr_10db", "snr_0db", "snr_-10db")
NOISE_QUESTIONS = 300
_LAST_STEP = 7
_ARMS = {
    "base": ("base", "full"),
    "SAFE": ("safe", "full"),
    "audio muted": ("safe", "mute_audio"),
    "audio swapped": ("safe", "swap_audio"),
    "gate off": ("safe", "gate_off"),
}
_SLICES = {"VL questions": "vl", "audio questions": "audio"}


@dataclass(frozen=True)
class DemoConfig:
    """The size of the demo, and the criteria it is judged by."""

    clips: int = 2000
    recipe: Recipe = field(default_factory=Recipe)
    stage_a_steps: int = 800
    criteria: str = "demo"


def run_demo(out: Path, *, seed: int = 0, config: DemoConfig | None = None) -> int:
    """Run the demo's seven steps in a folder; return 0 for go, 1 for no-go, 2 if something was not measured.

    The world, the shards and the backbone are used again if the folder already holds them.

    Raises:
        InputError: the folder holds the demo of another seed, or the shards fail their check.
    """
    config = config or DemoConfig()
    started = time.monotonic()
    for name in _RESULTS:
        (out / name).unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    write_options(out, "safe-train demo", {"out": out, "seed": seed}, TRAIN)
    with one_thread():
        _build(out, seed, config)
        trained = _train(out, seed, config)
        freeze = _predict(out, seed, trained)
    scores, verdict = _judge(out, seed, config)
    say(["", *_table(scores), "", *_freeze_lines(freeze), *_verdict_lines(verdict)])
    say([f"report: {out / 'report.html'} ({time.monotonic() - started:.0f} s in all)"])
    code = EXIT_CODES[verdict.decision]
    return DOES_NOT_HOLD if code == HOLDS and not freeze.holds else code


def _build(out: Path, seed: int, config: DemoConfig) -> None:
    with _step(1, f"world: {config.clips} clips of pictures, sounds and questions"):
        write_world(out / "world", clips=config.clips, seed=seed)
    with _step(2, "shards with cached audio embeddings"):
        build_dataset(out / "world", out / "shards", encoders=(ENCODER,))
    with _step(3, "check of schema, load and leakage"):
        _check_shards(out / "shards")


def build_world(out: Path, *, seed: int, clips: int) -> Path:
    """Write a world to OUT/world and its shards to OUT/shards, unless they are there; return the shards.

    Raises:
        InputError: the folder holds another world, or the shards fail their check.
    """
    write_world(out / "world", clips=clips, seed=seed)
    build_dataset(out / "world", out / "shards", encoders=(ENCODER,))
    _check_shards(out / "shards")
    return out / "shards"


def _check_shards(shards: Path) -> None:
    findings = io.StringIO()
    with contextlib.redirect_stdout(findings):
        code = check(shards, suites=SUITES, force=True)
    if code != HOLDS:
        raise InputError(f"{findings.getvalue()}{shards}: failed its check; nothing is trained on such data")


def _train(out: Path, seed: int, config: DemoConfig) -> StageAResult:
    from transformers.utils import logging

    logging.disable_progress_bar()  # the toy loads in a moment
    with _step(4, "backbone: a toy vision-language model") as add:
        pretrain(out / "backbone", seed=seed, recipe=config.recipe)
        toy = read_toy_backbone(out / "backbone")
        add(f"{toy.parameters:,} parameters, accuracy {toy.held_out_accuracy:.1%} on pictures it never saw")
    with _step(5, "stage A: teach it to hear") as add:
        settings = preset_config(
            "demo",
            shards=(out / "shards",),
            backbone=out / "backbone",
            out=out / "adapter",
            steps=config.stage_a_steps,
            seed=seed,
            drift_stop=None,  # the verdict judges what was kept, on more questions
        )
        trained = stage_a(settings)
        add(f"{trained.checkpoint.trained_parameters:,} parameters, the base frozen")
    return trained


def _predict(out: Path, seed: int, trained: StageAResult) -> FreezeProof:
    """Load everything from disk again: the demo judges what was saved."""
    with _step(6, "answers of the base, and of SAFE under four conditions and in noise") as add:
        checkpoint = read_checkpoint(out / "adapter")
        dataset = ShardDataset(out / "shards", "test", ENCODER)
        check_dataset(checkpoint, dataset, allow_other=False)
        untouched, fused = load_backbone(out / "backbone"), load_backbone(out / "backbone")
        model = attach_checkpoint(checkpoint, fused)
        encoders = wanted_encoders(checkpoint)
        asking = checkpoint.config.asking
        ask = partial(
            predictions, model, untouched, dataset, encoders, asking=asking, seed=seed, batch_size=64
        )
        sample = sample_of_groups(dataset, most=NOISE_QUESTIONS, seed=seed)
        rows = [*ask(CONDITIONS), *ask(NOISE, choose=sample, without_base=True)]
        write_predictions(out / "predictions.jsonl", rows)
        gate_off = gate_off_parity(model, untouched, dataset, asking=asking)
        freeze = freeze_proof(trained.checkpoint, audit_freeze(fused.model), gate_off)
        write_json(out / FREEZE_FILE, freeze)
        add(f"{len(rows)} predictions")
    return freeze


def _judge(out: Path, seed: int, config: DemoConfig) -> tuple[Scores, Verdict]:
    with _step(7, "scores, verdict and report"):
        scores = score_files([out / "predictions.jsonl"], Sampling(seed=seed), out=out, force=True)
        verdict = decide(out, config.criteria, expect=(out / "shards",), force=True)
        write_report(out, shards=out / "shards", force=True)
    return scores, verdict


@contextlib.contextmanager
def _step(number: int, text: str) -> Iterator[Callable[[str], None]]:
    """Print one line after a step: what it did, what was added inside the block, and how long it took."""
    parts = [text]
    started = time.monotonic()
    yield parts.append
    took = f"({time.monotonic() - started:.1f} s)"
    say([f"{number}/{_LAST_STEP} {'; '.join(parts)} {took}"], flush=True)


def _table(scores: Scores) -> list[str]:
    """A table of accuracies in percent with their intervals: a line per slice, a column per arm."""
    found = {(m.slice, m.model, m.condition): m for m in scores.metrics if m.metric == METRIC}
    lines = [[f"accuracy (%) [{scores.provenance.confidence:.0%} interval]", *_ARMS]]
    for title, part in _SLICES.items():
        metrics = [found[part, model, condition] for model, condition in _ARMS.values()]
        lines.append([f"{title} ({metrics[0].n})", *map(_percent, metrics)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]


def _percent(metric: Metric) -> str:
    if metric.ci_low is None or metric.ci_high is None:
        return f"{100 * metric.value:.1f}"
    return f"{100 * metric.value:.1f} [{100 * metric.ci_low:.1f}, {100 * metric.ci_high:.1f}]"


def _freeze_lines(freeze: FreezeProof) -> list[str]:
    gate_off = freeze.gate_off
    same = "unchanged" if freeze.base_weights_sha256_before == freeze.base_weights_sha256_after else "CHANGED"
    return [
        f"base: weights {same} by sha256, {freeze.trainable_base_parameters} of {freeze.base_parameters:,} "
        "parameters trainable",
        f"gate off: logits bit-identical in {gate_off.identical_batches} of {gate_off.batches} batches of "
        "questions",
    ]


def _verdict_lines(verdict: Verdict) -> list[str]:
    held = sum(row.decision == GO for row in verdict.criteria)
    lines = [f"verdict: {verdict.decision} ({held} of {len(verdict.criteria)} criteria hold)"]
    lines += [
        f"  {row.decision}: {row.name}: {row.evidence}" for row in verdict.criteria if row.decision != GO
    ]
    return lines
