"""Every Eval Ever: a run in the shared schema of evaluation results, one file per dataset and model.

**Source.** evaleval/every_eval_ever, `eval.schema.json`, version 0.3.0. It has no field for a condition, a
slice, a cluster or a hash of predictions, so these stand in the details of each score.
"""

import math
import uuid
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.arms.given_arms import is_given
from safe_eval.card.published import Published, file_names, name_of
from safe_eval.judging.metric_names import METRICS, extremes
from safe_eval.results.aggregates import AggregateRow
from safe_eval.results.metrics import Metric
from safe_eval.scorers.captions.caption_scores import MAXIMA

SCHEMA_VERSION = "0.3.0"
_LOWER_IS_BETTER = frozenset(("ece", "brier", "nll", "distribution"))
_UNBOUNDED = "Infinity"


class Record(msgspec.Struct, frozen=True):
    """The files of one dataset and model: where they lie, and the keys that join them."""

    dataset: str | None
    model: str
    evaluation_id: str
    path: Path  # of the aggregate file
    instances: Path


def records(published: Published) -> list[Record]:
    """The records of a run: one per dataset and model that answered. Equal runs give equal names."""
    asked = dict.fromkeys((arm.dataset, arm.model) for arm in published.scores.cells)
    datasets = file_names([name_of(dataset) for dataset, _ in asked])
    developers = file_names([_developer(published.model_id(model)) for _, model in asked])
    models = file_names([published.model_id(model) for _, model in asked])
    found = []
    for dataset, model in asked:
        name = published.model_id(model)
        folder = Path("data", datasets[name_of(dataset)], developers[_developer(name)], models[name])
        key = f"{published.proof} {name_of(dataset)} {name}"
        unique = uuid.UUID(bytes=sha256(key.encode()).digest()[:16], version=4)
        found.append(
            Record(
                dataset=dataset,
                model=model,
                evaluation_id=f"{name_of(dataset)}/{name}/{published.made.timestamp():.0f}",
                path=folder / f"{unique}.json",
                instances=folder / f"{unique}_samples.jsonl",
            )
        )
    return found


def aggregate(published: Published, record: Record, instances: dict[str, Any] | None) -> dict[str, Any]:
    """The aggregate document of a record; `instances` refers to the file of its instances."""
    options, versions = published.options, published.scores.provenance.versions
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": record.evaluation_id,
        "evaluation_timestamp": f"{published.made.timestamp():.0f}",
        "retrieved_timestamp": f"{published.made.timestamp():.0f}",
        "source_metadata": {
            "source_type": "evaluation_run",
            "source_organization_name": options.organization,
            "evaluator_relationship": options.relationship,
        },
        "eval_library": {"name": "safe-eval", "version": versions.get("safe-hearing", "unknown")},
        "model_info": {
            "name": record.model,
            "id": published.model_id(record.model),
            "additional_details": {"deployment_type": "unknown", "model_availability": "unknown"},
        },
        "evaluation_results": list(_results(published, record)),
    }
    return document if instances is None else document | {"detailed_evaluation_results": instances}


def result_id(metric: str, condition: str, seed: int, slice_name: str = "all") -> str:
    """The id of a result within its evaluation, by which instances refer to it.

    >>> result_id("cider_d", "mute_audio", 0)
    'cider_d/mute_audio/seed-0/all'
    """
    return f"{metric}/{condition}/seed-{seed}/{slice_name}"


def _results(published: Published, record: Record) -> Iterator[dict[str, Any]]:
    for row in published.scores.metrics:
        if (row.dataset, row.model) == (record.dataset, record.model) and _has_direction(row.metric):
            yield _result(published, record, row, row.metric, row.slice)
    for aggregate in published.scores.aggregates:
        if (aggregate.dataset, aggregate.model) == (
            record.dataset,
            record.model,
        ) and aggregate.value is not None:
            yield _result(published, record, aggregate, aggregate.name, "all")


def _has_direction(metric: str) -> bool:
    """Whether more is better or worse, which the schema asks for.

    Of confidence neither can be said, and of another harness's score neither is known.
    """
    return metric not in (*CONSULTATION_METRICS, "confidence") and not is_given(metric)


def _result(
    published: Published, record: Record, row: Metric | AggregateRow, metric: str, slice_name: str
) -> dict[str, Any]:
    name = name_of(record.dataset)
    return {
        "evaluation_result_id": result_id(metric, row.condition, row.seed, slice_name),
        "evaluation_name": f"{name} {row.condition} {slice_name} seed {row.seed}",
        "source_data": _source_data(published, record),
        "metric_config": _metric_config(metric, row.condition, slice_name),
        "score_details": {
            "score": row.value,
            "details": {
                "condition": row.condition,
                "slice": slice_name,
                "seed": str(row.seed),
                "clusters": str(row.clusters),
                "predictions": published.proof,
            },
            "uncertainty": _uncertainty(published, row),
        },
        "generation_config": {"additional_details": {"condition": row.condition}},
    }


def _source_data(published: Published, record: Record) -> dict[str, Any]:
    name, hub = name_of(record.dataset), published.hub.get(name_of(record.dataset))
    if hub is None:
        return {"dataset_name": name, "source_type": "other"}
    return {"dataset_name": name, "source_type": "hf_dataset", "hf_repo": hub.id}


def _metric_config(metric: str, condition: str, slice_name: str) -> dict[str, Any]:
    lowest, highest = extremes(metric, difference=False) if metric in METRICS else (0.0, math.inf)
    return {
        "evaluation_description": f"{metric} of the answers under condition {condition}, slice {slice_name}",
        "metric_id": f"safe_eval.{metric}",
        "metric_name": metric,
        "metric_unit": "points" if metric in MAXIMA and highest > 1 else "proportion",
        "lower_is_better": metric in _LOWER_IS_BETTER,
        "score_type": "continuous",
        "min_score": lowest,
        "max_score": highest if math.isfinite(highest) else _UNBOUNDED,
    }


def _uncertainty(published: Published, row: Metric | AggregateRow) -> dict[str, Any]:
    found: dict[str, Any] = {"num_samples": row.n}
    stderr = row.stderr if isinstance(row, Metric) else None
    if stderr is not None:
        found["standard_error"] = {"value": stderr, "method": "analytic, clustered"}
    if row.ci_low is not None and row.ci_high is not None:
        found["confidence_interval"] = {
            "lower": row.ci_low,
            "upper": row.ci_high,
            "confidence_level": row.confidence,
            "method": row.interval,
        }
        if row.interval is not None and "bootstrap" in row.interval:
            found["num_bootstrap_samples"] = published.scores.provenance.resamples
    return found


def _developer(model_id: str) -> str:
    """The part of a Hub id before the slash, or `unknown`.

    >>> _developer("org/safe-7b"), _developer("safe")
    ('org', 'unknown')
    """
    return model_id.partition("/")[0] if "/" in model_id else "unknown"
