"""Questions: what several datasets ask in training, in roles.

A question that needs the sound has the role `audio`, and `muted` where it is asked with silence; one that
does not need it has the role `vl`. Clips are numbered through all datasets.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray
from tqdm import tqdm

from safe_data.core.errors import InputError, did_you_mean
from safe_data.records import Example, Record
from safe_data.shards.dataset import ShardDataset
from safe_train.augmentation import Change
from safe_train.base.prompts import Picture, stored_picture
from safe_train.settings.data import ROLES

SILENCE = -1  # instead of a clip's number: digital silence
STATISTICS_CLIPS = 20_000
_CLIPS_READ = 256


class Corpora:
    """One split of several datasets, heard by one or several encoders.

    Raises:
        InputError: two datasets of one name, a split or encoder that a dataset lacks, an encoder named twice,
            embeddings of another encoder version in one dataset than in another, or no sound at all.
            A dataset without sounds needs no embeddings.
    """

    def __init__(self, folders: Sequence[Path], split: str, encoders: Sequence[str] = ()) -> None:
        names = [name.partition(":")[0] for name in encoders]
        self.datasets = tuple(ShardDataset(folder, split) for folder in folders)
        self.split = split
        self.names = tuple(dataset.name for dataset in self.datasets)
        if len(set(self.names)) < len(self.names):
            name = Counter(self.names).most_common(1)[0][0]
            here = ", ".join(str(d.root) for d in self.datasets if d.name == name)
            raise InputError(f"{here}: both are named {name!r}; give each once, or build with another --name")
        wanted: list[str | None] = [*names] or [None]
        self.heard = tuple(_heard(self.datasets, name) for name in wanted)
        heard = [_named(dataset) for dataset in self.sounding]
        if len(set(heard)) < len(heard):
            raise InputError(f"encoder={list(encoders)}: are {', '.join(heard)}; name each encoder once")
        self.starts = np.cumsum([0, *map(len, self.datasets)])
        self.has_audio: Bool[ndarray, " clips"] = np.concatenate([d.has_audio for d in self.datasets])
        groups = [str(group) for d in self.datasets for group in d.manifest["group"].to_pylist()]
        self.group: Int64[ndarray, " clips"] = np.unique(groups, return_inverse=True)[1].astype(np.int64)
        sounds = np.flatnonzero(self.has_audio)
        self.with_sound = sounds[np.argsort(self.group[sounds], kind="stable")]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of one embedding of each encoder."""
        return tuple(silence.shape for silence in self._silences)

    def place(self, clip: int) -> tuple[ShardDataset, int]:
        """The dataset of a clip, and its number there."""
        number = int(np.searchsorted(self.starts, clip, side="right")) - 1
        return self.datasets[number], int(clip - self.starts[number])

    @property
    def sounding(self) -> tuple[ShardDataset, ...]:
        """A dataset that has sounds, by each encoder."""
        return tuple(next(iter(datasets.values())) for datasets in self.heard)

    @cached_property
    def _silences(self) -> tuple[Float32[ndarray, " *shape"], ...]:
        return tuple(dataset.silence.astype(np.float32) for dataset in self.sounding)

    def record(self, clip: int) -> Record:
        """The record of a clip."""
        dataset, index = self.place(clip)
        return dataset.record(index)

    def picture(self, clip: int) -> Picture | None:
        """The picture of a clip, which is not decoded before it is needed."""
        return stored_picture(*self.place(clip))

    def embeddings(
        self, clips: Sequence[int] | Int64[ndarray, " clips"]
    ) -> tuple[Float32[ndarray, "clips *shape"], ...]:
        """The embeddings of these clips by each encoder, with those of silence for SILENCE."""
        wanted = np.asarray(clips, np.int64)
        return tuple(
            self._embeddings(datasets, silence, wanted)
            for datasets, silence in zip(self.heard, self._silences, strict=True)
        )

    def statistics(self) -> list[tuple[Float32[ndarray, " dims"], Float32[ndarray, " dims"]]]:
        """The mean and deviation of each dimension of each encoder's embeddings of sounds, or of 20,000.

        Raises:
            InputError: an embedding is not finite: it would make all of them NaN, and no batch tells which.
        """
        count = min(len(self.with_sound), STATISTICS_CLIPS)
        places = np.linspace(0, max(len(self.with_sound) - 1, 0), count).round().astype(np.int64)
        sums = [(np.zeros(shape[-1]), np.zeros(shape[-1]), 0) for shape in self.shapes]
        for start in range(0, count, _CLIPS_READ):
            clips = self.with_sound[places[start : start + _CLIPS_READ]]
            for number, embeddings in enumerate(self.embeddings(clips)):
                self._check_finite(clips, embeddings)
                rows = embeddings.reshape(-1, embeddings.shape[-1]).astype(np.float64)
                first, second, n = sums[number]
                sums[number] = (first + rows.sum(0), second + np.square(rows).sum(0), n + len(rows))
        return [_mean_and_deviation(*one) for one in sums]

    def unrelated(self, clips: Int64[ndarray, " some"], rng: np.random.Generator) -> Int64[ndarray, " some"]:
        """For each clip, a random clip that has a sound and is of another group.

        Raises:
            InputError: there is none for one of the clips.
        """
        first, end = self.check_unrelated(clips)
        chosen = rng.integers(len(self.with_sound) - (end - first))
        chosen += np.where(chosen >= first, end - first, 0)  # the sounds of the same group are skipped
        return np.asarray(self.with_sound[chosen], np.int64)

    def check_unrelated(
        self, clips: Int64[ndarray, " some"]
    ) -> tuple[Int64[ndarray, " some"], Int64[ndarray, " some"]]:
        """Check that each clip has an unrelated sound; where its own group begins and ends in `with_sound`.

        Raises:
            InputError: all clips that have a sound are of the same group as one of these.
        """
        groups = self.group[self.with_sound]
        first, end = (np.searchsorted(groups, self.group[clips], side=side) for side in ("left", "right"))
        alone = clips[end - first == len(groups)]
        if len(alone):
            dataset, index = self.place(int(alone[0]))
            raise InputError(
                f"{dataset.root}: all sounds of split {self.split!r} are of group "
                f"{dataset.value(index, 'group')!r}; training needs sounds of several groups"
            )
        return first, end

    def _check_finite(self, clips: Int64[ndarray, " n"], embeddings: Float32[ndarray, "n *shape"]) -> None:
        faulty = np.flatnonzero(~np.isfinite(embeddings.reshape(len(clips), -1)).all(1))
        if len(faulty):
            dataset, index = self.place(int(clips[faulty[0]]))
            where = f"{dataset.root}: the embedding of {dataset.value(index, 'id')!r}"
            raise InputError(f"{where} is not finite; see `safe-data verify`, and build it again")

    def _embeddings(
        self,
        datasets: Mapping[int, ShardDataset],
        silence: Float32[ndarray, " *shape"],
        clips: Int64[ndarray, " n"],
    ) -> Float32[ndarray, "n *shape"]:
        """The embeddings by one encoder; a clip without a sound is silent."""
        found = np.empty((len(clips), *silence.shape), np.float32)
        found[:] = silence
        sounds = (clips != SILENCE) & self.has_audio[clips]
        for number, dataset in datasets.items():
            here = sounds & (clips >= self.starts[number]) & (clips < self.starts[number + 1])
            if here.any():
                found[here] = dataset.embeddings(clips[here] - self.starts[number])
        return found


