"""What a curriculum draws, compared with what it says."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from manifests import corpus_of, rejected, row

from safe_data.audit.corpus import Corpus, Given
from safe_data.audit.facts.all_facts import FACTS, compute_facts
from safe_data.audit.facts.fact import Fact
from safe_data.audit.facts.sampling import MOST_BATCHES, NOTHING_DRAWN, draw
from safe_data.core.errors import InputError
from safe_data.sampling import curriculum
from safe_data.shards import manifest

ROWS = [row(index, difficulty=["easy", "hard"][index % 2]) for index in range(8)]
OTHERS = [row(8, "test", difficulty="medium"), rejected(9)]


def drawn(folder: Path, yaml: str, batch_size: int = 10) -> Corpus:
    file = folder / "curriculum.yaml"
    file.write_text(yaml)
    return corpus_of(manifest.table([*ROWS, *OTHERS]), Given(sampling=file, batch_size=batch_size))


def facts(corpus: Corpus) -> dict[str, Fact]:
    return compute_facts(corpus, ["ratio_error", "difficulty_violations", "undrawable_stages"])


def test_a_good_curriculum_has_no_fault(tmp_path: Path) -> None:
    corpus = drawn(tmp_path, "stages: [{name: all, weights: {world: 1}, difficulty: {world: [easy]}}]")
    found = facts(corpus)
    assert {name: fact.value for name, fact in found.items()} == dict.fromkeys(found, 0)
    assert found["difficulty_violations"].among == 10 * MOST_BATCHES
    assert found["undrawable_stages"].among == 1


def test_a_stage_too_short_for_its_shares_is_off_them(tmp_path: Path) -> None:
    short = "{name: short, weights: {world: 0.9, other: 0.1}, until: {steps: 1}}"
    corpus = drawn(tmp_path, f"stages: [{short}, {{name: rest, weights: {{world: 1}}}}]", batch_size=4)
    other = corpus_of(manifest.table(ROWS)).manifest
    both = pa.concat_tables([corpus.manifest, other])
    which = np.repeat([0, 1], [corpus.manifest.num_rows, other.num_rows])
    two = Corpus(("world", "other"), corpus.roots * 2, corpus.datasets * 2, both, which, corpus.given)
    found = FACTS["ratio_error"].compute(two)
    assert found.value == pytest.approx(0.1)
    assert found.detail in (
        "stage 'short' drew 'world' +0.1000 off its share in 1 batches",
        "stage 'short' drew 'other' -0.1000 off its share in 1 batches",
    )


def test_a_stage_that_no_row_fits_cannot_be_drawn(tmp_path: Path) -> None:
    corpus = drawn(tmp_path, "stages: [{name: mid, weights: {world: 1}, difficulty: {world: [medium]}}]")
    found = facts(corpus)
    assert found["undrawable_stages"].value == 1
    assert "'world' has 4 easy, 4 hard, none medium" in found["undrawable_stages"].offenders[0].what
    assert found["ratio_error"].why_not == NOTHING_DRAWN
    assert found["ratio_error"].applies is False


def test_rows_that_a_stage_excludes_would_be_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = drawn(tmp_path, "stages: [{name: all, weights: {world: 1}, difficulty: {world: [easy]}}]")
    monkeypatch.setattr(curriculum, "rows_drawn", lambda stage, name, levels: np.arange(len(levels)))
    found = FACTS["difficulty_violations"].compute(corpus)
    assert found.value == pytest.approx(5 * MOST_BATCHES, rel=0.01)
    assert found.offenders[0].what.startswith("stage 'all' drew ")


def test_without_a_curriculum_nothing_applies() -> None:
    found = facts(corpus_of(manifest.table(ROWS)))
    assert {fact.applies for fact in found.values()} == {False}


def test_a_curriculum_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    corpus = drawn(tmp_path, "stages: [{name: all}]")
    with pytest.raises(InputError, match="weights"):
        draw(corpus)
    assert facts(corpus)["ratio_error"].why_not is not None
