"""Which test items the page shows: those that say most first, then a seeded sample, and it says so."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from safe_eval.arms.arm import CellKey, cell_key
from safe_eval.prediction import BASE, Prediction
from safe_eval.scorers.scorer import RIGHT_FROM, SCORERS, metrics_for

SHOWN = 48
SAMPLED_AT_LEAST = 12

REASONS = {
    "lost": "Lost: right without hearing, wrong with it, though no sound is needed",
    "gained": "Heard: wrong without the sound, right with it",
    "wrong": "Missed: wrong even with the sound, or by it",
    "guessed": "Guessed: audio questions answered right although the sound was muted or swapped",
    "disturbed": "Disturbed: no sound is needed, yet wrong when it was muted or swapped",
    "rest": "A sample of all others",
}


@dataclass(frozen=True)
class Answered:
    """What one model said under one condition, and its score in [0, 1]; None for captions."""

    key: CellKey
    prediction: Prediction
    score: float | None
    unparsed: bool = False  # a reply that its metric did not understand, which scores 0

    @property
    def right(self) -> bool:
        """Whether the answer counts as right here; a caption is neither right nor wrong."""
        return self.score is not None and self.score >= RIGHT_FROM


@dataclass(frozen=True)
class Item:
    """One example with all that was answered to it."""

    reason: str
    prediction: Prediction
    answers: tuple[Answered, ...]


@dataclass(frozen=True)
class Selection:
    """The shown items by reason, and how many there are of each."""

    model: str
    run_seed: int
    choice_seed: int
    items: tuple[Item, ...]
    found: dict[str, int]
    total: int


def select_items(predictions: Sequence[Prediction], *, seed: int = 0, shown: int = SHOWN) -> Selection:
    """Choose the items to show; the same predictions in any order give the same choice.

    Each reason gives one item in turn, in the order of a hash of seed and example, until only the places
    of the sample are left. Captions, neither right nor wrong, are in the sample; rows of tasks that no metric
    judges, and of later seeds, are not shown.
    """
    model = tested_model(predictions)
    run_seed = min(row.seed for row in predictions if row.model == model)
    groups: dict[str, list[Item]] = {reason: [] for reason in REASONS}
    answers = _by_example([row for row in predictions if row.model in (BASE, model)], run_seed)
    for key in sorted(answers, key=lambda key: _rank(seed, key)):
        given = tuple(sorted(answers[key], key=_place))
        item = _item(given, model)
        groups[item.reason].append(item)
    found = {reason: len(items) for reason, items in groups.items()}
    return Selection(model, run_seed, seed, _take_turns(groups, shown), found, len(answers))


def tested_model(predictions: Sequence[Prediction]) -> str:
    """The model the page is about: the first one, by name, that is not the base."""
    models = sorted({prediction.model for prediction in predictions})
    return next((model for model in models if model != BASE), models[0])


def _by_example(predictions: Sequence[Prediction], run_seed: int) -> dict[tuple[str, str], list[Answered]]:
    """All answers of a seed to each example; the base model's too if it has but one other seed."""
    base_seeds = {row.seed for row in predictions if row.model == BASE}
    shown = [
        row
        for row in predictions
        if row.seed == run_seed or (row.model == BASE and len(base_seeds) == 1)
        if metrics_for(row.dataset, row.task)
    ]
    answers: dict[tuple[str, str], list[Answered]] = {}
    for row, score in zip(shown, _marks(shown), strict=True):
        unparsed = score is not None and math.isnan(score)
        answered = Answered(cell_key(row), row, 0.0 if unparsed else score, unparsed)
        answers.setdefault((row.dataset or "", row.example_id), []).append(answered)
    return answers


def _marks(rows: Sequence[Prediction]) -> list[float | None]:
    """Each score by the metric that judges the row: NaN for what is not understood, None for captions."""
    judged: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        judged.setdefault(metrics_for(row.dataset, row.task)[0], []).append(place)
    marks: list[float | None] = [None] * len(rows)
    for metric, places in judged.items():
        if metric in SCORERS:
            scores = SCORERS[metric].score_all([rows[place] for place in places])
            for place, score in zip(places, scores.tolist(), strict=True):
                marks[place] = 0.0 if rows[place].error is not None else score
    return marks


def _place(answered: Answered) -> tuple[object, ...]:
    return answered.key._replace(seed=0).order  # the base model may have another seed, and still comes first


def _item(given: tuple[Answered, ...], model: str) -> Item:
    by_column = {(answered.key.model, answered.key.condition): answered for answered in given}
    tested = by_column.get((model, "full"), given[0])
    if tested.score is None:
        return Item("rest", tested.prediction, given)
    right = {key: answered.right for key, answered in by_column.items()}
    return Item(_reason(right, model, tested.prediction.needs_audio), tested.prediction, given)


def _reason(right: Mapping[tuple[str, str], bool], model: str, needs_audio: bool | None) -> str:
    full = right.get((model, "full"))
    without = [right[key] for key in ((model, "mute_audio"), (model, "swap_audio")) if key in right]
    if full is None:
        return "rest"
    if not full:
        return "lost" if right.get((BASE, "full")) and needs_audio is False else "wrong"
    if needs_audio is False:
        return "rest" if all(without) else "disturbed"
    if needs_audio is None:
        return "rest"
    if any(without):
        return "guessed"
    return "gained" if without or right.get((BASE, "full")) is False else "rest"


def _take_turns(groups: dict[str, list[Item]], shown: int) -> tuple[Item, ...]:
    telling = {reason: items for reason, items in groups.items() if reason != "rest"}
    rest = groups["rest"]
    room = max(shown - min(len(rest), SAMPLED_AT_LEAST), 0)
    taken = dict.fromkeys(telling, 0)
    while sum(taken.values()) < room and any(taken[reason] < len(telling[reason]) for reason in telling):
        for reason, items in telling.items():
            if taken[reason] < len(items) and sum(taken.values()) < room:
                taken[reason] += 1
    chosen = [item for reason, items in telling.items() for item in items[: taken[reason]]]
    return tuple(chosen + rest[: shown - len(chosen)])


def _rank(seed: int, example: tuple[str, str]) -> bytes:
    return hashlib.sha256(repr((seed, *example)).encode()).digest()
