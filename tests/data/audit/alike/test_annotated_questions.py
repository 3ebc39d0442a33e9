"""Questions of annotations alone: the same where their words, the named medium and their answer are."""

import json

from manifests import corpus_of, row

from safe_data.audit.corpus import Corpus
from safe_data.audit.facts.leakage import questions_in_two_splits
from safe_data.audit.matrix import question_leaks
from safe_data.shards import manifest


def corpus(*asked: tuple[str, str, list[tuple[str, str]]]) -> Corpus:
    """Annotations of (split, medium, [(prompt, answer)])."""
    rows, described = [], []
    for index, (split, medium, questions) in enumerate(asked):
        rows.append(row(index, split, source_path=medium, examples=len(questions)))
        examples = [
            {"id": f"{index}-{number}", "task": "vqa", "prompt": prompt, "references": [answer]}
            for number, (prompt, answer) in enumerate(questions)
        ]
        described.append(json.dumps({"examples": examples}).encode())
    made = corpus_of(manifest.table(rows))
    return Corpus(
        made.names, made.roots, made.datasets, made.manifest, made.dataset_of, described=tuple(described)
    )


def test_questions_are_counted_and_not_all_that_is_asked_about_their_records() -> None:
    many = [("how many?", "two"), ("which?", "flute"), ("where?", "left"), ("when?", "first")]
    found = corpus(
        ("train", "a.mp4", [("how many?", "two"), ("which?", "horn")]),
        ("train", "b.mp4", [("where?", "left")]),
        ("test", "a.mp4", many),
        ("test", "c.mp4", [("how many?", "two")]),
    )
    (into_test,) = [one for one in question_leaks(found) if one.part == 0]
    assert (into_test.records, into_test.share) == (1, 0.5)
    assert (into_test.questions, into_test.question_share) == (1, 0.2)
    fact = questions_in_two_splits(found)
    assert (fact.value, fact.among) == (1, 2)
    assert fact.detail == "50.0 % of test and 20.0 % of its questions"
    assert [(one.what, one.records) for one in fact.offenders] == [
        ("how many? two", ("test/clip-2", "train/clip-0"))
    ]


def test_a_question_that_one_split_asks_twice_leaks_nowhere() -> None:
    found = corpus(
        ("test", "a.mp4", [("which?", "flute"), ("which?", "flute")]),
        ("train", "b.mp4", [("which?", "flute")]),
    )
    assert question_leaks(found) == []
    assert questions_in_two_splits(found).value == 0
