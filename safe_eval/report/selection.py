"""Selection: which test items the page shows: first the most telling ones, then a seeded sample."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from safe_eval.arms.arm import ArmKey, Order
from safe_eval.prediction import BASE, Prediction
from safe_eval.report.labels import Models
from safe_eval.scorers.scorer import CAPTION_METRICS, RIGHT_FROM, judging_metrics
from safe_eval.scoring.items import SENT

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 48
SAMPLED_AT_LEAST = 12

REASONS = {
    "lost": "Lost: right without hearing, wrong with it, though no sound is needed",
    "gained": "Heard: wrong without the sound, right with it",
    "wrong": "Missed: wrong even with the sound, or by it",
    "guessed": "Guessed: audio questions answered right although the sound was muted or swapped",
    "disturbed": "Disturbed: no sound is needed, yet wrong when it was muted or swapped",
    "rest": "A sample of all other items",
}
# The same reasons where a model that is not the one without hearing is the one to compare with.
_BESIDE = {
    "lost": "Lost: right by {reference}, wrong by {others}",
    "gained": "Gained: wrong by {reference}, right by {others}",
    "wrong": "Missed: wrong by {reference} and by {others}",
}


@dataclass(frozen=True)
class Answered:
    """What one model said under one condition, and its score in [0, 1]; captions have no score here."""

    key: ArmKey
    prediction: Prediction
    score: float | None
    unparsed: bool = False  # its metric did not understand the reply, which scores 0

    @property
    def right(self) -> bool:
        """Whether the answer counts as right; a caption is neither right nor wrong."""
        return self.score is not None and self.score >= RIGHT_FROM


@dataclass(frozen=True)
class Item:
    """One example with all answers to it, and the reason to show it."""

    reason: str
    prediction: Prediction
    answers: tuple[Answered, ...]


@dataclass(frozen=True)
class Selection:
    """The items to show, and how many items each reason has."""

    models: Models
    run_seed: int
    choice_seed: int
    items: tuple[Item, ...]
    found: dict[str, int]
    total: int

    @property
    def titles(self) -> dict[str, str]:
        """What each reason means for these models."""
        reference = self.models.reference
        if reference in (None, BASE):
            return REASONS
        others = [name for name in self.models.tested if name != reference]
        named = others[0] if len(others) == 1 else "another model"
        return REASONS | {
            name: text.format(reference=reference, others=named) for name, text in _BESIDE.items()
        }


@dataclass(frozen=True)
class _Examples:
    """The answers as a table of examples by arms."""

    names: list[tuple[str, str]]  # dataset and example id
    example: Int[ndarray, " answers"]  # the example of each answer
    arms: list[tuple[str, str]]  # model and condition
    scores: Float[ndarray, "examples arms"]  # NaN: a caption, or no answer
    needs_audio: Int[ndarray, " examples"]  # 1 yes, 0 no, −1 not said

    def right(self, model: str, condition: str) -> Bool[ndarray, " examples"]:
        """The examples on which an arm is right."""
        return np.asarray(self._of(model, condition) >= RIGHT_FROM)

    def there(self, model: str, condition: str) -> Bool[ndarray, " examples"]:
        """The examples on which an arm is right or wrong."""
        return np.asarray(~np.isnan(self._of(model, condition)))

    def _of(self, model: str, condition: str) -> Float[ndarray, " examples"]:
        if (model, condition) not in self.arms:
            return np.full(len(self.names), np.nan)
        return np.asarray(self.scores[:, self.arms.index((model, condition))])


def select_items(
    items: "pa.Table", models: Models, *, seed: int = 0, shown: int = SHOWN, protocol: str | None = None
) -> Selection:
    """Choose the items to show from items.parquet; the order of its rows does not matter.

    The reasons take turns, each giving its next item in the order of a hash of seed and example, until only
    the places of the sample are left. Captions are neither right nor wrong, so they are in the sample. Items
    of tasks that no metric judges, and of later seeds, are not shown.
    """
    run_seed = min(_seeds(items, models.tested[0]))
    answers = _answers(items, models, run_seed, protocol)
    examples = _examples(answers)
    reasons = _most_telling(examples, models)
    groups: dict[str, list[int]] = {reason: [] for reason in REASONS}
    for place in sorted(range(len(reasons)), key=lambda place: _rank(seed, examples.names[place])):
        groups[reasons[place]].append(place)
    chosen = _take_turns(groups, shown)
    given = _given(answers, examples.example, chosen, models.baseline)
    return Selection(
        models=models,
        run_seed=run_seed,
        choice_seed=seed,
        items=tuple(_item(given[place], reasons[place], models) for place in chosen),
        found={reason: len(places) for reason, places in groups.items()},
        total=len(reasons),
    )


def _seeds(items: "pa.Table", model: str) -> list[int]:
    import pyarrow.compute as pc

    seeds: list[int] = items.filter(pc.equal(items["model"], model))["seed"].unique().to_pylist()
    return seeds


def _answers(items: "pa.Table", models: Models, run_seed: int, protocol: str | None) -> "pa.Table":
    """The rows of this seed, and of models that do not have it, those of their only seed."""
    import pyarrow as pa
    import pyarrow.compute as pc

    shown = pa.array([False] * len(items))
    for model in filter(None, (models.baseline, *models.tested, *models.others)):
        seeds = _seeds(items, model)
        seed = seeds[0] if len(seeds) == 1 else run_seed
        of_model = pc.and_(pc.equal(items["model"], model), pc.equal(items["seed"], seed))
        shown = pc.or_(shown, of_model)
    return items.filter(pc.and_(shown, _judging(items, protocol)))


def _judging(items: "pa.Table", protocol: str | None) -> "pa.ChunkedArray":
    """The rows of the metrics that judge their dataset, without those that were requested beside them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    metrics, datasets = items["metric"].cast(pa.string()), items["dataset"].cast(pa.string())
    found = pc.is_in(metrics, value_set=pa.array(CAPTION_METRICS))
    for dataset in datasets.unique().to_pylist():
        of_it = pc.is_null(datasets) if dataset is None else pc.fill_null(pc.equal(datasets, dataset), False)
        names = pa.array(sorted(judging_metrics(dataset, protocol)))
        found = pc.or_(found, pc.and_(of_it, pc.is_in(metrics, value_set=names)))
    return found


