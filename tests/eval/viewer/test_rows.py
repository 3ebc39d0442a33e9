"""Filters, orders and pages, against plain loops over the predictions."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_viewed import ARMS, HOSTILE, WORDS, made_rows, scored_run

from safe_data.core.errors import InputError
from safe_eval.prediction import Prediction
from safe_eval.scorers.scorer import scorer_of
from safe_eval.viewer.filter import read_filter
from safe_eval.viewer.rows import Row, page, rows_of, step
from safe_eval.viewer.viewed import Viewed, open_runs

Query = list[tuple[str, str]]


class Naive:
    """The same items as a list of dictionaries."""

    def __repr__(self) -> str:
        return "Naive"

    def __init__(self, rows: Sequence[Prediction]) -> None:
        keys = sorted({(row.dataset or "", row.example_id) for row in rows})
        scores = scorer_of("vqa_accuracy").score_all(list(rows)).tolist()
        self.items: list[dict[str, object]] = [{} for _ in keys]
        self.first: list[Prediction] = [None] * len(keys)  # type: ignore[list-item]
        for row, score in zip(rows, scores, strict=True):
            at = keys.index((row.dataset or "", row.example_id))
            arm = ARMS.index((row.model, row.condition))
            self.first[at] = self.first[at] or row
            outcome = "error" if row.error else "right" if score >= 0.5 else "wrong"
            self.items[at][arm] = (row, 0.0 if row.error else score, outcome)

    def outcome(self, item: int, arm: int) -> str:
        return self.items[item][arm][2] if arm in self.items[item] else "none"

    def row(self, item: int, arm: int) -> Prediction | None:
        return self.items[item][arm][0] if arm in self.items[item] else None

    def keeps(self, item: int, query: Query) -> bool:
        return all(any(self.holds(item, name, value) for value in values) for name, values in grouped(query))

    def holds(self, item: int, name: str, value: str) -> bool:
        row, parts = self.first[item], value.split(":")
        if name == "needs_audio":
            return {True: "yes", False: "no", None: "unknown"}[row.needs_audio] == value
        if name in ("dataset", "split", "task", "type", "group", "record"):
            field = {"type": "question_type", "record": "record_id"}.get(name, name)
            return (getattr(row, field) or "") == value
        if name == "text":
            own = [self.row(item, arm) for arm in range(len(ARMS))]
            texts = [row.prompt, *row.references, *(one.answer for one in own if one is not None)]
            return any(value.lower() in text.lower() for text in texts if text is not None)
        if name == "outcome":
            return self.outcome(item, int(parts[0])) in parts[1].split(",")
        if name == "flip":
            a, b = (self.outcome(item, int(arm)) for arm in parts[:2])
            gained = b == "right" and a in ("wrong", "unparsed", "error")
            lost = a == "right" and b in ("wrong", "unparsed", "error")
            return {"gained": gained, "lost": lost, "any": gained or lost}[parts[2]]
        one = self.row(item, int(parts[0]))
        if name == "consulted":
            return one is not None and one.consulted is (parts[1] == "yes")
        held = None if one is None else one.confidence
        return held is not None and float(parts[1]) <= held <= float(parts[2])

    def key(self, item: int, sort: str) -> object:
        name, _, arm = sort.removeprefix("-").partition(":")
        row = self.first[item]
        if name == "changed":
            found = [self.outcome(item, arm) for arm in range(len(ARMS))]
            right = found.count("right")
            return min(right, sum(one in ("wrong", "unparsed", "error") for one in found))
        if name in ("type", "group", "record"):
            return getattr(row, {"type": "question_type", "record": "record_id"}.get(name, name))
        if name == "score":
            return self.items[item][int(arm)][1] if int(arm) in self.items[item] else None
        one = self.row(item, int(arm))
        return None if one is None else one.confidence

    def sorted(self, query: Query, sort: str) -> list[int]:
        kept = [item for item in range(len(self.items)) if self.keeps(item, query)]
        if sort.removeprefix("-") == "id":
            return kept[::-1] if sort.startswith("-") else kept
        down = sort.startswith("-") != sort.endswith("changed")
        valued = [item for item in kept if self.key(item, sort) is not None]
        # Sorting is stable, turned or not: ties stay in the order of items.
        ordered = sorted(valued, key=lambda item: self.key(item, sort), reverse=down)
        return ordered + [item for item in kept if item not in valued]


def grouped(query: Query) -> Iterator[tuple[str, list[str]]]:
    """Facets and exact names are or; all else is and."""
    several: dict[str, list[str]] = {}
    for name, value in query:
        if name in ("outcome", "flip", "consulted", "confidence", "text"):
            yield name, [value]
        else:
            several.setdefault(name, []).append(value)
    yield from several.items()


@pytest.fixture(scope="module")
def naive(rows: list[Prediction]) -> Naive:
    return Naive(rows)


arm = st.integers(0, len(ARMS) - 1)
outcome = st.sampled_from(["right", "wrong", "error", "none", "right,error", "wrong,unparsed"])
FILTERS = st.one_of(
    st.tuples(st.just("dataset"), st.sampled_from(["mine", "yours", "theirs"])),
    st.tuples(st.just("type"), st.sampled_from(["colour", "count", "it's <odd>", "", "none"])),
    st.tuples(st.just("needs_audio"), st.sampled_from(["yes", "no", "unknown"])),
    st.tuples(st.just("group"), st.integers(0, 20).map("g{}".format)),
    st.tuples(st.just("record"), st.integers(0, 30).map("r{}".format)),
    st.tuples(st.just("outcome"), st.builds("{}:{}".format, arm, outcome)),
    st.tuples(
        st.just("flip"), st.builds("{}:{}:{}".format, arm, arm, st.sampled_from(["gained", "lost", "any"]))
    ),
    st.tuples(st.just("consulted"), st.builds("{}:{}".format, arm, st.sampled_from(["yes", "no"]))),
    st.tuples(
        st.just("confidence"), st.builds("{}:{}:{}".format, arm, st.just(0.2), st.sampled_from([0.2, 0.7, 1]))
    ),
    st.tuples(
        st.just("text"),
        st.one_of(st.sampled_from([*HOSTILE, *WORDS, "ärger", "%", "_", ""]), st.text(max_size=3)),
    ),
)
SORTS = st.builds(
    "{}{}".format,
    st.sampled_from(["", "-"]),
    st.one_of(
        st.sampled_from(["id", "type", "group", "record", "changed"]),
        st.builds("{}:{}".format, st.sampled_from(["score", "confidence"]), arm),
    ),
)


@settings(max_examples=50, deadline=None)
@given(query=st.lists(FILTERS, max_size=3), sort=SORTS, limit=st.integers(1, 60))
def test_pages_hold_what_a_loop_finds_in_its_order(
    viewed: Viewed, naive: Naive, query: Query, sort: str, limit: int
) -> None:
    expected = naive.sorted(query, sort)
    chosen = read_filter([*query, ("sort", sort)], viewed)
    found: list[Row] = []
    after = None
    while True:
        part = page(viewed, chosen, limit=limit, after=after)
        assert part.count == len(expected)
        found += part.rows
        after = part.next
        if after is None:
            break
        assert len(part.rows) == limit
    assert [row.item for row in found] == expected
    for before, item in pairwise([None, *expected]):
        assert item is not None
        assert step(viewed, chosen, item, back=True) == before
        assert before is None or step(viewed, chosen, before) == item
    assert not expected or step(viewed, chosen, expected[-1]) is None


def test_a_row_says_what_each_arm_did(viewed: Viewed, naive: Naive) -> None:
    everything = page(viewed, read_filter([], viewed), limit=500, noted=frozenset({2}))
    assert [arm.title for arm in viewed.arms] == ["base", "safe", "safe", "safe"]
    for row in everything.rows:
        about = naive.first[row.item]
        assert (row.id, row.dataset, row.group) == (about.example_id, about.dataset, about.group)
        assert (row.prompt, row.references) == (about.prompt, list(about.references))
        assert row.needs_audio is about.needs_audio
        assert row.noted is (row.item == 2)
        for number in range(len(ARMS)):
            own = naive.row(row.item, number)
            assert row.outcomes[number] == naive.outcome(row.item, number)
            assert row.answers[number] == (None if own is None else own.answer)
            assert row.confidences[number] == (None if own is None else own.confidence)
            assert row.consulted[number] is (None if own is None else own.consulted)
        whole = viewed.rows_of(row.item)
        assert whole == {n: naive.row(row.item, n) for n in range(len(ARMS)) if naive.row(row.item, n)}


def test_items_with_a_note(viewed: Viewed) -> None:
    chosen = read_filter([("noted", "yes")], viewed, noted=[3, 5])
    assert [row.item for row in page(viewed, chosen).rows] == [3, 5]
    assert page(viewed, read_filter([("noted", "yes")], viewed)).rows == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ([("typ", "a")], "typ: no such filter; did you mean 'type'?"),
        ([("outcome", "1")], "outcome=1: has 1 parts between colons; write it like outcome=ARM:right,wrong"),
        ([("outcome", "9:right")], "outcome: '9' is no arm; arms are 0 to 3"),
        ([("outcome", "1:rigth")], "outcome=rigth: did you mean 'right'?"),
        ([("flip", "0:1:won")], "flip=won: choose from gained, lost, any"),
        ([("confidence", "1:a:0.5")], "confidence: 'a' is no number"),
        ([("needs_audio", "maybe")], "needs_audio=maybe: choose from yes, no, unknown"),
        ([("sort", "score")], "sort: '' is no arm; arms are 0 to 3"),
        ([("sort", "size")], "sort=size: no such order; "),
        ([("sort", "id"), ("sort", "type")], "sort: is given 2 times; give it once"),
        ([("metric", "cider")], "metric=cider: scores no item here; choose from vqa_accuracy"),
        ([("group", "x"), ("noted", "no")], "noted=no: "),
    ],
)
def test_what_cannot_be_read_is_refused(viewed: Viewed, query: Query, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_filter(query, viewed)
    assert str(refused.value).startswith(said)


def test_a_place_of_another_order_is_refused(viewed: Viewed) -> None:
    first = page(viewed, read_filter([("sort", "group")], viewed), limit=1).next
    for query, after in (
        ([("sort", "-group")], first),
        ([], "!"),
        ([], "e30"),
        ([("sort", "score:1")], first),
    ):
        with pytest.raises(InputError, match="after="):
            page(viewed, read_filter(query, viewed), after=after)
    with pytest.raises(InputError, match="limit=501: must be 1 to 500"):
        page(viewed, read_filter([], viewed), limit=501)
    with pytest.raises(InputError, match="item=48: there is none; items are 0 to 47"):
        step(viewed, read_filter([], viewed), 48)


def test_two_runs_stand_side_by_side(run: Path, tmp_path: Path) -> None:
    other = scored_run(tmp_path / "theirs", made_rows(seed=1))
    both = open_runs([run, other])
    assert len(both.arms) == 2 * len(ARMS)
    assert [arm.title for arm in both.arms[:2]] == ["mine: base", "theirs: base"]
    row = rows_of(both, read_filter([], both), [0], frozenset())[0]
    assert len(row.outcomes) == 2 * len(ARMS)
    whole = both.rows_of(0)
    assert {both.arms[number].run for number in whole} == {"mine", "theirs"}


def test_runs_that_cannot_be_opened(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such run folder; make it with: safe-eval score"):
        open_runs([tmp_path / "nothing"])
    with pytest.raises(InputError, match="a run folder is given twice"):
        open_runs([run, run / "."])


def test_rows_that_were_changed_since_are_not_shown(run: Path, tmp_path: Path) -> None:
    other = scored_run(tmp_path / "mine", made_rows(items=4))
    seen = open_runs([other])
    (other / "predictions.jsonl").write_text("{}\n")
    assert seen.rows_of(0) == {}
    assert [file.name for file in seen.lines[0].missing] == ["predictions.jsonl"]
