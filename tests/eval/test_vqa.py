"""The VQA accuracy is the official one: on cases of our own, and on 60,000 real questions."""

import doctest
import gzip
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import row

from safe_eval.scorers import vqa

ROOT = Path(__file__).resolve().parents[2]
TRUTH = ROOT.parent / "shared" / "truth"
CASES = json.loads((ROOT / "tests/golden/vqa_accuracy.json").read_text("utf-8"))["cases"]

texts = st.text(alphabet="ae 12.,!'-/\n", max_size=12)


def accuracy(answer: str, references: list[str]) -> float:
    return vqa.score(row(answer=answer, references=tuple(references)))


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_golden(case: dict[str, object]) -> None:
    assert round(100 * accuracy(case["answer"], case["references"]), 2) == case["accuracy"]


def test_one_reference_is_an_exact_match_after_normalisation() -> None:
    assert accuracy("The Dog!", ["dog"]) == 1.0
    assert accuracy("two", ["2"]) == 1.0
    assert accuracy("dogs", ["dog"]) == 0.0


def test_an_answer_that_is_missing_is_wrong() -> None:
    assert vqa.score(row(answer=None, error="out of memory")) == 0.0
    assert vqa.score(row(answer="yes", references=(), error="no reference")) == 0.0


@settings(deadline=None)
@given(texts, st.lists(texts, min_size=1, max_size=10), st.randoms())
def test_the_order_of_the_annotators_does_not_matter(
    answer: str, references: list[str], random: object
) -> None:
    before = accuracy(answer, references)
    random.shuffle(references)
    assert accuracy(answer, references) == pytest.approx(before, abs=1e-12)
    assert 0 <= before <= 1


@settings(deadline=None)
@given(texts)
def test_normalising_white_space_and_the_answer_of_all(text: str) -> None:
    assert accuracy(text, [text] * 10) == 1.0
    assert vqa.normalise(f"  {text}\t") == vqa.normalise(text)


def test_doctests() -> None:
    assert doctest.testmod(vqa).failed == 0


@pytest.fixture(scope="module")
def real() -> tuple[dict[str, object], dict[int, tuple[str, ...]]]:
    """The official results, and ten human answers a question."""
    if not TRUTH.is_dir():
        pytest.skip("the 60,000 real questions lie outside the repository, in ../shared/truth")
    expected = json.loads(gzip.decompress((TRUTH / "expected/vqa_vqav2_60k.json.gz").read_bytes()))
    references = {}
    for split in ("train", "valid", "test"):
        file = TRUTH / f"vqa/vqav2_60k_annotatons_{split}.json.gz"
        for question in json.loads(gzip.decompress(file.read_bytes()))["annotations"]:
            references[question["question_id"]] = tuple(a["answer"] for a in question["answers"])
    return expected, references


def test_equals_the_official_accuracy_on_60_000_questions(real: tuple[dict, dict]) -> None:
    expected, references = real
    rows = [
        row(str(p["question_id"]), p["answer"], references=references[p["question_id"]])
        for p in expected["predictions"]
    ]
    start = time.perf_counter()
    scores = {r.example_id: vqa.score(r) for r in rows}
    seconds = time.perf_counter() - start
    differing = [name for name, score in scores.items() if round(100 * score, 2) != expected["evalQA"][name]]
    assert len(scores) == 60_000
    assert not differing
    assert round(100 * sum(scores.values()) / len(scores), 2) == expected["accuracy"]["overall"] == 68.12
    assert seconds < 5  # the official code takes about 10; here 0.3
