"""Swap: whose sound each record hears instead of its own."""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from safe_data.errors import InputError
from safe_data.records import Record

_ROUNDS, _TRIES = 50, 20  # of exchanging sources until none shares a group or an answer
_SAME_GROUP = 1000  # outweighs any number of shared answers


def swap_partners(records: Sequence[Record], seed: int) -> dict[int, int]:
    """For each record with a sound, the place of another one whose sound it hears instead.

    Partners never share a group. Each sound is used once, so that the sounds heard are the same ones as
    without swapping, and partners' answers about the sound differ where that is possible.

    Raises:
        InputError: some record has no sound of another group to swap with.
    """
    places = [place for place, record in enumerate(records) if record.audio is not None]
    heard = [_heard(records[place]) for place in places]

    def fault(listener: int, source: int) -> int:
        same_group = records[places[listener]].group == records[places[source]].group
        return _SAME_GROUP * same_group + len(heard[listener] & heard[source])

    rng = np.random.default_rng(seed)
    source = rng.permutation(len(places)).tolist()
    for _ in range(_ROUNDS):
        faulty = [i for i in range(len(places)) if fault(i, source[i])]
        if not faulty:
            break
        for i in faulty:
            for j in rng.integers(len(places), size=_TRIES).tolist():
                if fault(i, source[j]) + fault(j, source[i]) < fault(i, source[i]) + fault(j, source[j]):
                    source[i], source[j] = source[j], source[i]
                    break
    partners = {place: places[source[i]] for i, place in enumerate(places)}
    for place, partner in partners.items():
        if records[place].group == records[partner].group:
            partners[place] = _any_other(records, places, place, rng)
    return partners


def _any_other(records: Sequence[Record], places: Sequence[int], place: int, rng: Generator) -> int:
    """A sound of another group, used a second time: one group holds more than half of all sounds."""
    others = [other for other in places if records[other].group != records[place].group]
    if not others:
        raise InputError(
            f"swap_audio: every sound is of the group {records[place].group!r}; it takes sounds of two groups"
        )
    return others[int(rng.integers(len(others)))]


def _heard(record: Record) -> frozenset[tuple[object, ...]]:
    """What can be told from the record's sound: its label, and the answers that need it."""
    answers = {(example.prompt, example.references) for example in record.examples if example.needs_audio}
    return frozenset(answers | ({(record.label,)} if record.label is not None else set()))