class Asked(NamedTuple):
    """A question in a batch: its number, role, the clip it hears (or SILENCE), the reference to learn."""

    question: int
    role: str
    heard: int
    reference: int
    change: Change | None = None


@dataclass(frozen=True)
class Questions:
    """All questions of a split that have references: the clip of each, and its place among its clip's.

    `answer` is the answer to learn; None for a caption, where each reference is one. `answers` are all.
    """

    corpora: Corpora
    clip: Int64[ndarray, " questions"]
    example: Int64[ndarray, " questions"]
    needs_audio: Bool[ndarray, " questions"]
    is_caption: Bool[ndarray, " questions"]
    references: Int64[ndarray, " questions"]
    difficulty: tuple[str | None, ...]
    answer: tuple[str | None, ...]
    answers: frozenset[str]

    def __len__(self) -> int:
        return len(self.clip)

    def of(self, question: int) -> Example:
        """The question itself."""
        return self.corpora.record(int(self.clip[question])).examples[int(self.example[question])]

    def pool(self, name: str) -> Int64[ndarray, " some"]:
        """The questions of a role, such as `audio`, or of one dataset in a role, such as `audiocaps/audio`.

        Raises:
            InputError: no such role or dataset, or it has no such question.
        """
        dataset, _, role = name.rpartition("/")
        corpora = self.corpora
        if role not in ROLES or (dataset and dataset not in corpora.names):
            known = [*ROLES, *(f"{one}/{role}" for one in corpora.names for role in ROLES)]
            hint = did_you_mean(name, known, f"there are {', '.join(known)}")
            raise InputError(f"{name!r} is no pool of questions; {hint}")
        fitting = ~self.needs_audio if role == "vl" else self.needs_audio
        if dataset:
            number = corpora.names.index(dataset)
            first, end = corpora.starts[number : number + 2]
            fitting = fitting & (self.clip >= first) & (self.clip < end)
        found: Int64[ndarray, " some"] = np.flatnonzero(fitting)
        if not len(found):
            wanted = "has needs_audio false" if role == "vl" else "has needs_audio true and a sound"
            raise InputError(
                f"{', '.join(corpora.names)}: none of the {len(self)} questions with references in split "
                f"{corpora.split!r} {wanted}, so {name!r} is empty; add a dataset that has some, or "
                "give it no weight"
            )
        return found


