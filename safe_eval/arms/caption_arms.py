"""Caption arms: the arms of every dataset as each caption metric scored them, with notes for the reader."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_eval.arms.arm import Arm, ArmKey, Places
from safe_eval.arms.scored_arm import ScoredArm, scored_arm
from safe_eval.options import CaptionModels, Tokenizer
from safe_eval.prediction import Prediction
from safe_eval.scorers.aggregate import Aggregate
from safe_eval.scorers.captions.caption_scores import (
    FAILED,
    MAXIMA,
    TASKS,
    CaptionScores,
    reference_frequencies,
    score_captions,
    score_of_sums,
)
from safe_eval.scorers.captions.diversity import diversity
from safe_eval.scorers.captions.frequencies import Frequencies, read_frequencies, write_frequencies
from safe_eval.scorers.captions.learned_metrics.learned_scores import LOWEST, OpenModels, open_models
from safe_eval.scorers.captions.several import SpiceValues
from safe_eval.scorers.captions.spice import read_spice_values

Part = tuple[Arm, Places]  # an arm and the places of its captions


@dataclass(frozen=True)
class CaptionInputs:
    """Extra inputs for caption metrics. Java runs only for metrics that are `asked` for by name."""

    frequencies: Path | None = None  # None: count them in the scored references
    write_frequencies: Path | None = None
    spice: Path | None = None  # values computed by another program
    asked: tuple[str, ...] = ()
    models: CaptionModels = field(default_factory=CaptionModels)
    tokenizer: Tokenizer = "own"
    force: bool = False  # whether other document frequencies may be replaced


@dataclass(frozen=True)
class CaptionArms:
    """The scored arms by metric, why metrics were not measured ({dataset: {metric: reason}}), and notes.

    `diversity` holds what describes the captions of an arm together, `models` the path or id and the hash of
    each model that judged them.
    """

    scored: dict[str, tuple[ScoredArm, ...]]
    not_measured: dict[str | None, dict[str, str]]
    notes: tuple[str, ...]
    diversity: dict[ArmKey, list[Aggregate]]
    models: dict[str, tuple[str, str]]


def caption_arms(arms: Sequence[Arm], inputs: CaptionInputs) -> CaptionArms:
    """Score the captions of each dataset together, because a score depends on its corpus.

    Raises:
        InputError: captions or files cannot be scored, or SPICE values are given for several datasets.
    """
    datasets: dict[str | None, list[Part]] = {}
    for arm in arms:
        for asked, at in arm.tasks.items():
            if asked.task in TASKS and not asked.choices:
                datasets.setdefault(arm.key.dataset, []).append((arm, at))
    _check_one_dataset(inputs, len(datasets))
    frequencies = None if inputs.frequencies is None else read_frequencies(inputs.frequencies)
    spice_values = None if inputs.spice is None else read_spice_values(inputs.spice)
    models = open_models(inputs.models)
    scored: dict[str, tuple[ScoredArm, ...]] = {}
    not_measured: dict[str | None, dict[str, str]] = {}
    notes: list[str] = []
    diverse: dict[ArmKey, list[Aggregate]] = {}
    for dataset in sorted(datasets, key=str):
        parts = datasets[dataset]
        captions = [arm.rows[place] for arm, at in parts for place in at.tolist()]
        found = score_captions(
            captions,
            frequencies=frequencies,
            spice_values=spice_values,
            asked=inputs.asked,
            models=models,
            tokenizer=inputs.tokenizer,
        )
        if inputs.write_frequencies is not None:
            counted = reference_frequencies(captions, inputs.tokenizer)
            write_frequencies(inputs.write_frequencies, counted, force=inputs.force)
        for metric in filter(found.items.__contains__, MAXIMA):
            scored[metric] = (*scored.get(metric, ()), *_scored(metric, parts, found))
        diverse |= _diversity(parts, found)
        not_measured[dataset] = dict(found.not_measured)
        about = "" if dataset is None else f"{dataset}: "
        notes += [about + note for note in _notes(found, captions, inputs, frequencies, spice_values)]
    if datasets:
        notes += _model_notes(models)
    return CaptionArms(scored, not_measured, tuple(notes), diverse, models.sources)


def _check_one_dataset(inputs: CaptionInputs, datasets: int) -> None:
    named = inputs.models
    files = {
        "SPICE values are for": inputs.spice,
        "document frequencies are of": inputs.write_frequencies,
        "sounds are of": named.sounds,
    }
    for what, file in files.items():
        if file is not None and datasets != 1:
            raise InputError(
                f"{file}: {what} the captions of one dataset, and here are captions of {datasets}; "
                "score one dataset"
            )
    for option, model in (("sbert", named.sbert), ("fluency", named.fluency), ("clap", named.clap)):
        if model is not None and not datasets:
            raise InputError(f"--{option} {model}: it judges captions, and here are none; leave it out")


def _diversity(parts: Sequence[Part], found: CaptionScores) -> Iterator[tuple[ArmKey, list[Aggregate]]]:
    """What describes the captions of each arm together."""
    tokens = iter(found.tokens)
    for arm, at in parts:
        own = [text for text in itertools.islice(tokens, len(at)) if text is not None]
        yield arm.key, diversity(own)


def _scored(metric: str, parts: Sequence[Part], found: CaptionScores) -> Iterator[ScoredArm]:
    """One metric's values, cut into arms again."""
    ends = np.cumsum([len(at) for _, at in parts])
    values, counts = found.items[metric], found.counts.get(metric)
    for (arm, at), end in zip(parts, ends.tolist(), strict=True):
        part = slice(end - len(at), end)
        yield scored_arm(
            metric,
            arm,
            at,
            values[part],
            highest=MAXIMA[metric],
            lowest=LOWEST.get(metric, 0.0),
            failed=FAILED.get(metric, 0.0),
            counts=None if counts is None else counts[part],
            corpus=None if counts is None else partial(score_of_sums, metric),
        )


