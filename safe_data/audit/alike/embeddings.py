"""Neighbours of embeddings: records whose sounds an encoder finds all but equal.

They are to be listened to, and are no evidence: an encoder knows what a sound is of, not which recording it
is, and one gave a badger and a beaver the same embedding.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float16, Float32, Int
from numpy import ndarray

from safe_data.audit.alike.exact import loaded_rows
from safe_data.audit.alike.likeness import Likeness
from safe_data.audit.alike.neighbours import nearest_pairs
from safe_data.audit.corpus import Corpus
from safe_data.core.errors import InputError
from safe_data.shards.layout import Encoding, ShardPaths
from safe_data.shards.sidecar import Embeddings

KIND, EVIDENCE = "near_embedding", "neighbours among the embeddings"
LEAST_COSINE = 0.98

_PREFERRED = ("clap", "whisper")  # before encoders that describe a spectrum
_ROWS = 1_024  # read at a time


def near_embeddings(corpus: Corpus) -> Likeness:
    """Pairs of records whose embeddings by an encoder that all datasets have are at a cosine of 0.98 or more.

    Raises:
        InputError: no encoder is in all datasets, or a file of embeddings is missing or damaged.
        ValueError: the encoder does not tell sounds apart, or there are too many for an exact search.
    """
    encoding = common_encoding(corpus)
    rows = loaded_rows(corpus, "has_audio")
    vectors = np.zeros((len(rows), encoding.shape[-1]), np.float16)
    for number in range(len(corpus.names)):
        for split in corpus.datasets[number].splits:
            _read(corpus, number, split, encoding, rows, vectors)
    heard = np.flatnonzero(vectors.any(axis=1))
    rows = rows[heard]
    near = nearest_pairs(vectors[heard], LEAST_COSINE)
    evidence = f"{EVIDENCE} of {encoding.label}"
    return Likeness(KIND, rows[near.left], rows[near.right], np.minimum(near.cosine, 1.0), evidence)


def unit(embeddings: Float16[ndarray, "n *shape"]) -> Float32[ndarray, "n dims"]:
    """Embeddings at length 1, the mean of those that have several parts; zeros stay zeros."""
    flat = embeddings.reshape(len(embeddings), -1, embeddings.shape[-1]).mean(axis=1, dtype=np.float32)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    found: Float32[ndarray, "n dims"] = flat / np.where(lengths > 0, lengths, 1)
    return found


def _read(
    corpus: Corpus,
    number: int,
    split: str,
    encoding: Encoding,
    rows: Int[ndarray, " sounds"],
    vectors: Float16[ndarray, "sounds dims"],
) -> None:
    """Fill in the vectors of one split of a dataset."""
    names = corpus.datasets[number].splits[split].shards
    here = np.asarray(pc.equal(corpus.manifest["split"], split)) & (corpus.dataset_of == number)
    shards = pc.fill_null(pc.index_in(corpus.manifest["shard"], value_set=pa.array(names, pa.string())), -1)
    shard_of = np.where(here, np.asarray(shards), -1)
    places = np.asarray(pc.fill_null(corpus.manifest["row"], -1))
    stored = shard_of[loaded_rows(corpus)]
    counts = np.bincount(stored[stored >= 0], minlength=len(names))
    mine = np.flatnonzero(here[rows])
    if (shard_of[rows[mine]] < 0).any() or (places[rows[mine]] < 0).any():
        raise InputError(f"{corpus.roots[number]}: the manifest does not say where embeddings are")
    paths = [ShardPaths(corpus.roots[number], split, name).sidecar(encoding) for name in names]
    file = Embeddings(paths, counts.tolist(), encoding.shape)
    for first in range(0, len(mine), _ROWS):
        part = mine[first : first + _ROWS]
        vectors[part] = unit(file.read(shard_of[rows[part]], places[rows[part]]))


def common_encoding(corpus: Corpus) -> Encoding:
    """The encoder of which all datasets have embeddings; of several, CLAP comes first.

    Raises:
        InputError: there is none.
    """
    shared = [
        one
        for one in corpus.datasets[0].encoders
        if all(one in dataset.encoders for dataset in corpus.datasets)
    ]
    if not shared:
        raise InputError("no embeddings are in all datasets; add them by `safe-data add-encoder`")
    return min(shared, key=lambda one: (*_PREFERRED, one.name).index(one.name))
