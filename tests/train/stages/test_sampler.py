"""A step's questions: a pure function of seed and progress, in exact shares, made ahead in threads."""

import threading
import time
from collections import Counter
from fractions import Fraction
from math import floor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_corpora import build_corpus

from safe_data.core.errors import InputError
from safe_data.sampling.curriculum import Curriculum, Progress
from safe_data.sampling.curriculum_file import Stage, Until
from safe_train.corpora import SILENCE, Corpora
from safe_train.questions import Questions, read_questions
from safe_train.stages.sampler import Ahead, StepSampler

WEIGHTS = {"audio": 0.4, "vl": 0.4, "muted": 0.2}
FIRST = Stage(
    name="first",
    weights={"vl": 0.7, "audio_only/audio": 0.3, "muted": 0.0},
    until=Until(metric="audio_accuracy", at_least=0.5, steps=6),
)
SECOND = Stage(name="second", weights=WEIGHTS)


def sampler(
    questions: Questions,
    *stages: Stage,
    batch_size: int = 10,
    silent_fraction: float = 0.25,
    seed: int = 0,
    **weights: float,
) -> StepSampler:
    stages = stages or (Stage(name="all", weights=weights or WEIGHTS),)
    return StepSampler(questions, stages, batch_size=batch_size, silent_fraction=silent_fraction, seed=seed)


def walked(curriculum: Curriculum, steps: int) -> list[Progress]:
    """The progress before each step, if nothing is evaluated."""
    passed = [Progress()]
    while len(passed) < steps:
        passed.append(curriculum.advance(passed[-1]))
    return passed


def test_a_random_sound_is_of_another_group_and_changes_nothing_else(questions: Questions) -> None:
    stages = (Stage(name="all", weights=WEIGHTS),)
    made = {
        heard: [
            StepSampler(questions, stages, batch_size=20, silent_fraction=0.25, seed=0, heard=heard).sample(p)
            for p in map(Progress, range(10))
        ]
        for heard in ("own", "random")
    }
    group = questions.corpora.group
    other = StepSampler(questions, stages, batch_size=20, silent_fraction=0.25, seed=1, heard="random")
    assert other.sample(Progress(3)) != made["random"][3]
    sounds = set()
    for own, random in zip(made["own"], made["random"], strict=True):
        assert random.counts == own.counts
        for one, another in zip(own.asked, random.asked, strict=True):
            if one.role != "audio":
                assert another == one
                continue
            assert another._replace(heard=one.heard) == one
            assert group[another.heard] != group[questions.clip[one.question]]
            assert questions.corpora.has_audio[another.heard]
            sounds.add(another.heard)
    assert len(sounds) > 20
    again = StepSampler(questions, stages, batch_size=20, silent_fraction=0.25, seed=0, heard="random")
    assert again.sample(Progress(7)) == made["random"][7]  # of the seed and the step alone


def test_each_role_hears_what_it_should(questions: Questions) -> None:
    corpora = questions.corpora
    for step in range(20):
        drawn = sampler(questions, batch_size=20).sample(Progress(step))
        for row in drawn.asked:
            clip = int(questions.clip[row.question])
            assert questions.of(row.question).needs_audio is (row.role != "vl")
            if row.role == "audio":
                assert row.heard == clip
            elif row.role == "muted":
                assert row.heard == SILENCE
            elif row.heard != SILENCE:
                assert corpora.group[row.heard] != corpora.group[clip]
        assert drawn.counts == {"audio": 8, "vl": 8, "muted": 4}
        assert Counter(row.role for row in drawn.asked) == drawn.counts
        assert sum(row.role == "vl" and row.heard == SILENCE for row in drawn.asked) == 2


def test_the_sounds_of_one_dataset_are_unrelated_to_the_pictures_of_another(both: Questions) -> None:
    corpora = both.corpora
    asked = sampler(both, batch_size=20).sample(Progress()).asked
    heard = {corpora.place(row.heard)[0].name for row in asked if row.heard != SILENCE}
    assert heard == {"audio_only"}
    seen = {corpora.place(int(both.clip[row.question]))[0].name for row in asked if row.role == "vl"}
    assert seen == {"vl_only"}


def test_a_step_follows_from_seed_and_progress_alone(both: Questions) -> None:
    one = sampler(both, FIRST, SECOND)
    places = walked(one.curriculum, 40)
    in_order = [one.sample(place) for place in places]
    backwards = sampler(both, FIRST, SECOND)
    assert [backwards.sample(place) for place in reversed(places)] == in_order[::-1]
    assert sampler(both, FIRST, SECOND, seed=1).sample(places[37]) != in_order[37]
    assert {step.stage for step in in_order} == {"first", "second"}
    early = one.curriculum.advance(places[2], {"audio_accuracy": 0.6})  # the metric ends the stage at once
    assert early == Progress(3, 1, 3)
    assert one.sample(early).stage == "second"
    assert one.sample(early) != in_order[3]


