"""Building: with CLAP against CLAP alone, and with logmel against a plain loop over the same files."""

import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import plain_loop
from benchmarks.corpus import Corpus
from benchmarks.random_clap import write_random_clap
from benchmarks.timing import in_turns, print_ratio, rates, seconds
from safe_data.build.build import build_dataset
from safe_data.build.prefetch import BATCH_CLIPS
from safe_data.encoders.encoder import load_encoder
from safe_data.media.decode import decode_audio

FOR_CLAP = Corpus(clips=64, seconds=10)
FOR_LOGMEL = Corpus(clips=400, seconds=10)
SHARD_SIZE = 50
IN_MEMORY = Path("/dev/shm")  # noqa: S108  a build waits for the disk, the plain loop does not
REPEATS = 3


def main() -> None:
    """Run both comparisons."""
    with tempfile.TemporaryDirectory() as folder:
        measure_clap(Path(folder), FOR_CLAP)
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        measure_logmel(Path(folder), FOR_LOGMEL)


def measure_clap(folder: Path, corpus: Corpus, repeats: int = REPEATS) -> None:
    """Print the time of a build relative to its encoder alone, which gets decoded clips.

    Weights are loaded beforehand in both cases.
    """
    source, out = corpus.write(folder / "corpus"), folder / "shards"
    spec = f"clap:{write_random_clap(folder / 'clap')}"
    encoder = load_encoder(spec)
    clips = [
        decode_audio(path.read_bytes(), encoder.sample_rate_hz).samples
        for path in sorted((source / "sounds").iterdir())
    ]

    def encode() -> None:
        for first in range(0, len(clips), BATCH_CLIPS):
            encoder.encode(clips[first : first + BATCH_CLIPS])

    encoder.encode(clips[:1])
    build_dataset(Corpus(clips=1, seconds=1).write(folder / "one"), folder / "one-shard", encoders=[spec])
    ours, reference = in_turns(
        repeats,
        lambda: _seconds_into(out, lambda: build_dataset(source, out, encoders=[spec])),
        lambda: seconds(encode),
    )
    what = "building with a random CLAP of default size, against the encoder alone"
    print_ratio("building", what, "s", ours, reference, corpus.facts, at_most=1.10)


def measure_logmel(folder: Path, corpus: Corpus, repeats: int = REPEATS) -> None:
    """Print the speed of a build relative to the plain loop, with one worker and with two.

    Imports happen beforehand; the start of the two workers is included.
    """
    source, plain, out = corpus.write(folder / "corpus"), folder / "plain", folder / "shards"
    few = Corpus(clips=2, seconds=1).write(folder / "few")
    plain_loop.write_shards(few, folder / "few-plain", SHARD_SIZE)
    build_dataset(few, folder / "few-shards")

    def reference() -> float:
        return _seconds_into(plain, lambda: plain_loop.write_shards(source, plain, SHARD_SIZE))

    def build(workers: int) -> float:
        return _seconds_into(out, lambda: build_dataset(source, out, shard_size=SHARD_SIZE, workers=workers))

    slow, one, two = in_turns(repeats, reference, lambda: build(1), lambda: build(2))
    if _sounds(plain) != _sounds(out):
        raise RuntimeError("the plain loop and the build did not store the same sounds")
    for workers, times, goal in ((1, one, 1.5), (2, two, 3.0)):
        print_ratio(
            "building",
            "building with logmel, against librosa and webdataset.ShardWriter in a loop",
            "clips/s",
            rates(corpus.clips, times),
            rates(corpus.clips, slow),
            {"workers": workers, "shards": -(-corpus.clips // SHARD_SIZE), **corpus.facts},
            at_least=goal,
        )


def _seconds_into(out: Path, work: Callable[[], object]) -> float:
    """The seconds that it takes to write a directory from scratch."""
    shutil.rmtree(out, ignore_errors=True)
    return seconds(work)


def _sounds(root: Path) -> dict[str, int]:
    """Name and size of every sound in the tars of a directory."""
    found: dict[str, int] = {}
    for path in root.rglob("*.tar"):
        with tarfile.open(path) as tar:
            found |= {member.name: member.size for member in tar if member.name.endswith(".wav")}
    return found
