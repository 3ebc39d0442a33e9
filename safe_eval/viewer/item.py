"""Item: one item in full: what each arm was sent and said, how that was read, and its neighbours."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from safe_eval.annotation.notes import Note
from safe_eval.prediction import Prediction
from safe_eval.results.readings import reply_of
from safe_eval.results.reasons import Reason, reason_of
from safe_eval.viewer.filter import Filter, read_filter
from safe_eval.viewer.rows import Row, rows_of
from safe_eval.viewer.shown import SOUNDS_SAID, SentFacts, sent_media, stored_media
from safe_eval.viewer.viewed import Viewed

NEIGHBOURS = 24
NOT_SHOWN = "The metric that is shown does not score it, and others do."
NO_ROW = "The predictions file with this answer is not here, so nothing says how it was read."
_UNREAD = ("unparsed",)  # outcomes without a score of their own
_OF_THE_ANSWER = frozenset(("sent", "batch", "raw", "extracted", "sound_of", "picture_of", "contradicts"))
_NEIGHBOURS = """
SELECT item FROM items
WHERE item <> ? AND dataset IS NOT DISTINCT FROM ? AND ("group" = ? OR record_id = ?)
ORDER BY record_id IS NOT DISTINCT FROM ? DESC, abs(item - ?), item
LIMIT ?
"""


class Neighbour(msgspec.Struct, frozen=True):
    """Another item of the same recording, picture or group."""

    item: int
    id: str
    prompt: str | None
    outcomes: list[str]


class StoredFacts(msgspec.Struct, frozen=True):
    """The sound and the picture of an item as the shards hold them, whatever was sent."""

    picture: str | None
    sound: str | None
    spectrogram: str | None
    peaks: list[float] | None
    notes: list[str]


class ArmAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What an arm was sent and said, and how that was read and scored."""

    arm: int
    outcome: str
    score: float | None
    scores: dict[str, float]
    answer: str | None
    read_as: str | None
    rule: str
    probabilities: dict[str, float] | None
    confidence: float | None
    consulted: bool | None
    gate_score: float | None
    audio_tokens: int | None
    influence_kl: float | None
    latency_ms: float | None
    gate_ms: float | None
    error: str | None
    sent: SentFacts


class Item(Row, frozen=True, kw_only=True):
    """An item as in a list, and all else that is known of it."""

    choices: list[str] | None
    question: dict[str, Any]
    note: str | None
    metric: str | None
    neighbours: list[Neighbour]
    media: StoredFacts
    arms: list[ArmAnswer]


def item_of(
    viewed: Viewed,
    number: int,
    notes: Mapping[tuple[str | None, str], Note] | None = None,
    chosen: Filter | None = None,
) -> Item:
    """One item in full; `chosen` says by which metric its outcomes are shown.

    Raises:
        InputError: there is no such item.
    """
    key = viewed.key_of(number)
    chosen = chosen or read_filter((), viewed)
    note = (notes or {}).get(key)
    noted = frozenset((number,)) if note is not None else frozenset[int]()
    (row,) = rows_of(viewed, chosen, [number], noted)
    said = viewed.rows_of(number)
    any_row = next(iter(said.values()), None)
    at = int(viewed.store.shown(chosen.metric).metrics[number])
    metric = viewed.metrics[at] if at >= 0 else None
    scores = _scores(viewed, number)
    asked = np.flatnonzero(viewed.store.cells.first[:, number] >= 0).tolist()
    arms = [_arm(viewed, row, arm, said.get(arm), metric, scores.get(arm, {})) for arm in asked]
    return Item(
        **{name: getattr(row, name) for name in Row.__struct_fields__},
        choices=None if any_row is None or any_row.choices is None else list(any_row.choices),
        question=_question(list(said.values())),
        note=None if note is None else note.text,
        metric=metric,
        neighbours=_neighbours(viewed, row, chosen),
        media=_stored(viewed, number),
        arms=arms,
    )


def _arm(
    viewed: Viewed, item: Row, arm: int, row: Prediction | None, metric: str | None, scores: dict[str, float]
) -> ArmAnswer:
    outcome, score = item.outcomes[arm], item.scores[arm]
    reason = Reason(None, NO_ROW if row is None else NOT_SHOWN)
    if row is not None and (metric is not None or not scores):
        reason = _reason(row, metric, outcome, score)
    shown = row or Prediction(example_id=item.id, references=(), answer=item.answers[arm])
    return ArmAnswer(
        arm=arm,
        outcome=outcome,
        score=score,
        scores=scores,
        answer=reply_of(shown),
        read_as=reason.read_as,
        rule=reason.why,
        probabilities=shown.choice_probabilities,
        confidence=item.confidences[arm],
        consulted=shown.consulted,
        gate_score=shown.gate_score,
        audio_tokens=shown.audio_tokens,
        influence_kl=shown.influence_kl,
        latency_ms=shown.latency_ms,
        gate_ms=shown.gate_ms,
        error=shown.error,
        sent=sent_media(viewed, item.item, arm, row).facts(),
    )


def _reason(row: Prediction, metric: str | None, outcome: str, score: float | None) -> Reason:
    """A metric gives an unparsed reply 0, so the outcome says that it was not understood."""
    return reason_of(row, None if outcome == "none" else metric, None if outcome in _UNREAD else score)


def _scores(viewed: Viewed, number: int) -> dict[int, dict[str, float]]:
    """The scores of an item by every metric, of each arm."""
    cells = viewed.store.cells
    found: dict[int, dict[str, float]] = {}
    for place in np.flatnonzero(cells.item == number).tolist():
        value = cells.rows["value"][place].as_py()
        if cells.metric[place] >= 0 and value is not None:
            found.setdefault(int(cells.arm[place]), {})[viewed.metrics[cells.metric[place]]] = value
    return found


def _question(rows: list[Prediction]) -> dict[str, Any]:
    """The facts of the question beside its text: those that every arm's row repeats."""
    if not rows:
        return {}
    metadata = [row.metadata or {} for row in rows]
    return {
        name: value
        for name, value in metadata[0].items()
        if name not in _OF_THE_ANSWER and all(one.get(name) == value for one in metadata)
    }


def _stored(viewed: Viewed, number: int) -> StoredFacts:
    facts = stored_media(viewed, number).facts()
    notes = [*facts.notes, SOUNDS_SAID] if facts.sound else facts.notes
    return StoredFacts(facts.picture, facts.sound, facts.spectrogram, facts.peaks, notes)


def _neighbours(viewed: Viewed, row: Row, chosen: Filter) -> list[Neighbour]:
    """Those of the same record first, then those of its group; the nearest in the order of items."""
    values = [row.item, row.dataset, row.group, row.record, row.record, row.item, NEIGHBOURS]
    found = viewed.store.query(_NEIGHBOURS, values).fetchall()
    rows = rows_of(viewed, chosen, [item for (item,) in found], frozenset())
    return [Neighbour(one.item, one.id, one.prompt, one.outcomes) for one in rows]