def test_every_question_comes_once_an_epoch(questions: Questions) -> None:
    one = sampler(questions, batch_size=11)
    steps = [one.sample(Progress(step)) for step in range(60)]
    for role in ("audio", "vl", "muted"):
        order = [row.question for step in steps for row in step.asked if row.role == role]
        pool = sorted(questions.pool(role).tolist())
        epochs = [order[i : i + len(pool)] for i in range(0, len(order) - len(pool) + 1, len(pool))]
        assert len(epochs) >= 2
        assert all(sorted(epoch) == pool for epoch in epochs)
        assert epochs[0] != epochs[1]


@settings(max_examples=30, deadline=None)
@given(
    batch_size=st.integers(1, 12),
    silent_fraction=st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.5, 0.9, 1.0]),
    audio=st.sampled_from([0.3, 0.5, 1.0]),
)
def test_the_silent_share_is_exact_over_the_steps_of_a_stage(
    both: Questions, batch_size: int, silent_fraction: float, audio: float
) -> None:
    one = sampler(both, batch_size=batch_size, silent_fraction=silent_fraction, audio=audio, vl=1.0)
    seen = silent = 0
    for step in range(25):
        rows = [row for row in one.sample(Progress(step)).asked if row.role == "vl"]
        seen += len(rows)
        silent += sum(row.heard == SILENCE for row in rows)
        assert silent == floor(Fraction(str(silent_fraction)) * seen + Fraction(1, 2))


def test_silence_falls_on_the_questions_of_all_datasets(shards: Path, vl_only: Path) -> None:
    questions = read_questions(Corpora([shards, vl_only], "train"), quiet=True)
    name = questions.corpora.names[0]
    one = sampler(questions, silent_fraction=0.5, **{f"{name}/vl": 1.0, "vl_only/vl": 1.0})
    counts: Counter[tuple[str, bool]] = Counter()
    for step in range(40):
        for row in one.sample(Progress(step)).asked:
            dataset = questions.corpora.place(int(questions.clip[row.question]))[0].name
            counts[dataset, row.heard == SILENCE] += 1
    assert sum(counts[dataset, True] for dataset in (name, "vl_only")) == 200
    assert all(
        70 < counts[dataset, silent] < 130 for dataset in (name, "vl_only") for silent in (True, False)
    )


def test_a_pool_of_one_dataset_is_drawn_by_its_weight(both: Questions) -> None:
    drawn = sampler(both, batch_size=10, **{"audio_only/muted": 0.1, "vl_only/vl": 0.6, "audio": 0.3}).sample(
        Progress()
    )
    assert drawn.counts == {"audio_only/muted": 1, "vl_only/vl": 6, "audio": 3}
    assert Counter(row.role for row in drawn.asked) == {"muted": 1, "vl": 6, "audio": 3}


def test_what_a_batch_realised_is_logged(both: Questions) -> None:
    drawn = sampler(both, FIRST, SECOND, batch_size=20).sample(Progress(8, stage=1, stage_start=5))
    line = drawn.composition()
    assert line == {
        "stage": "second",
        "stage_number": 1,
        "stage_step": 3,
        "counts": {"vl": 8, "audio_only/audio": 0, "audio": 8, "muted": 4},
        "audio_ratio": 0.4,
        "unique": len({row.question for row in drawn.asked}),
    }
    crowded = sampler(both, batch_size=200).sample(Progress()).composition()
    assert crowded["unique"] == len(both)  # of 200


