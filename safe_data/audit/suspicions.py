"""Suspicions: the records whose sound may not belong to what the record says, most suspicious first.

None is a proof: they are what a person should listen to first.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safe_data.audit.alike.exact import loaded_rows
from safe_data.audit.corpus import Corpus
from safe_data.audit.facts.alignment import found_speech, heard_transcripts, transcribed
from safe_data.core.errors import words_of
from safe_data.shards.dataset import ShardDataset

NEIGHBOURS = 5
_BLOCK = 1_024  # embeddings that are compared with all others at the same time


class Suspicion(NamedTuple):
    """A record, how suspicious it is from 0 to 1, and why."""

    row: int
    score: float
    why: str


def suspicions(corpus: Corpus) -> tuple[list[Suspicion], list[str]]:
    """The suspicious records, each once with its strongest suspicion; and what could not be looked for."""
    found: dict[int, Suspicion] = {}
    missed = []
    for what, look in LOOKED_FOR.items():
        try:
            for one in look(corpus):
                if one.row not in found or one.score > found[one.row].score:
                    found[one.row] = one
        except (ValueError, KeyError) as error:
            missed.append(f"{what}: {words_of(error)}")
    return sorted(found.values(), key=lambda one: (-one.score, one.row)), missed


def _silent(corpus: Corpus) -> list[Suspicion]:
    """Silence about which something is asked that needs the sound."""
    rows = loaded_rows(corpus, "has_audio")
    chosen = corpus.manifest.select(["peak", "audio_examples"]).take(pa.array(rows))
    asked = pc.and_(pc.equal(chosen["peak"], 0.0), pc.greater(chosen["audio_examples"], 0))
    silent = rows[np.asarray(pc.fill_null(asked, False))]
    return [Suspicion(row, 1.0, "silence, about which is asked what is heard") for row in silent.tolist()]


def _other_transcript(corpus: Corpus) -> list[Suspicion]:
    """Speech that is heard as another record's transcript."""
    if not transcribed(corpus).any():
        return []
    heard = corpus.once(heard_transcripts)
    return [Suspicion(one.row, 0.9, one.what) for one in heard if one.chosen != one.said]


def _speech(corpus: Corpus) -> list[Suspicion]:
    """Speech without a transcript, and a transcript without speech."""
    said = transcribed(corpus)
    if not said.any():
        return []
    rows, spoken = corpus.once(found_speech)
    return [
        Suspicion(int(row), 0.6, "a transcript, but no speech is heard")
        if said[row]
        else Suspicion(int(row), 0.5, "speech is heard, and there is no transcript")
        for row, speaks in zip(rows, spoken, strict=True)
        if speaks != said[row]
    ]


def _neighbours(corpus: Corpus) -> list[Suspicion]:
    """Records whose nearest neighbours, by the embeddings of their sounds, have other labels."""
    found = []
    for number, root in enumerate(corpus.roots):
        for split in corpus.datasets[number].splits:
            found += _in_split(corpus, number, ShardDataset(root, split, _encoder(corpus, number)), split)
    return found


def _encoder(corpus: Corpus, number: int) -> str:
    encoders = corpus.datasets[number].encoders
    if not encoders:
        raise ValueError(f"{corpus.names[number]} has no embeddings; see `safe-data add-encoder`")
    return encoders[0].label


def _in_split(corpus: Corpus, number: int, dataset: ShardDataset, split: str) -> list[Suspicion]:
    inside = np.asarray(pc.equal(corpus.manifest["split"], split)) & (corpus.dataset_of == number)
    loaded = np.asarray(pc.fill_null(pc.equal(corpus.manifest["status"], "ok"), False))
    rows = np.flatnonzero(inside & loaded)
    labels = corpus.manifest["label"].take(pa.array(rows)).to_pylist()
    known = [place for place, label in enumerate(labels) if label and dataset.has_audio[place]]
    words = np.array([labels[place] for place in known])
    if len(known) <= NEIGHBOURS or len(set(words.tolist())) < 2:
        return []
    embeddings = dataset.embeddings(known).astype(np.float32).reshape(len(known), -1)
    embeddings -= embeddings.mean(axis=0)
    embeddings /= np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    found = []
    for first in range(0, len(known), _BLOCK):
        cosines = embeddings[first : first + _BLOCK] @ embeddings.T
        np.fill_diagonal(cosines[:, first:], -2)
        nearest = np.argpartition(-cosines, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        for place, near in enumerate(words[nearest], first):
            others = near[near != words[place]]
            if len(others) > NEIGHBOURS // 2:
                names, counts = np.unique(others, return_counts=True)
                why = f"sounds like {names[counts.argmax()]}, {counts.max()} of {NEIGHBOURS} neighbours"
                score = 0.8 * float(counts.max()) / NEIGHBOURS
                found.append(Suspicion(int(rows[known[place]]), score, why))
    return found


LOOKED_FOR: dict[str, Callable[[Corpus], list[Suspicion]]] = {
    "silence": _silent,
    "transcripts": _other_transcript,
    "speech": _speech,
    "labels of neighbours": _neighbours,
}
