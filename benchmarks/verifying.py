"""Verifying: `safe-data verify` against sha256sum over the same files."""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

from benchmarks.corpus import Corpus
from benchmarks.timing import in_turns, print_ratio, rates, seconds
from safe_data.build.build import build_dataset
from safe_data.shards.verify import verify_dataset

CORPUS = Corpus(clips=240, seconds=10)
SHARD_SIZE = 50
REPEATS = 5


def main() -> None:
    """Verify a dataset that fits into the page cache, so that the disk does not count."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "shards"
        build_dataset(CORPUS.write(Path(folder) / "corpus"), root, shard_size=SHARD_SIZE)
        measure(root)


def measure(root: Path, repeats: int = REPEATS) -> None:
    """Print bytes per second: of the two commands, then of the same work without starting a process."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    verify = [str(Path(sys.executable).with_name("safe-data")), "verify", str(root)]
    command, sha256sum, function, hashlib_alone = in_turns(
        repeats,
        lambda: seconds(lambda: _run(verify)),
        lambda: seconds(lambda: _run(["sha256sum", *map(str, files)])),
        lambda: seconds(lambda: _verify(root)),
        lambda: seconds(lambda: _hash(files)),
    )
    for what, ours, reference, goal in (
        ("safe-data verify against sha256sum, whole processes", command, sha256sum, 0.5),
        ("verify_dataset against hashlib, in one process", function, hashlib_alone, None),
    ):
        rate, other = rates(megabytes, ours), rates(megabytes, reference)
        sizes = {"megabytes": megabytes, "files": len(files)}
        print_ratio("verifying", what, "MB/s", rate, other, sizes, at_least=goal)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _verify(root: Path) -> None:
    if verify_dataset(root).findings:
        raise RuntimeError("the dataset does not verify: there is nothing to measure")


def _hash(files: list[Path]) -> None:
    for path in files:
        with path.open("rb") as file:
            hashlib.file_digest(cast(Any, file), "sha256").hexdigest()
