"""Caption metrics beside pycocoevalcap's, on 40,504 COCO images: the same tokens, each in its own process.

Each image's first caption is the candidate, the others are its references. The captions are not part of the
repository; without ../shared/truth this says so and measures nothing.
"""

import gzip
import json
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.process import own_peak_mb
from benchmarks.timing import print_line, print_ratio, rates

TRUTH = Path(__file__).resolve().parents[2] / "shared" / "truth"
MARKS = {"''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"}  # removed by pycocoevalcap

Captions = tuple[list[str], list[list[str]]]
Scores = dict[str, np.ndarray]
Measured = tuple[float, float, Scores]


def coco() -> Captions:
    """Candidates and references as Java's tokenizer gave them, images by their ids."""
    before, after = (_lines(TRUTH / f"expected/ptb_coco_val2014.{end}.txt.gz") for end in ("input", "output"))
    tokens = {
        text: " ".join(w for w in line.rstrip().split(" ") if w not in MARKS)
        for text, line in zip(before, after, strict=True)
    }
    by_image: dict[int, list[str]] = {}
    annotations = json.loads(gzip.decompress((TRUTH / "coco/captions_val2014.json.gz").read_bytes()))
    for row in sorted(annotations["annotations"], key=lambda row: row["image_id"]):
        by_image.setdefault(row["image_id"], []).append(tokens[row["caption"].replace("\n", " ")])
    return [texts[0] for texts in by_image.values()], [texts[1:] for texts in by_image.values()]


def raw_coco() -> list[str]:
    """The captions as they were given to Java's tokenizer."""
    return _lines(TRUTH / "expected/ptb_coco_val2014.input.txt.gz")


def ours_cider_d(captions: Captions) -> Scores:
    from safe_eval.scorers.captions.cider import cider_d
    from safe_eval.scorers.captions.corpus import index

    return {"cider_d": cider_d(index(*captions))}


def theirs_cider_d(captions: Captions) -> Scores:
    from pycocoevalcap.cider.cider import Cider

    return {"cider_d": Cider().compute_score(*_as_dicts(captions))[1]}


def ours_bleu(captions: Captions) -> Scores:
    from safe_eval.scorers.captions.bleu import bleu, bleu_counts
    from safe_eval.scorers.captions.corpus import index

    counts = bleu_counts(index(*captions))
    return {"bleu": bleu(counts.table), "bleu_corpus": bleu(counts.table.sum(axis=0))}


def theirs_bleu(captions: Captions) -> Scores:
    from pycocoevalcap.bleu.bleu import Bleu

    corpus, items = Bleu(4).compute_score(*_as_dicts(captions), verbose=0)
    return {"bleu": np.array(items).T, "bleu_corpus": np.array(corpus)}


def ours_rouge_l(captions: Captions) -> Scores:
    from safe_eval.scorers.captions.rouge import rouge_l

    return {"rouge_l": rouge_l(*captions)}


def theirs_rouge_l(captions: Captions) -> Scores:
    from pycocoevalcap.rouge.rouge import Rouge

    return {"rouge_l": Rouge().compute_score(*_as_dicts(captions))[1]}


PAIRS: dict[str, tuple[Callable[[Captions], Scores], Callable[[Captions], Scores]]] = {
    "cider_d": (ours_cider_d, theirs_cider_d),
    "bleu": (ours_bleu, theirs_bleu),
    "rouge_l": (ours_rouge_l, theirs_rouge_l),
}


def print_comparison(metric: str, captions: Captions, data: str, *, at_least: float | None = None) -> None:
    """Images a second (ours the median of three), peak memory, and the largest difference of any score."""
    ours, theirs = PAIRS[metric]
    runs = sorted((_apart(ours, captions) for _ in range(3)), key=lambda run: run[0])
    slow, their_memory, expected = _apart(theirs, captions)
    _, memory, scores = runs[1]
    images = len(captions[0])
    print_ratio(
        "eval",
        f"{metric} against pycocoevalcap, {data}",
        "images/s",
        rates(images, [run[0] for run in runs]),
        rates(images, [slow]),
        {
            "images": images,
            "references": sum(map(len, captions[1])),
            "ours_peak_mb": memory,
            "reference_peak_mb": their_memory,
            "largest_difference": max(float(np.abs(scores[key] - expected[key]).max()) for key in expected),
        },
        at_least=at_least,
    )


def _apart(score: Callable[[Captions], Scores], captions: Captions) -> Measured:
    """Score in a fresh process: seconds without the start-up, peak memory of the whole process in MB."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run, score, captions).result()


def _run(score: Callable[[Captions], Scores], captions: Captions) -> Measured:
    with redirect_stdout(sys.stderr):
        score((captions[0][:2], captions[1][:2]))  # imports are not what is measured
        start = perf_counter()
        scores = score(captions)
        seconds = perf_counter() - start
    return seconds, own_peak_mb(), scores


def _as_dicts(captions: Captions) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    candidates, references = captions
    return dict(enumerate(references)), {i: [text] for i, text in enumerate(candidates)}


def _lines(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")


def main() -> None:
    """Print a JSON line a metric."""
    if not TRUTH.is_dir():
        print_line(benchmark="captions", not_measured=f"no COCO captions in {TRUTH.name}/")
        return
    captions = coco()
    for metric in PAIRS:
        print_comparison(metric, captions, "COCO val2014")
