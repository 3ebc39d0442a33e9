"""Distribution: what the parts of a corpus consist of, by dataset, split and difficulty; no judgement."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int
from numpy import ndarray

from safe_data.audit.corpus import Corpus
from safe_data.audit.examples import column, examples, word_counts
from safe_data.audit.facts.content import MOST_CLIPPED, SHORTEST_SECONDS
from safe_data.core.errors import InputError
from safe_data.media.measure import QUIET_DB

MOST_NAMED = 20  # labels, types and rates that are listed of a part; the number of all is said
MEASURED = (
    "duration_seconds",
    "snr_db",
    "rms_db",
    "silence_fraction",
    "clipped_fraction",
    "image_width",
    "image_height",
)
UNRATED = "unrated"


class Count(msgspec.Struct, frozen=True):
    """How often something occurs."""

    name: str
    count: int


class Quantiles(msgspec.Struct, frozen=True):
    """Of so many numbers: the lowest, the 5th percentile, the median, the 95th percentile, the highest."""

    count: int
    lowest: float
    p5: float
    median: float
    p95: float
    highest: float


class Prior(msgspec.Struct, frozen=True):
    """The accuracy of the most frequent answer to a type of question: what is right without any input."""

    question_type: str
    questions: int
    answer: str
    accuracy: float


class Distribution(msgspec.Struct, frozen=True):
    """What a part consists of; `difficulty` is None for all of a split.

    `imbalance` is the most frequent label to the rarest. `examples_known` is False where what is asked could
    not be read, so that questions, priors, captions and empty references are not known.
    """

    dataset: str
    split: str
    difficulty: str | None
    records: int
    sounds: int
    pictures: int
    silent: int
    short: int
    clipped: int
    labels: tuple[Count, ...]
    different_labels: int
    imbalance: float | None
    sample_rates_hz: tuple[Count, ...]
    channels: tuple[Count, ...]
    measured: dict[str, Quantiles]
    examples_known: bool
    question_types: tuple[Count, ...]
    priors: tuple[Prior, ...]
    caption_words: Quantiles | None
    empty_references: int


class _Asked(NamedTuple):
    """Examples as arrays: the row, type and first answer of each question; the words of each reference."""

    rows: Int[ndarray, " examples"]
    types: ndarray
    answers: ndarray
    is_caption: ndarray
    words: Int[ndarray, " examples"]


def distributions(corpus: Corpus) -> tuple[Distribution, ...]:
    """The distribution of each split, and of each difficulty in it where there are several."""
    manifest = corpus.manifest
    columns = {name: _numbers(manifest, name) for name in MEASURED if name in manifest.schema.names}
    asked = _asked(corpus)
    return tuple(
        _distribution(corpus, dataset, split, difficulty, rows, columns, asked)
        for dataset, split, difficulty, rows in _parts(corpus)
    )


def _parts(corpus: Corpus) -> Iterator[tuple[str, str, str | None, Int[ndarray, " records"]]]:
    loaded = np.asarray(pc.fill_null(pc.equal(corpus.manifest["status"], "ok"), False))
    splits = np.asarray(pc.fill_null(corpus.manifest["split"], "").to_pylist(), dtype=object)
    levels = np.asarray(pc.fill_null(corpus.manifest["difficulty"], UNRATED).to_pylist(), dtype=object)
    for number, dataset in enumerate(corpus.names):
        inside = loaded & (corpus.dataset_of == number)
        for split in sorted(set(splits[inside])):
            rows = np.flatnonzero(inside & (splits == split))
            yield dataset, split, None, rows
            found = sorted(set(levels[rows]))
            for level in found if len(found) > 1 else ():
                yield dataset, split, level, rows[levels[rows] == level]


def _distribution(
    corpus: Corpus,
    dataset: str,
    split: str,
    difficulty: str | None,
    rows: Int[ndarray, " records"],
    columns: dict[str, Float[ndarray, " records"]],
    asked: _Asked | None,
) -> Distribution:
    taken = corpus.manifest.select(
        ["label", "has_audio", "has_image", "sample_rate_hz", "channels", "peak"]
    ).take(pa.array(rows))
    labels = _counts(taken["label"])
    numbers = {name: column[rows] for name, column in columns.items()}
    peaks = _numbers(taken, "peak")
    quiet = numbers.get("rms_db", np.zeros(0)) < QUIET_DB
    here = _within(asked, rows) if asked is not None else None
    return Distribution(
        dataset=dataset,
        split=split,
        difficulty=difficulty,
        records=len(rows),
        sounds=pc.sum(taken["has_audio"]).as_py() or 0,
        pictures=pc.sum(taken["has_image"]).as_py() or 0,
        silent=int(((peaks == 0) | quiet).sum()),
        short=int((numbers["duration_seconds"] < SHORTEST_SECONDS).sum()),
        clipped=int((numbers["clipped_fraction"] > MOST_CLIPPED).sum()),
        labels=tuple(labels[:MOST_NAMED]),
        different_labels=len(labels),
        imbalance=labels[0].count / labels[-1].count if labels else None,
        sample_rates_hz=tuple(_counts(taken["sample_rate_hz"])[:MOST_NAMED]),
        channels=tuple(_counts(taken["channels"])[:MOST_NAMED]),
        measured={name: found for name, column in numbers.items() if (found := _quantiles(column))},
        examples_known=here is not None,
        question_types=() if here is None else _types(here),
        priors=() if here is None else _priors(here),
        caption_words=None if here is None else _quantiles(here.words[here.is_caption].astype(float)),
        empty_references=0 if here is None else int((here.words == 0).sum()),
    )


def _asked(corpus: Corpus) -> _Asked | None:
    """What is asked; None where it cannot be read."""
    try:
        found = corpus.once(examples)
    except (InputError, ValueError):
        return None
    references = column(found, "references")
    lengths = np.asarray(pc.list_value_length(references))
    firsts = pc.list_element(references.filter(pa.array(lengths > 0)), 0)
    answers = np.full(len(lengths), "", object)
    answers[lengths > 0] = firsts.to_pylist()
    words = word_counts(pa.array(answers, pa.string()))
    types = np.asarray(pc.fill_null(found["question_type"], "").to_pylist(), dtype=object)
    is_caption = np.asarray(pc.equal(found["task"], "caption"))
    return _Asked(np.asarray(found["row"]), types, answers, is_caption, words)


def _within(asked: _Asked, rows: Int[ndarray, " records"]) -> _Asked:
    chosen = np.isin(asked.rows, rows)
    return _Asked(*(column[chosen] for column in asked))


def _types(asked: _Asked) -> tuple[Count, ...]:
    return tuple(_counts(pa.array(asked.types[~asked.is_caption], pa.string()))[:MOST_NAMED])


def _priors(asked: _Asked) -> tuple[Prior, ...]:
    """The most frequent answer of each type of question, the most frequent types first."""
    priors = []
    for kind in _types(asked):
        answers = asked.answers[~asked.is_caption & (asked.types == kind.name)]
        most = _counts(pa.array(answers, pa.string()))
        if most:
            priors.append(Prior(kind.name, kind.count, most[0].name, most[0].count / kind.count))
    return tuple(priors)


def _counts(column: pa.Array | pa.ChunkedArray) -> list[Count]:
    """How often each value occurs, the most frequent first; nulls and empty texts are left out."""
    found = pc.value_counts(column.drop_null()).to_pylist()
    named = [Count(str(one["values"]), one["counts"]) for one in found if one["values"] != ""]
    return sorted(named, key=lambda one: (-one.count, one.name))


def _numbers(table: pa.Table, name: str) -> Float[ndarray, " records"]:
    """A column as numbers, NaN where there is none."""
    return np.asarray(pc.cast(table[name], pa.float64()).to_numpy(zero_copy_only=False), float)


def _quantiles(numbers: Float[ndarray, " some"]) -> Quantiles | None:
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return None
    return Quantiles(len(known), *(float(one) for one in np.percentile(known, [0, 5, 50, 95, 100])))
