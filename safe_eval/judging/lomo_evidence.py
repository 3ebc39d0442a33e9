"""LOMO evidence: what a criterion asks for about a modality that was left out."""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec

from safe_data.core import numerals
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.row_evidence import Evidence, Place, Spread, in_clusters, with_interval
from safe_eval.results.lomo import SHARE_LOST_CORRECTED, SHARES_LOST, LomoRow
from safe_eval.results.separation import SEPARATION, SeparationRow
from safe_eval.scoring.scores import Scores
from safe_eval.statistics.two_way import TWO_WAY_T

LOMO_METRICS = (*SHARES_LOST, SEPARATION)


def lomo_evidence(criterion: Criterion, scores: Scores, *, over_seeds: bool) -> Iterator[Evidence]:
    """The shares lost, or the separations, of a condition: of each seed, or over all of them."""
    if criterion.metric == SEPARATION:
        for row in scores.separation:
            if (f"{row.model}/{row.condition}", row.seed is None) == (criterion.condition, over_seeds):
                yield of_separation(row)
        return
    for lomo in scores.lomo:
        asked = (criterion.slice, criterion.condition, over_seeds)
        if (lomo.slice, f"{lomo.model}/{lomo.condition}", lomo.seed is None) == asked:
            yield of_lomo(lomo, criterion.metric)


def pooled_places(criterion: Criterion, scores: Scores) -> set[Place]:
    """The places that need no separation of their own: a row over all datasets has their questions."""
    if criterion.metric != SEPARATION or criterion.dataset is not None:
        return set()
    return {
        Place(dataset, row.seed)
        for row in scores.separation
        if len(row.datasets) > 1 and f"{row.model}/{row.condition}" == criterion.condition
        for dataset in row.datasets
    }


def of_lomo(row: LomoRow, metric: str) -> Evidence:
    """The share of right answers that a condition loses, or the same corrected for guesses."""
    place, sides = Place(row.dataset, row.seed), f"{row.model}/{row.condition} of {row.model}/full"
    if row.only_full or row.only_changed:
        alone = f"{row.only_full} only under full, {row.only_changed} only under {row.condition}"
        return Evidence(f"not every example was answered under both: {alone}", place)
    if row.share_lost is None:
        return Evidence(f"{sides} on {row.slice}: no answer is right under full", place)
    text = f"{row.lost} of {row.n} right answers lost, {sides} on {row.slice}, in {in_clusters(row)}"
    if row.seed is None:
        shares = ", ".join(map(numerals.fraction, row.of_each_seed))
        text += f", seeds {list(row.seeds)}: {shares}"
    value = row.share_lost
    if metric == SHARE_LOST_CORRECTED:
        if row.corrected is None:
            return Evidence(
                f"{text}; not every row has 'choices', which say how often a guess is right", place
            )
        text += f", and a guess is right in {numerals.percent(row.chance or 0.0)}"
        value, ends = row.corrected, (row.corrected_low, row.corrected_high)
        row = msgspec.structs.replace(row, ci_low=ends[0], ci_high=ends[1])
    scale = value / row.share_lost if row.share_lost else 1.0
    return _of_every_seed(with_interval(text, place, value, row), row, row.sampling_stderr, scale)


def of_separation(row: SeparationRow) -> Evidence:
    """What a condition takes from questions about the sound, less what it takes from the others."""
    place, name = Place(row.dataset, row.seed), f"{row.model}/{row.condition}"
    where = f" over {len(row.datasets)} datasets" if len(row.datasets) > 1 else ""
    if row.only_full or row.only_changed:
        alone = f"{row.only_full} only under full, {row.only_changed} only under {row.condition}"
        return Evidence(f"not every example was answered under both: {alone}{where}", place)
    text = f"{name} takes {numerals.fraction(row.audio)} from audio and {numerals.fraction(row.vl)} from vl"
    text += f"{where}, n {row.n_audio} and {row.n_vl} in {in_clusters(row)}"
    if row.seed is None:
        text += f", seeds {list(row.seeds)}: {', '.join(map(numerals.difference, row.of_each_seed))}"
    if row.test is not None:
        text += f", {row.test} p {numerals.p_value(row.p_value)}"
    found = with_interval(text, place, row.value, row, signed=True)
    pooled = row.datasets if len(row.datasets) > 1 else ()
    found = replace(found, stderr=row.stderr, datasets=pooled)
    if row.seed is not None or row.stderr is None:
        return _of_every_seed(found, row, None)
    between = _std(row.of_each_seed) ** 2 / len(row.seeds)
    return _of_every_seed(found, row, math.sqrt(max(0.0, row.stderr**2 - between)))


def _of_every_seed(
    found: Evidence, row: LomoRow | SeparationRow, over_items: float | None, scale: float = 1.0
) -> Evidence:
    """The evidence with the value of each seed, if it is of a row over seeds, and what makes it uncertain.

    `over_items` is the standard error by clusters alone; it and the shares are multiplied by `scale`.
    """
    if row.seed is not None:
        return found
    values = zip(row.seeds, row.of_each_seed, strict=True)
    by_seed = tuple((seed, value) for seed, value in values if value is not None)
    if over_items is not None and found.method == TWO_WAY_T and len(by_seed) > 1:
        std = _std([value for _, value in by_seed])
        found = replace(found, spread=Spread(over_items * scale, std * scale))
    return replace(found, seeds=len(row.seeds), by_seed=by_seed)


def _std(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0
