"""What a person said of pairs is read with every fault named, and makes rates only where it may."""

import json
from pathlib import Path
from typing import Any

import pytest
from manifests import corpus_of, rejected, row

from safe_data.audit.annotations import read_annotations
from safe_data.audit.corpus import Corpus, Given
from safe_data.audit.facts.all_facts import FACTS, compute_facts
from safe_data.audit.facts.fact import Fact
from safe_data.core.errors import InputError
from safe_data.shards import manifest

ROWS = [*(row(index) for index in range(120)), rejected(120)]


def marked(number: int, verdict: str = "aligned", chosen: str = "random") -> dict[str, Any]:
    record = {"dataset": "world", "split": "train", "id": f"clip-{number}"}
    return {**record, "verdict": verdict, "chosen": chosen}


def annotated(folder: Path, *annotations: dict[str, Any], **changes: object) -> Corpus:
    file = folder / "annotations.json"
    content = {"format_version": 1, "datasets": {"world": "ab" * 32}, "annotations": annotations, **changes}
    file.write_text(json.dumps(content))
    return corpus_of(manifest.table(ROWS), Given(annotations=file))


def rates(corpus: Corpus) -> tuple[Fact, Fact]:
    facts = compute_facts(corpus, ["annotated_aligned_rate", "annotated_mismatched_rate"])
    aligned, mismatched = facts.values()
    return aligned, mismatched


def test_rates_are_over_all_that_were_judged_and_who_is_unsure_says_neither(tmp_path: Path) -> None:
    said = ["mismatched", "unsure", *["aligned"] * 98]
    aligned, mismatched = rates(annotated(tmp_path, *(marked(n, word) for n, word in enumerate(said))))
    assert (aligned.value, aligned.among) == (0.98, 100)
    assert (mismatched.value, mismatched.detail) == (0.01, "1 of 100 pairs, drawn at random")
    assert [one.records for one in mismatched.offenders] == [("train/clip-0",)]
    assert {one.records[0] for one in aligned.offenders} == {"train/clip-0", "train/clip-1"}


def test_pairs_that_were_chosen_as_suspicious_do_not_bias_the_rates(tmp_path: Path) -> None:
    drawn = [marked(number) for number in range(50)]
    suspicious = [marked(number, "mismatched", "suspicious") for number in range(50, 100)]
    aligned, mismatched = rates(annotated(tmp_path, *drawn, *suspicious))
    assert (aligned.value, aligned.among, mismatched.value) == (1, 50, 0)
    alone, _ = rates(annotated(tmp_path, *suspicious))
    assert (alone.value, alone.detail) == (0, "0 of 50 pairs, chosen as suspicious")


def test_too_few_annotations_measure_nothing(tmp_path: Path) -> None:
    aligned, _ = rates(annotated(tmp_path, *(marked(number) for number in range(49))))
    assert aligned == Fact(None, why_not="49 pairs annotated, 50 or more say something")


def test_without_annotations_the_rates_do_not_apply() -> None:
    found = FACTS["annotated_aligned_rate"].compute(corpus_of(manifest.table(ROWS)))
    assert (found.value, found.applies) == (None, False)


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    corpus = annotated(
        tmp_path, marked(0), marked(0, "unsure"), marked(120), {**marked(1), "dataset": "other"}, marked(2)
    )
    assert corpus.given.annotations is not None
    with pytest.raises(InputError) as caught:
        read_annotations(corpus.given.annotations, corpus)
    said = str(caught.value)
    for fault in (
        "annotation 0: train/clip-0 is annotated 2 times",
        "annotation 1: train/clip-0 is annotated 2 times",
        "annotation 2: no loaded record train/clip-120 in 'world'",
        "annotation 3: `datasets` does not name 'other'",
    ):
        assert fault in said
    assert "annotation 4" not in said
    assert rates(corpus)[0].value is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"datasets": {"world": "cd" * 32}},
            "is about 'world' with the fingerprint cdcdcdcdcdcd",
        ),
        ({"datasets": {"wold": "ab" * 32}}, "is about 'wold'; did you mean 'world'?"),
        ({"format_version": 2}, "format 2, this version reads 1"),
        ({"annotations": [marked(0, "fine")]}, "no annotations of a spot check"),
        ({"more": 1}, "no annotations of a spot check"),
    ],
)
def test_annotations_of_something_else_are_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    corpus = annotated(tmp_path, marked(0), **changes)
    assert corpus.given.annotations is not None
    with pytest.raises(InputError, match=said.replace("?", r"\?")):
        read_annotations(corpus.given.annotations, corpus)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_annotations(tmp_path / "none.json", corpus_of(manifest.table(ROWS)))