def read_questions(corpora: Corpora, *, quiet: bool = False) -> Questions:
    """Read all questions that can be trained on; others need a sound that their clip lacks, or do not say.

    Raises:
        InputError: there are none.
    """
    rows: list[tuple[int, int, bool, bool, int]] = []
    difficulty: list[str | None] = []
    answer: list[str | None] = []
    answers: dict[str, str] = {}  # the same text is kept once
    total = int(corpora.starts[-1])
    for clip in tqdm(range(total), "questions", unit="clip", disable=quiet or None, leave=False):
        record = corpora.record(clip)
        for place, example in enumerate(record.examples):
            needs_audio = example.needs_audio
            if not example.references or needs_audio is None or (needs_audio and not corpora.has_audio[clip]):
                continue
            is_caption = example.task == "caption"
            rows.append((clip, place, needs_audio, is_caption, len(example.references)))
            difficulty.append(record.difficulty)
            texts = example.references if is_caption else (likeliest(example.references),)
            answers |= {text: text for text in texts if text not in answers}
            answer.append(None if is_caption else answers[texts[0]])
    if not rows:
        raise InputError(
            f"{', '.join(corpora.names)}: no question of split {corpora.split!r} has references and says "
            "whether it needs the sound (needs_audio); there is nothing to train on"
        )
    clip_, place_, needs, caption, references = (np.array(column) for column in zip(*rows, strict=True))
    return Questions(
        corpora,
        clip_,
        place_,
        needs,
        caption,
        references,
        tuple(difficulty),
        tuple(answer),
        frozenset(answers),
    )


def likeliest(references: Sequence[str]) -> str:
    """The most frequent reference, the first of several."""
    return Counter(references).most_common(1)[0][0]


def _mean_and_deviation(
    first: Float64[ndarray, " dims"], second: Float64[ndarray, " dims"], rows: int
) -> tuple[Float32[ndarray, " dims"], Float32[ndarray, " dims"]]:
    mean = first / max(rows, 1)
    variance = np.maximum(second / max(rows, 1) - np.square(mean), 0)
    return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)


def _heard(datasets: Sequence[ShardDataset], encoder: str | None) -> dict[int, ShardDataset]:
    """The datasets that have sounds, by their number, with the embeddings of one and the same encoder.

    Raises:
        InputError: no dataset has a sound, or one that has some lacks the embeddings.
    """
    heard: dict[int, ShardDataset] = {}
    for number, dataset in enumerate(datasets):
        if not dataset.has_audio.any():
            continue  # its questions are asked with other datasets' sounds
        this = dataset if encoder is None else dataset.with_encoder(encoder)
        if this.encoder is None:
            this.embeddings([])  # says which there are
            continue
        heard[number] = this
        first = next(iter(heard.values()))
        if first.encoder and this.encoder["fingerprint"] != first.encoder["fingerprint"]:
            raise InputError(
                f"{this.root}: its embeddings are of {_named(this)}, those of {first.root} of "
                f"{_named(first)}; build both with one encoder"
            )
    if not heard:
        names = ", ".join(str(dataset.root) for dataset in datasets)
        raise InputError(
            f"{names}: no clip of split {datasets[0].split!r} has a sound; add a dataset that has"
        )
    return heard


def _named(dataset: ShardDataset) -> str:
    encoder = dataset.encoder or {}
    return f"{encoder['name']} {encoder['fingerprint']}"
