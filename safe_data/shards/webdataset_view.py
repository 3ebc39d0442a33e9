"""Interop: the same samples the plain WebDataset way, for pipelines that already read tars.

Compared with `ShardDataset`: no embeddings, no shuffle across shards, no place to go on from, and no more
workers than shards; but any tool that knows WebDataset reads it, from anywhere.
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
    """The samples of a split in their order: `__key__`, `json` as a dict, and the media's bytes by suffix.

    Ranks and workers take every n-th shard; one that is left without a shard raises. Do not append
    `.decode()`: even with handlers of your own it unpickles members named .pyd or .pickle, which runs code.

    Raises:
        InputError: no such dataset or split, no samples in it, or a tar that was cut short, at whose end
            WebDataset would stop without a word.
    """
    import webdataset

    filled = ShardDataset(root, split).manifest["shard"].unique().to_pylist()
    if not filled:
        raise InputError(f"{root}: split {split!r} has no samples; every record was rejected")
    folder = Path(root).resolve()  # an absolute path is never taken for the scheme of a URL
    return webdataset.WebDataset(
        [str(ShardPaths(folder, split, name).tar) for name in filled],
        shardshuffle=False,
        nodesplitter=webdataset.split_by_node,
        workersplitter=webdataset.split_by_worker,
        empty_check=True,
    ).map_dict(json=json.loads)
