"""Near-identical sounds among 20,000: the time of prints, their comparison and that of waveforms.

Decoding is left out: the sounds are made, five seconds each at 8 kHz, tones in noise, one in a hundred a copy
that is quieter, shifted and cut. `SCALE=0.01 python -m benchmarks audit_sounds` is a quick look.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from benchmarks.timing import print_line
from safe_data.audit.alike.neighbours import near_pairs
from safe_data.audit.alike.sounds import ALIKE_PRINTS, are_one
from safe_data.audit.sound_prints import LENGTH, SAMPLE_RATE_HZ, same_recording, sound_print

SOUNDS, SECONDS, CHUNK, COPY_EVERY = 20_000, 5, 500, 100
GOAL_SECONDS = 60


def main() -> None:
    """One line: seconds of each step, and whether every copy and nothing else was found."""
    count = round(SOUNDS * float(os.environ.get("SCALE", "1")))
    prints = np.zeros((count, LENGTH), np.float16)
    printing = 0.0
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for first in range(0, count, CHUNK):
            sounds = [made(number) for number in range(first, min(first + CHUNK, count))]
            start = perf_counter()
            prints[first : first + len(sounds)] = list(pool.map(sound_print, sounds))
            printing += perf_counter() - start
    start = perf_counter()
    near = near_pairs(prints, ALIKE_PRINTS)
    comparing = perf_counter() - start
    candidates = [(int(one), int(other)) for one, other in zip(near.left, near.right, strict=True)]
    waveforms = [(made(one), made(other)) for one, other in candidates]
    start = perf_counter()
    scores = [same_recording(*pair) for pair in waveforms]
    matching = perf_counter() - start
    judged = zip(candidates, near.cosine.tolist(), scores, strict=True)
    found = {pair for pair, cosine, score in judged if are_one(cosine, score)}
    planted = {(number - 1, number) for number in range(1, count) if number % COPY_EVERY == 0}
    total = printing + comparing + matching
    print_line(
        benchmark="audit_sounds",
        what="near-identical sounds beyond decoding",
        seconds=total,
        goal=f"<= {GOAL_SECONDS}",
        met=total <= GOAL_SECONDS,
        printing=printing,
        comparing=comparing,
        matching=matching,
        sounds=count,
        candidates=len(candidates),
        recall=len(found & planted) / len(planted) if planted else None,
        false=len(found - planted),
    )


def made(number: int) -> Float32[ndarray, " samples"]:
    """Three tones in noise; every hundredth sound is the one before, at half the level, shifted and cut."""
    if number and number % COPY_EVERY == 0:
        return made(number - 1)[2_000:] * np.float32(0.5)
    rng = np.random.default_rng(number)
    at = np.arange(SECONDS * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tones = sum(np.sin(2 * np.pi * rng.uniform(200, 3000) * at) for _ in range(3))
    return (0.1 * tones + rng.normal(0, 0.03, len(at))).astype(np.float32)


if __name__ == "__main__":
    main()
