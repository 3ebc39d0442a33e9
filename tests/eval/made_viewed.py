"""A run of hostile texts and missing fields: what four arms answered to items of two datasets."""

import random
from pathlib import Path

from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.scoring.score import score_files

HOSTILE = (
    "<script>alert(1)</script>",
    "100 % _sure_ 'quoted' \"twice\"",
    "\u202eright to left\u202c",
    "emoji \U0001f408\u200d\u2b1b",
    "a\tb\\c",
    "what \ufffd is this",
    "ÄRGER",
    "'; DROP TABLE items; --",
)
ARMS = (("base", "full"), ("safe", "full"), ("safe", "mute_audio"), ("safe", "gate_off"))
WORDS = ("cat", "dog", "bell", "<b>rain</b>", "%")


def made_rows(items: int = 48, seed: int = 0) -> list[Prediction]:
    """Answers of four arms, some of which did not answer some items, failed, or left fields out."""
    rng = random.Random(seed)
    rows = []
    for number in range(items):
        reference = rng.choice(WORDS)
        about = {
            "example_id": f"q{number % 7}-{number}",
            "references": (reference,),
            "record_id": f"r{number // 2}",
            "dataset": ("mine", "yours")[number % 3 == 0],
            "split": "test",
            "group": f"g{number // 3}",
            "task": "vqa",
            "question_type": rng.choice(("colour", "count", "it's <odd>", None)),
            "needs_audio": rng.choice((True, False, None)),
            "prompt": f"{rng.choice(HOSTILE)} {number}?",
        }
        for model, condition in ARMS:
            if rng.random() < 0.1 and (model, condition) != ("base", "full"):
                continue
            failed = rng.random() < 0.08
            answer = reference if rng.random() < 0.55 else rng.choice((*WORDS, *HOSTILE))
            rows.append(
                Prediction(
                    **about,
                    model=model,
                    condition=condition,
                    answer=None if failed else answer,
                    error="out of memory" if failed else None,
                    confidence=None if rng.random() < 0.2 else round(rng.random(), 2),
                    consulted=None if model == "base" else rng.random() < 0.5,
                )
            )
    return rows


def scored_run(folder: Path, rows: list[Prediction]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_predictions(folder / "predictions.jsonl", rows)
    score_files([folder / "predictions.jsonl"], Sampling(resamples=200), out=folder, force=True)
    return folder
