"""Headline: the one number per dataset, model, condition and metric that a card leads with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from safe_data.core import numerals
from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.scorers.captions.caption_scores import MAXIMA
from safe_eval.scoring.scores import Scores

WHOLE = "all"  # the slice that holds every item


@dataclass(frozen=True)
class Headline:
    """A metric over all items; over seeds where several answered the same examples."""

    metric: str
    dataset: str | None
    model: str
    condition: str
    value: float
    ci_low: float | None
    ci_high: float | None
    confidence: float
    n: int
    clusters: int
    seeds: tuple[int, ...]
    std: float | None = None  # between the seeds

    @property
    def interval(self) -> str:
        """The interval in words, or that it is not measured."""
        said = numerals.interval(self.ci_low, self.ci_high)
        return f"{numerals.percent(self.confidence)} interval {said}"

    @property
    def of_seeds(self) -> str:
        """Which trained seeds the number is about, where there are several."""
        if self.std is None:
            return f"seed {self.seeds[0]}" if self.seeds[0] else ""
        return f"mean of {len(self.seeds)} seeds, standard deviation {numerals.fraction(self.std)}"


def headlines(scores: Scores) -> list[Headline]:
    """The numbers to lead with: of each arm, the metric that its dataset is scored by.

    Captions have many metrics, of which CIDEr-D leads.
    """
    found: dict[tuple[str | None, str, str], dict[str, list[Headline]]] = {}
    for one in all_items(scores):
        found.setdefault((one.dataset, one.condition, one.model), {}).setdefault(one.metric, []).append(one)
    return [
        one
        for by_metric in found.values()
        for metric in _leading(list(by_metric))
        for one in by_metric[metric]
    ]


def all_items(scores: Scores) -> Iterator[Headline]:
    """Every metric of answers over all items, without the facts about consultation."""
    over_seeds = {(s.metric, s.dataset, s.model, s.condition): s for s in scores.seeds if s.slice == WHOLE}
    said = set()
    for row in scores.metrics:
        key = (row.metric, row.dataset, row.model, row.condition)
        if row.slice != WHOLE or row.metric in CONSULTATION_METRICS or key in said:
            continue
        seeds = over_seeds.get(key)
        if seeds is None:
            yield Headline(
                *key, row.value, row.ci_low, row.ci_high, row.confidence, row.n, row.clusters, (row.seed,)
            )
            continue
        said.add(key)
        yield Headline(
            *key, seeds.mean, seeds.ci_low, seeds.ci_high, seeds.confidence, seeds.n, seeds.clusters,
            seeds.seeds, seeds.std,
        )  # fmt: skip


def _leading(metrics: Sequence[str]) -> list[str]:
    """The first metric of single answers and the first of captions: a dataset may ask for both.

    Other metrics stand after these two in the scores: they were requested, or judge the same captions.
    """
    answers = [metric for metric in metrics if metric not in MAXIMA]
    captions = [metric for metric in metrics if metric in MAXIMA]
    return [*answers[:1], *captions[:1]]
