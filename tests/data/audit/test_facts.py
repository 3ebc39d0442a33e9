"""Facts are counted correctly, name the records behind them, and are never 0 if nothing was looked at."""

from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import corpus_of, rejected, row, rows

from safe_data.audit.facts.all_facts import compute_facts
from safe_data.audit.facts.fact import MOST_OFFENDERS, Fact
from safe_data.shards import manifest

FROM_THE_MANIFEST = (
    "wrong_columns",
    "rows",
    "loaded",
    "load_rate",
    "splits",
    "sounds",
    "pictures",
    "examples",
    "audio_examples",
    "duplicate_ids",
    "records_without_group",
    "silent_sounds",
    "ids_in_two_splits",
    "groups_in_two_splits",
    "sound_files_in_two_splits",
    "sounds_in_two_splits",
    "picture_files_in_two_splits",
    "pictures_in_two_splits",
)


def facts_of(found: list[manifest.Row]) -> dict[str, Fact]:
    return compute_facts(corpus_of(manifest.table(found)), FROM_THE_MANIFEST)


def test_a_good_dataset_has_no_faults() -> None:
    facts = facts_of(rows(10))
    assert {name: fact.value for name, fact in facts.items()} == {
        "wrong_columns": 0,
        "rows": 10,
        "loaded": 10,
        "load_rate": 1.0,
        "splits": 2,
        "sounds": 10,
        "pictures": 10,
        "examples": 40,
        "audio_examples": 20,
        "duplicate_ids": 0,
        "records_without_group": 0,
        "silent_sounds": 0,
        "ids_in_two_splits": 0,
        "groups_in_two_splits": 0,
        "sound_files_in_two_splits": 0,
        "sounds_in_two_splits": 0,
        "picture_files_in_two_splits": 0,
        "pictures_in_two_splits": 0,
    }
    assert not any(fact.offenders or fact.why_not for fact in facts.values())


def test_load_rate_counts_every_record_and_names_the_rejected_with_their_reason() -> None:
    facts = facts_of([*rows(3), rejected(3, "val")])
    assert facts["load_rate"].value == 0.75
    assert (facts["loaded"].value, facts["loaded"].among) == (3, 4)
    (offender,) = facts["load_rate"].offenders
    assert offender.what == "error undecodable sound: no such format"
    assert offender.records == ("val/clip-3",)


@pytest.mark.parametrize(
    ("fact", "column"),
    [
        ("groups_in_two_splits", "group"),
        ("sound_files_in_two_splits", "audio_sha256"),
        ("sounds_in_two_splits", "pcm_sha256"),
        ("picture_files_in_two_splits", "image_sha256"),
        ("pictures_in_two_splits", "pixel_sha256"),
    ],
)
def test_what_two_splits_share_is_counted_and_named(fact: str, column: str) -> None:
    shared = [
        row(index, split, **{column: "same"}) for index, split in enumerate(["train", "train", "val", "test"])
    ]
    found = facts_of([*shared, row(9)])
    assert (found[fact].value, found[fact].among) == (2, 2)  # the records of val and test
    assert found[fact].detail == (
        "100.0 % of test and 100.0 % of its questions, 100.0 % of val and 100.0 % of its questions"
    )
    (offender,) = found[fact].offenders
    assert offender.what == f"{column} same"
    assert offender.records == ("test/clip-3", "train/clip-0", "val/clip-2")  # the first of each split
    others = {name for name in found if name.endswith("in_two_splits")} - {fact}
    assert {found[name].value for name in others} == {0}


def test_an_id_in_two_splits_is_also_a_duplicate() -> None:
    facts = facts_of([row(0, "train"), row(1, "test", id="clip-0")])
    for name in ("ids_in_two_splits", "duplicate_ids"):
        assert facts[name].value == 1
        assert facts[name].offenders[0].records == ("test/clip-0", "train/clip-0")


def test_sharing_within_a_split_and_with_rejected_records_is_no_leak() -> None:
    facts = facts_of([row(0, group="g"), row(1, group="g"), row(2, "test", group="g", status="rejected")])
    assert facts["groups_in_two_splits"].value == 0


def test_silence_is_its_own_issue_and_not_a_sound_that_two_splits_share() -> None:
    silent = {"audio_sha256": "s", "pcm_sha256": "s", "peak": 0.0, "rms_db": -120.0}
    facts = facts_of(
        [
            row(0, "train", **silent),
            row(1, "test", **silent),
            row(2, rms_db=-60.5),
            row(3, "test", rms_db=-60),
        ]
    )
    assert facts["silent_sounds"].value == 3
    assert facts["silent_sounds"].offenders[0].records == ("train/clip-0",)
    for name in ("sound_files_in_two_splits", "sounds_in_two_splits"):
        assert (facts[name].value, facts[name].among) == (0, 1)


@pytest.mark.parametrize(("missing", "count"), [(None, 1), ("", 1)])
def test_a_hash_that_was_never_written_is_not_measured_rather_than_no_leak(
    missing: str | None, count: int
) -> None:
    fact = facts_of([*rows(3), row(3, pcm_sha256=missing)])["sounds_in_two_splits"]
    assert fact == Fact(None, why_not=f"{count} of 4 rows have no pcm_sha256; it was never written")


