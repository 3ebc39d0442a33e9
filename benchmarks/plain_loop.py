"""The plain way to make shards with embeddings: one loop of librosa and WebDataset, without any checks.

It writes what `safe-data build --encoder logmel` writes: the record, the bytes of the sound, and 512 numbers
of log power in 64 mel bands and 8 parts of the clip. It computes no hashes or facts, makes no manifest, and
loses its work when interrupted; `build` does all of that.
"""

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float16
from numpy import ndarray

RATE_HZ = 8_000
STRETCHES = 8


def write_shards(source: Path, out: Path, shard_size: int) -> None:
    """Write shards of a folder dataset to a new directory."""
    import webdataset

    out.mkdir()
    with webdataset.ShardWriter(str(out / "plain-%06d.tar"), maxcount=shard_size, verbose=0) as shards:
        for line in (source / "metadata.jsonl").read_text("utf-8").splitlines():
            record = json.loads(line)
            path = source / record["audio_file_name"]
            sample = {"json": record, "wav": path.read_bytes(), "npy": embed(path)}
            shards.write({"__key__": record["id"], **sample})


def embed(path: Path) -> Float16[ndarray, " 512"]:
    """The mean power in mel bands and equal parts of a sound, in dB."""
    import librosa

    samples, rate = librosa.load(path, sr=RATE_HZ)
    power = librosa.feature.melspectrogram(
        y=samples, sr=rate, n_fft=256, hop_length=128, n_mels=64, fmin=50, fmax=4_000
    )
    stretches = [part.mean(axis=1) for part in np.array_split(power, STRETCHES, axis=1)]
    decibels: Float16[ndarray, " 512"] = librosa.power_to_db(np.stack(stretches)).ravel().astype(np.float16)
    return decibels
