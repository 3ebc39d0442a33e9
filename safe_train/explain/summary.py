"""Summary: what was found of single questions as the tables of explain.json."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from safe_eval.options import Sampling
from safe_eval.report.explanation import (
    Attention,
    Attribution,
    Completeness,
    GroupRow,
    Influence,
    ModeCount,
    Parts,
    Prediction,
)
from safe_eval.statistics.multiplicity import holm
from safe_eval.statistics.paired import paired_difference
from safe_train.explain.asked import FULL, MUTE, Outcome
from safe_train.explain.estimates import ALL, AUDIO, VL, Slices, mean_of, share_above, slices_of, told_by
from safe_train.explain.explained import Explained, share_of
from safe_train.explain.modes import FAILURES, MODES, mode_of
from safe_train.explain.parts import Parting

GRADIENTS, SHAPLEY, GIVEN_WORDS = "gradients", "shapley", "shapley given the words"
INFLUENCED = 0.1  # nats, from which a sound influenced an answer
FEWEST_IN_GROUP = 10  # questions where metadata say one thing
_MOST_VALUES = 12  # of a field of metadata that makes groups
_TOLD = ("given", "none")


@dataclass(frozen=True)
class Table:
    """The questions with an explanation, beside their outcomes, slice by slice."""

    outcomes: tuple[Outcome, ...]
    explained: tuple[Explained, ...]
    slices: Slices

    def numbers(self, of: Any) -> Float64[ndarray, "questions ..."]:
        """What a function says of each explanation."""
        return np.array([of(one) for one in self.explained], float)

    @property
    def helps(self) -> Bool[ndarray, " questions"]:
        """Right with the sound, and wrong in silence."""
        return np.array([o.said[FULL].is_right and not o.said[MUTE].is_right for o in self.outcomes], bool)


def sliced(outcomes: Sequence[Outcome], sampling: Sampling) -> Slices:
    """The slices of these questions."""
    return slices_of(
        [one.needs_audio for one in outcomes],
        [one.question_type for one in outcomes],
        [one.group for one in outcomes],
        sampling,
    )


def table_of(outcomes: Sequence[Outcome], found: Sequence[Explained | None], sampling: Sampling) -> Table:
    """The questions that could be explained."""
    both = [(outcome, one) for outcome, one in zip(outcomes, found, strict=True) if one is not None]
    kept = tuple(outcome for outcome, _ in both)
    return Table(kept, tuple(one for _, one in both), sliced(kept, sampling))


def attribution_rows(table: Table) -> Iterator[Attribution]:
    """By method, part and slice."""
    fields = {GRADIENTS: "gradients", SHAPLEY: "shapley", GIVEN_WORDS: "given_words"}
    for method, field in fields.items():
        values: list[dict[str, float]] = [getattr(one, field) for one in table.explained]
        for player in values[0]:
            nats = np.array([one[player] for one in values])
            shares = np.array([share_of(one, player) for one in values])
            for name in table.slices.inside:
                yield Attribution(
                    method=method,
                    player=player,
                    slice=name,
                    nats=table.slices.mean(nats, name),
                    share=table.slices.mean(shares, name, share=True),
                )


def completeness_rows(table: Table) -> list[Completeness]:
    """How far gradients and Shapley values miss what they should sum to."""
    difference = float(np.abs(table.numbers(lambda one: one.difference)).mean())
    errors = {
        GRADIENTS: table.numbers(lambda one: one.gradients_delta),
        SHAPLEY: table.numbers(lambda one: one.shapley_delta),
    }
    return [
        Completeness(method=name, error=float(np.abs(error).mean()), difference=difference, n=len(error))
        for name, error in errors.items()
    ]


def attention_rows(table: Table, layers: Sequence[int]) -> Iterator[Attention]:
    """By layer and head, and by layer."""
    looked = {
        name: table.numbers(lambda one, name=name: getattr(one, name))
        for name in ("entropy", "largest", "weights", "added", "layer_added")
    }
    heads = looked["entropy"].shape[2]
    for place, layer in enumerate(layers):
        for head in (None, *range(heads)):
            columns = slice(None) if head is None else slice(head, head + 1)
            added = looked["layer_added"][:, place] if head is None else looked["added"][:, place, head]
            for name, inside in table.slices.inside.items():
                of = table.slices
                yield Attention(
                    layer=layer,
                    head=head,
                    slice=name,
                    entropy=of.mean(looked["entropy"][:, place, columns].mean(1), name, share=True),
                    largest=of.mean(looked["largest"][:, place, columns].mean(1), name, share=True),
                    added=of.mean(added, name),
                    weights=tuple(looked["weights"][inside, place, columns].mean((0, 1)).round(6).tolist()),
                )


def prediction_rows(table: Table, layers: Sequence[int], confidence: float) -> Iterator[Prediction]:
    """Which numbers tell that the sound helps: of all layers, of each, of each head; beside KL and doubt."""
    focus = 1 - table.numbers(lambda one: one.entropy)
    added, heads_added = table.numbers(lambda one: one.layer_added), table.numbers(lambda one: one.added)
    found: list[tuple[str, int | None, int | None, Float64[ndarray, " questions"]]] = [
        ("attention focused", None, None, focus.mean((1, 2))),
        ("largest attention", None, None, table.numbers(lambda one: one.largest).mean((1, 2))),
        ("added", None, None, added.mean(1)),
        ("influence KL", None, None, _known(o.influence_kl for o in table.outcomes)),
        ("doubt of the base", None, None, _known(o.doubt for o in table.outcomes)),
    ]
    for place, number in enumerate(layers):
        found.append(("attention focused", number, None, focus[:, place].mean(1)))
        found.append(("added", number, None, added[:, place]))
        for of_head in range(focus.shape[2]):
            found.append(("attention focused", number, of_head, focus[:, place, of_head]))
            found.append(("added", number, of_head, heads_added[:, place, of_head]))
    for slice_name in (ALL, AUDIO):
        if slice_name in table.slices.inside:
            at = table.slices.inside[slice_name]
            for score, layer, head, values in found:
                yield told_by(
                    values[at],
                    table.helps[at],
                    table.slices.groups[at],
                    confidence,
                    score=score,
                    slice_name=slice_name,
                    layer=layer,
                    head=head,
                )


def influence_rows(outcomes: Sequence[Outcome], slices: Slices) -> Iterator[Influence]:
    """Of each slice: all questions, and those whose answer is another or the same with the gate shut."""
    moved = _known(one.influence_kl for one in outcomes)
    changed = np.array([one.said[FULL].answer != one.said["gate_off"].answer for one in outcomes])
    for name, inside in slices.inside.items():
        for answers, wanted in (("all", inside), ("changed", inside & changed), ("kept", inside & ~changed)):
            at = wanted & np.isfinite(moved)
            if at.any():
                low, middle, high = np.quantile(moved[at], (0.1, 0.5, 0.9)).tolist()
                yield Influence(
                    slice=name,
                    answers=answers,
                    mean=mean_of(moved[at], slices.groups[at], slices.sampling),
                    quantiles=(low, middle, high),
                    above=float((moved[at] > INFLUENCED).mean()),
                )


def mode_rows(outcomes: Sequence[Outcome], slices: Slices) -> Iterator[ModeCount]:
    """The modes that occur in each slice; their counts sum to its questions."""
    modes = np.array([mode_of(one) for one in outcomes])
    for name, inside in slices.inside.items():
        for mode in MODES:
            is_it = modes == mode.name
            if count := int((is_it & inside).sum()):
                yield ModeCount(
                    slice=name,
                    mode=mode.name,
                    means=mode.means,
                    is_failure=mode.name in FAILURES,
                    count=count,
                    share=slices.mean(is_it.astype(float), name, share=True),
                )


def parts_rows(table: Table, parts: Parting) -> Iterator[Parts]:
    """What each part of the sound is worth, and whether parts with an event get more."""
    values = table.numbers(lambda one: one.parts)
    confidence = table.slices.sampling.confidence
    for name, inside in table.slices.inside.items():
        known = [place for place in np.flatnonzero(inside) if table.explained[place].events is not None]
        value, interval = None, None
        if known:
            events = np.array([table.explained[place].events for place in known], bool)
            groups = np.repeat(table.slices.groups[known], parts.count)
            value, interval = share_above(values[known].ravel(), events.ravel(), groups, confidence)
        yield Parts(
            unit=parts.unit,
            count=parts.count,
            is_exact=parts.is_exact,
            slice=name,
            nats=tuple(values[inside].mean(0).round(6).tolist()),
            auroc=value,
            low=None if interval is None else interval.low,
            high=None if interval is None else interval.high,
            n=int(inside.sum()),
            why_not=parts.why_not,
        )


def group_rows(outcomes: Sequence[Outcome], slices: Slices) -> list[GroupRow]:
    """Accuracy and gain where fields of the metadata say one thing; p values adjusted over all rows."""
    full, mute = (np.array([one.said[arm].score for one in outcomes]) for arm in (FULL, MUTE))
    found: list[GroupRow] = []
    for name in (AUDIO, VL) if AUDIO in slices.inside else (ALL,):
        inside = slices.inside[name]
        for field, values in _fields(outcomes, inside).items():
            for value in sorted(set(values[inside].tolist()) - {""}):
                at = inside & (values == value)
                if at.sum() < FEWEST_IN_GROUP:
                    continue
                paired = paired_difference(full[at], mute[at], slices.groups[at], slices.sampling)
                gain = mean_of(full[at] - mute[at], slices.groups[at], slices.sampling)
                found.append(
                    GroupRow(
                        field=field,
                        value=value,
                        slice=name,
                        accuracy=mean_of(full[at], slices.groups[at], slices.sampling, share=True),
                        gain=msgspec.structs.replace(
                            gain, low=paired.interval.low, high=paired.interval.high
                        ),
                        p_value=paired.p_value,
                        holm_p=1.0,
                    )
                )
    adjusted = holm(np.array([row.p_value for row in found])).tolist() if found else []
    return [msgspec.structs.replace(row, holm_p=p) for row, p in zip(found, adjusted, strict=True)]


def _fields(outcomes: Sequence[Outcome], inside: Bool[ndarray, " questions"]) -> dict[str, ndarray]:
    """The fields of the metadata that make groups of these questions, as words; "" where one says nothing.

    A number is cut at its median, and a field that holds false or an answer says whether it has one.
    """
    names = dict.fromkeys(name for one in outcomes for name in one.facts)
    found = {}
    for name in names:
        values = [one.facts.get(name) for one in outcomes]
        there = [value for value, at in zip(values, inside, strict=True) if at and value is not None]
        numbers = [value for value in there if isinstance(value, int | float) and not isinstance(value, bool)]
        if numbers and len(numbers) == len(there):
            middle = float(np.median(numbers))
            words = [
                "" if v is None else f"below {middle:.3g}" if v < middle else f"from {middle:.3g}"
                for v in values
            ]
        elif any(isinstance(value, str) for value in there) and any(value is False for value in there):
            words = ["" if v is None else _TOLD[v is False] for v in values]
        else:
            words = ["" if v is None else {True: "yes", False: "no"}.get(v, str(v)) for v in values]
        here = {word for word, at in zip(words, inside, strict=True) if at and word}
        if 1 < len(here) <= _MOST_VALUES:
            found[name] = np.array(words)
    return found


def _known(values: Any) -> Float64[ndarray, " questions"]:
    return np.array([np.nan if value is None else value for value in values], float)