def _notes(
    found: CaptionScores,
    captions: Sequence[Prediction],
    inputs: CaptionInputs,
    frequencies: Frequencies | None,
    spice_values: SpiceValues | None,
) -> Iterator[str]:
    """What the metrics rest on, and why some are not measured."""
    ids = {row.example_id for row in captions}
    if inputs.tokenizer == "java":
        yield "captions were cut into tokens by Java's PTBTokenizer 3.4.1"
    if "cider_d" in found.items:
        yield _weights(len(ids), inputs.frequencies, frequencies)
    if inputs.spice is not None and spice_values is not None:
        unused = len(spice_values.keys() - ids)
        others = f"; {unused} of its {len(spice_values)} values are of no example here" if unused else ""
        yield f"SPICE is as given by {inputs.spice.name} (sha256 {file_sha256(inputs.spice)[:12]}){others}"
    reasons = set(found.not_measured.values())  # the reason for SPIDEr contains the reason for SPICE
    yield from sorted(
        reason for reason in reasons if not any(other in reason for other in reasons - {reason})
    )


def _model_notes(models: OpenModels) -> Iterator[str]:
    """Which models gave the learned metrics."""
    judged = {"sbert": "sbert_sim", "fluency": "fluency_error", "clap": "CLAP similarity"}
    for option, (source, sha256) in models.sources.items():
        if option in judged:
            yield f"{judged[option]} is by {Path(source).name} (sha256 {sha256[:12]})"


def _weights(clips: int, file: Path | None, frequencies: Frequencies | None) -> str:
    source = f"of the references of the {clips} clips scored"
    if file is not None and frequencies is not None:
        source = f"of {file.name} ({frequencies.documents} documents, sha256 {file_sha256(file)[:12]})"
    return (
        f"CIDEr weighs words by document frequencies {source}; its intervals resample clips and hold these "
        "frequencies fixed"
    )
