"""Partners: whose sound or picture a record is sent instead of its own."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.random import Generator

from safe_data.core.errors import InputError
from safe_data.records import Example, Record

_ROUNDS, _TRIES = 50, 20  # of exchanging sources until no record gets what is of its own group or answers
_SAME_GROUP = 1000  # outweighs any number of shared answers
_LOOKS = 200  # at random, before all records are looked at for one that contradicts

Kind = Literal["audio", "image"]
Facts = frozenset[tuple[object, ...]]
OF_ANOTHER: dict[str, Kind] = {"swap_audio": "audio", "swap_vision": "image", "contradict": "audio"}


def partners_of(condition: str, records: Sequence[Record], seed: int) -> dict[int, int]:
    """For each record, the index of the record whose sound or picture it is sent under a condition.

    Raises:
        InputError: there is nothing to be sent instead.
    """
    if condition == "contradict":
        return contradicting_partners(records, seed)
    return swap_partners(records, seed, OF_ANOTHER[condition]) if condition in OF_ANOTHER else {}


def swap_partners(records: Sequence[Record], seed: int, kind: Kind = "audio") -> dict[int, int]:
    """For each record with a sound, or a picture, the index of the one whose sound or picture it gets.

    Partners are never of the same group. Each sound is used once, so the same sounds are heard as without
    swapping. Where possible, the two partners have different answers about their sounds.

    Raises:
        InputError: all are of one group, so there is nothing to swap with.
    """
    holders = [index for index, record in enumerate(records) if getattr(record, kind) is not None]
    facts = [_facts(records[index], kind) for index in holders]

    def fault(taker: int, source: int) -> int:
        same_group = records[holders[taker]].group == records[holders[source]].group
        return _SAME_GROUP * same_group + len(facts[taker] & facts[source])

    rng = np.random.default_rng(seed)
    source = rng.permutation(len(holders)).tolist()
    for _ in range(_ROUNDS):
        faulty = [i for i in range(len(holders)) if fault(i, source[i])]
        if not faulty:
            break
        for i in faulty:
            for j in rng.integers(len(holders), size=_TRIES).tolist():
                if fault(i, source[j]) + fault(j, source[i]) < fault(i, source[i]) + fault(j, source[j]):
                    source[i], source[j] = source[j], source[i]
                    break
    partners = {index: holders[source[i]] for i, index in enumerate(holders)}
    for index, partner in partners.items():
        if records[index].group == records[partner].group:
            partners[index] = _any_of_another_group(records, holders, index, rng, kind)
    return partners


def _any_of_another_group(
    records: Sequence[Record], holders: Sequence[int], index: int, rng: Generator, kind: Kind
) -> int:
    """One of another group, used a second time: one group holds more than half of all."""
    possible = [partner for partner in holders if records[partner].group != records[index].group]
    if not possible:
        name, what = ("swap_audio", "sound") if kind == "audio" else ("swap_vision", "picture")
        raise InputError(
            f"{name}: every {what} is of the group {records[index].group!r}; it takes {what}s of two groups"
        )
    return possible[int(rng.integers(len(possible)))]


def contradicting_partners(records: Sequence[Record], seed: int) -> dict[int, int]:
    """For each record with a sound, one of another group whose sound says something else; see `contradicts`.

    A record that no sound contradicts has none. A sound may be sent with several records.

    Raises:
        InputError: no sound contradicts another: nothing tells what they say.
    """
    holders = [index for index, record in enumerate(records) if record.audio is not None]
    rng = np.random.default_rng(seed)
    found: dict[int, int] = {}
    for index in holders:
        looks = [holders[place] for place in rng.integers(len(holders), size=_LOOKS).tolist()]
        for partner in (*looks, *holders):
            if contradicts(records[index], records[partner]):
                found[index] = partner
                break
    if holders and not found:
        raise InputError(
            "contradict: no two sounds of different groups have different labels, or different answers to "
            "one question that needs the sound; nothing tells which sounds contradict each other"
        )
    return found


def contradicts(record: Record, other: Record) -> bool:
    """Whether the sound of another record says something else, as a person would call it.

    Their labels differ, or else their answers to one question that needs the sound have nothing in common.
    """
    if record.group == other.group:
        return False
    if record.label is not None and other.label is not None:
        return record.label != other.label
    answers = {one.prompt: set(one.references) for one in record.examples if one.needs_audio}
    return any(
        one.needs_audio and one.prompt in answers and not answers[one.prompt] & set(one.references)
        for one in other.examples
    )


def said_by(other: Record, record: Record, example: Example) -> str | None:
    """The answer to an example of a record that the sound of another record supports; None if not known.

    >>> dog, cat = (Record(id=name, dataset="d", split="test", group=name, label=name, image="i.png",
    ...                    examples=(Example(id=f"{name}-q", task="vqa", prompt="Who?", references=(name,),
    ...                                      needs_audio=True),)) for name in ("dog", "cat"))
    >>> said_by(cat, dog, dog.examples[0])
    'cat'
    """
    for one in other.examples:
        if one.prompt == example.prompt and one.needs_audio is not False and one.references:
            differs = not set(one.references) & set(example.references)
            return max(one.references, key=one.references.count) if differs else None
    if example.needs_audio and record.label in example.references and other.label != record.label:
        return other.label
    return None


def _facts(record: Record, kind: Kind) -> Facts:
    """What can be told from a record's sound, or picture: its label, and the answers that need it."""
    about_sound = kind == "audio"
    answers = {
        (example.prompt, example.references)
        for example in record.examples
        if (example.needs_audio if about_sound else example.needs_audio is False)
    }
    return frozenset(answers | ({(record.label,)} if record.label is not None else set()))