def _examples(answers: "pa.Table") -> _Examples:
    dataset, datasets = _coded(answers["dataset"])
    example_id, ids = _coded(answers["example_id"])
    model, models = _coded(answers["model"])
    condition, conditions = _coded(answers["condition"])
    keys, example = np.unique(dataset * len(ids) + example_id, return_inverse=True)
    columns, arm = np.unique(model * len(conditions) + condition, return_inverse=True)
    metric, metrics = _coded(answers["metric"])
    is_caption = np.isin(metrics, CAPTION_METRICS)[metric]
    scores = np.full((len(keys), len(columns)), np.nan)
    scores[example, arm] = np.where(is_caption, np.nan, answers["value"].to_numpy())
    needs_audio = np.full(len(keys), -1)
    needs_audio[example] = answers["needs_audio"].cast("int64").fill_null(-1).to_numpy()
    return _Examples(
        names=[(datasets[key // len(ids)], ids[key % len(ids)]) for key in keys.tolist()],
        example=example,
        arms=[(models[key // len(conditions)], conditions[key % len(conditions)]) for key in columns],
        scores=scores,
        needs_audio=needs_audio,
    )


def _coded(column: "pa.ChunkedArray") -> tuple[Int[ndarray, " answers"], list[str]]:
    """A column of names as numbers, and the names; null becomes the empty name."""
    import pyarrow as pa

    texts = column.cast(pa.string()).fill_null("").combine_chunks().dictionary_encode()
    return texts.indices.to_numpy().astype(np.int64), texts.dictionary.to_pylist()


def _most_telling(examples: _Examples, models: Models) -> list[str]:
    """The reason to show each example: the first in the order of the page that holds for a model."""
    reference, order = models.reference, list(REASONS)
    tested = [name for name in models.tested if name != reference] or list(models.tested)
    found = [_reasons(examples, model, reference) for model in tested]
    return [min(reasons, key=order.index) for reasons in zip(*found, strict=True)]


def _reasons(examples: _Examples, model: str, reference: str | None) -> list[str]:
    """The reason to show each example; `rest` if it is not telling."""
    beside = reference not in (None, BASE)
    reference = reference or BASE
    full, base = examples.right(model, "full"), examples.right(reference, "full")
    answered, base_answered = examples.there(model, "full"), examples.there(reference, "full")
    without = [(examples.there(model, c), examples.right(model, c)) for c in ("mute_audio", "swap_audio")]
    asked_without = np.any([there for there, _ in without], axis=0)
    any_right = np.any([there & right for there, right in without], axis=0)
    any_wrong = np.any([there & ~right for there, right in without], axis=0)
    needs, needs_none = examples.needs_audio == 1, examples.needs_audio == 0
    gained = asked_without | (base_answered & ~base)
    changed = beside & answered & base_answered
    reasons = np.select(
        [
            ~answered,
            changed & ~full & base,
            changed & full & ~base,
            ~full & base & needs_none,
            ~full,
            needs_none & any_wrong,
            needs & any_right,
            needs & gained & (not beside),
        ],
        ["rest", "lost", "gained", "lost", "wrong", "disturbed", "guessed", "gained"],
        "rest",
    )
    found: list[str] = reasons.tolist()
    return found


def _given(
    answers: "pa.Table", example: Int[ndarray, " answers"], chosen: Sequence[int], baseline: str | None
) -> dict[int, list[Answered]]:
    """The answers of the chosen examples, in the order of tables."""
    places = np.flatnonzero(np.isin(example, chosen))
    given: dict[int, dict[ArmKey, Answered]] = {}
    for place, row in zip(example[places].tolist(), answers.take(places).to_pylist(), strict=True):
        answered = _answered(row)
        given.setdefault(place, {})[answered.key] = answered  # once, although many metrics score a caption

    def order(answered: Answered) -> Order:  # the baseline may have another seed, and still comes first
        return answered.key._replace(seed=0).order_after(baseline)

    return {place: sorted(found.values(), key=order) for place, found in given.items()}


def _item(given: Sequence[Answered], reason: str, models: Models) -> Item:
    asked = [one for one in given if one.key.condition == "full"]
    tested = next((one for one in asked if one.key.model in models.tested), given[0])
    return Item(reason, tested.prediction, tuple(given))


def _answered(row: dict[str, Any]) -> Answered:
    """The answer in a row of items.parquet."""
    metric, value, became = row.pop("metric"), row.pop("value"), row.pop("coverage")
    sent = {part: row.pop(name) for name, part in SENT.items()}
    prediction = Prediction(**row | {"references": tuple(row["references"]), "metadata": {"sent": sent}})
    understood = became != "unparsed" or not (prediction.answer or "").strip()
    key = ArmKey(prediction.dataset, prediction.seed, prediction.model, prediction.condition)
    return Answered(key, prediction, None if metric in CAPTION_METRICS else value, not understood)


def _take_turns(groups: dict[str, list[int]], shown: int) -> list[int]:
    telling = {reason: items for reason, items in groups.items() if reason != "rest"}
    rest = groups["rest"]
    room = max(shown - min(len(rest), SAMPLED_AT_LEAST), 0)
    taken = dict.fromkeys(telling, 0)
    while sum(taken.values()) < room and any(taken[reason] < len(telling[reason]) for reason in telling):
        for reason, items in telling.items():
            if taken[reason] < len(items) and sum(taken.values()) < room:
                taken[reason] += 1
    chosen = [item for reason, items in telling.items() for item in items[: taken[reason]]]
    return chosen + rest[: shown - len(chosen)]


def _rank(seed: int, example: tuple[str, str]) -> bytes:
    return hashlib.sha256(repr((seed, *example)).encode()).digest()
