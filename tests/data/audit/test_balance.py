"""Labels that are unequal in number, and what one constant answer scores."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from manifests import corpus_of, row, write_dataset

from safe_data import cli
from safe_data.audit.corpus import Corpus, open_corpus
from safe_data.audit.facts.all_facts import FACTS, compute_facts
from safe_data.audit.facts.fact import Fact
from safe_data.build.build import build_dataset
from safe_data.shards import manifest
from safe_data.shards.layout import read_dataset
from safe_data.sources.synthetic.world import write_world


def labelled(**counts: int) -> list[manifest.Row]:
    rows = [(key.split("_"), number) for key, count in counts.items() for number in range(count)]
    return [row(index, split, label=label) for index, ((split, label), _) in enumerate(rows)]


def imbalance(*rows: manifest.Row) -> Fact:
    return FACTS["class_imbalance"].compute(corpus_of(manifest.table(rows)))


def test_the_worst_split_counts_and_is_named() -> None:
    found = imbalance(*labelled(train_dog=6, train_cat=3, test_dog=5, test_cat=1))
    assert (found.value, found.detail) == (5.0, "test: 5 dog : 1 cat")
    assert [one.what for one in found.offenders] == ["5 in test: 5 dog : 1 cat", "2 in train: 6 dog : 3 cat"]


def test_without_labels_balance_does_not_apply() -> None:
    found = imbalance(row(0), row(1, label=""))
    assert (found.value, found.applies) == (None, False)


def test_a_declared_imbalance_is_no_fault_and_is_repeated() -> None:
    corpus = corpus_of(manifest.table(labelled(train_dog=6, train_cat=1)))
    (dataset,) = corpus.datasets
    declared = msgspec.structs.replace(dataset, declared={"imbalance": "as in nature"})
    found = FACTS["class_imbalance"].compute(replace(corpus, datasets=(declared,)))
    assert (found.value, found.applies) == (None, False)
    assert found.why_not == "declared in dataset.json (as in nature); 6 in train: 6 dog : 1 cat"


def asked(root: Path, answers: list[str], split: str = "test") -> Corpus:
    """A record for each answer to the same type of question; see `write_dataset`."""
    corpus = open_corpus([str(write_dataset(root, [row(i, split, examples=1) for i in range(len(answers))]))])
    for number, answer in enumerate(answers):
        place, size = (corpus.manifest[f"json_{name}"][number].as_py() for name in ("offset", "size"))
        with corpus.tar(number).open("r+b") as file:
            file.seek(place)
            data = file.read(size)
            changed = data.replace(b'"answer 0"', f'"{answer}"'.encode().ljust(len(b'"answer 0"')))
            file.seek(place)
            file.write(changed)
    return open_corpus([str(root)])


def test_the_prior_is_the_share_of_the_most_frequent_answer(tmp_path: Path) -> None:
    corpus = asked(tmp_path, ["yes"] * 18 + ["no"] * 6)
    found = FACTS["answer_prior"].compute(corpus)
    assert (found.value, found.among, found.detail) == (0.75, 24, "test, type 'which': always 'yes'")


def test_too_few_questions_have_no_prior(tmp_path: Path) -> None:
    found = FACTS["answer_prior"].compute(asked(tmp_path, ["yes"] * 19))
    assert (found.value, found.applies) == (None, False)


def test_an_imbalance_is_declared_when_a_dataset_is_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_world(tmp_path / "world", clips=24, seed=0)
    out = str(tmp_path / "shards")
    build_dataset(tmp_path / "world", out, quiet=True)
    before = read_dataset(out)
    words = ["build", str(tmp_path / "world"), out, "--quiet"]
    assert cli.main([*words, "--declare", "imbalance=as in nature"]) == 0
    after = read_dataset(out)
    assert after == msgspec.structs.replace(before, declared={"imbalance": "as in nature"})
    assert compute_facts(open_corpus([out]), ["class_imbalance"])["class_imbalance"].applies is False
    capsys.readouterr()
    for word, said in (("imbalace=x", "did you mean 'imbalance'?"), ("imbalance=", "gives no reason")):
        assert cli.main([*words, "--declare", word]) == 3
        assert said in capsys.readouterr().err
