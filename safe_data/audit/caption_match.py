"""Caption match: whether a CLAP finds sounds nearer to their own captions than to those of other records.

The sounds' embeddings are read from the shards. The captions are embedded by the text tower of the same CLAP
if its checkpoint is on this machine; nothing is downloaded.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float32, Int
from numpy import ndarray

from safe_data.audit.alike.embeddings import unit
from safe_data.audit.alike.exact import audible_rows, loaded_rows
from safe_data.audit.corpus import Corpus
from safe_data.audit.examples import examples
from safe_data.core.errors import InputError
from safe_data.encoders.clap_text import ClapText, local_clap
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import Encoding

SAMPLED = 1_000  # pairs of a sound and a caption
SEED = 0
POOLED = "clap"  # the encoder of one vector per sound

Rows = Int[ndarray, " records"]


class Match(NamedTuple):
    """A sound and its caption, compared with the captions that it could have been given by mistake.

    `nearer` is the share of those captions that are nearer to the sound than its own; equally near counts
    half.
    """

    row: int
    caption: str
    cosine: float
    others: float  # mean cosine of the sound and the other captions
    nearer: float


class Matches(NamedTuple):
    """The pairs that were compared, and of each dataset without any why there is none."""

    pairs: tuple[Match, ...]
    missed: tuple[str, ...]


def caption_matches(corpus: Corpus) -> Matches:
    """Compare sounds with captions, up to a thousand at random; each dataset is compared with itself.

    Captions that are not about the sound are left out, and so is silence.

    Raises:
        InputError: a CLAP that is here, the embeddings or the examples cannot be read.
    """
    towers, missed = {}, []
    for number, name in enumerate(corpus.names):
        tower = _tower(corpus, number)
        if isinstance(tower, str):
            missed.append(f"{name} {tower}")
        else:
            towers[number] = tower
    if not towers:
        return Matches((), tuple(missed))
    captions = _captions(corpus, tuple(towers))
    pairs: list[Match] = []
    for number, (encoding, text) in towers.items():
        own = captions.filter(pa.array(corpus.dataset_of[captions["row"].to_numpy()] == number))
        found = _compared(corpus, number, encoding, text, own) if own.num_rows else []
        if not found:
            missed.append(f"{corpus.names[number]} has no two sounds whose captions could be exchanged")
        pairs += found
    return Matches(tuple(pairs), tuple(missed))


def _tower(corpus: Corpus, number: int) -> tuple[Encoding, ClapText] | str:
    """An encoder of a dataset, with the text tower that fits its embeddings; or why there is none."""
    dataset = corpus.datasets[number]
    by_clap = [one for one in dataset.encoders if one.name == POOLED]
    if not by_clap:
        return "has no CLAP embeddings"
    reasons = []
    for encoding in by_clap:
        facts = dataset.encoder_facts.get(encoding.label)
        source = facts.source.partition(":")[2] if facts else ""
        directory = local_clap(source) if source else None
        if directory is None:
            reasons.append(
                f"has embeddings by a CLAP that is not on this machine: {source or encoding.label}"
            )
            continue
        text = ClapText(directory)
        if not text.fits(encoding.fingerprint):
            reasons.append(f"was embedded by another CLAP than the one that is at {directory} now")
        elif not text.has_tokenizer:
            reasons.append(f"has embeddings by a CLAP whose tokenizer is not on this machine: {source}")
        else:
            return encoding, text
    return reasons[0]


def _captions(corpus: Corpus, numbers: Sequence[int]) -> pa.Table:
    """The first caption of each sound in these datasets, as row and caption; a thousand of them at most."""
    table = corpus.once(examples)
    about_sound = pc.and_(pc.equal(table["task"], "caption"), pc.fill_null(table["needs_audio"], True))
    table = table.filter(pc.and_(about_sound, pc.greater(pc.list_value_length(table["references"]), 0)))
    captions = pc.utf8_trim_whitespace(pc.list_element(table["references"], 0))
    written = pc.not_equal(captions, "")
    rows = table["row"].filter(written).to_numpy()
    rows, first = np.unique(rows, return_index=True)
    chosen = np.flatnonzero(np.isin(rows, audible_rows(corpus)) & np.isin(corpus.dataset_of[rows], numbers))
    if len(chosen) > SAMPLED:
        chosen = np.sort(np.random.default_rng(SEED).choice(chosen, SAMPLED, replace=False))
    texts = captions.filter(written).take(pa.array(first[chosen]))
    return pa.table({"row": pa.array(rows[chosen], pa.int64()), "caption": texts})


def _compared(
    corpus: Corpus, number: int, encoding: Encoding, text: ClapText, captions: pa.Table
) -> list[Match]:
    """Compare each sound of one dataset with all captions; a sound without other captions is left out."""
    rows, written = captions["row"].to_numpy(), captions["caption"].to_pylist()
    others = _others(corpus, rows, written)
    sounds, texts = _sounds(corpus, number, encoding, rows), text.encode(written)
    if sounds.shape[1] != texts.shape[1] or not np.isfinite(sounds).all():
        raise InputError(
            f"{corpus.roots[number]}: its embeddings {encoding.label} are damaged; build it again"
        )
    cosines = sounds @ texts.T
    own = np.diag(cosines)[:, None]
    farther_half = (cosines > own) + 0.5 * (cosines == own)
    count = others.sum(axis=1)
    return [
        Match(
            int(rows[place]),
            written[place],
            float(own[place, 0]),
            float(cosines[place][others[place]].mean()),
            float(farther_half[place][others[place]].mean()),
        )
        for place in np.flatnonzero(count).tolist()
    ]


def _others(corpus: Corpus, rows: Rows, captions: Sequence[str]) -> Bool[ndarray, "sounds captions"]:
    """Which captions are another's: they have other words, and their records another group and label."""
    chosen = corpus.manifest.select(["group", "label"]).take(pa.array(rows)).to_pydict()
    differ = np.ones((len(rows), len(rows)), bool)
    for values in (captions, chosen["group"], chosen["label"]):
        first: dict[str, int] = {}  # an array of texts would be as wide as the longest of them
        codes = np.array(
            [first.setdefault(value, place) if value else place for place, value in enumerate(values)]
        )
        differ &= codes[:, None] != codes[None, :]
    return differ


def _sounds(corpus: Corpus, number: int, encoding: Encoding, rows: Rows) -> Float32[ndarray, "sounds dims"]:
    """The unit vectors of sounds of one dataset."""
    vectors = np.zeros((len(rows), encoding.shape[-1]), np.float32)
    loaded = loaded_rows(corpus)
    for split in corpus.datasets[number].splits:
        inside = np.asarray(pc.equal(corpus.manifest["split"], split)) & (corpus.dataset_of == number)
        stored = loaded[inside[loaded]]
        mine = np.flatnonzero(inside[rows])
        if len(mine):
            dataset = ShardDataset(corpus.roots[number], split, encoding.label)
            vectors[mine] = unit(dataset.embeddings(np.searchsorted(stored, rows[mine])))
    return vectors
