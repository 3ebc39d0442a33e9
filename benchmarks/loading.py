"""Loading: embeddings from shards in globally shuffled batches, against WebDataset on the same tars."""

import tempfile
from itertools import islice
from pathlib import Path
from statistics import median

from benchmarks.corpus import SPLIT, Corpus
from benchmarks.timing import in_turns, print_line, print_ratio, rates, seconds
from safe_data.build.build import build_dataset
from safe_data.sampling.order import Order
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import ShardPaths, read_dataset

# A member of 1 kB beside the json is as large as an embedding, and lets WebDataset run at its fastest.
CORPUS = Corpus(clips=20_000, seconds=0.06, sample_rate_hz=8_000, channels=1, files=100)
SHARDS = 10
BATCH = 256
REPEATS = 5
FAST = 300_000  # samples/s


def main() -> None:
    """Time one epoch of each at a time, without the first, which reads pages and opens maps."""
    with tempfile.TemporaryDirectory() as folder:
        source, root = Path(folder) / "corpus", Path(folder) / "shards"
        build_dataset(CORPUS.write(source), root, shard_size=CORPUS.clips // SHARDS)
        measure(root)


def measure(root: Path, repeats: int = REPEATS) -> None:
    """Print embeddings per second, and their ratio to WebDataset's samples per second."""
    dataset = ShardDataset(root, SPLIT, "logmel")
    tars = [str(ShardPaths(root, SPLIT, name).tar) for name in read_dataset(root).splits[SPLIT].shards]
    order = Order(len(dataset), seed=0)
    epochs = iter(range(repeats + 1))

    def ours() -> float:
        first = next(epochs) * len(dataset)
        return seconds(lambda: _read_epoch(dataset, order, first))

    def reference() -> float:
        return seconds(lambda: _decode_epoch(tars, len(dataset)))

    taken = in_turns(repeats + 1, ours, reference)
    fast, slow = (rates(len(dataset), times[1:]) for times in taken)
    sizes = {"samples": len(dataset), "shards": len(tars), "batch": BATCH}
    print_line(
        benchmark="loading",
        what="embeddings by ShardDataset, shuffled globally",
        ours=median(fast),
        unit="samples/s",
        goal=f">= {FAST:,}",
        met=median(fast) >= FAST,
        repeats=repeats,
        **sizes,
    )
    what = "the same against WebDataset .decode(), not shuffled, on the same tars"
    print_ratio("loading", what, "samples/s", fast, slow, sizes, at_least=50)


def _read_epoch(dataset: ShardDataset, order: Order, first: int) -> None:
    for start in range(first, first + len(dataset), BATCH):
        dataset.embeddings(order.indices(start, min(start + BATCH, first + len(dataset))))


def _decode_epoch(tars: list[str], samples: int) -> None:
    import webdataset

    decoded = sum(1 for _ in islice(webdataset.WebDataset(tars, shardshuffle=False).decode(), samples + 1))
    if decoded != samples:
        raise RuntimeError(f"WebDataset read {decoded} of {samples} samples")
