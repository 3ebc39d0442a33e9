"""Checking: the maps of some questions made again, with shuffled weights and with units left out."""

from collections.abc import Sequence
from typing import NamedTuple

from safe_data.core.phases import Phases
from safe_data.shards.dataset import ShardDataset
from safe_eval.runner.plan import sample_of_groups
from safe_train.explain.asked import FULL, Outcome
from safe_train.explain.attribution import integrated_gradients
from safe_train.explain.deletion import Curves, curves
from safe_train.explain.explained import Explained, Explainer
from safe_train.explain.shuffling import Similarity, can_shuffle, cascade, similarities
from safe_train.gates.scored_questions import ScoredQuestion
from safe_train.settings.explain import ExplainConfig


class Checked(NamedTuple):
    """What the sanity checks are made of; the questions by their places among those explained."""

    places: tuple[int, ...]
    similarities: tuple[Similarity, ...]
    curves: tuple[Curves, ...]
    why_not: str | None


def check_maps(
    explainer: Explainer,
    dataset: ShardDataset,
    questions: Sequence[ScoredQuestion],
    outcomes: Sequence[Outcome],
    explained: Sequence[Explained | None],
    config: ExplainConfig,
) -> Checked:
    """Run the sanity checks on the first questions in the order of groups."""
    inside = sample_of_groups(dataset, most=config.checked, seed=config.seed)
    places = [
        at
        for at, (question, one) in enumerate(zip(questions, explained, strict=True))
        if one is not None and inside(question.example)
    ]
    if not places:
        return Checked((), (), (), f"no whole group has at most {config.checked} questions; raise --checked")
    embedder, rows = explainer.embedder, config.batch_size
    with Phases("checking maps", quiet=config.quiet) as at:
        at("attributing")
        embedded = [explainer.embed(questions[n], str(outcomes[n].said[FULL].answer)) for n in places]
        maps = [integrated_gradients(embedder, one, steps=config.steps, rows=rows) for one in embedded]
        at("leaving out")
        drawn = [
            curves(embedder, one, found, orders=config.random_orders, seed=config.seed + n)
            for n, one, found in zip(places, embedded, maps, strict=True)
        ]
        at("shuffling weights")
        alike, why = [], None
        if can_shuffle(cascade(embedder.model, config.stages)):
            alike = similarities(
                embedder,
                embedded,
                maps,
                stages=config.stages,
                steps=config.steps,
                rows=rows,
                seed=config.seed,
            )
        else:
            why = "weights of 4 or 8 bits cannot be shuffled; load the base with --quantization none"
    return Checked(tuple(places), tuple(alike), tuple(drawn), why)
