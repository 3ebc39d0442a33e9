"""What the parts of a corpus consist of."""

from pathlib import Path

from manifests import corpus_of, rejected, row, write_dataset

from safe_data.audit.corpus import open_corpus
from safe_data.audit.distribution import Count, Prior, distributions
from safe_data.shards import manifest

MUTE = {"has_audio": False, "audio_sha256": None, "pcm_sha256": None, "peak": None, "rms_db": None}


def test_each_split_and_difficulty_is_described(tmp_path: Path) -> None:
    rows = [
        row(0, label="dog", difficulty="easy", duration_seconds=1.0, sample_rate_hz=8000, examples=2),
        row(1, label="dog", difficulty="hard", duration_seconds=3.0, sample_rate_hz=8000, examples=1),
        row(2, label="cat", duration_seconds=0.05, sample_rate_hz=16000, peak=0.0, rms_db=-120.0),
        row(3, "test", clipped_fraction=0.5, **MUTE),
        rejected(4),
    ]
    found = distributions(open_corpus([str(write_dataset(tmp_path, rows))]))
    assert [(one.split, one.difficulty, one.records) for one in found] == [
        ("test", None, 1),
        ("train", None, 3),
        ("train", "easy", 1),
        ("train", "hard", 1),
        ("train", "unrated", 1),
    ]
    train = found[1]
    assert (train.labels, train.different_labels, train.imbalance) == (
        (Count("dog", 2), Count("cat", 1)),
        2,
        2.0,
    )
    assert train.sample_rates_hz == (Count("8000", 2), Count("16000", 1))
    assert (train.silent, train.short, train.sounds, found[0].clipped, found[0].sounds) == (1, 1, 3, 1, 0)
    durations = train.measured["duration_seconds"]
    assert (durations.count, durations.lowest, durations.median, durations.highest) == (3, 0.05, 1.0, 3.0)
    assert train.question_types == (Count("which", 7),)
    assert train.priors == (Prior("which", 7, "answer 0", 3 / 7),)
    assert train.caption_words is None


def test_what_cannot_be_read_is_not_called_empty() -> None:
    (part,) = distributions(corpus_of(manifest.table([row(0)])))
    assert (part.examples_known, part.priors, part.imbalance) == (False, (), None)
