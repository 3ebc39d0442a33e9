"""safe_eval beside its references: captions, VQA, tokens, replies, the bootstrap, and the whole command.

All data are made, so that anyone can repeat it; if COCO and 60,000 real questions lie in ../shared/truth,
a second line uses them. `SCALE=0.01 python -m benchmarks eval` is a quick look at a hundredth of the sizes.
"""

import gzip
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np

from benchmarks import bootstrap_speed, captions, made_text, process, vqa_loop
from benchmarks.timing import in_turns, print_line, print_ratio, rates, seconds
from safe_data.core.command import BAD_INPUT
from safe_eval.prediction import Prediction
from safe_eval.scorers import vqa
from safe_eval.scorers.captions import tokens
from safe_eval.scorers.captions.java_tokens import java_tokens, why_no_java_tokens
from safe_eval.scorers.choice_parser import LONGEST_REPLY, parse_answer

IMAGES, REFERENCES, QUESTIONS, RAW_CAPTIONS, PREDICTIONS = 40_504, 4, 200_000, 200_000, 200_000
MISNAMED = 100_000
REPLIES, SHORT_REPLIES_A_SECOND = 20_000, 20_000
REPEATS = 3
T = TypeVar("T")


def main() -> None:
    """Every line: ours, the reference, their ratio and the goal."""
    scale = float(os.environ.get("SCALE", "1"))
    measure_cider(round(IMAGES * scale))
    measure_vqa(round(QUESTIONS * scale))
    measure_tokens(round(RAW_CAPTIONS * scale))
    measure_replies(round(REPLIES * scale))
    bootstrap_speed.main()
    measure_score(round(PREDICTIONS * scale))
    measure_misnamed(round(MISNAMED * scale))
    measure_help()


def measure_cider(images: int) -> None:
    """CIDEr-D of one tokenised caption per image, with four references; each side in its own process."""
    made = made_text.captions(images, 1 + REFERENCES)
    sets = {"made captions": ([texts[0] for texts in made], [texts[1:] for texts in made])}
    if captions.TRUTH.is_dir():
        sets["COCO val2014"] = tuple(side[:images] for side in captions.coco())
    for data, pair in sets.items():
        captions.print_comparison("cider_d", pair, data, at_least=10)


