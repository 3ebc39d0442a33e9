"""Telling items on the page: what the sound turned, with picture, player, and both answers."""

from collections.abc import Sequence
from typing import Any

from safe_eval.arms.arm import ArmKey
from safe_eval.prediction import Prediction
from safe_eval.report import numbers
from safe_eval.report.cards import card
from safe_eval.report.labels import Models
from safe_eval.report.media import Media
from safe_eval.report.selection import Answered, Item
from safe_eval.results.telling import TellingItem

SHOWN = 50  # on a page, of all its models

_TITLES = {
    "lost": "Lost: wrong with the sound, right without it",
    "gained": "Gained: right with the sound, wrong without it",
}


def shown_items(items: Sequence[TellingItem]) -> list[TellingItem]:
    """The items that the page shows: of several models, the first of each by turns."""
    by_rank = sorted(items, key=lambda item: item.rank)  # stable: models stay in their order
    return by_rank[:SHOWN]


def telling_sentence(shown: Sequence[TellingItem], items: Sequence[TellingItem]) -> str:
    """How many are shown, and how they were chosen."""
    few = "" if len(shown) == len(items) else f"{numbers.count(len(shown))} of "
    return (
        f"{few}{numbers.count(len(items), 'item')} that the sound turned. First come those that most "
        "comparisons turn the same way (one for each seed and arm without the sound), then those whose "
        "declared need of the sound says that this should not happen, then surer answers. They are chosen "
        "because they are striking, so their shares are those of no model."
    )


def telling_groups(
    items: Sequence[TellingItem], media: Sequence[Media], models: Models
) -> list[dict[str, Any]]:
    """The cards of the items that were lost, and of those that were gained."""
    groups = []
    for way, title in _TITLES.items():
        cards = [
            _card(item, found, models) for item, found in zip(items, media, strict=True) if item.turned == way
        ]
        if cards:
            groups.append({"title": title, "counted": numbers.count(len(cards)), "cards": cards})
    return groups


def prediction_of(item: TellingItem) -> Prediction:
    """The answer with the sound, as a row of predictions."""
    return Prediction(
        example_id=item.example_id,
        record_id=item.record_id,
        dataset=item.dataset,
        split=item.split,
        group=item.group,
        question_type=item.question_type,
        needs_audio=item.needs_audio,
        prompt=item.prompt,
        references=item.references,
        model=item.model,
        seed=item.seed,
        answer=item.answer,
        error=item.error,
        confidence=item.confidence,
    )


def _card(item: TellingItem, media: Media, models: Models) -> dict[str, Any]:
    with_sound = prediction_of(item)
    model, _, condition = item.against.rpartition("/")
    other = Prediction(
        example_id=item.example_id,
        references=item.references,
        answer=item.answer_without,
        error=item.error_without,
    )
    answers = (
        Answered(ArmKey(item.dataset, item.seed, item.model, "full"), with_sound, item.score),
        Answered(ArmKey(item.dataset, item.seed, model or item.model, condition), other, item.score_without),
    )
    made = card(Item(item.turned, with_sound, answers), media, models)
    return made | {"notes": [item.why, *made["notes"]]}
