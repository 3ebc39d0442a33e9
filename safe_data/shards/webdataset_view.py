"""Read the samples as a plain WebDataset, for pipelines that already read tars.

Unlike `ShardDataset` it has no embeddings, no shuffle across shards, no position to resume from, and at most
one worker per shard; but any tool that knows WebDataset can read it, from anywhere.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import ShardPaths

if TYPE_CHECKING:
    from webdataset import WebDataset


def to_webdataset(root: str | os.PathLike[str], split: str) -> "WebDataset":
    """The samples of a split in order: `__key__`, `json` as a dict, and the bytes of each medium by suffix.

    Ranks and workers take every n-th shard; a worker without a shard raises. Do not append `.decode()`: even
    with your own handlers it unpickles members named .pyd or .pickle, which runs code.

    Raises:
        InputError: no such dataset or split, a split without samples, or a tar that was cut short (WebDataset
            would stop at its end without an error).
    """
    import webdataset

    filled = ShardDataset(root, split).manifest["shard"].unique().to_pylist()
    if not filled:
        raise InputError(f"{root}: split {split!r} has no samples; every record was rejected")
    folder = Path(root).resolve()  # an absolute path cannot be mistaken for a URL
    return webdataset.WebDataset(
        [str(ShardPaths(folder, split, name).tar) for name in filled],
        shardshuffle=False,
        nodesplitter=webdataset.split_by_node,
        workersplitter=webdataset.split_by_worker,
        empty_check=True,
    ).map_dict(json=json.loads)
