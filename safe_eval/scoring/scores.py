"""Scores: the content of scores.json, and how to read and write it."""

import os
import shlex
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256, write_json
from safe_data.core.json_document import DocumentError, read_document
from safe_eval.arms.coverage import ArmCoverage, Coverage
from safe_eval.arms.delivery import Delivery
from safe_eval.options import Sampling, Tokenizer
from safe_eval.prediction import BASE
from safe_eval.results.aggregates import AggregateRow
from safe_eval.results.comparisons import Comparison
from safe_eval.results.contradiction import ContradictionRow
from safe_eval.results.deferral import DeferralRow
from safe_eval.results.domains import DomainDifference, DomainRow
from safe_eval.results.frontiers import FrontierRow
from safe_eval.results.gate_row import GateRow
from safe_eval.results.given_scores import GivenRow
from safe_eval.results.half_gain import HalfGainRow
from safe_eval.results.hurts import HurtRow
from safe_eval.results.irrelevance import IrrelevanceRow
from safe_eval.results.latency import LatencyRow
from safe_eval.results.lomo import LomoRow
from safe_eval.results.lomo_agreement import LomoAgreementRow
from safe_eval.results.metrics import Metric
from safe_eval.results.noise_curve import NoiseRow
from safe_eval.results.priors import PriorRow
from safe_eval.results.prompts import PromptRow
from safe_eval.results.retention import RetentionRow
from safe_eval.results.seeds import SeedComparison, SeedRow
from safe_eval.results.separation import SeparationRow
from safe_eval.results.shrinkage import ShrinkageRow
from safe_eval.results.spread import SpreadRow
from safe_eval.results.telling import TellingItem, TypicalError

SCORES_FILE = "scores.json"
FORMAT_VERSION = 6
DATASET_FILE = "dataset.json"  # stands for a whole dataset


class PredictionsFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file by name and hash, with its path relative to the folder of the scores if it lies elsewhere."""

    name: str
    sha256: str
    path: str | None = None


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What the numbers were computed from, and everything needed to reproduce them."""

    predictions: tuple[PredictionsFile, ...]
    rows: int
    cluster: str  # the field whose values are the clusters
    baseline: str | None = None  # the model that every other is compared with
    pairs: bool = False  # whether each pair of models was asked for
    prompt: str | None = None  # the wording that tables are about, where it was named
    seed: int
    resamples: int
    confidence: float
    partial: bool = False  # a partial last line may have been left out
    metrics: tuple[str, ...] = ()  # requested by name
    protocol: str | None = None  # in place of the benchmarks' own, where they have such a rule
    spread: bool = False  # whether the answers were scored by every rule of their benchmarks
    prior: PredictionsFile | None = None  # that the question-only prior was fitted on
    java: bool = False  # whether a metric ran in Java
    frequencies: PredictionsFile | None = None  # for CIDEr; None: from the references scored
    spice: PredictionsFile | None = None
    models: dict[str, PredictionsFile] = {}  # that judged captions, by their options
    tokenizer: Tokenizer = "own"  # of captions
    items_sha256: str | None = None  # of the items.parquet that was written with the scores
    python: str
    versions: dict[str, str]


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """The content of scores.json."""

    format_version: int = FORMAT_VERSION
    coverage: dict[str, Coverage]
    cells: tuple[ArmCoverage, ...]
    metrics: tuple[Metric, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]  # what a reader of the numbers must know
    provenance: Provenance
    aggregates: tuple[AggregateRow, ...] = ()
    seeds: tuple[SeedRow, ...] = ()
    seed_comparisons: tuple[SeedComparison, ...] = ()
    prompts: tuple[PromptRow, ...] = ()
    retention: tuple[RetentionRow, ...] = ()
    priors: tuple[PriorRow, ...] = ()
    spread: tuple[SpreadRow, ...] = ()
    lomo: tuple[LomoRow, ...] = ()
    lomo_agreement: tuple[LomoAgreementRow, ...] = ()
    separation: tuple[SeparationRow, ...] = ()
    irrelevance: tuple[IrrelevanceRow, ...] = ()
    contradiction: tuple[ContradictionRow, ...] = ()
    noise_curve: tuple[NoiseRow, ...] = ()
    half_gain: tuple[HalfGainRow, ...] = ()
    domains: tuple[DomainRow, ...] = ()
    domain_differences: tuple[DomainDifference, ...] = ()
    hurts: tuple[HurtRow, ...] = ()
    typical_errors: tuple[TypicalError, ...] = ()
    telling: tuple[TellingItem, ...] = ()
    latency: tuple[LatencyRow, ...] = ()
    delivery: tuple[Delivery, ...] = ()
    deferral: tuple[DeferralRow, ...] = ()
    shrinkage: tuple[ShrinkageRow, ...] = ()
    frontiers: tuple[FrontierRow, ...] = ()
    gates: tuple[GateRow, ...] = ()
    given_scores: tuple[GivenRow, ...] = ()


class _Version(msgspec.Struct):
    format_version: int = 1  # files of the first format do not say


class _ScoredFiles(msgspec.Struct):
    predictions: tuple[PredictionsFile, ...]


