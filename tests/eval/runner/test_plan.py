"""The plan: every question once, in order, and the same batches whatever else is asked."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_listener import ToneDataset

from safe_data.core.errors import InputError
from safe_eval.runner.plan import Arm, batches_of, make_plan, sample_of_groups

DATASET = ToneDataset(30)


def arms(*conditions: str, name: str = "safe") -> list[Arm]:
    return [Arm(name, condition) for condition in conditions]


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=9, unique=True).map(sorted), max_size=30), st.integers(1, 7)
)
def test_every_question_is_in_one_batch_and_records_stay_together(chosen: list[list[int]], size: int) -> None:
    batches = batches_of([tuple(places) for places in chosen], size)
    asked = [(span.record, place) for batch in batches for span in batch for place in span.examples]
    assert asked == [(record, place) for record, places in enumerate(chosen) for place in places]
    lengths = [sum(len(span.examples) for span in batch) for batch in batches]
    assert all(1 <= length <= size for length in lengths)
    for record, places in enumerate(chosen):
        spans = [span for batch in batches for span in batch if span.record == record]
        assert len(spans) == -(-len(places) // size)
    for batch, length, following in zip(batches, lengths, batches[1:], strict=False):
        first = following[0]
        assert length + len(first.examples) > size or first.record == batch[-1].record


def test_other_conditions_do_not_move_a_batch() -> None:
    one = make_plan(DATASET, arms("full"), seed=0, batch_size=6)
    two = make_plan(
        DATASET, [Arm("base", "full"), *arms("mute_audio", "full", "swap_audio")], seed=0, batch_size=6
    )
    assert one.batches == two.batches
    assert [4 * rows for rows in one.rows] == two.rows
    assert sum(one.rows) == 30 + 24
    assert one.partners == {}
    with_sound = [index for index in range(30) if DATASET.record(index).audio]
    assert sorted(two.partners["swap_audio"]) == with_sound


def test_a_sample_is_of_whole_groups_in_an_order_that_their_names_do_not_tell() -> None:
    def drawn(most: int, seed: int = 0) -> list[str]:
        choose = sample_of_groups(DATASET, most=most, seed=seed)
        records = map(DATASET.record, range(len(DATASET)))
        asked = [
            (record.group, example.id) for record in records for example in record.examples if choose(example)
        ]
        groups = {group for group, _ in asked}
        assert all(
            choose(one)
            for at in range(30)
            for one in DATASET.record(at).examples
            if DATASET.record(at).group in groups
        )
        assert len(asked) <= most
        return sorted(groups)

    assert drawn(0) == []
    assert len(drawn(999)) == len({DATASET.record(at).group for at in range(30)})
    some = drawn(20)
    assert some == drawn(20) != drawn(20, seed=1)
    assert set(some) < set(drawn(30))  # who asks more asks the same too
    first = sorted({DATASET.record(at).group for at in range(30)})[: len(some)]
    assert some != first


def test_what_is_chosen_moves_no_partner() -> None:
    every = make_plan(DATASET, arms("swap_audio"), seed=0, batch_size=6)
    some = make_plan(
        DATASET, arms("swap_audio"), seed=0, batch_size=6, choose=lambda e: e.question_type == "tone", limit=5
    )
    assert some.partners == every.partners
    asked = [(span.record, span.examples) for batch in some.batches for span in batch]
    assert asked == [(index, (1,)) for index in (0, 1, 2, 3, 5)]  # the fourth of five has no sound


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ((), "give at least one, and none twice"),
        (("full", "full"), "give at least one, and none twice"),
        (("mute_adio",), "unknown condition 'mute_adio'; did you mean 'mute_audio'"),
    ],
)
def test_conditions_that_cannot_be_run(conditions: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_plan(DATASET, arms(*conditions), seed=0, batch_size=6)


class Deaf(ToneDataset):
    """The same records without what `kind` names."""

    def __init__(self, kind: str) -> None:
        super().__init__(10)
        self.items = [
            replace(item, record=item.record.model_copy(update={kind: None})) for item in self.items
        ]


def test_nothing_to_ask_and_nothing_to_change() -> None:
    with pytest.raises(InputError, match="mute_vision: no record has a picture, so there is nothing"):
        make_plan(Deaf("image"), arms("mute_vision"), seed=0, batch_size=6)
    with pytest.raises(InputError, match="noise_audio: no record has a sound, so there is nothing"):
        make_plan(Deaf("audio"), arms("noise_audio"), seed=0, batch_size=6)
    with pytest.raises(InputError, match="30 records ask nothing of this kind"):
        make_plan(DATASET, arms("full"), seed=0, batch_size=6, choose=lambda _: False)
