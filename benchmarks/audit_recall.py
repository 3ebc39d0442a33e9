"""How many planted copies of sounds are found, by transform, and how many other pairs are called the same.

Worlds of other seeds than those on which the bounds of `safe_data/audit/alike/sounds.py` were set.
"""

import os
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.timing import print_line
from safe_data.audit.alike.sounds import near_sounds
from safe_data.audit.corpus import open_corpus
from safe_data.build.build import build_dataset
from safe_data.sources.synthetic.faults_key import Recall, false_pairs, read_key, recall
from safe_data.sources.synthetic.world import write_world

CLIPS, COPIES, SEEDS = 2_000, 90, (301, 302, 303)
CLEAN_SEEDS = (401, 402)
GOALS = {"offset": 0.9, "cut_start": 0.9, "cut_end": 0.9}
GOAL = 0.95


def main() -> None:
    """A line for each transform, over all seeds; then one for each clean world."""
    scale = float(os.environ.get("SCALE", "1"))
    clips, copies = round(CLIPS * scale), round(COPIES * scale)
    found: Counter[str] = Counter()
    planted: Counter[str] = Counter()
    false = 0
    for seed in SEEDS:
        faults = {"near_leakage": copies, "near_duplicate": copies, "duplicate": max(1, copies // 9)}
        with tempfile.TemporaryDirectory() as folder:
            pairs = _pairs(Path(folder), clips, seed, faults)
            key = read_key(Path(folder) / "world")
        false += len(false_pairs(key, pairs))
        for (kind, transform), one in recall(key, pairs).items():
            if kind.startswith("near_"):
                found[transform] += one.found
                planted[transform] += one.planted
    for transform in sorted(planted):
        one, goal = Recall(found[transform], planted[transform]), GOALS.get(transform, GOAL)
        print_line(
            benchmark="audit_recall",
            what=f"copies by {transform}",
            found=one.found,
            planted=one.planted,
            recall=one.rate,
            goal=f">= {goal}",
            met=one.rate >= goal,
            seeds=list(SEEDS),
            clips=clips,
        )
    print_line(benchmark="audit_recall", what="pairs that nobody planted", false=false, seeds=list(SEEDS))
    for seed in CLEAN_SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            pairs = _pairs(Path(folder), clips, seed, {})
        facts = {"false": len(pairs), "goal": "0", "met": not pairs, "seed": seed, "clips": clips}
        print_line(benchmark="audit_recall", what="false alarms on a clean world", **facts)


def _pairs(folder: Path, clips: int, seed: int, faults: dict[str, int]) -> list[tuple[str, str]]:
    """The ids of the sounds of a world that are called the same."""
    write_world(folder / "world", clips=clips, seed=seed, faults=faults or None)
    build_dataset(folder / "world", str(folder / "shards"), encoders=(), workers=2, quiet=True)
    corpus = open_corpus([str(folder / "shards")])
    ids = corpus.manifest["id"].to_pylist()
    return [(ids[one], ids[other]) for one, other in near_sounds(corpus).pairs.tolist()]


if __name__ == "__main__":
    main()
