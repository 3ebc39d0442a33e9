"""CLAP similarity: how close a caption is to the sound it describes, and to its references, for a CLAP.

Source: Dixit et al. 2024, "MACE: Leveraging Audio for Evaluating Audio Captioning Systems", section 3.1, and
aac-metrics 0.6.0, functional/clap_sim.py (methods `audio` and `text`): the cosine of two embeddings, and the
mean over the references.
Differs: there the model is Microsoft's CLAP of 2023; here it is the CLAP that embedded the dataset, whose
embeddings of the sounds are read and not computed again. A caption is compared with the clip's own sound,
whatever was done to the sound that the model heard.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_data.encoders.checkpoints import open_checkpoint
from safe_data.encoders.clap import clap_fingerprint
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import DATASET, Dataset, Encoding, read_dataset
from safe_eval.scorers.captions.learned_metrics.sentence_bert import mean_cosines
from safe_eval.scorers.captions.learned_metrics.text_model import (
    TOKENIZER_FILES,
    TextModel,
    files_sha256,
    load_encoder,
    load_tokenizer,
)

_POOLED = "clap"  # the encoder of one vector per clip
_FORMATS = ("float32", "bfloat16")  # in which embeddings may have been computed


@dataclass(frozen=True)
class Sounds:
    """The sounds of a built dataset, by the ids of their records."""

    root: Path
    encoding: Encoding

    @property
    def sha256(self) -> str:
        """The hash of dataset.json, which names plan, shards and encoders."""
        return file_sha256(self.root / DATASET)

    @cached_property
    def _splits(self) -> list[ShardDataset]:
        splits = read_dataset(self.root).splits
        return [ShardDataset(self.root, split, self.encoding.label) for split in splits]

    @cached_property
    def _places(self) -> dict[str, tuple[int, int, bool]]:
        """The split, the index in it, and whether there is a sound, for each record id."""
        return {
            name: (number, index, heard)
            for number, split in enumerate(self._splits)
            for index, (name, heard) in enumerate(
                zip(split.manifest["id"].to_pylist(), split.has_audio.tolist(), strict=True)
            )
        }

    def embeddings(self, names: Sequence[str | None]) -> Float32[ndarray, "names dims"] | str:
        """The embedding of each record's sound, or why there are none."""
        nameless = sum(name is None for name in names)
        if nameless:
            return f"{nameless} captions have no record_id"
        places = [self._places.get(str(name)) for name in names]
        absent = [name for name, place in zip(names, places, strict=True) if place is None]
        if absent:
            return f"{len(absent)} captions are of records that {self.root.name} lacks, such as {absent[0]!r}"
        found = [place for place in places if place is not None]
        silent = [name for name, place in zip(names, found, strict=True) if not place[2]]
        if silent:
            return f"{len(silent)} captions are of records without sound, such as {silent[0]!r}"
        numbers: Int[ndarray, " names"] = np.array([place[0] for place in found])
        indices: Int[ndarray, " names"] = np.array([place[1] for place in found])
        vectors = np.empty((len(names), *self.encoding.shape), np.float32)
        for number in np.unique(numbers).tolist():
            own = numbers == number
            vectors[own] = self._splits[number].embeddings(indices[own])
        return vectors


def open_clap(source: str) -> TextModel:
    """Open the text tower of a CLAP: a directory, or an id on the hub.

    Raises:
        InputError: there is no such checkpoint, or it has no tokenizer.
    """
    checkpoint = open_checkpoint(source, "clap", TOKENIZER_FILES)
    tokenizer = load_tokenizer(checkpoint.directory)
    from transformers import ClapConfig, ClapTextModelWithProjection

    config = checkpoint.parse(ClapConfig).text_config
    if len(tokenizer) > config.vocab_size:
        raise InputError(
            f"{checkpoint.directory}: the tokenizer has more tokens than the model; save its own"
        )
    model = load_encoder(checkpoint.directory, ClapTextModelWithProjection, config)
    longest = config.max_position_embeddings - config.pad_token_id - 1  # RoBERTa counts from the padding on
    return TextModel(
        source=source,
        directory=checkpoint.directory,
        sha256=files_sha256(checkpoint.directory),
        tokenizer=tokenizer,
        longest=min(tokenizer.model_max_length, longest),
        prepare=str,
        forward=lambda tokens: model(**tokens).text_embeds,
    )


def open_sounds(root: Path, source: str | None) -> tuple[str, Sounds]:
    """Find a dataset's embeddings by a CLAP, or by the only one it has; returns that CLAP's source too.

    Raises:
        InputError: there is no such dataset, it has no embeddings by this CLAP, or its CLAP must be named.
    """
    facts = read_dataset(root)
    by_clap = [encoding for encoding in facts.encoders if encoding.name == _POOLED]
    if not by_clap:
        names = ", ".join(encoding.label for encoding in facts.encoders) or "none"
        raise InputError(
            f"{root}: holds no CLAP embeddings (it has {names}); add them: safe-data add-encoder {root} "
            "clap:CHECKPOINT"
        )
    if source is None:
        source = _own_source(root, facts, by_clap)
    checkpoint = open_checkpoint(source, "clap", TOKENIZER_FILES)
    prints = {clap_fingerprint(checkpoint, _POOLED, form) for form in _FORMATS}
    for encoding in by_clap:
        if encoding.fingerprint in prints:
            return source, Sounds(root, encoding)
    raise InputError(
        f"{root}: its sounds were embedded by another CLAP than {source} "
        f"({', '.join(encoding.label for encoding in by_clap)}); give that one with --clap"
    )


def to_references(
    candidates: Sequence[str], references: Sequence[Sequence[str]], model: TextModel
) -> Float[ndarray, " candidates"]:
    """The similarity of each caption to its references, in [−1, 1]."""
    flat = [text for texts in references for text in texts]
    return mean_cosines(model.encode(candidates), model.encode(flat), list(map(len, references)))


def to_sounds(
    candidates: Sequence[str], sounds: Float32[ndarray, "candidates dims"], model: TextModel
) -> Float[ndarray, " candidates"]:
    """The similarity of each caption to the sound it describes, in [−1, 1]."""
    return mean_cosines(model.encode(candidates), sounds, [1] * len(candidates))


def _own_source(root: Path, facts: Dataset, by_clap: Sequence[Encoding]) -> str:
    """The directory of the CLAP that embedded a dataset, where it still lies; the hub is never guessed."""
    known = [facts.encoder_facts[of.label].source for of in by_clap if of.label in facts.encoder_facts]
    source = known[0].partition(":")[2] if len(known) == 1 else ""
    if not source or not Path(source).expanduser().is_dir():
        named = f": {', '.join(known)}" if known else ""
        raise InputError(f"{root}: give the CLAP that embedded its sounds with --clap{named}")
    return source
