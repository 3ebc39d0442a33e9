"""Neighbours among 100,000 embeddings of 512 numbers: with an index of faiss, and by comparing all pairs.

The embeddings lie in clusters, as those of sounds do, and 500 of them are copies at a cosine of 0.98 or more.
`SCALE=0.1 python -m benchmarks audit_embeddings` is a quick look.
"""

import importlib.util
import os
import resource
from collections.abc import Callable
from time import perf_counter

import numpy as np
from jaxtyping import Float16
from numpy import ndarray

from benchmarks.timing import print_line
from safe_data.audit.alike.embeddings import LEAST_COSINE
from safe_data.audit.alike.neighbours import Near, Vectors, indexed_pairs, near_pairs

COUNT, DIMS, PLANTED, KINDS_OF_SOUND = 100_000, 512, 500, 300
GOALS_SECONDS = {"faiss": 20, "all pairs": 90}


def main() -> None:
    """One line for each world and search: seconds, recall of the planted pairs, and the
    memory of the process so far, which made the embeddings."""
    count = round(COUNT * float(os.environ.get("SCALE", "1")))
    for world, spread in (("clusters", 0.5), ("no clusters", None)):
        vectors, planted = embeddings(count, spread)
        searches: dict[str, Callable[[Vectors, float], Near]] = {"all pairs": near_pairs}
        if importlib.util.find_spec("faiss"):
            searches = {"faiss": indexed_pairs, **searches}
        for name, search in searches.items():
            start = perf_counter()
            near = search(vectors, LEAST_COSINE)
            seconds = perf_counter() - start
            found = {*zip(near.left.tolist(), near.right.tolist(), strict=True)}
            recall = len(planted & found) / len(planted)
            goal = GOALS_SECONDS[name]
            print_line(
                benchmark="audit_embeddings",
                what=f"pairs at a cosine of {LEAST_COSINE}, {name}",
                world=world,
                seconds=seconds,
                recall=recall,
                planted=len(planted),
                pairs=len(found),
                peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                goal=f"<= {goal} s, recall 1",
                met=seconds <= goal and recall == 1,
                embeddings=count,
                dims=DIMS,
            )


def embeddings(
    count: int, spread: float | None
) -> tuple[Float16[ndarray, "count dims"], set[tuple[int, int]]]:
    """Made embeddings, in clusters if a spread is given, and the pairs of them that are copies."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((count, DIMS), np.float32)
    if spread is not None:
        centres = rng.standard_normal((KINDS_OF_SOUND, DIMS), np.float32)
        vectors = centres[rng.integers(KINDS_OF_SOUND, size=count)] + spread * vectors
    copies = min(PLANTED, count // 10)
    places = rng.permutation(count)[: 2 * copies].reshape(2, copies)
    size = np.linalg.norm(vectors[places[0]], axis=1, keepdims=True)
    noise = rng.standard_normal((copies, DIMS), np.float32) / np.sqrt(DIMS)
    vectors[places[1]] = vectors[places[0]] + noise * size * rng.uniform(0, 0.19, (copies, 1))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    low, high = np.sort(places, axis=0)
    stored = vectors.astype(np.float16)
    cosines = np.einsum("ij,ij->i", stored[low].astype(np.float32), stored[high].astype(np.float32))
    sure = cosines >= LEAST_COSINE
    return stored, {*zip(low[sure].tolist(), high[sure].tolist(), strict=True)}


if __name__ == "__main__":
    main()
