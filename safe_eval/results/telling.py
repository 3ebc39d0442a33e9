"""Telling: what a person should look at: the errors that come again, and the items that the sound turned."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.prediction import Prediction
from safe_eval.results.hurts import Hurt, hurts_of

MOST_ERRORS = 20  # of a model against one arm on one dataset
MOST_TELLING = 50  # items of a model
NO_ANSWER = "(no answer)"

_LONGEST = 60  # characters of an answer in a table of errors

Way = Literal["lost", "gained"]


class TypicalError(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that was given under `full`, where the arm without the sound gave the right one."""

    metric: str
    dataset: str | None
    seeds: tuple[int, ...]
    model: str
    against: str
    given: str  # in lower case, without the full stop
    right: str  # the reference that was given most often
    count: int  # answers, over all seeds
    share: float  # of all answers that were lost
    lost: int
    question_type: str | None = None  # of most of them


class TellingItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item that the sound turned from right to wrong (lost) or from wrong to right (gained)."""

    metric: str
    dataset: str | None
    seed: int  # whose answers these are
    model: str
    rank: int  # from 1, of its model
    turned: Way
    against: str  # whose answer is the one without the sound
    example_id: str
    record_id: str | None
    split: str | None
    group: str | None
    question_type: str | None
    needs_audio: bool | None
    prompt: str | None
    references: tuple[str, ...]
    answer: str | None
    answer_without: str | None
    error: str | None = None
    error_without: str | None = None
    score: float
    score_without: float
    confidence: float | None
    agreeing: int  # comparisons, one for each seed and arm without the sound, that turned this way
    comparisons: int
    why: str


class _Said(NamedTuple):
    """The two answers of one comparison to an example, by where they stand."""

    seed: int
    against: str
    sign: int  # 1: gained, −1: lost
    full: ScoredArm
    at_full: int
    without: ScoredArm
    at_without: int

    @property
    def row(self) -> Prediction:
        """The answer under full."""
        return self.full.arm.rows[int(self.full.at[self.at_full])]

    @property
    def row_without(self) -> Prediction:
        """The answer without the sound."""
        return self.without.arm.rows[int(self.without.at[self.at_without])]


@dataclass(frozen=True)
class _Turned:
    """An example, what the comparisons that turned it say, and how many comparisons there are."""

    said: tuple[_Said, ...]
    comparisons: int

    @property
    def total(self) -> int:
        """Gained less lost."""
        return sum(one.sign for one in self.said)

    @property
    def way(self) -> Way:
        """What most comparisons say."""
        return "gained" if self.total > 0 else "lost"

    @property
    def agreeing(self) -> list[_Said]:
        """The comparisons that say so."""
        return [one for one in self.said if (one.sign > 0) == (self.total > 0)]


def typical_errors(arms: Arms) -> Iterator[TypicalError]:
    """The most frequent errors of each model against each arm without the sound, over all its seeds."""
    tables: dict[tuple[str, str | None, str, str], list[Hurt]] = {}
    for hurt in _single_seeds(arms):
        key = hurt.full.key
        tables.setdefault((hurt.full.metric, key.dataset, key.model, hurt.against), []).append(hurt)
    for (metric, dataset, model, against), hurts in tables.items():
        counts: Counter[tuple[str, str]] = Counter()
        types: dict[tuple[str, str], Counter[str]] = {}
        for row in (row for hurt in hurts for row in _lost_rows(hurt)):
            error = _short(row.answer if row.error is None else None), _short(_right_answer(row))
            counts[error] += 1
            types.setdefault(error, Counter())[row.question_type or ""] += 1
        lost = sum(counts.values())
        for error in sorted(counts, key=lambda error: (-counts[error], error))[:MOST_ERRORS]:
            kind = min(types[error].items(), key=lambda of: (-of[1], of[0]))[0]
            yield TypicalError(
                metric=metric,
                dataset=dataset,
                seeds=tuple(seed for hurt in hurts for seed in hurt.pairs),
                model=model,
                against=against,
                given=error[0],
                right=error[1],
                count=counts[error],
                share=counts[error] / lost,
                lost=lost,
                question_type=kind or None,
            )


def telling_items(arms: Arms) -> Iterator[TellingItem]:
    """The items of each model that a person should look at, most telling first.

    More comparisons (seeds and arms without the sound) that turn the same way come first; then items whose
    `needs_audio` contradicts what happened; then surer answers; then the order of ids. Half of the places
    are for items that were lost and half for those that were gained, as far as there are so many.
    """
    by_model: dict[str, list[Hurt]] = {}
    for hurt in _single_seeds(arms):
        by_model.setdefault(hurt.full.key.model, []).append(hurt)
    for hurts in by_model.values():
        turned = sorted((one for one in _turned(hurts) if one.total), key=_order)
        lost = [one for one in turned if one.way == "lost"]
        gained = [one for one in turned if one.way == "gained"]
        half = MOST_TELLING // 2
        most_lost, most_gained = max(half, MOST_TELLING - len(gained)), max(half, MOST_TELLING - len(lost))
        chosen = sorted([*lost[:most_lost], *gained[:most_gained]], key=_order)
        yield from (_item(one, rank) for rank, one in enumerate(chosen, 1))


def _single_seeds(arms: Arms) -> Iterator[Hurt]:
    return (hurt for hurt in hurts_of(arms) if len(hurt.pairs) == 1)


def _lost_rows(hurt: Hurt) -> Iterator[Prediction]:
    full = hurt.full
    for place in full.at[hurt.at_full[hurt.changes[0] < 0]].tolist():
        yield full.arm.rows[place]


def _right_answer(row: Prediction) -> str:
    counts = Counter(row.references)
    return min(counts, key=lambda text: (-counts[text], row.references.index(text)))


def _short(text: str | None) -> str:
    """A text as a table of errors counts it.

    >>> _short(" A  Dog. "), _short(None)
    ('a dog', '(no answer)')
    """
    flat = " ".join((text or "").split()).casefold().rstrip(".") or NO_ANSWER
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…"


def _turned(hurts: Sequence[Hurt]) -> Iterator[_Turned]:
    """The examples of one model that any comparison turned."""
    sets: dict[tuple[str, str | None], list[Hurt]] = {}
    for hurt in hurts:
        sets.setdefault((hurt.full.metric, hurt.full.key.dataset), []).append(hurt)
    for own in sets.values():
        compared = Counter[int]()
        said: dict[int, list[_Said]] = {}
        for hurt in own:
            (seed, (full, without)), changes = next(iter(hurt.pairs.items())), hurt.changes[0]
            examples = full.examples[hurt.at_full]
            compared.update(examples.tolist())
            for place in np.flatnonzero(changes).tolist():
                at = int(hurt.at_full[place]), int(hurt.at_without[place])
                one = _Said(seed, hurt.against, int(changes[place]), full, at[0], without, at[1])
                said.setdefault(int(examples[place]), []).append(one)
        for example, found in said.items():
            yield _Turned(tuple(found), compared[example])


def _item(turned: _Turned, rank: int) -> TellingItem:
    said = turned.agreeing[0]
    row, other, full = said.row, said.row_without, said.full
    return TellingItem(
        metric=full.metric,
        dataset=full.key.dataset,
        seed=said.seed,
        model=full.key.model,
        rank=rank,
        turned=turned.way,
        against=said.against,
        example_id=row.example_id,
        record_id=row.record_id,
        split=row.split,
        group=row.group,
        question_type=row.question_type,
        needs_audio=row.needs_audio,
        prompt=row.prompt or other.prompt,
        references=row.references,
        answer=row.answer,
        answer_without=other.answer,
        error=row.error,
        error_without=other.error,
        score=float(full.scores[said.at_full]),
        score_without=float(said.without.scores[said.at_without]),
        confidence=row.confidence,
        agreeing=len(turned.agreeing),
        comparisons=turned.comparisons,
        why=_why(turned, row),
    )


def _why(turned: _Turned, row: Prediction) -> str:
    """Why the item is shown: how many comparisons agree, what `needs_audio` says, and how sure it was."""
    change = {"lost": "wrong with the sound, right without", "gained": "right with the sound, wrong without"}
    parts = [f"{change[turned.way]} in {len(turned.agreeing)} of {turned.comparisons} comparisons"]
    if contradicts(row.needs_audio, turned.way):
        parts.append("although it needs the sound" if row.needs_audio else "although it needs no sound")
    if row.confidence is not None:
        parts.append(f"{100 * row.confidence:.0f} % sure")
    return "; ".join(parts)


def contradicts(needs_audio: bool | None, turned: str) -> bool:
    """Whether an item's `needs_audio` says that this should not happen.

    >>> contradicts(False, "gained"), contradicts(True, "gained"), contradicts(True, "lost")
    (True, False, True)
    """
    return needs_audio is False or (needs_audio is True and turned == "lost")


def _order(turned: _Turned) -> tuple[object, ...]:
    said = turned.agreeing[0]
    row, key = said.row, said.full.key
    sure = -1.0 if row.confidence is None else row.confidence
    return (
        *(-len(turned.agreeing), turned.comparisons, not contradicts(row.needs_audio, turned.way), -sure),
        *(key.dataset or "", row.example_id, said.full.metric),
    )
