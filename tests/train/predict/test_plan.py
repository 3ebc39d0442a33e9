"""The plan: every question once, in order, and the same batches whatever else is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_train.predict.plan import Arm, batches_of, make_plan


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 7))
def test_every_question_is_in_one_batch_and_records_stay_together(questions: list[int], size: int) -> None:
    batches = batches_of(questions, size)
    asked = [(s.record, number) for batch in batches for s in batch for number in range(s.first, s.last)]
    assert asked == [(record, number) for record, count in enumerate(questions) for number in range(count)]
    lengths = [sum(span.last - span.first for span in batch) for batch in batches]
    assert all(1 <= length <= size for length in lengths)
    for record, count in enumerate(questions):
        spans = [span for batch in batches for span in batch if span.record == record]
        assert len(spans) == -(-count // size)
    for batch, length, following in zip(batches, lengths, batches[1:], strict=False):
        first = following[0]
        assert length + first.last - first.first > size or first.record == batch[-1].record


def test_a_batch_is_asked_in_every_arm_and_other_conditions_do_not_move_it(test_split: ShardDataset) -> None:
    one = make_plan(test_split, ["full"], seed=0, batch_size=6)
    two = make_plan(test_split, ["mute_audio", "full", "swap_audio"], seed=0, batch_size=6)
    assert one.batches == two.batches
    assert one.arms == (Arm("base", "full"), Arm("safe", "full"))
    assert [arm.condition for arm in two.arms] == ["full", "mute_audio", "full", "swap_audio"]
    assert [2 * rows for rows in one.rows] == two.rows
    asked = sum(len(test_split.record(clip).examples) for clip in range(len(test_split)))
    assert sum(two.rows) == 4 * asked
    assert one.partners == {}
    assert sorted(two.partners) == list(range(len(test_split)))


def test_the_model_has_the_name_it_is_given_and_the_base_may_be_left_out(test_split: ShardDataset) -> None:
    whole = make_plan(test_split, ["full"], seed=0, batch_size=6, name="lora_only")
    part = make_plan(test_split, ["full"], seed=0, batch_size=6, name="lora_only", without_base=True)
    assert whole.arms == (Arm("base", "full"), Arm("lora_only", "full"))
    assert part.arms == whole.arms[1:]
    assert part.batches == whole.batches
    assert whole.rows == [2 * rows for rows in part.rows]


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ((), "give at least one, and none twice"),
        (("full", "full"), "give at least one, and none twice"),
        (("mute_adio",), "unknown condition 'mute_adio'; did you mean 'mute_audio'"),
    ],
)
def test_conditions_that_cannot_be_run(
    test_split: ShardDataset, conditions: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_plan(test_split, conditions, seed=0, batch_size=6)


def test_nothing_to_ask_and_nothing_to_change(test_split: ShardDataset) -> None:
    table = test_split.manifest
    silent = table.set_column(table.column_names.index("has_image"), "has_image", [[False] * len(table)])
    test_split.manifest = silent
    with pytest.raises(
        InputError, match="mute_vision: no record has a picture, so there is nothing to change"
    ):
        make_plan(test_split, ["mute_vision"], seed=0, batch_size=6)
    test_split.has_audio = test_split.has_audio & False
    with pytest.raises(InputError, match="noise_audio: no record has a sound, so there is nothing to change"):
        make_plan(test_split, ["noise_audio"], seed=0, batch_size=6)
    test_split.manifest = table.set_column(
        table.column_names.index("examples"), "examples", [[0] * len(table)]
    )
    with pytest.raises(InputError, match=r"the \d+ records of split 'test' ask nothing"):
        make_plan(test_split, ["full"], seed=0, batch_size=6)
