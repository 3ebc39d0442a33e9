"""A run of every condition on a few real shards, and what its model was in truth sent."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path

from made_run import make_shards

from safe_data.shards.dataset import ShardDataset
from safe_eval.condition import CONDITIONS
from safe_eval.models.model import Answer, Input
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.runner.asker import Asker
from safe_eval.runner.media import pixel_hash
from safe_eval.runner.plan import Arm, make_plan
from safe_eval.runner.row import hear
from safe_eval.scoring.score import score_files
from safe_eval.viewer.viewed import Viewed, open_runs

NUMBERED = ("snr_10db", "lowpass_1000", "codec_mp3_32", "clip_0.5", "shift_100", "drop_50")
EVERY = (*CONDITIONS, *NUMBERED)
SEED = 3
HOSTILE = "</script><img src=x onerror=alert(1)>\u202e\x1b[2J{{7*7}}"

Hashes = tuple[str | None, str | None]  # of the sound and of the picture


@dataclass
class Listener:
    """A model that keeps the hashes of what it is sent. `base` is sent no sound."""

    name: str
    heard: dict[tuple[str, str], Hashes] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)

    def answer(self, inputs: Sequence[Input]) -> list[Answer]:
        for one in inputs:
            condition = one.request.condition if one.request else "full"
            self.heard[condition, one.example.id] = (
                None if one.sound is None else hear(one.sound()).sha256,
                None if one.picture is None else pixel_hash(one.picture()),
            )
        return [
            Answer(f"I choose {one.example.references[0]}." if one.gate else HOSTILE, confidence=0.5)
            for one in inputs
        ]


@dataclass(frozen=True)
class SentRun:
    """The run's folder, shards and rows, and the hashes of what each arm's model was sent."""

    folder: Path
    shards: Path
    rows: tuple[Prediction, ...]
    heard: dict[tuple[str, str, str], Hashes]  # by model, condition and example

    def open(self) -> Viewed:
        return open_runs([self.folder], self.shards)


@cache
def made_sent_run(base: Path, batches: int = 2) -> SentRun:
    """Made once in a session's folder; nobody changes it."""
    folder = base / "sent-run"
    folder.mkdir()
    shards = make_shards(folder)
    dataset = ShardDataset(shards, "test")
    models = [Listener("base"), Listener("safe")]
    arms = [Arm("base", "full"), *(Arm("safe", condition) for condition in EVERY)]
    plan = make_plan(dataset, arms, seed=SEED, batch_size=4)
    asker = Asker(models, dataset, plan, seed=SEED, latency="mean")
    rows = tuple(row for batch in islice(range(len(plan.batches)), batches) for row in asker.rows(batch))
    run = folder / "run"
    write_predictions(run / "predictions.jsonl", rows)
    score_files([run / "predictions.jsonl"], Sampling(resamples=100), out=run)
    heard = {(model.name, *key): hashes for model in models for key, hashes in model.heard.items()}
    return SentRun(run, shards, rows, heard)
