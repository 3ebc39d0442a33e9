"""The plan is a pure function of the records, their media's sizes and the options."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.core.errors import InputError
from safe_data.records import Record, Rejected
from safe_data.shards.plan import make_plan, plan_sha256, record_json


def record(number: int, split: str = "train", **fields: object) -> Record:
    about = {"id": f"clip-{number}", "dataset": "d", "split": split, "group": "g", "image": f"{number}.png"}
    return Record.model_validate(about | fields)


ROOT = Path("nowhere")


@settings(max_examples=60, deadline=None)
@given(
    splits=st.lists(st.sampled_from(["train", "val", "test"]), min_size=1, max_size=40),
    size=st.integers(1, 12),
)
def test_every_record_is_in_one_shard_of_its_split_in_order(splits: list[str], size: int) -> None:
    records = [record(number, split) for number, split in enumerate(splits)]
    plan = make_plan(records, ROOT, name="n", shard_size=size)
    assert plan == make_plan(records, ROOT, name="n", shard_size=size)
    placed = [entry for shard in plan.shards for entry in shard.entries]
    assert sorted(placed, key=lambda entry: entry[0]) == list(enumerate(records))
    for split in set(splits):
        shards = [shard for shard in plan.shards if shard.split == split]
        assert [shard.name for shard in shards] == [
            f"n-{split}-{number:06d}" for number in range(len(shards))
        ]
        sizes = [len(shard.entries) for shard in shards]
        assert max(sizes) <= size
        assert max(sizes) - min(sizes) <= 1
        order = [index for shard in shards for index, _ in shard.entries]
        assert order == sorted(order)
        assert {entry.split for shard in shards for _, entry in shard.entries} == {split}


def test_the_hash_covers_records_sizes_and_options(tmp_path: Path) -> None:
    records = [record(0), record(1)]
    plans = [make_plan(records, tmp_path, name="n", shard_size=2)]
    plans.append(make_plan(records, tmp_path, name="m", shard_size=2))
    plans.append(make_plan(records, tmp_path, name="n", shard_size=1))
    plans.append(make_plan(records, tmp_path, name="n", shard_size=2, frames=2))
    plans.append(make_plan(records[::-1], tmp_path, name="n", shard_size=2))
    plans.append(make_plan([record(0), record(1, label="x")], tmp_path, name="n", shard_size=2))
    plans.append(
        make_plan(
            [record(0), Rejected(id="clip-1", dataset="d", split="train", reason="r")],
            tmp_path,
            name="n",
            shard_size=2,
        )
    )
    (tmp_path / "0.png").write_bytes(b"12345")
    plans.append(make_plan(records, tmp_path, name="n", shard_size=2))
    (tmp_path / "0.png").write_bytes(b"123456")
    plans.append(make_plan(records, tmp_path, name="n", shard_size=2))
    assert len({plan.sha256 for plan in plans}) == len(plans)


def test_the_hash_does_not_know_where_the_corpus_lies(tmp_path: Path) -> None:
    hashes = set()
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(b"12345")
        hashes.add(make_plan([record(0)], tmp_path / name, name="n", shard_size=1).sha256)
    assert len(hashes) == 1


def test_the_written_plan_holds_its_hash() -> None:
    import json

    plan = make_plan([record(number) for number in range(5)], ROOT, name="n", shard_size=2)
    written = json.loads(plan.to_json())
    shards = [(name, shard["sha256"]) for name, shard in written["shards"].items()]
    assert (
        plan_sha256(written["name"], written["shard_size"], written["frames"], shards)
        == plan.sha256
        == written["sha256"]
    )
    assert [shard["records"] for shard in written["shards"].values()] == [1, 2, 2]


def test_equal_records_have_equal_bytes() -> None:
    assert record_json(record(0, metadata={"b": 1, "a": 2})) == record_json(
        record(0, metadata={"a": 2, "b": 1})
    )
    assert b"null" not in record_json(record(0))
    assert Record.model_validate_json(record_json(record(0))) == record(0)


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(InputError, match=r"^nowhere: holds no records; there is nothing to build$"):
        make_plan([], ROOT, name="n", shard_size=1)
    with pytest.raises(InputError, match=r"^shard size 0: a shard holds one record or more$"):
        make_plan([record(0)], ROOT, name="n", shard_size=0)
    with pytest.raises(InputError, match=r"^0 frames: a video gives one picture or more$"):
        make_plan([record(0)], ROOT, name="n", shard_size=1, frames=0)


def test_an_id_that_is_taken_or_too_long_is_a_rejected_record() -> None:
    gone = Rejected(id="clip-0", dataset="d", split="train", reason="no such file: 0.png")
    sound = record(0, id="x" * 96, image=None, audio={"path": "0.wav"})
    records = [record(0), record(0, split="test"), record(1, id="clip-0-1"), gone, sound, record(2)]
    plan = make_plan(records, ROOT, name="n", shard_size=9)
    placed = dict(entry for shard in plan.shards for entry in shard.entries)
    assert [placed[index] for index in (0, 2, 5)] == [records[0], records[2], records[5]]
    assert placed[1] == Rejected(
        id="clip-0-1-",
        dataset="d",
        split="test",
        group="g",
        path="0.png",
        reason="id taken: 'clip-0' is the id of record 0; give each record its own",
    )
    assert placed[3] == gone.model_copy(update={"id": "clip-0-3"})
    long = placed[4]
    assert isinstance(long, Rejected)
    assert (long.path, len(long.id)) == ("0.wav", 75)
    assert long.reason == f"id too long: '{'x' * 94}…' has 96 characters; shorten it to 95"
    assert len({entry.id for entry in placed.values()}) == len(records)


@given(st.lists(st.sampled_from(["a", "a-1", "a-2", "a-2-", "b", "c" * 99]), min_size=1, max_size=12))
def test_planned_ids_differ_and_the_first_keeps_its_own(ids: list[str]) -> None:
    records = [record(number, id=name) for number, name in enumerate(ids)]
    plan = make_plan(records, ROOT, name="n", shard_size=20)
    placed = [entry for _, entry in plan.shards[0].entries]
    assert len({entry.id for entry in placed}) == len(ids)
    kept = [entry.id for entry in placed if isinstance(entry, Record)]
    assert kept == [name for name in dict.fromkeys(ids) if len(name) <= 95]
