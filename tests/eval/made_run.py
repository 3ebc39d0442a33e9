"""A small run on a real synthetic world: shards, predictions, and their real scores and verdict."""

import random
from collections.abc import Iterable
from pathlib import Path

from safe_data.build.build import build_dataset
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.world import write_world
from safe_eval.judging.verdict import decide
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.scoring.score import score_files

CLIPS = 60
ARMS = [("base", "full"), *(("safe", c) for c in ("full", "mute_audio", "swap_audio", "gate_off"))]


def make_shards(folder: Path) -> Path:
    """The shards of a world of 60 clips."""
    write_world(folder / "world", clips=CLIPS, seed=0)
    build_dataset(folder / "world", folder / "shards")
    return folder / "shards"


def made_answers(shards: Path) -> list[Prediction]:
    """Answers by rule: most sounds are heard, some guessed without, and a few pictures lost."""
    dataset, rows = ShardDataset(shards, "test"), []
    for place in range(len(dataset)):
        record = dataset.record(place)
        for example in record.examples:
            draw = random.Random(example.id)
            lucky, heard, lost = draw.random() < 0.2, draw.random() < 0.9, draw.random() < 0.05
            for model, condition in ARMS:
                right = lucky
                if not example.needs_audio:
                    right = not lost or condition not in ("full", "swap_audio") or model == "base"
                elif (model, condition) == ("safe", "full"):
                    right = heard
                rows.append(
                    Prediction(
                        example_id=example.id,
                        references=example.references,
                        answer=example.references[0] if right else "wrong",
                        record_id=record.id,
                        dataset=record.dataset,
                        split=record.split,
                        group=record.group,
                        task=example.task,
                        question_type=example.question_type,
                        needs_audio=example.needs_audio,
                        prompt=example.prompt,
                        condition=condition,
                        model=model,
                        confidence=round(draw.random(), 2),
                    )
                )
    return rows


def make_run(run: Path, rows: Iterable[Prediction], criteria: str = "demo") -> Path:
    """Write predictions, and score and judge them as the commands do."""
    write_predictions(run / "predictions.jsonl", rows)
    score_files([run / "predictions.jsonl"], Sampling(resamples=200), out=run)
    decide(run, Path(criteria))
    return run
