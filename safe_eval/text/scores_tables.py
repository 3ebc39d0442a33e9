"""Scores as tables of numbers, for every format other than text."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from safe_data.core import numerals
from safe_data.core.table import Table, Value
from safe_eval.scoring.scores import Scores

_METRIC = {
    "model": "model",
    "condition": "condition",
    "slice": "slice",
    "value": "value",
    "low": "ci_low",
    "high": "ci_high",
    "n": "n",
    "clusters": "clusters",
    "effective": "effective_clusters",
}
_COMPARISON = {
    "A": "a",
    "B": "b",
    "slice": "slice",
    "difference": "difference",
    "low": "ci_low",
    "high": "ci_high",
    "p": "p_value",
    "Holm": "holm_p",
    "family": "family",
    "McNemar": "mcnemar_p",
    "mid-p": "mcnemar_mid_p",
    "gained": "gained",
    "lost": "lost",
    "n": "n",
}
_SPREAD = {"mean": "mean", "std": "std", "noise std": "noise_std", "seed std": "seed_std"}
_SPREAD |= {"seed std at most": "seed_std_high"}
_SEED = {"model": "model", "condition": "condition", "slice": "slice"} | _SPREAD
_SEED |= {"low": "ci_low", "high": "ci_high"}
_SEED |= {"always right": "always_right", "always wrong": "always_wrong", "mixed": "mixed", "n": "n"}
_SEED_COMPARISON = {"A": "a", "B": "b", "slice": "slice"} | _SPREAD
_SEED_COMPARISON |= {"low": "ci_low", "high": "ci_high", "p": "p_value", "test": "test"}
_SEED_COMPARISON |= {"Holm": "holm_p", "family": "family", "n": "n"}
_PROMPT = {"model": "model", "condition": "condition", "slice": "slice", "mean": "mean", "std": "std"}
_PROMPT |= {"low": "ci_low", "high": "ci_high", "noise std": "noise_std", "wording std": "prompt_std"}
_PROMPT |= {"wording std at most": "prompt_std_high", "n": "n", "clusters": "clusters"}
_RETENTION = {
    "model": "model",
    "condition": "condition",
    "against": "against",
    "slice": "slice",
    "difference": "difference",
    "low": "equivalence_low",
    "high": "equivalence_high",
    "margin": "margin",
    "verdict": "verdict",
    "KL (nats)": "kl_nats",
    "total variation": "total_variation",
    "n": "n",
}
_AGGREGATE = {
    "model": "model",
    "condition": "condition",
    "aggregate": "name",
    "value": "value",
    "low": "ci_low",
    "high": "ci_high",
    "n": "n",
    "clusters": "clusters",
    "effective": "effective_clusters",
}
_PRIOR = {
    "prior": "name",
    "slice": "slice",
    "reply": "reply",
    "value": "value",
    "low": "ci_low",
    "high": "ci_high",
    "n": "n",
    "clusters": "clusters",
    "effective": "effective_clusters",
    "not measured": "why_not",
}
_RULE = {
    "model": "model",
    "condition": "condition",
    "rule": "rule",
    "slice": "slice",
    "value": "value",
    "low": "ci_low",
    "high": "ci_high",
    "difference": "difference",
    "n": "n",
    "source": "source",
}
_DEFERRAL = {
    "metric": "metric",
    "dataset": "dataset",
    "seed": "seed",
    "model": "model",
    "condition": "condition",
    "field": "field",
    "value": "value",
    "low": "ci_low",
    "high": "ci_high",
    "n": "n",
    "clusters": "clusters",
    "positive": "positive",
    "excess": "excess",
    "not measured": "why_not",
}
_GIVEN = {"metric": "metric", "beside": "beside", "dataset": "dataset", "seed": "seed", "model": "model"}
_GIVEN |= {"condition": "condition", "mean": "value", "n": "n", "scored": "scored"}
_GIVEN |= {"mean of scored": "scored_value", "failed": "failed", "no score": "unscored"}
_GIVEN |= {"compared": "compared", "given": "given_value", "here": "own_value"}
_GIVEN |= {"both right": "both_right", "only given": "only_given", "only here": "only_own"}
_GIVEN |= {"both wrong": "both_wrong", "same": "agreement", "low": "ci_low", "high": "ci_high"}
_GIVEN |= {"correlation": "correlation"}
_CURVE = ("threshold", "coverage", "risk", "ci_low", "ci_high")
_COVERAGE = ("model", "condition", "seed", "expected", "answered", "errored", "unparsed", "excluded")
_DIFFERENCES = dict.fromkeys(("difference", "low", "high"), numerals.difference)
_P_VALUES = dict.fromkeys(("p", "Holm", "McNemar", "mid-p"), numerals.p_value)


# The names of the tables, as in scores.json; risk_coverage holds the curves of deferral.
SCORES_TABLES = (
    *("metrics", "priors", "spread", "comparisons", "aggregates"),
    *("seeds", "seed_comparisons", "prompts", "retention", "lomo", "lomo_agreement", "separation"),
    *("irrelevance", "contradiction", "noise_curve"),
    *("half_gain", "domains", "domain_differences", "hurts", "typical_errors", "telling"),
    *("latency", "delivery", "deferral", "risk_coverage", "shrinkage", "frontiers"),
    *("given_scores", "coverage"),
)


def scores_tables(scores: Scores) -> list[Table]:
    """The numbers of scores.json: one table per kind, metric, dataset and seed."""
    signed = _DIFFERENCES | _P_VALUES
    return [
        *_tables("metrics", "means", scores.metrics, _METRIC, {}),
        *_tables("priors", "priors", scores.priors, _PRIOR, {}),
        *_spread(scores),
        *_tables("comparisons", "differences", scores.comparisons, _COMPARISON, signed),
        *_tables("aggregates", "other aggregates", scores.aggregates, _AGGREGATE, {}),
        *_tables("seeds", "over seeds", scores.seeds, _SEED, {}),
        *_tables(
            "seed_comparisons", "differences over seeds", scores.seed_comparisons, _SEED_COMPARISON, signed
        ),
        *_tables("prompts", "over wordings", scores.prompts, _PROMPT, {}),
        *_tables("retention", "retention", scores.retention, _RETENTION, signed),
        *_as_written("lomo", scores.lomo),
        *_as_written("lomo_agreement", scores.lomo_agreement),
        *_as_written("separation", scores.separation),
        *_as_written("irrelevance", scores.irrelevance),
        *_as_written("contradiction", scores.contradiction),
        *_as_written("noise_curve", scores.noise_curve),
        *_as_written("half_gain", scores.half_gain),
        *_as_written("domains", scores.domains),
        *_as_written("domain_differences", scores.domain_differences),
        *_as_written("hurts", scores.hurts),
        *_as_written("typical_errors", scores.typical_errors),
        *_as_written("telling", scores.telling),
        *_as_written("latency", scores.latency),
        *_as_written("delivery", scores.delivery),
        *_deferral(scores),
        *_as_written("shrinkage", scores.shrinkage),
        *_as_written("frontiers", scores.frontiers),
        *_given(scores),
        *_coverage(scores),
    ]


def _tables(
    name: str, kind: str, rows: Sequence[Any], fields: dict[str, str], write: dict[str, Any]
) -> Iterator[Table]:
    for key in dict.fromkeys(_set(row) for row in rows):
        metric, dataset, seed = key
        title = metric if dataset is None else f"{metric} on {dataset}"
        title += "" if seed is None else f", seed {seed}"
        about: dict[str, Value] = {"metric": metric, "dataset": dataset, "seed": seed}
        values = _values((row for row in rows if _set(row) == key), fields.values())
        yield Table(f"{title}: {kind}", tuple(fields), values, write, about, name)


def _set(row: Any) -> tuple[str, str | None, int | None]:
    """What the rows of one table have in common; rows over all seeds name no seed."""
    return row.metric, row.dataset, getattr(row, "seed", None)


def _spread(scores: Scores) -> Iterator[Table]:
    for dataset, seed in dict.fromkeys((row.dataset, row.seed) for row in scores.spread):
        rows = (row for row in scores.spread if (row.dataset, row.seed) == (dataset, seed))
        title = f"{dataset}, seed {seed}: every published rule"
        about: dict[str, Value] = {"dataset": dataset, "seed": seed}
        write = {"difference": numerals.difference}  # low and high are those of the value
        yield Table(title, tuple(_RULE), _values(rows, _RULE.values()), write, about, "spread")


def _as_written(name: str, rows: Sequence[msgspec.Struct]) -> Iterator[Table]:
    """One table whose columns are the fields of scores.json."""
    if rows:
        fields = rows[0].__struct_fields__
        yield Table(name, fields, _values(rows, fields), name=name)


def _deferral(scores: Scores) -> Iterator[Table]:
    """The numbers of the arms, and their risk–coverage curves as a table with a row per point."""
    if not scores.deferral:
        return
    values = _values(scores.deferral, _DEFERRAL.values())
    yield Table("deferral", tuple(_DEFERRAL), values, name="deferral")
    about = ("dataset", "seed", "model", "condition")
    points: list[tuple[Value, ...]] = [
        (*(getattr(row, name) for name in about), *(getattr(point, name) for name in _CURVE))
        for row in scores.deferral
        for point in row.curve
    ]
    if points:
        yield Table("risk–coverage curves", (*about, *_CURVE), points, name="risk_coverage")


def _given(scores: Scores) -> Iterator[Table]:
    if scores.given_scores:
        values = _values(scores.given_scores, _GIVEN.values())
        yield Table("given scores", tuple(_GIVEN), values, name="given_scores")


def _coverage(scores: Scores) -> Iterator[Table]:
    for dataset in dict.fromkeys(arm.dataset for arm in scores.cells):
        title = "coverage" if dataset is None else f"coverage on {dataset}"
        values = _values((arm for arm in scores.cells if arm.dataset == dataset), _COVERAGE)
        yield Table(title, _COVERAGE, values, about={"dataset": dataset}, name="coverage")


def _values(rows: Iterable[Any], names: Iterable[str]) -> list[tuple[Value, ...]]:
    fields = tuple(names)
    return [tuple(_value(getattr(row, name)) for name in fields) for row in rows]


def _value(value: Any) -> Value:
    """The value of a cell; several values, such as one per seed, with commas between them."""
    if not isinstance(value, tuple):
        return value  # type: ignore[no-any-return]
    return ", ".join(
        f"{one:g}" if isinstance(one, float) else numerals.MISSING if one is None else str(one)
        for one in value
    )
