"""Whose sound or picture is sent instead: of another group, with other answers, the same by seed."""

import numpy as np
import pytest

from safe_data.core.errors import InputError
from safe_data.records import Audio, Example, Record
from safe_eval.runner.partners import contradicting_partners, contradicts, partners_of, said_by, swap_partners


def record(number: int, group: str, kind: str, count: int, *, sound: bool = True) -> Record:
    asked = [("what", kind), ("how many", str(count))]
    return Record(
        id=f"r{number}",
        dataset="made",
        split="test",
        group=group,
        image="i.png",
        audio=Audio(path="s.wav") if sound else None,
        examples=tuple(
            Example(id=f"r{number}-{i}", task="vqa", prompt=p, references=(a,), needs_audio=True)
            for i, (p, a) in enumerate(asked)
        ),
    )


def world(clips: int) -> list[Record]:
    rng = np.random.default_rng(3)
    return [
        record(i, f"g{i // 3}", "abcdef"[rng.integers(6)], int(rng.integers(1, 5)), sound=i % 7 != 0)
        for i in range(clips)
    ]


@pytest.mark.parametrize("seed", [0, 1])
def test_partners_are_of_other_groups_with_other_answers_and_each_sound_is_used_once(seed: int) -> None:
    records = world(300)
    partners = swap_partners(records, seed)
    heard = [place for place, record in enumerate(records) if record.audio]
    assert sorted(partners) == sorted(partners.values()) == heard
    for place, partner in partners.items():
        assert records[place].group != records[partner].group
        assert not {(e.prompt, e.references) for e in records[place].examples} & {
            (e.prompt, e.references) for e in records[partner].examples
        }


def test_partners_depend_on_the_seed() -> None:
    records = world(60)
    assert swap_partners(records, 0) == swap_partners(records, 0) != swap_partners(records, 1)


def test_equal_answers_are_allowed_where_nothing_else_is_possible() -> None:
    records = [record(i, f"g{i}", "a", 1) for i in range(4)]
    partners = swap_partners(records, 0)
    assert sorted(partners.values()) == [0, 1, 2, 3]
    assert all(place != partner for place, partner in partners.items())


def test_a_group_with_most_of_the_sounds_uses_some_twice() -> None:
    records = [record(i, "big" if i < 8 else "small", "a", 1) for i in range(10)]
    partners = swap_partners(records, 0)
    assert len(partners) == 10
    assert all(records[place].group != records[partner].group for place, partner in partners.items())


def test_sounds_of_one_group_cannot_be_swapped() -> None:
    with pytest.raises(InputError, match="every sound is of the group 'g'; it takes sounds of two groups"):
        swap_partners([record(i, "g", "a", i) for i in range(5)], 0)


def test_pictures_are_swapped_like_sounds() -> None:
    records = world(60)
    partners = partners_of("swap_vision", records, 0)
    assert sorted(partners) == list(range(60))
    assert all(records[place].group != records[partner].group for place, partner in partners.items())
    with pytest.raises(InputError, match="swap_vision: every picture is of the group 'g'"):
        partners_of("swap_vision", [record(i, "g", "a", i) for i in range(5)], 0)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_contradicting_sound_has_another_answer_to_a_question_that_is_asked(seed: int) -> None:
    records = world(120)
    partners = contradicting_partners(records, seed)
    assert partners == contradicting_partners(records, seed)
    assert sorted(partners) == [place for place, one in enumerate(records) if one.audio]
    for place, partner in partners.items():
        assert contradicts(records[place], records[partner])
        said = [said_by(records[partner], records[place], example) for example in records[place].examples]
        assert any(said)
        for example, answer in zip(records[place].examples, said, strict=True):
            assert answer is None or answer not in example.references


def test_labels_decide_where_there_are_labels() -> None:
    dog, cat, hound = (
        record(i, f"g{i}", "a", 1).model_copy(update={"label": label})
        for i, label in enumerate(("dog", "cat", "dog"))
    )
    assert contradicts(dog, cat)
    assert not contradicts(dog, hound)
    assert set(contradicting_partners([dog, cat, hound], 0).items()) >= {(0, 1), (2, 1)}


def test_where_nothing_contradicts_it_is_said() -> None:
    alike = [record(i, f"g{i}", "a", 1) for i in range(4)]
    with pytest.raises(InputError, match="nothing tells which sounds contradict each other"):
        contradicting_partners(alike, 0)
    odd = [*alike, record(9, "g9", "b", 2)]
    assert set(contradicting_partners(odd, 0).values()) == {0, 4} or len(contradicting_partners(odd, 0)) == 5