def test_captions_draw_their_references_and_other_questions_take_the_first(tmp_path: Path) -> None:
    def edit(row: dict) -> dict:
        first, second = (one for one in row["examples"] if one["needs_audio"])
        caption = {"task": "caption", "references": ["a", "b", "c"]}
        return row | {"examples": [first | caption, second | {"references": ["one", "two"]}]}

    questions = read_questions(Corpora([build_corpus(tmp_path, "told", edit)], "train"), quiet=True)
    one = sampler(questions, audio=1.0)
    drawn: Counter[tuple[bool, int]] = Counter()
    for step in range(60):
        for row in one.sample(Progress(step)).asked:
            drawn[questions.of(row.question).task == "caption", row.reference] += 1
    assert drawn.keys() == {(False, 0), (True, 0), (True, 1), (True, 2)}
    assert all(70 < drawn[True, reference] < 130 for reference in range(3))  # of 300


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_the_rows_of_all_ranks_are_the_batch(both: Questions, ranks: int) -> None:
    asked = sampler(both).sample(Progress(5)).asked
    parts = [asked[rank::ranks] for rank in range(ranks)]
    assert sorted(row for part in parts for row in part) == sorted(asked)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    for role in ("audio", "vl"):  # each rank has its share of each role
        counts = [sum(row.role == role for row in part) for part in parts]
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"audio": 1.0, "vll": 1.0}, "'vll' is no pool of questions; did you mean 'vl'?"),
        ({"audio_only/vl": 1.0}, "so 'audio_only/vl' is empty; add a dataset that has some"),
    ],
)
def test_a_pool_that_cannot_be_drawn(both: Questions, weights: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        sampler(both, **weights)
    sampler(both, audio=1.0, **{name: 0.0 for name in weights if name != "audio"})  # it is not asked for


def test_unrelated_sounds_that_are_not_there_are_named_before_the_first_step(tmp_path: Path) -> None:
    folder = build_corpus(tmp_path, "alone", lambda row: row | {"group": "one", "split": "train"})
    questions = read_questions(Corpora([folder], "train"), quiet=True)
    with pytest.raises(InputError, match="alone: all sounds of split 'train' are of group 'one'"):
        sampler(questions, vl=1.0)
    only_silence = sampler(questions, vl=1.0, silent_fraction=1.0).sample(Progress())
    assert {row.heard for row in only_silence.asked} == {SILENCE}
    sampler(questions, audio=1.0)


def test_difficulties_choose_the_questions_of_a_stage(questions: Questions) -> None:
    easy = Stage(name="easy", weights={"audio": 1.0}, difficulty={"audio": ("easy",)})
    asked = sampler(questions, easy).sample(Progress()).asked
    assert {questions.difficulty[row.question] for row in asked} == {"easy"}
    impossible = Stage(name="none", weights={"audio": 1.0}, difficulty={"audio": ("unrated",)})
    with pytest.raises(InputError, match=r"stage 'none': 'audio' has .*, none unrated"):
        sampler(questions, impossible)


def ahead(one: StepSampler, steps: int, workers: int = 3) -> Ahead:
    def make(progress: Progress) -> tuple[Progress, object]:
        time.sleep(0.001 * (progress.step % 3))  # a later batch may be ready before an earlier one
        return progress, one.sample(progress)

    return Ahead(make, one.curriculum.advance, workers=workers, steps=steps)


@pytest.mark.parametrize("ends_at", [None, 3])
def test_what_is_made_ahead_is_what_would_be_made_now(both: Questions, ends_at: int | None) -> None:
    """Also where a metric ends a stage while batches of that stage were already made."""
    one, again = (sampler(both, FIRST, SECOND) for _ in range(2))
    made = ahead(one, steps=12)
    progress, stages = Progress(), []
    while progress.step < 12:
        assert made.get(progress) == (progress, again.sample(progress))
        stages.append(progress.stage)
        metrics = {"audio_accuracy": 0.9} if progress.step == ends_at else {"audio_accuracy": 0.1}
        progress = one.curriculum.advance(progress, metrics)
    made.close()
    assert stages == ([0] * 6 + [1] * 6 if ends_at is None else [0] * 4 + [1] * 8)


def test_a_run_may_begin_anywhere_and_nothing_is_made_past_its_end(both: Questions) -> None:
    one = sampler(both, SECOND)
    made_for: list[int] = []
    made = Ahead(
        lambda p: made_for.append(p.step) or one.sample(p), one.curriculum.advance, workers=2, steps=9
    )
    for step in range(7, 9):
        assert made.get(Progress(step)) == one.sample(Progress(step))
    made.close()
    assert sorted(made_for) == [7, 8]


def test_a_few_steps_are_made_ahead_in_threads_and_none_is_left_over(both: Questions) -> None:
    curriculum = sampler(both, SECOND).curriculum
    started, go = [], threading.Event()

    def make(progress: Progress) -> int:
        started.append(threading.current_thread().name)
        go.wait(10)
        return progress.step

    made = Ahead(make, curriculum.advance, workers=2, steps=1000)
    threading.Timer(0.05, go.set).start()
    assert made.get(Progress()) == 0
    made.close()
    assert 2 <= len(started) <= 5
    assert all(name.startswith("batches") for name in started)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_a_fault_in_a_thread_is_raised_where_the_batch_is_wanted(both: Questions) -> None:
    curriculum = sampler(both, SECOND).curriculum

    def make(progress: Progress) -> int:
        if progress.step == 1:
            raise InputError("a picture is damaged")
        return progress.step

    made = Ahead(make, curriculum.advance, workers=2, steps=10)
    assert made.get(Progress()) == 0
    with pytest.raises(InputError, match="a picture is damaged"):
        made.get(Progress(1))
    made.close()
