"""What parts of a corpus share: which records, and which share of records and questions."""

from manifests import corpus_of, rejected, row

from safe_data.audit.corpus import Corpus
from safe_data.audit.matrix import Shared, matrix, shared_by
from safe_data.shards import manifest


def corpus(*rows: manifest.Row) -> Corpus:
    return corpus_of(manifest.table(rows))


def cell(found: list[Shared], part: str, other: str) -> Shared:
    (one,) = [
        shared for shared in found if (shared.part, shared.other) == (f"world/{part}", f"world/{other}")
    ]
    return one


def test_each_direction_counts_its_own_records_and_questions() -> None:
    found = shared_by(
        corpus(
            row(0, group="g", examples=1),
            row(1, group="g", examples=1),
            row(2, "test", group="g", examples=6),
            row(3, "test", examples=2),
            row(4, "val", group="other"),
        ),
        "group",
    )
    assert len(found) == 2
    test = cell(found, "test", "train")
    assert (test.records, test.among, test.share, test.share_of_questions) == (1, 2, 0.5, 0.75)
    assert test.twins == (("test/clip-2", "train/clip-0"),)
    train = cell(found, "train", "test")
    assert (train.records, train.among, train.questions, train.asked) == (2, 2, 2, 2)


def test_official_splits_that_leak_are_seen_without_any_media() -> None:
    first, second = rejected(0, "val"), rejected(1, "test")
    named = [{**vars(one), "group": "video"} for one in (first, second)]
    found = matrix(corpus(*(manifest.Row(**one) for one in named)))
    assert [(one.kind, one.part, one.records) for one in found] == [
        ("group", "world/test", 1),
        ("group", "world/val", 1),
    ]
    assert found[0].share_of_questions is None


def test_silence_is_shared_by_nobody_and_a_record_without_sound_is_not_counted() -> None:
    silent = {"audio_sha256": "s", "pcm_sha256": "s", "peak": 0.0, "rms_db": -120.0}
    mute = {"has_audio": False, "audio_sha256": None, "pcm_sha256": None, "peak": None, "rms_db": None}
    found = corpus(row(0, **silent), row(1, "test", **silent), row(2, "test", **mute))
    assert shared_by(found, "sound") == []
    same = corpus(row(0, pcm_sha256="p"), row(1, "test", pcm_sha256="p"), row(2, "test", **mute))
    assert cell(shared_by(same, "sound"), "test", "train").among == 1


def test_the_most_affected_part_comes_first() -> None:
    rows = [row(0, group="g"), row(1, "test", group="g"), *(row(index) for index in range(2, 9))]
    assert [one.part for one in matrix(corpus(*rows))] == ["world/test", "world/train"]
