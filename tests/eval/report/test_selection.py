"""Which items the report shows, and what of their media it embeds."""

import random

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_eval.arms.all_arms import all_arms
from safe_eval.arms.caption_arms import CaptionInputs
from safe_eval.prediction import Prediction
from safe_eval.report.labels import models_of
from safe_eval.report.media import media_type
from safe_eval.report.selection import REASONS, SAMPLED_AT_LEAST, Selection, select_items
from safe_eval.scoring.items import item_tables

ARMS = {"base": ("full",), "safe": ("full", "mute_audio", "swap_audio")}


def asked(name: str, rights: str, *, needs_audio: bool | None, **fields: object) -> list[Prediction]:
    """Answers of base/full, safe/full, safe/mute_audio, safe/swap_audio: y is right, n wrong, - not given."""
    arms = [(model, condition) for model, conditions in ARMS.items() for condition in conditions]
    return [
        Prediction(
            example_id=name,
            references=("y",),
            answer=said,
            needs_audio=needs_audio,
            model=model,
            condition=condition,
            **fields,
        )
        for (model, condition), said in zip(arms, rights, strict=True)
        if said != "-"
    ]


def select(rows: list[Prediction], baseline: str | None = "base", **options: int) -> Selection:
    arms = all_arms(rows, captions=CaptionInputs())
    models = models_of({row.model for row in rows}, baseline)
    return select_items(pa.concat_tables(item_tables(arms)), models, **options)


@pytest.mark.parametrize(
    ("rights", "needs_audio", "reason"),
    [
        ("ynyy", False, "lost"),
        ("nnyy", False, "wrong"),
        ("ynnn", True, "wrong"),
        ("nynn", True, "gained"),
        ("ny--", True, "gained"),
        ("yynn", True, "gained"),
        ("yy--", True, "rest"),
        ("nyyn", True, "guessed"),
        ("nyny", True, "guessed"),
        ("yyyn", False, "disturbed"),
        ("yyyy", False, "rest"),
        ("nynn", None, "rest"),
        ("y-nn", True, "rest"),
    ],
)
def test_each_item_has_the_reason_that_its_answers_give(rights, needs_audio, reason):
    chosen = select([*asked("q", rights, needs_audio=needs_audio), *asked("w", "yyyy", needs_audio=False)])
    assert chosen.found[reason] == (2 if reason == "rest" else 1)
    assert next(item for item in chosen.items if item.prediction.example_id == "q").reason == reason


KINDS = [("ynyy", False), ("nynn", True), ("nnnn", True), ("nyyy", True), ("yyyn", False), ("yyyy", False)]


@settings(deadline=None, max_examples=40)  # the first table loads pyarrow
@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=120), st.integers(1, 50), st.integers(0, 5))
def test_the_choice_is_bounded_and_does_not_depend_on_the_order_of_the_rows(kinds, shown, seed):
    rows = [row for i, (r, n) in enumerate(kinds) for row in asked(f"q{i}", r, needs_audio=n)]
    chosen = select(rows, seed=seed, shown=shown)
    shuffled = random.Random(seed).sample(rows, len(rows))
    assert select(shuffled, seed=seed, shown=shown) == chosen
    ids = [item.prediction.example_id for item in chosen.items]
    assert len(ids) == len(set(ids)) <= shown
    assert len(ids) == min(shown, len(kinds)) or chosen.found["rest"] < len(kinds)
    assert sum(chosen.found.values()) == chosen.total == len(kinds)


def test_every_reason_and_the_sample_get_places():
    rows = [row for i in range(300) for row in asked(f"q{i}", KINDS[i % 6][0], needs_audio=KINDS[i % 6][1])]
    chosen = select(rows, shown=48)
    shown = {reason: sum(item.reason == reason for item in chosen.items) for reason in REASONS}
    assert len(chosen.items) == 48
    assert shown.pop("rest") == SAMPLED_AT_LEAST
    assert max(shown.values()) - min(shown.values()) <= 1
    assert [i.prediction.example_id for i in select(rows, seed=1).items] != [
        i.prediction.example_id for i in chosen.items
    ]


def test_one_seed_is_shown_with_the_answers_of_a_base_that_has_but_one():
    rows = [row for seed in (3, 1) for row in asked("q", "-ynn", needs_audio=True, seed=seed)]
    rows += asked("q", "n---", needs_audio=True, seed=9)
    chosen = select(rows)
    assert chosen.run_seed == 1
    assert [(answered.key.model, answered.key.seed) for answered in chosen.items[0].answers] == [
        ("base", 9),
        *[("safe", 1)] * 3,
    ]


def test_captions_are_in_the_sample_without_marks():
    rows = asked("q", "ynyy", needs_audio=False) + asked("c", "ynyy", needs_audio=False, task="caption")
    chosen = select(rows)
    assert chosen.found["lost"] == chosen.found["rest"] == 1
    (caption,) = [item for item in chosen.items if item.reason == "rest"]
    assert {answered.score for answered in caption.answers} == {None}


def test_each_answer_is_marked_by_the_metric_of_its_benchmark():
    chosen = select(
        [
            Prediction(example_id="m", references=("two",), answer="There are 2.", dataset="music_avqa"),
            Prediction(example_id="n", references=("two",), answer="a few", dataset="music_avqa"),
            Prediction(example_id="x", references=("deux",), answer="deux", task="translate"),
        ]
    )
    marks = {item.prediction.example_id: item.answers[0] for item in chosen.items}
    assert {name: (found.score, found.unparsed) for name, found in marks.items()} == {
        "m": (1.0, False),
        "n": (0.0, True),
    }


def test_an_error_is_wrong_even_beside_an_answer():
    rows = [Prediction(example_id="q", references=("y",), answer="y", error="out of memory", model="safe")]
    assert select(rows).found["wrong"] == 1


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"RIFF\x10\0\0\0WAVEfmt ", "audio/wav"),
        (b"RIFF\n\n\n\nWAVE", "audio/wav"),
        (b"RIFF\x10\0\0\0WEBP", None),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"<svg xmlns='x' onload='alert(1)'>", None),
        (b"<!doctype html><script>", None),
        (b"", None),
    ],
)
def test_media_are_known_by_their_bytes(data, kind):
    assert media_type(data) == kind


def test_items_are_right_by_the_rule_of_their_benchmark_alone() -> None:
    capitals = asked("q", "YnnY", needs_audio=True, dataset="TextVQA")
    rows = [msgspec.structs.replace(row, references=("y",) * 10) for row in capitals]
    arms = all_arms(rows, metrics=("vqa_accuracy",))
    items = pa.concat_tables(item_tables(arms))
    models = models_of(["base", "safe"], "base")
    (item,) = select_items(items, models).items
    assert [answer.score for answer in item.answers] == [1, 0, 0, 1]
    (other,) = select_items(items, models, protocol="vqa_accuracy").items
    assert [answer.score for answer in other.answers] == [0, 0, 0, 0]
