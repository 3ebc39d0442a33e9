"""Demo: everything from raw clips to a verdict and a report, on a world made here."""

import contextlib
import io
import time
from collections.abc import Iterator
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
from safe_data.sources.synthetic.worlds import PLAIN
from safe_eval.judging.verdict import EXIT_CODES, Verdict, decide
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.report.report import write_report
from safe_eval.runner.plan import Choose, sample_of_groups
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import Scores
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.freeze import audit_freeze
from safe_train.checkpoint import Checkpoint, attach_checkpoint, check_dataset, read_checkpoint
from safe_train.demo_text import TWIN, accuracy_lines, freeze_lines, gate_lines, told_step, verdict_lines
from safe_train.gates.fit import fit_gate
from safe_train.gates.gate_files import FittedGate
from safe_train.parity.comparison import gate_off_parity
from safe_train.parity.freeze_proof import FREEZE_FILE, FreezeProof, freeze_proof
from safe_train.pathway.model import SafeModel
from safe_train.predict.alone import asked_alone, with_times
from safe_train.predict.chosen_gate import always as always_on
from safe_train.predict.predict import predictions, wanted_encoders
from safe_train.predict.predictor import Predictor
from safe_train.presets import preset_config
from safe_train.settings.gate import GateConfig, GateKind
from safe_train.settings.predict import CONDITIONS as USUAL
from safe_train.settings.predict import SAFE
from safe_train.stages.stage_a import StageAResult, stage_a
from safe_train.toy.backbone import pretrain, read_toy_backbone
from safe_train.toy.recipe import Recipe, recipe_for

ENCODER = "logmel"
CONDITIONS = (*USUAL, "noise_audio")
SUITES = ("schema", "load", "leakage")
# Results of an earlier run in the same folder are removed first, so that a stopped run does not leave them.
_RESULTS = ("predictions.jsonl", "scores.json", "verdict.json", "report.html", "report.md", FREEZE_FILE)
# The curve of accuracy against noise, which the criteria leave out: it is asked on a sample of whole groups.
NOISE = ("snr_10db", "snr_0db", "snr_-10db")
NOISE_QUESTIONS = 300


@dataclass(frozen=True)
class DemoConfig:
    """The size of the demo, and the criteria it is judged by."""

    world: str = "hard"
    clips: int = 2400
    recipe: Recipe = field(default_factory=partial(recipe_for, "hard"))
    stage_a_steps: int = 800
    gate: GateKind = "linear"
    gate_bound: float = 0.02  # on audio and on VL questions: some 370 groups rule out no loss of half a point
    timed_questions: int = 300
    criteria: str = "demo"


