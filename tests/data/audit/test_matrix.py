"""The leakage matrix counts what a plain loop counts, in records and questions, for every pair of parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import corpus_of, rejected, row

from safe_data.audit.corpus import Corpus
from safe_data.audit.leak_kinds import group_labels, id_labels
from safe_data.audit.matrix import ANY, Labels, Leak, leakage_matrix
from safe_data.shards import manifest

SPLITS = ("train", "val", "test")


def found(rows: list[manifest.Row], labels: list[int]) -> dict[tuple[str, str], Leak]:
    """The cells of one made-up kind, as (seen in, part)."""
    matrix = leakage_matrix(corpus_of(manifest.table(rows)), {"made": lambda _: np.array(labels)})
    names = [part.split for part in matrix.parts]
    return {(names[one.seen_in], names[one.part]): one for one in matrix.leaks if one.kind == "made"}


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(SPLITS), st.integers(-1, 4), st.booleans(), st.integers(min_value=0, max_value=3)
        ),
        min_size=1,
        max_size=25,
    )
)
def test_the_matrix_equals_a_plain_count(records: list[tuple[str, int, bool, int]]) -> None:
    rows = [
        row(index, split, examples=asked) if ok else rejected(index, split)
        for index, (split, _, ok, asked) in enumerate(records)
    ]
    cells = found(rows, [label for _, label, _, _ in records])
    loaded = [(split, label, asked) for split, label, ok, asked in records if ok]
    for seen_in in SPLITS:
        for part in SPLITS:
            there = {label for split, label, _ in loaded if split == seen_in and label >= 0}
            hit = [asked for split, label, asked in loaded if split == part and label in there]
            if seen_in == part or not hit:
                assert (seen_in, part) not in cells
                continue
            of_part = [asked for split, _, asked in loaded if split == part]
            cell = cells[seen_in, part]
            assert (cell.records, cell.questions) == (len(hit), sum(hit))
            assert cell.share == pytest.approx(len(hit) / len(of_part))
            assert cell.question_share == (sum(hit) / sum(of_part) if sum(of_part) else None)


def test_any_counts_a_record_once_and_leaves_out_what_says_too_little_alone() -> None:
    rows = [row(0, id="1", group="a"), row(1, "test", id="1", group="a"), row(2, "test", group="b")]

    def same_sound(_: Corpus) -> Labels:
        return np.array([0, 0, 0])

    kinds = {"id": id_labels, "group": group_labels, "sound": same_sound}
    matrix = leakage_matrix(corpus_of(manifest.table(rows)), kinds)
    into_test = {one.kind: one.records for one in matrix.leaks if matrix.parts[one.part].split == "test"}
    assert into_test == {"id": 1, "group": 1, "sound": 2, ANY: 2}
    only_id = leakage_matrix(corpus_of(manifest.table(rows)), {"id": id_labels})
    assert [one.kind for one in only_id.leaks] == ["id", "id"]


def test_a_kind_that_cannot_be_looked_for_is_named_and_does_not_stop_the_others() -> None:
    def broken(_: Corpus) -> Labels:
        raise ValueError("no sound was decoded")

    rows = [row(0, group="a"), row(1, "test", group="a")]
    matrix = leakage_matrix(corpus_of(manifest.table(rows)), {"sound": broken, "group": group_labels})
    assert [(one.kind, one.why) for one in matrix.not_looked_for] == [("sound", "no sound was decoded")]
    assert {one.kind for one in matrix.leaks} == {ANY, "group"}


def test_an_empty_group_is_shared_with_nobody() -> None:
    rows = [row(0, group=""), row(1, "test", group=""), rejected(2, "test")]
    assert not leakage_matrix(corpus_of(manifest.table(rows)), {"group": group_labels}).leaks
