"""What each epoch drew is what its steps drew, counted once more from their lines and the questions."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tiny_runs import lines_of, small_run

from safe_data.sampling.curriculum import Progress
from safe_data.sampling.curriculum_file import Stage, Until
from safe_train.corpora import Corpora
from safe_train.questions import Questions, read_questions
from safe_train.stages.epochs import drawn_since, steps_per_epoch, summary
from safe_train.stages.sampler import StepSampler
from safe_train.stages.stage_a import stage_a


def sampler(questions: Questions, *weights: dict[str, float], batch_size: int = 20) -> StepSampler:
    """A sampler of stages with these weights, each of 3 steps but the last."""
    last = len(weights) - 1
    stages = [
        Stage(name=str(number), weights=one, until=None if number == last else Until(steps=3))
        for number, one in enumerate(weights)
    ]
    return StepSampler(questions, stages, batch_size=batch_size, silent_fraction=0.25, seed=0)


def points(sampler: StepSampler, steps: int) -> list[Progress]:
    """The progress at each of the first steps."""
    found = [Progress()]
    while len(found) < steps:
        found.append(sampler.curriculum.advance(found[-1]))
    return found


def write_lines(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def test_an_epoch_draws_as_many_audio_questions_as_there_are(both: Questions) -> None:
    count = int(both.needs_audio.sum())
    drawing = sampler(both, {"audio": 2, "vl": 2, "muted": 1})
    steps = steps_per_epoch(drawing, 20)
    assert 8 * (steps - 1) < count <= 8 * steps
    drawn: set[int] = set()
    for point in points(drawing, steps):
        drawn |= {row.question for row in drawing.sample(point).asked if row.role == "audio"}
    assert len(drawn) == count
    assert steps_per_epoch(sampler(both, {"audio_only/audio": 2, "vl": 2, "muted": 1}), 20) == steps


def test_where_no_audio_question_is_drawn_all_count(both: Questions) -> None:
    questions = int(both.needs_audio.sum()) + int((~both.needs_audio).sum())
    assert steps_per_epoch(sampler(both, {"vl": 1, "muted": 1}), 20) == -(-questions // 20)
    assert steps_per_epoch(sampler(both, {"audio": 1}, batch_size=10_000), 10_000) == 1


def test_it_says_how_many_different_questions_and_how_balanced(both: Questions) -> None:
    drawing = sampler(both, {"audio": 2, "vl": 2, "muted": 1})
    drawn = points(drawing, 9)
    found = summary(drawing, both, drawn)
    asked = [row for point in drawn for row in drawing.sample(point).asked]
    answers = Counter(both.answer[row.question] for row in asked if row.role == "audio")
    clips = Counter(int(both.clip[row.question]) for row in asked)
    seen = sum(row.role == "vl" for row in asked)
    assert found == {
        "questions": 180,
        "unique_questions": len({row.question for row in asked}),
        "unique_clips": len(clips),
        "audio_ratio": 0.4,
        "counts": {"audio": 72, "vl": 72, "muted": 36},
        "datasets": {"audio_only": 180 - seen, "vl_only": seen},
        "most_frequent_answer": max(answers.values()) / 72,
    }
    assert found["unique_questions"] < 180


def test_huge_weights_are_shares_as_well(both: Questions) -> None:
    usual, huge = (sampler(both, {"audio": one, "vl": one}) for one in (1, 1e308))  # their sum is infinite
    assert steps_per_epoch(huge, 20) == steps_per_epoch(usual, 20)


def test_captions_and_kept_questions_have_no_most_frequent_answer(both: Questions) -> None:
    drawing = sampler(both, {"vl": 1})
    found = summary(drawing, both, points(drawing, 2))
    assert (found["audio_ratio"], found["most_frequent_answer"]) == (0.0, None)


def test_what_was_drawn_is_read_from_the_lines_of_the_steps(both: Questions, tmp_path: Path) -> None:
    drawing = sampler(both, {"audio": 1}, {"vl": 1})
    drawn = points(drawing, 7)
    assert [point.stage_start for point in drawn] == [0, 0, 0, 3, 3, 3, 3]
    path = tmp_path / "losses.jsonl"
    assert drawn_since(path, 0) == []
    write_lines(path, [{"step": one.step} | drawing.sample(one).composition() for one in drawn])
    assert drawn_since(path, 0) == drawn
    assert drawn_since(path, 5) == drawn[5:]


def test_a_run_writes_a_line_per_epoch_through_its_stages(
    audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path
) -> None:
    stages = tmp_path / "stages.yaml"
    content = [
        {"name": "one", "weights": {"audio": 2, "vl": 2, "muted": 1}, "until": {"steps": 3}},
        {"name": "two", "weights": {"audio": 1, "muted": 4}},
    ]
    stages.write_text(yaml.safe_dump({"stages": content}))
    out = tmp_path / "out"
    stage_a(small_run(out, (audio_only, vl_only), untaught, steps=12, eval_steps=0, curriculum=stages))
    steps, epochs = lines_of(out / "losses.jsonl"), lines_of(out / "epochs.jsonl")
    questions = read_questions(Corpora([audio_only, vl_only], "train"), quiet=True)
    every = steps_per_epoch(sampler(questions, content[0]["weights"]), 20)
    assert [epoch["epoch"] for epoch in epochs] == list(range(len(epochs)))
    assert [epoch["last_step"] for epoch in epochs] == [*range(every - 1, 11, every), 11]
    first = 0
    for epoch in epochs:
        part = steps[first : epoch["last_step"] + 1]
        counts: Counter[str] = Counter()
        for line in part:
            counts.update(line["counts"])
        assert epoch["counts"] == counts
        assert epoch["questions"] == 20 * len(part)
        assert epoch["audio_ratio"] == pytest.approx(sum(line["audio_ratio"] for line in part) / len(part))
        assert max(line["unique"] for line in part) <= epoch["unique_questions"] <= epoch["questions"]
        first = epoch["last_step"] + 1
    assert first == 12
