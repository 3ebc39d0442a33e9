"""Caching: the data of stage A with cached CLAP against CLAP on the fly, and when the cache pays off."""

import math
import shutil
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.corpus import SPLIT, Corpus
from benchmarks.random_clap import write_random_clap
from benchmarks.timing import in_turns, print_line, print_ratio, rates, seconds
from safe_data.build.add_encoder import add_encoder
from safe_data.build.build import build_dataset
from safe_data.encoders.encoder import AudioEncoder, load_encoder
from safe_data.sampling.order import Order
from safe_data.shards.dataset import ShardDataset

CORPUS = Corpus(clips=32, seconds=10, picture_side=336)
BATCH = 16
REPEATS = 3


def main() -> None:
    """Build without CLAP, then time adding CLAP once and computing it in every epoch."""
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), CORPUS)


def measure(folder: Path, corpus: Corpus, repeats: int = REPEATS) -> None:
    """Print both results. An epoch reads the record, the decoded picture and the embedding of each clip."""
    source, plain, cached = corpus.write(folder / "corpus"), folder / "plain", folder / "cached"
    spec = f"clap:{write_random_clap(folder / 'clap')}"
    encoder = load_encoder(spec)
    encoder.encode([np.zeros(encoder.sample_rate_hz, np.float32)])
    build_dataset(source, plain, encoders=["logmel"])

    def fill() -> float:
        shutil.rmtree(cached, ignore_errors=True)
        shutil.copytree(plain, cached)
        return seconds(lambda: add_encoder(cached, spec))

    def epoch(on_the_fly: AudioEncoder | None = None) -> float:
        dataset = ShardDataset(cached, SPLIT, "clap")
        return seconds(lambda: _read_epoch(dataset, on_the_fly))

    filling, ours, reference = in_turns(repeats, fill, epoch, lambda: epoch(encoder))
    what = "an epoch of stage A's data with cached CLAP, against CLAP on the fly"
    sizes = {**corpus.facts, "batch": BATCH, "picture_side": corpus.picture_side}
    fast, slow = rates(corpus.clips, ours), rates(corpus.clips, reference)
    print_ratio("caching", what, "clips/s", fast, slow, sizes)
    exactly = median(filling) / (median(reference) - median(ours))
    print_line(
        benchmark="caching",
        what="epochs after which caching CLAP has paid",
        epochs=math.ceil(exactly),
        exactly=exactly,
        filling_seconds=median(filling),
        cached_epoch_seconds=median(ours),
        on_the_fly_epoch_seconds=median(reference),
        repeats=repeats,
        **sizes,
    )


def _read_epoch(dataset: ShardDataset, on_the_fly: AudioEncoder | None) -> None:
    """Read what the steps of stage A need of the clips, in a global shuffle."""
    order = Order(len(dataset), seed=0)
    for start in range(0, len(dataset), BATCH):
        chosen = order.indices(start, min(start + BATCH, len(dataset)))
        for index in chosen.tolist():
            dataset.record(index)
            dataset.image(index)
        if on_the_fly is None:
            dataset.embeddings(chosen)
        else:
            heard = [dataset.audio(index, on_the_fly.sample_rate_hz) for index in chosen.tolist()]
            on_the_fly.encode([sound.samples for sound in heard if sound is not None])
