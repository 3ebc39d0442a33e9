"""What there is to be asked, heard and seen."""

from pathlib import Path

import pytest
from manifests import corpus_of, row, write_dataset

from safe_data.audit.corpus import Corpus, open_corpus
from safe_data.audit.examples import SCHEMA, examples
from safe_data.audit.facts.all_facts import FACTS, compute_facts
from safe_data.audit.facts.fact import Fact
from safe_data.core.errors import InputError
from safe_data.shards import manifest


def fact(name: str, *rows: manifest.Row) -> Fact:
    return FACTS[name].compute(corpus_of(manifest.table(rows)))


def rewritten(root: Path, *changes: tuple[bytes, bytes]) -> Corpus:
    """Three records with an example each, whose JSON is changed."""
    corpus = open_corpus([str(write_dataset(root, [row(index, examples=1) for index in range(3)]))])
    for number, (old, new) in enumerate(changes):
        place, size = (corpus.manifest[f"json_{name}"][number].as_py() for name in ("offset", "size"))
        with corpus.tar(number).open("r+b") as file:
            file.seek(place)
            data = file.read(size)
            assert old in data
            file.seek(place)
            file.write(data.replace(old, new.ljust(len(old))))
    return open_corpus([str(root)])


def test_a_reference_without_a_letter_or_a_digit_is_empty(tmp_path: Path) -> None:
    answer = b'"answer 0"'
    corpus = rewritten(tmp_path, (b"[%s]" % answer, b"[]"), (answer, b'"."'), (answer, '"是"'.encode()))
    found = FACTS["empty_references"].compute(corpus)
    assert (found.value, found.among, found.detail) == (2, 3, "66.7 % of train")
    assert [one.records for one in found.offenders] == [("train/clip-0",), ("train/clip-1",)]
    assert found.offenders[0].what == "no reference: which, 0?"


def test_captions_are_measured_in_words(tmp_path: Path) -> None:
    caption = (b'"vqa", "question_type": "which"', b'"caption"')
    corpus = rewritten(tmp_path, caption, caption)
    (shortest, longest) = (FACTS[f"caption_words_{end}"].compute(corpus) for end in ("min", "max"))
    assert (shortest.value, longest.value, longest.among) == (2, 2, 2)
    assert longest.offenders[0].what == "2 words: answer 0"
    without = rewritten(tmp_path / "other")
    assert FACTS["caption_words_min"].compute(without).applies is False


def test_examples_are_read_in_the_order_of_the_manifest(tmp_path: Path) -> None:
    rows = [row(0, "test", examples=2), row(1, examples=1), row(2, "test", examples=0)]
    rows.append(row(3, "test", examples=1))
    found = examples(open_corpus([str(write_dataset(tmp_path, rows))]))
    assert found.schema == SCHEMA
    assert found["row"].to_pylist() == [0, 0, 1, 3]
    assert found["prompt"].to_pylist() == ["which, 0?", "which, 1?", "which, 0?", "which, 0?"]


def test_a_damaged_record_is_said_and_no_example_is_left_out_in_silence(tmp_path: Path) -> None:
    corpus = rewritten(tmp_path, (b'{"id": "clip-0"', b"]"))
    with pytest.raises(InputError, match="the JSON of train/clip-0 is damaged"):
        examples(corpus)
    assert compute(corpus).why_not is not None
    with pytest.raises(ValueError, match="does not say where the records are"):
        examples(corpus_of(manifest.table([row(0)])))


def compute(corpus: Corpus) -> Fact:
    return compute_facts(corpus, ["empty_references"])["empty_references"]


def test_sounds_and_pictures_without_content_are_counted() -> None:
    rows = [
        row(0, duration_seconds=0.099),
        row(1, duration_seconds=0.1, clipped_fraction=0.01),
        row(2, clipped_fraction=0.011, image_dhash="0" * 16, examples=0),
    ]
    counts = {
        name: fact(name, *rows).value
        for name in ("short_sounds", "clipped_sounds", "blank_pictures", "records_without_examples")
    }
    assert counts == dict.fromkeys(counts, 1)
    with pytest.raises(ValueError, match="1 of 1 rows have no image_dhash"):
        fact("blank_pictures", row(0, image_dhash=None))
