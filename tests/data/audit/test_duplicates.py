"""Duplicates within a split, and what one recording is called in two ways."""

import json
from pathlib import Path

import pytest
from manifests import corpus_of, row, write_dataset

from safe_data.audit.corpus import Corpus, open_corpus
from safe_data.audit.facts.all_facts import FACTS
from safe_data.audit.facts.fact import Fact
from safe_data.shards import manifest

MUTE = {"has_audio": False, "audio_sha256": None, "pcm_sha256": None, "peak": None, "rms_db": None}
BLIND = {"has_image": False, "image_sha256": None, "pixel_sha256": None}


def fact(name: str, *rows: manifest.Row) -> Fact:
    return FACTS[name].compute(corpus_of(manifest.table(rows)))


def stored(root: Path, *rows: manifest.Row) -> Corpus:
    return open_corpus([str(write_dataset(root, list(rows)))])


def test_a_record_with_the_media_of_an_earlier_one_of_its_split_is_a_duplicate() -> None:
    both = {"pcm_sha256": "p", "pixel_sha256": "x"}
    found = fact(
        "duplicate_records", row(0, **both), row(1, **both), row(2, "test", **both), row(3, pcm_sha256="p")
    )
    assert (found.value, found.among, found.detail) == (1, 4, "33.3 % of train")
    assert found.offenders[0].records == ("train/clip-1", "train/clip-0")


def test_what_a_record_lacks_is_not_compared() -> None:
    seen, heard = {**MUTE, "pixel_sha256": "x"}, {**BLIND, "pcm_sha256": "p"}
    assert fact("duplicate_records", row(0, **seen), row(1, **seen)).value == 1
    assert fact("duplicate_records", row(0, **heard), row(1, **heard), row(2, pcm_sha256="p")).value == 1
    silent = {**BLIND, "pcm_sha256": "s", "peak": 0.0}
    assert fact("duplicate_records", row(0, **silent), row(1, **silent)).value == 0


def test_without_hashes_duplicates_are_not_measured() -> None:
    with pytest.raises(ValueError, match="1 of 2 rows have no pcm_sha256"):
        fact("duplicate_records", row(0, pcm_sha256=None), row(1))


def test_sounds_that_are_the_same_count_as_near_duplicates_within_a_split_alone(tmp_path: Path) -> None:
    corpus = stored(
        tmp_path, row(0, pcm_sha256="p"), row(1, pcm_sha256="p"), row(2, "test", pcm_sha256="p"), row(3)
    )
    found = FACTS["near_duplicate_sounds"].compute(corpus)
    assert (found.value, found.among) == (1, 4)
    assert FACTS["near_duplicate_pictures"].compute(corpus).value == 0


def test_one_recording_with_two_labels_is_a_conflict_across_splits_too(tmp_path: Path) -> None:
    corpus = stored(
        tmp_path,
        row(0, pcm_sha256="p", label="dog"),
        row(1, "test", pcm_sha256="p", label="cat"),
        row(2, pcm_sha256="q", label="cow"),
        row(3, pcm_sha256="q", label="cow"),
        row(4, pcm_sha256="p"),
    )
    found = FACTS["conflicting_labels"].compute(corpus)
    assert (found.value, found.among, found.detail) == (2, 4, "100.0 % of test, 25.0 % of train")
    assert found.offenders[0].what == "label dog, label cat"
    assert found.offenders[0].records == ("train/clip-0", "test/clip-1")


def test_labels_are_not_applicable_where_there_are_none() -> None:
    found = fact("conflicting_labels", row(0), row(1))
    assert (found.value, found.applies, found.why_not) == (None, False, "no loaded record has a label")


def test_one_question_about_the_same_sound_with_two_answers_is_a_conflict(tmp_path: Path) -> None:
    def asked(answer: str) -> bytes:
        example = {"id": "e", "task": "vqa", "prompt": "who?", "references": [answer], "needs_audio": True}
        return json.dumps({"examples": [example]}).encode()

    same = {"pcm_sha256": "p"}
    root = write_dataset(tmp_path, [row(0, **same), row(1, "test", **same), row(2, **same), row(3)])
    corpus = open_corpus([str(root)])
    for number, answer in enumerate(["dog", "cat", "dog", "cow"]):
        data = asked(answer)
        place, size = (corpus.manifest[f"json_{name}"][number].as_py() for name in ("offset", "size"))
        with corpus.tar(number).open("r+b") as file:
            file.seek(place)
            file.write(data.ljust(size))
    found = FACTS["conflicting_answers"].compute(open_corpus([str(root)]))
    assert (found.value, found.among) == (3, 4)
    assert found.offenders[0].what == "who? dog, who? cat"
