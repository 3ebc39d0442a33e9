"""Epochs: what a pass over the audio questions drew, in all: how many different questions, and how balanced.

    OUT/epochs.jsonl    one line per epoch

What was drawn is a pure function of the progress at each step, so it is drawn again at the end of an epoch
instead of being kept: a run resumed in the middle of an epoch writes the same line.
"""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from safe_data.sampling.curriculum import Progress
from safe_data.sampling.mixture import exact_shares
from safe_train.questions import Questions
from safe_train.stages.sampler import StepSampler


def steps_per_epoch(sampler: StepSampler, batch_size: int) -> int:
    """The steps that draw as many audio questions as there are, by the weights of the first stage.

    Where no audio question is drawn, all questions count.
    """
    weights = sampler.curriculum.stages[0].weights
    counted = [name for name in weights if name.rpartition("/")[2] == "audio"] or list(weights)
    questions = sum(len(sampler.pools[name]) for name in counted)
    shares = exact_shares(weights)
    rows = batch_size * sum(shares[name] for name in counted)
    return max(1, math.ceil(questions / rows))


def summary(sampler: StepSampler, questions: Questions, drawn: Sequence[Progress]) -> dict[str, Any]:
    """What the steps at these points drew.

    `audio_ratio` is the share of questions with their own sound, `unique_questions` and `unique_clips` count
    what was drawn at least once, `counts` the questions of each pool, `datasets` those of each dataset, and
    `most_frequent_answer` is the largest share that one answer has among the questions that are learnt.
    """
    counts: Counter[str] = Counter()
    datasets: Counter[str] = Counter()
    learnt: Counter[int] = Counter()
    seen: set[int] = set()
    clips: set[int] = set()
    for progress in drawn:
        step = sampler.sample(progress)
        counts.update(step.counts)
        for row in step.asked:
            clip = int(questions.clip[row.question])
            seen.add(row.question)
            clips.add(clip)
            datasets[questions.corpora.place(clip)[0].name] += 1
            if row.role == "audio":
                learnt[row.question] += 1
    total = sum(datasets.values())
    return {
        "questions": total,
        "unique_questions": len(seen),
        "unique_clips": len(clips),
        "audio_ratio": sum(learnt.values()) / total,
        "counts": dict(counts),
        "datasets": dict(datasets),
        "most_frequent_answer": _largest_share(learnt, questions),
    }


def drawn_since(losses: Path, first_step: int) -> list[Progress]:
    """The progress at each step from `first_step` on that a log of losses holds."""
    if not losses.is_file():
        return []
    found = []
    for line in losses.read_bytes().splitlines():
        entry = msgspec.json.decode(line)
        if entry["step"] >= first_step:
            start = entry["step"] - entry["stage_step"]
            found.append(Progress(entry["step"], entry["stage_number"], start))
    return found


def _largest_share(learnt: Counter[int], questions: Questions) -> float | None:
    """The share of the most frequent answer; None if no question learns one."""
    answers: Counter[str] = Counter()
    for question, times in learnt.items():
        answer = questions.answer[question]
        if answer is not None:  # captions differ
            answers[answer] += times
    return max(answers.values()) / sum(answers.values()) if answers else None