class _Scored(msgspec.Struct):
    provenance: _ScoredFiles


def scored_files(run: Path, scores: Scores) -> list[Path]:
    """The predictions files that the scores of a run were computed from."""
    return [file_of(run, file) for file in scores.provenance.predictions]


def scored_hashes(out: Path) -> dict[str, str] | None:
    """The hashes of the predictions by name, as the scores.json in a folder says; None if there is none.

    Empty if it is no scores file of any version.
    """
    path = out / SCORES_FILE
    if not path.exists():
        return None
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Scored).provenance.predictions
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    return {file.path or file.name: file.sha256 for file in found}


def file_of(run: Path, file: PredictionsFile) -> Path:
    """The path of a file that scores were computed from: next to them, or else where it was at that time."""
    in_run = run / Path(file.name).name
    return in_run if file.path is None or in_run.is_file() else run / file.path


def named_file(path: Path, out: Path | None, sha256: str | None = None) -> PredictionsFile:
    """A file by its hash, with its path relative to `out` if it lies elsewhere; see `file_of`."""
    relative = None
    if out is not None and path.resolve().parent != out.resolve():
        relative = Path(os.path.relpath(path.resolve(), out.resolve())).as_posix()
    name = path.name if path.name not in ("", "..") else path.resolve().name
    return PredictionsFile(name, sha256 or file_sha256(path), relative)


def score_again(run: Path, scores: Scores) -> str:
    """The command that scores the predictions of a run again, with the options it was scored with."""
    made, usual = scores.provenance, Sampling()
    files = {"prior": made.prior, "df": made.frequencies, "spice": made.spice}
    texts = {
        "baseline": None if made.baseline == BASE else made.baseline,
        "protocol": made.protocol,
        "prompt": made.prompt,
        "tokenizer": None if made.tokenizer == "own" else made.tokenizer,
        "confidence": None if made.confidence == usual.confidence else made.confidence,
        "resamples": None if made.resamples == usual.resamples else made.resamples,
        "seed": None if made.seed == usual.seed else made.seed,
        **{name: prior_of(file_of(run, file)) for name, file in files.items() if file is not None},
        **{name: one.name if one.path is None else run / one.path for name, one in made.models.items()},
    }
    flags = {"pairs": made.pairs, "spread": made.spread, "allow-partial": made.partial}
    asked = [word for name in made.metrics for word in ("--metric", name)]
    asked += [word for name, text in texts.items() if text is not None for word in (f"--{name}", str(text))]
    asked += [f"--{name}" for name, given in flags.items() if given]
    words = [*map(str, scored_files(run, scores)), *asked, "--out", str(run), "--force"]
    return f"safe-eval score {shlex.join(words)}"


def prior_of(file: Path) -> Path:
    """What was given as `--prior`, by the file that stands for it: of a dataset, its root."""
    return file.parent if file.name == DATASET_FILE else file


def write_scores(scores: Scores, out: Path) -> Path:
    """Write scores.json into a folder in one step: never half of it."""
    return write_json(out / SCORES_FILE, scores)


def read_scores(run: Path, *, absent: bool = False) -> Scores:
    """Read a run's scores.json, and check that the predictions it was computed from are unchanged.

    With `absent`, a file that is not there is not checked.

    Raises:
        InputError: scores.json does not exist, is no scores file or has another format version, or its
            predictions are missing or have changed.
    """
    scores = _decoded(run, run / SCORES_FILE)
    made = scores.provenance
    for file in (*made.predictions, *filter(None, (made.frequencies, made.spice, made.prior))):
        scored = file_of(run, file)
        if not scored.is_file() and absent:
            continue
        if not scored.is_file():
            raise InputError(
                f"{scored}: no such file, so nothing shows that {SCORES_FILE} was computed from it; "
                f"put {file.name} beside its scores"
            )
        if file_sha256(scored) != file.sha256:
            raise InputError(
                f"{run / SCORES_FILE}: was computed from another {file.name} than {scored}; "
                f"score again what is there: {score_again(run, scores)}"
            )
    return scores


def _decoded(run: Path, path: Path) -> Scores:
    if run.is_file():
        raise InputError(f"{run}: is a file; give the folder that safe-eval score wrote with --out")
    if not path.is_file():
        raise InputError(f"{path}: no such file; make it with: safe-eval score PREDICTIONS --out {run}")
    try:
        data = path.read_bytes()
        version = msgspec.json.decode(data, type=_Version).format_version
        if version != FORMAT_VERSION:
            raise InputError(
                f"{path}: has format {version}, and this version reads format {FORMAT_VERSION}; score the "
                f"predictions again: safe-eval score PREDICTIONS --out {run} --force"
            )
        read_document(data)
        scores = msgspec.json.decode(data, type=Scores)
    except (msgspec.MsgspecError, UnicodeDecodeError, DocumentError, RecursionError) as error:
        raise InputError(f"{path}: is not a scores file: {error}; score the predictions again") from None
    if not scores.provenance.predictions:
        raise InputError(f"{path}: names no predictions file it was computed from; use safe-eval score")
    return scores