def test_records_without_a_sound_need_no_hash_of_one() -> None:
    mute = {"has_audio": False, "audio_sha256": None, "pcm_sha256": None, "peak": None, "rms_db": None}
    facts = facts_of([row(0, "test"), row(1, **mute)])
    assert (facts["sounds_in_two_splits"].value, facts["sounds_in_two_splits"].among) == (0, 1)
    assert (facts["sounds"].value, facts["sounds"].among) == (1, 2)


def test_a_record_without_group_is_counted_and_its_leak_is_not_measured() -> None:
    facts = facts_of([*rows(2), row(2, group="")])
    assert facts["records_without_group"].value == 1
    assert facts["groups_in_two_splits"].value is None


def test_with_no_loaded_record_there_is_nothing_to_look_at() -> None:
    facts = facts_of([rejected(0), rejected(1, "test")])
    assert facts["load_rate"].value == 0
    assert facts["ids_in_two_splits"] == Fact(
        None, why_not="no record was loaded, so there is nothing to look at"
    )


def test_an_empty_manifest_has_no_load_rate() -> None:
    assert facts_of([])["load_rate"] == Fact(None, why_not="the manifest has no rows")


def test_a_missing_column_leaves_the_other_facts_alone() -> None:
    facts = compute_facts(corpus_of(manifest.table(rows(4)).drop_columns("pcm_sha256")), FROM_THE_MANIFEST)
    assert facts["sounds_in_two_splits"].value is None
    assert "pcm_sha256" in (facts["sounds_in_two_splits"].why_not or "")
    assert facts["sound_files_in_two_splits"].value == 0
    assert facts["wrong_columns"].value == 1
    assert facts["wrong_columns"].offenders[0].what == "pcm_sha256 is missing, the format says string"


def test_a_column_of_another_type_is_named_and_an_extra_column_is_not() -> None:
    table = manifest.table(rows(4))
    place = table.schema.get_field_index("row")
    table = table.set_column(place, "row", table["row"].cast(pa.int64()))
    mine = table.append_column("mine", pa.array([1, 2, 3, 4]))
    wrong = compute_facts(corpus_of(mine))["wrong_columns"]
    assert (wrong.value, wrong.among) == (1, len(manifest.SCHEMA))
    assert wrong.offenders[0].what == "row is int64, the format says int32"


def test_flags_that_are_no_flags_are_not_measured() -> None:
    table = manifest.table(rows(2))
    place = table.schema.get_field_index("has_audio")
    facts = compute_facts(corpus_of(table.set_column(place, "has_audio", pa.array(["yes", "no"]))))
    assert facts["sounds"].value is None
    assert facts["pictures"].value == 2


def test_all_offenders_are_counted_and_the_first_are_listed() -> None:
    leaks = [row(index, split, id=f"{split}-{index}") for index in range(50) for split in ("train", "test")]
    fact = facts_of(leaks)["groups_in_two_splits"]
    assert (fact.value, len(fact.offenders)) == (50, MOST_OFFENDERS)


@settings(deadline=None)
@given(
    found=st.lists(
        st.tuples(st.sampled_from(["train", "val", "test"]), st.sampled_from("abcd"), st.booleans()),
        max_size=12,
    ),
    order=st.randoms(use_true_random=False),
)
def test_leaks_equal_a_plain_count_in_any_order_of_rows(
    found: list[tuple[str, str, bool]],
    order: Random,
) -> None:
    built = [
        row(index, split, group=group) if ok else rejected(index, split)
        for index, (split, group, ok) in enumerate(found)
    ]
    order.shuffle(built)
    loaded = [(split, group) for split, group, ok in found if ok]
    leaked = {group for group in "abcd" if len({s for s, g in loaded if g == group}) > 1}
    trained = any(split == "train" for split, _ in loaded)
    asked = [group for split, group in loaded if not trained or split != "train"]
    found_fact = facts_of(built)["groups_in_two_splits"]
    expected = (sum(group in leaked for group in asked), len(asked)) if loaded else (None, None)
    assert (found_fact.value, found_fact.among) == expected


def test_records_are_counted_rather_than_what_they_share() -> None:
    one_picture = {"image_sha256": "same", "pixel_sha256": "same"}
    built = [row(index, "test" if index >= 20 else "train", **one_picture) for index in range(60)]
    fact = facts_of([*built, *(row(index, "test") for index in range(60, 100))])["pictures_in_two_splits"]
    assert (fact.value, fact.among, fact.detail) == (
        40,
        80,
        "50.0 % of test and 50.0 % of its questions",
    )


def test_without_a_train_split_every_split_is_for_evaluation() -> None:
    built = [row(0, "val", group="g"), row(1, "test", group="g", examples=6), row(2, "test", examples=2)]
    assert facts_of(built)["groups_in_two_splits"].detail == (
        "50.0 % of test and 75.0 % of its questions, 100.0 % of val and 100.0 % of its questions"
    )
