"""Item pairs: one model minus another under the same condition, from the scored items of runs.

Nothing is scored again: the values are those of items.parquet, and the statistics are those of `score`.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from safe_eval.arms.arm import COMPARED_SLICES, Arm, ArmKey, shared_examples
from safe_eval.arms.given_arms import is_given, scale_of
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.results.comparisons import Comparison, compare, test_of
from safe_eval.results.families import SameTest, with_holm
from safe_eval.scorers.captions.caption_scores import MAXIMA, is_of_sums
from safe_eval.scorers.scorer import ON_REQUEST, SCORERS, scorer_of

if TYPE_CHECKING:
    import pyarrow as pa

Pair = tuple[str, str]  # model a and model b
Numbers = Int[ndarray, " items"]

_FAILED = "errored"


def compare_items(
    items: "pa.Table", pairs: Sequence[Pair], *, cluster: str, sampling: Sampling
) -> Iterator[Comparison]:
    """a − b for each pair of models under each condition of both, by every metric that is a mean over items.

    A model with one seed is compared with every seed of the other. BLEU and METEOR have no value per item:
    `compare` has the counts that they need.
    """
    for scored in scored_items(items, cluster).values():
        yield from with_holm(_tested(scored, pairs, sampling))


def _tested(
    scored: Sequence[ScoredArm], pairs: Sequence[Pair], sampling: Sampling
) -> Iterator[tuple[Comparison, SameTest]]:
    """The comparisons by one metric, each with what makes it one test with another."""
    by_key = {arm.key: arm for arm in scored}
    for a, b in pairs:
        for key, arm in by_key.items():
            other = _partner(by_key, key, b) if key.model == a else None
            if other is None:
                continue
            shared = shared_examples(arm.examples, other.examples)
            for name in COMPARED_SLICES:
                if name in arm.slices or name in other.slices:
                    yield compare(arm, other, name, shared, sampling), test_of(arm, other, name, shared)


def _partner(by_key: dict[ArmKey, ScoredArm], key: ArmKey, model: str) -> ScoredArm | None:
    """The other model's arm under the same condition, with the same seed or its only seed."""
    same = key._replace(model=model)
    if same in by_key:
        return by_key[same]
    others = [arm for other, arm in by_key.items() if other._replace(seed=key.seed) == same]
    return others[0] if len(others) == 1 else None


def scored_items(items: "pa.Table", cluster: str) -> dict[str, list[ScoredArm]]:
    """The items as arms, by metric; metrics whose values are no means over items are left out.

    The places of an arm are those of its rows among the items; it has no predictions.
    """
    metric, metrics = _coded(items["metric"])
    key_columns = [_coded(items[name]) for name in ("dataset", "model", "condition")]
    seed = items["seed"].to_numpy().astype(np.int64)
    example = _numbered(key_columns[0][0], _coded(items["example_id"])[0])
    clusters = _clusters(example, _coded(items[cluster])[0])
    answers = np.where(
        _is(items["coverage"], _FAILED) | _null(items["answer"]), -1, _coded(items["answer"])[0]
    )
    values = items["value"].to_numpy()
    needs = items["needs_audio"].cast("int64").fill_null(-1).to_numpy()
    place_of = np.stack([metric, *(codes for codes, _ in key_columns), seed], axis=1)
    found: dict[str, list[ScoredArm]] = {}
    keys, arm_of = np.unique(place_of, axis=0, return_inverse=True)
    for number, (metric_code, dataset, model, condition, arm_seed) in enumerate(keys.tolist()):
        name = metrics[metric_code]
        if not name or is_of_sums(name):
            continue
        at = np.flatnonzero(arm_of.ravel() == number)
        at = at[np.argsort(example[at], kind="stable")]
        names = [
            texts[code] for (_, texts), code in zip(key_columns, (dataset, model, condition), strict=True)
        ]
        key = ArmKey(names[0] or None, arm_seed, names[1], names[2])
        alike = (metric == metric_code) & (key_columns[0][0] == dataset)
        scale = scale_of(values[alike]) if is_given(name) else (0.0, highest_of(name))
        found.setdefault(name, []).append(
            arm_of_items(name, key, at, example[at], clusters[at], answers[at], values[at], needs[at], scale)
        )
    return found


def arm_of_items(
    metric: str,
    key: ArmKey,
    at: Numbers,
    example: Numbers,
    clusters: Numbers,
    answers: Numbers,
    values: Any,
    needs: Numbers,
    scale: tuple[float, float],
) -> ScoredArm:
    """One arm as a metric scored it, from arrays over its items; `needs` is 1, 0 or −1 for `needs_audio`.

    `at` are the places of the items where they come from. The arm has no predictions.
    """
    places = np.arange(len(example))
    slices: dict[str, Bool[ndarray, " rows"]] = {
        "all": np.ones(len(example), dtype=bool),
        "audio": needs == 1,
        "vl": needs == 0,
    }
    return ScoredArm(
        metric=metric,
        arm=Arm(key, (), at, example, clusters, answers),
        at=places,
        examples=example,
        clusters=clusters,
        scores=np.asarray(values, dtype=float),
        unparsed=np.zeros(len(example), dtype=bool),
        slices={name: inside for name, inside in slices.items() if inside.any()},
        highest=scale[1],
        lowest=scale[0],
    )


def highest_of(metric: str) -> float:
    """The score of a perfect answer, where the metric says one; else 1."""
    known = metric in SCORERS or metric in ON_REQUEST
    return scorer_of(metric).highest if known else MAXIMA.get(metric, 1.0)


def _clusters(example: Numbers, cluster: Numbers) -> Numbers:
    """One cluster per example, as its first row says: runs may name the clusters of an example otherwise."""
    first = np.unique(example, return_index=True)[1]
    clusters: Numbers = cluster[first][example]
    return clusters


def _coded(column: "pa.ChunkedArray") -> tuple[Numbers, list[str]]:
    """A column of texts as numbers, and the texts; null becomes the empty text."""
    import pyarrow as pa

    texts = column.cast(pa.string()).fill_null("").combine_chunks().dictionary_encode()
    return texts.indices.to_numpy().astype(np.int64), texts.dictionary.to_pylist()


def _numbered(one: Numbers, other: Numbers) -> Numbers:
    """Pairs of numbers as numbers from 0."""
    numbers: Numbers = np.unique(one * (int(other.max(initial=0)) + 1) + other, return_inverse=True)[
        1
    ].ravel()
    return numbers


def _is(column: "pa.ChunkedArray", text: str) -> Bool[ndarray, " items"]:
    import pyarrow as pa

    found: Bool[ndarray, " items"] = np.array(column.cast(pa.string()).to_pylist()) == text
    return found


def _null(column: "pa.ChunkedArray") -> Bool[ndarray, " items"]:
    found: Bool[ndarray, " items"] = column.is_null().to_numpy()
    return found