def measure_vqa(count: int) -> None:
    """The official accuracy of questions with ten annotators, beside a plain loop over them."""
    sets = {"made questions": made_text.questions(count)}
    if captions.TRUTH.is_dir():
        real = real_questions()
        sets["60,000 real questions, repeated"] = (real * -(-count // len(real)))[:count]
    for data, rows in sets.items():
        scores, expected = vqa.score_all(rows), vqa_loop.score_all(rows)
        ours, reference = _times_of(rows, vqa.score_all, vqa_loop.score_all)
        print_ratio(
            "eval",
            f"VQA accuracy against the official algorithm as a plain loop, {data}",
            "questions/s",
            rates(count, ours),
            rates(count, reference),
            {"questions": count, "differing": int((np.abs(scores - expected) > 1e-9).sum())},
            at_least=20,
        )


def measure_tokens(count: int) -> None:
    """Penn Treebank tokens, beside Java's as pycocoevalcap runs it, its start-up included."""
    sets = {"made captions": made_text.raw_captions(count)}
    if captions.TRUTH.is_dir():
        sets["COCO val2014"] = captions.raw_coco()[:count]
    for data, texts in sets.items():
        why_not = why_no_java_tokens()
        if why_not is not None:
            print_line(benchmark="eval", what=f"tokens, {data}", not_measured=why_not)
            continue
        lines, expected = tokens.tokenize(texts), java_tokens(texts)
        ours, reference = _times_of(texts, tokens.tokenize, java_tokens)
        print_ratio(
            "eval",
            f"PTB tokens without Java, against Java with its start-up, {data}",
            "captions/s",
            rates(len(texts), ours),
            rates(len(texts), reference),
            {
                "captions": len(texts),
                "differing": sum(a != b for a, b in zip(lines, expected, strict=True)),
            },
            at_least=2,
        )


def measure_replies(count: int) -> None:
    """Distinct short replies as one of several choices, and the longest looping reply."""
    replies = made_text.replies(count)
    times = [
        seconds(lambda: [parse_answer(text, made_text.CHOICES) for text in replies]) for _ in range(REPEATS)
    ]
    per_second = rates(len(replies), times)
    met = median(per_second) >= SHORT_REPLIES_A_SECOND
    goal = f">= {SHORT_REPLIES_A_SECOND:,}"
    print_line(
        benchmark="eval", what="short replies", ours=median(per_second), unit="replies/s", goal=goal, met=met
    )
    looping = ("The answer is B, not a violin. " * LONGEST_REPLY)[:LONGEST_REPLY]
    longest = [1000 * seconds(lambda: parse_answer(looping, made_text.CHOICES)) for _ in range(REPEATS)]
    took = median(longest)
    print_line(benchmark="eval", what="a looping reply", ours=took, unit="ms", goal="<= 5", met=took <= 5)


def _times_of(given: T, *functions: Callable[[T], object]) -> list[list[float]]:
    """The seconds that each function takes with the same input, in turns."""
    return in_turns(REPEATS, *(lambda of=function: seconds(lambda: of(given)) for function in functions))


def measure_score(count: int) -> None:
    """`safe-eval score` from the start of its process to its end, against the goal in seconds and in MB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "predictions.jsonl")
        made_text.write_run(path, count)
        command = [process.program("safe-eval"), "score", path, "--out", Path(folder, "scores")]
        taken = sorted(process.run(command) for _ in range(REPEATS))
        sizes = {"predictions": count, "resamples": 10_000, "megabytes": path.stat().st_size / 1e6}
    _print_process("safe-eval score", taken, sizes, wall_seconds=10, peak_mb=1000)


def measure_misnamed(count: int) -> None:
    """`safe-eval score` of a file that misnames one field in all rows: it is refused, with the first 20."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "predictions.jsonl")
        made_text.write_run(path, count)
        path.write_bytes(path.read_bytes().replace(b'"confidence":', b'"confidense":'))
        command = [process.program("safe-eval"), "score", path, "--out", Path(folder, "scores")]
        taken = sorted(process.run(command, allowed=(BAD_INPUT,)) for _ in range(REPEATS))
        sizes = {"predictions": count, "megabytes": path.stat().st_size / 1e6}
    what = "safe-eval score of a file with one misnamed field"
    _print_process(what, taken, sizes, wall_seconds=2, peak_mb=None)


def measure_help() -> None:
    """`safe-eval --help` from the start of its process to its end."""
    taken = sorted(process.run([process.program("safe-eval"), "--help"]) for _ in range(2 * REPEATS + 1))
    _print_process("safe-eval --help", taken, {}, wall_seconds=0.5, peak_mb=None)


def real_questions() -> list[Prediction]:
    """The 60,000 questions with ten human answers each, and the predictions that were recorded with them."""
    expected = json.loads(gzip.decompress((captions.TRUTH / "expected/vqa_vqav2_60k.json.gz").read_bytes()))
    answers = {}
    for split in ("train", "valid", "test"):
        file = captions.TRUTH / f"vqa/vqav2_60k_annotatons_{split}.json.gz"
        for question in json.loads(gzip.decompress(file.read_bytes()))["annotations"]:
            answers[question["question_id"]] = tuple(given["answer"] for given in question["answers"])
    return [
        Prediction(
            example_id=str(row["question_id"]), references=answers[row["question_id"]], answer=row["answer"]
        )
        for row in expected["predictions"]
    ]


def _print_process(
    what: str,
    taken: Sequence[process.Taken],
    sizes: dict[str, float],
    *,
    wall_seconds: float,
    peak_mb: float | None,
) -> None:
    middle = taken[len(taken) // 2]
    met = middle.wall_seconds < wall_seconds and (peak_mb is None or middle.peak_mb < peak_mb)
    goal = f"< {wall_seconds:g} s" + (f" and < {peak_mb:g} MB" if peak_mb else "")
    runs = [one.wall_seconds for one in taken]
    print_line(benchmark="eval", what=what, **middle._asdict(), goal=goal, met=met, wall_runs=runs, **sizes)
