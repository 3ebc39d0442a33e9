"""Runs as the overview sees them: their folders, scores and arms; and a run with all that is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

import msgspec
from made_rows import answers

from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.scorers.scorer import ANSWER_METRICS
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import Scores, read_scores

CLIPS = 20
RIGHT = {"full": 18, "mute_audio": 3, "snr_10db": 14, "snr_0db": 7}  # of the sounds


@dataclass(frozen=True)
class SeenRun:
    name: str
    folder: Path
    scores: Scores


@dataclass(frozen=True)
class SeenArm:
    arm: int
    run: str
    model: str
    condition: str
    seed: int


@dataclass(frozen=True)
class Seen:
    runs: tuple[SeenRun, ...]
    arms: tuple[SeenArm, ...]
    metric_of: Mapping[str, str]


def seen(*folders: Path) -> Seen:
    """The runs in these folders, with arms in the order of their scores."""
    runs = tuple(SeenRun(one.name, one, read_scores(one, absent=True)) for one in folders)
    keys = dict.fromkeys(
        (run.name, cell.model, cell.condition, cell.seed) for run in runs for cell in run.scores.cells
    )
    metrics: dict[str, str] = {}
    for run in runs:
        for row in run.scores.metrics:
            if row.metric in ANSWER_METRICS:
                metrics.setdefault(row.dataset or "", row.metric)
    return Seen(runs, tuple(SeenArm(number, *key) for number, key in enumerate(keys)), metrics)


def full_answers() -> list[Prediction]:
    """Two seeds of a model under conditions and noise, and its base; with confidences, times and gates."""
    rows = answers("base", "full", lambda clip, hears: clip < (3 if hears else 19), clips=CLIPS)
    for seed, condition in [*((0, name) for name in RIGHT), (1, "full")]:
        right = RIGHT[condition]
        rows += answers(
            "safe",
            condition,
            lambda clip, hears, right=right, seed=seed: (clip + seed) % CLIPS < (right if hears else 17),
            clips=CLIPS,
            seed=seed,
        )
    return [
        msgspec.structs.replace(
            one,
            confidence=(place * 37 % 100) / 100,
            latency_ms=None if one.seed else 90.0 + (one.model == "safe") * 30 + place % 7,
            consulted=None if one.seed else one.model == "safe" and place % 3 > 0,
        )
        for place, one in enumerate(rows)
    ]


def make_scored(folder: Path, rows: Sequence[Prediction]) -> Path:
    """A run folder with predictions and their scores, and no verdict."""
    write_predictions(folder / "predictions.jsonl", rows)
    score_files([folder / "predictions.jsonl"], Sampling(resamples=100), out=folder)
    return folder


def behind(href: str, shown: Seen, rows: Mapping[str, Sequence[Prediction]]) -> set[str]:
    """The ids of the items that a link selects, from the rows of each run; right is the answer `yes`.

    A parameter that is not known here fails.
    """
    page, _, query = href.partition("?")
    assert page == "#items"
    arms = {arm.arm: _answers(arm, rows[arm.run]) for arm in shown.arms}
    found = {row.example_id for own in rows.values() for row in own}
    every = {row.example_id: row for own in rows.values() for row in own}
    for name, value in parse_qsl(query, strict_parsing=True):
        if name == "outcome":
            arm, _, outcomes = value.partition(":")
            assert set(outcomes.split(",")) <= {"right", "wrong", "unparsed", "error"}
            of_arm = arms[int(arm)]
            found &= {i for i, row in of_arm.items() if _outcome(row) in outcomes.split(",")}
        elif name == "flip":
            a, b, kind = value.split(":")
            right = [{i for i, row in arms[int(n)].items() if _outcome(row) == "right"} for n in (a, b)]
            both = arms[int(a)].keys() & arms[int(b)].keys()
            gained, lost = (right[0] - right[1]) & both, (right[1] - right[0]) & both
            found &= {"gained": gained, "lost": lost, "any": gained | lost}[kind]
        elif name == "confidence":
            arm, low, high = value.split(":")
            of_arm = arms[int(arm)]
            found &= {i for i, row in of_arm.items() if float(low) <= (row.confidence or 0) <= float(high)}
        elif name == "needs_audio":
            found = {i for i in found if every[i].needs_audio is {"yes": True, "no": False}[value]}
        else:
            field = {"type": "question_type", "dataset": "dataset"}[name]
            assert value in {getattr(row, field) for row in every.values()}
            found = {i for i in found if getattr(every[i], field) == value}
    return found


def _answers(arm: SeenArm, rows: Sequence[Prediction]) -> dict[str, Prediction]:
    key = (arm.model, arm.condition, arm.seed)
    return {row.example_id: row for row in rows if (row.model, row.condition, row.seed) == key}


def _outcome(row: Prediction) -> str:
    return "error" if row.error is not None else "right" if row.answer in row.references else "wrong"
