"""What a build asks of its encoders beside the shards: what they are, and how they embed silence.

The engine's workers answer, because they load the encoders; the process that started them loads none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Float16
from numpy import ndarray

from safe_data.build.engines.piece import Load, Run, Tick
from safe_data.core.errors import InputError
from safe_data.encoders.encoder import embed_silence
from safe_data.shards.layout import EncoderFacts, Encoding
from safe_data.shards.silence import has_silence, write_silence
from safe_data.shards.storage import Storage


@dataclass(frozen=True)
class EncoderPiece:
    """The argument of `encoding_of`: which encoder to describe."""

    spec: str
    steps: int = 0

    @property
    def name(self) -> str:
        return f"encoder {self.spec!r}"


def encoding_of(piece: EncoderPiece, _: Tick, load: Load) -> Encoding:
    """Load an encoder where the engine runs it, and describe its embeddings."""
    return Encoding.of(load(piece.spec))


def encodings_of(specs: Sequence[str], run: Run) -> list[Encoding]:
    """Describe the embeddings of encoders, loaded where the engine will run them.

    Raises:
        InputError: an encoder is unknown or cannot be loaded.
    """
    return run(encoding_of, [EncoderPiece(spec) for spec in specs], lambda _: None)


@dataclass(frozen=True)
class SilencePiece:
    """The argument of `embed_silences`: the spec of each encoder, and what it loaded before."""

    encodings: Mapping[str, Encoding]
    steps: int = 0

    @property
    def name(self) -> str:
        return f"silence for {', '.join(self.encodings)}"


def embed_silences(piece: SilencePiece, _: Tick, load: Load) -> list[Float16[ndarray, "..."]]:
    """Embed silence by each encoder.

    Raises:
        InputError: this process loads another model than the one that was described.
    """
    silences = []
    for spec, encoding in piece.encodings.items():
        encoder = load(spec)
        if Encoding.of(encoder) != encoding:
            raise InputError(f"workers have different models for {spec!r}; give all of them the same one")
        silences.append(embed_silence(encoder))
    return silences


def store_silences(
    storage: Storage, encodings: Mapping[str, Encoding], known: Mapping[str, EncoderFacts], run: Run
) -> dict[str, EncoderFacts]:
    """Write the embeddings of silence that the dataset lacks; return `known` with these encoders' facts.

    One worker embeds all of them, and after the shards: the first to be given a piece has most likely loaded
    every encoder for a shard. An encoder whose weights moved gets its new source.

    Args:
        storage: place of the dataset
        encodings: the encoder that each spec loads
        known: facts by label, of a dataset that was finished before
        run: runs pieces on the engine

    Raises:
        InputError: a worker has another model, or the disk is full.
    """
    facts = dict(known)
    missing = {
        spec: encoding
        for spec, encoding in encodings.items()
        if not has_silence(storage, encoding, known.get(encoding.label))
    }
    if missing:
        (silences,) = run(embed_silences, [SilencePiece(missing)], lambda _: None)
        for (spec, encoding), silence in zip(missing.items(), silences, strict=True):
            facts[encoding.label] = EncoderFacts(spec, write_silence(storage, encoding, silence))
    for spec, encoding in encodings.items():
        facts[encoding.label] = EncoderFacts(spec, facts[encoding.label].silence)
    return dict(sorted(facts.items()))
