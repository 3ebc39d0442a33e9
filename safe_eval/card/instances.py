"""Instances: every scored answer in the schema of Every Eval Ever, a JSON line per item and metric.

**Source.** evaleval/every_eval_ever, `instance_level_eval.schema.json`, version 0.3.0. Its converters hash a
sample as SHA-256 of its input followed by its references.
"""

import math
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.arms.given_arms import is_given
from safe_eval.arms.prompts import in_main_wording
from safe_eval.card.every_eval_ever import Record, result_id
from safe_eval.card.published import Published, name_of
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions
from safe_eval.scorers.captions.caption_scores import MAXIMA
from safe_eval.scorers.scorer import RIGHT_FROM
from safe_eval.scoring.items import read_items
from safe_eval.scoring.scores import scored_files

SCHEMA_VERSION = "instance_level_eval_0.3.0"

Answered = Mapping[tuple[str, str, str, int], Prediction]  # by example, model, condition, seed
_FACTS = (
    "split",
    "group",
    "record_id",
    "question_type",
    "needs_audio",
    "confidence",
    "consulted",
    "audio_sha256",
)


def answered(published: Published) -> Answered:
    """The predictions that the scores were computed from.

    Raises:
        InputError: see `read_predictions`.
    """
    partial = published.scores.provenance.partial
    files = scored_files(published.run, published.scores)
    rows = read_predictions(*files, allow_partial=partial)
    rows = in_main_wording(rows, published.scores.provenance.prompt)
    return {(row.example_id, row.model, row.condition, row.seed): row for row in rows}


def instance_lines(published: Published, record: Record, answers: Answered) -> Iterator[bytes]:
    """The lines of a record: its items in the order of items.parquet, once per metric."""
    columns = ["example_id", "condition", "seed", "metric", "value", "coverage", "model", "dataset"]
    items = read_items(published.run, published.scores.provenance.items_sha256, columns)
    for batch in items.to_batches():
        for item in batch.to_pylist():
            if (item["dataset"], item["model"]) != (record.dataset, record.model) or not item["metric"]:
                continue
            if item["metric"] not in CONSULTATION_METRICS and not is_given(item["metric"]):
                row = answers[item["example_id"], item["model"], item["condition"], item["seed"]]
                yield msgspec.json.encode(_instance(published, record, item, row)) + b"\n"


def _instance(
    published: Published, record: Record, item: Mapping[str, Any], row: Prediction
) -> dict[str, Any]:
    asked, metric = row.prompt or "", item["metric"]
    score = 0.0 if item["value"] is None or math.isnan(item["value"]) else item["value"]
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": record.evaluation_id,
        "model_id": published.model_id(record.model),
        "evaluation_name": f"{name_of(record.dataset)} {row.condition} all seed {row.seed}",
        "evaluation_result_id": result_id(metric, row.condition, row.seed),
        "sample_id": row.example_id,
        "sample_hash": sha256((asked + "".join(row.references)).encode()).hexdigest(),
        "interaction_type": "single_turn",
        "input": {
            "raw": asked,
            "reference": row.references,
            "choices": None if row.choices is None else list(row.choices),
        },
        "output": {"raw": [] if row.answer is None else [row.answer]},
        "messages": None,
        "answer_attribution": list(_attribution(row, metric)),
        "evaluation": {"score": score, "is_correct": metric not in MAXIMA and score >= RIGHT_FROM},
        "performance": None if row.latency_ms is None else {"latency_ms": row.latency_ms},
        "error": row.error,
        "metadata": _metadata(item, row),
    }


def _attribution(row: Prediction, metric: str) -> Iterator[dict[str, Any]]:
    if row.answer is not None:
        yield {
            "turn_idx": 0,
            "source": "output.raw",
            "extracted_value": row.answer,
            "extraction_method": f"safe-eval {metric}",
            "is_terminal": True,
        }


def _metadata(item: Mapping[str, Any], row: Prediction) -> dict[str, str]:
    """Our own facts as texts, which is all that the schema admits."""
    facts = {name: getattr(row, name) for name in _FACTS}
    facts |= {"condition": row.condition, "seed": row.seed, "coverage": item["coverage"]}
    if item["metric"] in MAXIMA:
        facts["is_correct"] = "not defined for a caption; written as false"
    return {
        name: str(value).lower() if value in (True, False) else str(value)
        for name, value in facts.items()
        if value is not None
    }
