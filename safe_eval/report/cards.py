"""Test items as cards: question, expected answers, and what was said under each condition."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safe_eval.report import numbers
from safe_eval.report.labels import Models, condition_title
from safe_eval.report.media import MAX_TOTAL_BYTES, Media
from safe_eval.report.selection import Answered, Item, Selection
from safe_eval.scorers.scorer import RIGHT_FROM

TEXT_SHOWN = 600


def selection_sentence(selection: Selection, shown: int) -> str:
    """How many of all items are shown, and how they were chosen."""
    total = numbers.count(selection.total, "item")
    answers = f"The answers are from seed {selection.run_seed}."
    if len(selection.items) == selection.total:
        return f"All {total}, grouped by what they show about {_tested(selection)}. {answers}"
    return (
        f"{numbers.count(len(selection.items))} of {total} (at most {shown}). The groups take turns, each in "
        f"the order of a hash of the example's id (choice seed {selection.choice_seed}); the last group is a "
        "sample of the rest. Telling items are preferred, so the share of wrong answers here is not "
        f"the accuracy of {_tested(selection)}. {answers}"
    )


def _tested(selection: Selection) -> str:
    *others, last = selection.models.tested
    return f"{', '.join(others)} and {last}" if others else last


def media_sentence(media: Sequence[Media], shards: Path | None) -> str:
    """Whether the page holds pictures and sounds, and up to what size."""
    if shards is None:
        return "No shards were given, so the items are shown without picture and sound; add --shards ROOT."
    pictures = sum(entry.picture is not None for entry in media)
    sounds = sum(entry.sound is not None for entry in media)
    changed = any(entry.changed for entry in media)
    return (
        f"With {numbers.count(pictures, 'picture')} and {numbers.count(sounds, 'sound')} from the shards, as "
        f"given under full input{', and what was sent instead under other conditions' if changed else ''}. "
        f"The page holds at most {numbers.size(MAX_TOTAL_BYTES)} of them."
    )


def item_groups(selection: Selection, media: Sequence[Media]) -> list[dict[str, Any]]:
    """The cards of each reason that has items, with how many of all its items are shown."""
    cards: dict[str, list[dict[str, Any]]] = {}
    for item, entry in zip(selection.items, media, strict=True):
        cards.setdefault(item.reason, []).append(card(item, entry, selection.models))
    return [
        {
            "title": title,
            "counted": f"{numbers.count(len(cards[reason]))} of {numbers.count(selection.found[reason])}",
            "cards": cards[reason],
        }
        for reason, title in selection.titles.items()
        if reason in cards
    ]


def card(item: Item, media: Media, models: Models) -> dict[str, Any]:
    """One item with all answers to it, as the template shows it."""
    row = item.prediction
    kind = {True: "needs the sound", False: "needs no sound"}.get(row.needs_audio is True, "")
    facts = [
        row.question_type,
        kind if row.needs_audio is not None else None,
        row.group and f"group {row.group}",
    ]
    return {
        "id": row.example_id,
        "record": row.record_id or row.example_id,
        "question": _shorten(row.prompt or "(the prediction does not hold the question)"),
        "expected": _expected(row.references),
        "answers": [_answer(answered, models) for answered in item.answers],
        "media": media,
        "changed": [
            {
                "title": condition_title(one.condition),
                "said": one.said,
                "sound": one.sound,
                "picture": one.picture,
            }
            for one in media.changed
        ],
        "notes": [fact for fact in facts if fact] + list(media.notes),
    }


def _answer(answered: Answered, models: Models) -> dict[str, Any]:
    row, key = answered.prediction, answered.key
    facts = [] if row.confidence is None else [f"{100 * row.confidence:.0f} % sure"]
    facts += ["not understood"] if answered.unparsed else []
    if answered.score is not None and 0 < answered.score < 1:
        facts.append(f"score {numbers.percent(answered.score, 0)} %")
    return {
        **_mark(answered),
        "title": models.title(key.model, key.condition),
        "tested": key.condition == "full" and key.model in models.tested,
        "text": _shorten(row.answer if row.answer is not None else f"(no answer: {row.error})"),
        "facts": " · ".join(facts),
    }


def _mark(answered: Answered) -> dict[str, str]:
    score = answered.score
    if score is None:
        return {"mark": "·", "tone": "unknown", "said_score": "a caption is neither right nor wrong"}
    said = f"score {numbers.share(score)}; right from {numbers.share(RIGHT_FROM)} on"
    if answered.right:
        return {"mark": "✓", "tone": "good", "said_score": said}
    partial = score > 0
    return {"mark": "◐" if partial else "✗", "tone": "unknown" if partial else "bad", "said_score": said}


def _expected(references: Sequence[str]) -> str:
    """Each reference once, the most frequent first, with how often it was given."""
    counted = Counter(references).most_common()
    return _shorten(", ".join(text if times == 1 else f"{text} ×{times}" for text, times in counted))


def _shorten(text: str) -> str:
    return text if len(text) <= TEXT_SHOWN else text[:TEXT_SHOWN] + " … (cut)"
