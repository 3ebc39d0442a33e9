"""Measured: the trials of a point as a candidate, with a score for each question on each seed.

Scores are those of safe_eval, read again from the predictions of the trials: an audio question beside its own
sound (`audio_score`) and against the base (`audio_gain`), a VL question beside an irrelevant one (`vl_score`)
and what it lost against the base (`vl_drift`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from safe_data.core.errors import InputError, did_you_mean
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import ScoreOptions
from safe_eval.prediction import BASE
from safe_eval.scorers.scorer import RIGHT_FROM
from safe_eval.scoring.score import read_arms
from safe_eval.statistics.seeds import always_wrong
from safe_train.settings.predict import SAFE
from safe_train.sweeps.candidate import BySeed, Candidate, Fixed, Metric, Scored
from safe_train.sweeps.grid import Grid
from safe_train.sweeps.trial import FINISHED, PREDICTIONS, Trial


@dataclass(frozen=True)
class Asked:
    """The scores of one trial's questions of a kind, in ascending order of their ids."""

    ids: tuple[str, ...]
    clusters: tuple[str, ...]
    safe: Float[ndarray, " items"]
    base: Float[ndarray, " items"]
    scale: tuple[float, float]


@dataclass(frozen=True)
class Wrong:
    """A question that a point got wrong on every seed."""

    point: str
    kind: str
    example_id: str
    cluster: str


@dataclass(frozen=True)
class Measured:
    """A point: its candidate, its trials, and the questions that it got wrong on every seed."""

    candidate: Candidate
    trials: tuple[Trial, ...]
    wrong: tuple[Wrong, ...]


def measure(grid: Grid, name: str, trials: Sequence[tuple[Trial, Path]], planned: int) -> Measured:
    """A point by its trials, each with its folder; `planned` is how many seeds it should have.

    Raises:
        InputError: a trial was not scored by the grid's metric, or seeds were asked different questions.
    """
    done = tuple(trial for trial, _ in trials)
    stopped = next((trial for trial in done if trial.status != FINISHED), None)
    if stopped is not None:
        why = f"seed {stopped.seed} was {stopped.status}: {stopped.why}"
        return Measured(Candidate(name, _of_runs(done), why), done, ())
    if len(done) < planned:
        why = f"{planned - len(done)} of {planned} seeds were not run"
        return Measured(Candidate(name, {}, why), done, ())
    asked = [_asked(grid, folder) for _, folder in trials]
    audio = _crossed([one["audio"] for one in asked], name)
    vl = _crossed([one["vl"] for one in asked], name)
    metrics: dict[str, Metric] = dict(_of_runs(done))
    if audio:
        metrics |= {"audio_score": audio[0], "audio_gain": audio[0].less(audio[1])}
    if vl:
        metrics |= {"vl_score": vl[0], "vl_drift": vl[1].less(vl[0])}
    wrong = [
        *_wrong(name, "audio", asked[0]["audio"], audio),
        *_wrong(name, "vl", asked[0]["vl"], vl),
    ]
    return Measured(Candidate(name, metrics), done, tuple(wrong))


def _of_runs(trials: Sequence[Trial]) -> dict[str, Metric]:
    """What trials measured beside answers; what one of them lacks is left out."""
    metrics: dict[str, Metric] = {}
    columns: Mapping[str, list[float | None]] = {
        "latency_ms": [trial.latency_ms for trial in trials],
        "latency_ratio": [_ratio(trial) for trial in trials],
        "oscillation": [trial.oscillation for trial in trials],
    }
    for name, values in columns.items():
        known = [value for value in values if value is not None]
        if known and len(known) == len(values):
            metrics[name] = BySeed(tuple(known))
    if trials and all(trial.parameters is not None for trial in trials):
        metrics["parameters"] = Fixed(float(trials[0].parameters or 0))
    if trials and all(trial.diverged is not None for trial in trials):
        metrics["diverged"] = Fixed(float(np.mean([bool(trial.diverged) for trial in trials])))
    return metrics


def _ratio(trial: Trial) -> float | None:
    if trial.latency_ms is None or not trial.base_latency_ms:
        return None
    return trial.latency_ms / trial.base_latency_ms


def _asked(grid: Grid, folder: Path) -> dict[str, Asked | None]:
    file = folder / PREDICTIONS
    arms, _ = read_arms([file], ScoreOptions())
    found: dict[str, Asked | None] = {}
    kinds = (("audio", grid.metrics.audio, "full"), ("vl", grid.metrics.vl, grid.irrelevant))
    for kind, metric, condition in kinds:
        if metric not in arms.judged:
            known = list(arms.judged)
            hint = did_you_mean(metric, known, f"these answers have {', '.join(known)}")
            raise InputError(f"{file}: was not scored by {metric!r}; {hint}; see 'metrics' of the grid")
        scored = {arm.key.name: arm for arm in arms.judged[metric]}
        safe, base = scored.get(f"{SAFE}/{condition}"), scored.get(f"{BASE}/full")
        found[kind] = None if safe is None or base is None else _pair(kind, safe, base, arms.cluster, file)
    return found


def _pair(kind: str, safe: ScoredArm, base: ScoredArm, cluster: str, file: Path) -> Asked | None:
    inside_safe, inside_base = safe.inside(kind), base.inside(kind)
    if not inside_safe.any():
        return None
    rows = [row for row, inside in zip(safe.rows, inside_safe, strict=True) if inside]
    if not np.array_equal(safe.examples[inside_safe], base.examples[inside_base]):
        raise InputError(f"{file}: SAFE and its base answered other {kind} questions; remove it to ask again")
    return Asked(
        ids=tuple(row.example_id for row in rows),
        clusters=tuple(str(getattr(row, cluster)) for row in rows),
        safe=safe.scores[inside_safe],
        base=base.scores[inside_base],
        scale=(safe.lowest, safe.highest),
    )


def _crossed(asked: Sequence[Asked | None], name: str) -> tuple[Scored, Scored] | None:
    """SAFE's and the base's scores as seeds × items.

    Raises:
        InputError: the seeds were asked different questions.
    """
    known = [one for one in asked if one is not None]
    if not known:
        return None
    if len(known) < len(asked) or any(one.ids != known[0].ids for one in known):
        raise InputError(
            f"point {name}: its seeds were asked different questions; give all seeds one --shards"
        )
    clusters: Shaped[ndarray, " items"] = np.asarray(known[0].clusters)
    safe, base = (np.stack([getattr(one, side) for one in known]) for side in ("safe", "base"))
    return Scored(safe, clusters, known[0].scale), Scored(base, clusters, known[0].scale)


def _wrong(name: str, kind: str, asked: Asked | None, scored: tuple[Scored, Scored] | None) -> list[Wrong]:
    if asked is None or scored is None:
        return []
    safe = scored[0]
    never = always_wrong(safe.scores, right_from=RIGHT_FROM * safe.scale[1])
    return [Wrong(name, kind, asked.ids[place], asked.clusters[place]) for place in np.flatnonzero(never)]