def run_demo(out: Path, *, seed: int = 0, config: DemoConfig | None = None) -> int:
    """Run the demo's eight steps in a folder; return 0 for go, 1 for no-go, 2 if something was not measured.

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
        gate = _fit_gate(out, seed, config)
        freeze = _predict(out, seed, config, trained, gate)
    scores, verdict = _judge(out, seed, config)
    lines = [*accuracy_lines(scores), "", *gate_lines(scores), "", *freeze_lines(freeze)]
    say(["", *lines, *verdict_lines(verdict)])
    say([f"report: {out / 'report.html'} ({time.monotonic() - started:.0f} s in all)"])
    say([f"every item: safe-eval view {out}"])
    code = EXIT_CODES[verdict.decision]
    return DOES_NOT_HOLD if code == HOLDS and not freeze.holds else code


def _build(out: Path, seed: int, config: DemoConfig) -> None:
    with told_step(f"1/8 world: {config.clips} clips of pictures, sounds and questions"):
        write_world(out / "world", clips=config.clips, seed=seed, world=config.world)
    with told_step("2/8 shards with cached audio embeddings"):
        build_dataset(out / "world", out / "shards", encoders=(ENCODER,))
    with told_step("3/8 check of schema, load and leakage"):
        check_shards(out / "shards")


def build_world(out: Path, *, seed: int, clips: int, world: str = PLAIN) -> Path:
    """Write a world to OUT/world and its shards to OUT/shards, unless they are there; return the shards.

    Raises:
        InputError: the folder holds another world, or the shards fail their check.
    """
    write_world(out / "world", clips=clips, seed=seed, world=world)
    build_dataset(out / "world", out / "shards", encoders=(ENCODER,))
    check_shards(out / "shards")
    return out / "shards"


def check_shards(shards: Path) -> None:
    """Check schema, load and leakage.

    Raises:
        InputError: a suite does not hold; the message has all that was found.
    """
    findings = io.StringIO()
    with contextlib.redirect_stdout(findings):
        code = check(shards, suites=SUITES, force=True)
    if code != HOLDS:
        raise InputError(f"{findings.getvalue()}{shards}: failed its check; nothing is trained on such data")


def _train(out: Path, seed: int, config: DemoConfig) -> StageAResult:
    from transformers.utils import logging

    logging.disable_progress_bar()  # the toy loads in a moment
    with told_step("4/8 backbone: a toy vision-language model") as add:
        pretrain(out / "backbone", seed=seed, recipe=config.recipe)
        toy = read_toy_backbone(out / "backbone")
        add(f"{toy.parameters:,} parameters, accuracy {toy.held_out_accuracy:.1%} on pictures it never saw")
    with told_step("5/8 stage A: teach it to hear") as add:
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


def _fit_gate(out: Path, seed: int, config: DemoConfig) -> FittedGate:
    with told_step("6/8 gate: decide, before any sound is opened, when to listen") as add:
        settings = GateConfig(
            kind=config.gate,
            bound=config.gate_bound,
            vl_bound=config.gate_bound,
            seed=seed,
            batch_size=64,
            quiet=True,
            force=True,
        )
        fitted = fit_gate(out / "adapter", out / "shards", backbone=out / "backbone", config=settings)
        on = fitted.gate.facts.fitted_on
        add(f"{fitted.gate.kind}, fitted on {on.questions} questions that neither training nor test has")
    return fitted.gate


def _predict(
    out: Path, seed: int, config: DemoConfig, trained: StageAResult, gate: FittedGate
) -> FreezeProof:
    """Load everything from disk again: the demo judges what was saved."""
    with told_step(
        "7/8 answers of the base, and of SAFE under five conditions, in noise, and always on"
    ) as add:
        checkpoint = read_checkpoint(out / "adapter")
        dataset = ShardDataset(out / "shards", "test", ENCODER)
        check_dataset(checkpoint, dataset, allow_other=False)
        untouched, fused = load_backbone(out / "backbone"), load_backbone(out / "backbone")
        model = attach_checkpoint(checkpoint, fused)
        asking = checkpoint.config.asking
        ask = partial(predictions, model, untouched, dataset, wanted_encoders(checkpoint))
        ask = partial(ask, asking=asking, seed=seed, batch_size=64)
        gated = partial(ask, gate=gate)
        always = partial(ask, name=TWIN, gate=always_on(gate.facts.tokens), without_base=True)
        noisy = sample_of_groups(dataset, most=NOISE_QUESTIONS, seed=seed)
        rows = [*gated(CONDITIONS), *always(("full",)), *gated(NOISE, choose=noisy, without_base=True)]
        timed = sample_of_groups(dataset, most=config.timed_questions, seed=seed + 1)
        rows = with_times(rows, _asked_alone(model, untouched, dataset, checkpoint, gate, seed, timed))
        write_predictions(out / "predictions.jsonl", rows)
        gate_off = gate_off_parity(model, untouched, dataset, asking=asking)
        freeze = freeze_proof(trained.checkpoint, audit_freeze(fused.model), gate_off)
        write_json(out / FREEZE_FILE, freeze)
        add(f"{len(rows)} predictions")
    return freeze


def _asked_alone(
    model: SafeModel,
    backbone: Backbone,
    dataset: ShardDataset,
    checkpoint: Checkpoint,
    gate: FittedGate,
    seed: int,
    choose: Choose,
) -> Iterator[Prediction]:
    """Ask each question alone: of the base, with the gate, and always on."""
    ask = partial(Predictor, model, backbone, wanted_encoders(checkpoint), asking=checkpoint.config.asking)
    gated = ask(name=SAFE, gate=gate, batch_size=1, latency=True)
    always = ask(name=TWIN, gate=always_on(gate.facts.tokens), batch_size=1, latency=True)
    return asked_alone((gated, always), dataset, seed=seed, choose=choose)


def _judge(out: Path, seed: int, config: DemoConfig) -> tuple[Scores, Verdict]:
    with told_step("8/8 scores, verdict and report"):
        scores = score_files([out / "predictions.jsonl"], Sampling(seed=seed), out=out, force=True)
        verdict = decide(out, config.criteria, expect=(out / "shards",), force=True)
        write_report(out, shards=out / "shards", force=True)
    return scores, verdict
