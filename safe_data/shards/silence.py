"""Silence: an encoder's embedding of one second of digital silence, in a .npy file beside dataset.json.

Training takes it where a sound is muted, so that it needs no encoder.
"""

import io
import re
from pathlib import Path

import numpy as np
from jaxtyping import Float16
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_data.shards.layout import (
    Dataset,
    EncoderFacts,
    Encoding,
    FileFacts,
    hash_file,
    silence_name,
    stored_facts,
)
from safe_data.shards.storage import Storage

_LABEL = re.compile(r"[A-Za-z0-9_-]+-[0-9a-f]{8}")


def write_silence(storage: Storage, encoding: Encoding, silence: Float16[ndarray, "*shape"]) -> FileFacts:
    """Write the embedding of silence; return hash and size of its file."""
    data = io.BytesIO()
    np.save(data, silence.astype("<f2"), allow_pickle=False)
    with storage.committing(silence_name(encoding.label)) as file:
        file.write(data.getvalue())
        return hash_file(file)


def has_silence(storage: Storage, encoding: Encoding, facts: EncoderFacts | None) -> bool:
    """Whether the file is there, with the recorded hash and size."""
    if facts is None or storage.size(silence_name(encoding.label)) != facts.silence.bytes:
        return False
    return stored_facts(storage, silence_name(encoding.label)) == facts.silence


def read_silence(root: Path, encoding: Encoding, facts: EncoderFacts | None) -> Float16[ndarray, "*shape"]:
    """Read the embedding of silence by an encoder.

    Raises:
        InputError: it is missing, or not the one that was stored.
    """
    path = root / silence_name(encoding.label)
    fix = f"run `safe-data add-encoder {root} {facts.source if facts else 'SPEC'}`"
    if facts is None:
        raise InputError(
            f"{root}: has no silence of {encoding.label}; {fix}, where SPEC is what loads the encoder, "
            "such as logmel or clap:DIRECTORY"
        )
    try:
        whole = path.stat().st_size == facts.silence.bytes and file_sha256(path) == facts.silence.sha256
        found = np.lib.format.open_memmap(path, mode="r") if whole else None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read as an embedding ({reason}); {fix}") from None
    if found is None:
        raise InputError(f"{path}: is not what was stored; {fix}")
    if found.shape != encoding.shape or found.dtype != np.float16:
        expected = f"float16 {encoding.shape}"
        raise InputError(f"{path}: is {found.dtype} {found.shape}, expected {expected}; {fix}")
    silence: Float16[ndarray, "*shape"] = np.array(found)
    silence.flags.writeable = False
    return silence


def extra_silences(storage: Storage, dataset: Dataset) -> list[str]:
    """The files of silence that dataset.json does not record."""
    labels = {name: name.partition(".")[2].removesuffix(".npy") for name in storage.names()}
    return [
        name
        for name, label in labels.items()
        if name == silence_name(label) and _LABEL.fullmatch(label) and label not in dataset.encoder_facts
    ]
