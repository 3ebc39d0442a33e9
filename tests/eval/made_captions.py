"""Captions for tests: made by hypothesis, or real ones with the scores pycocoevalcap gave them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "truth"

Captions = tuple[list[str], list[list[str]]]

words = st.sampled_from(["a", "dog", "cat", "runs", "on", "the", "25 1/2", "!!"])  # with a no-break space
captions = st.lists(words, max_size=9).map(" ".join)
clips = st.lists(st.tuples(captions, st.lists(captions, min_size=1, max_size=4)), min_size=2, max_size=7)


def unzipped(rows: Sequence[tuple[str, list[str]]]) -> Captions:
    return [candidate for candidate, _ in rows], [references for _, references in rows]


def as_dicts(captions: Captions) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """As pycocoevalcap takes them: references and candidates by number."""
    candidates, references = captions
    return dict(enumerate(references)), {i: [text] for i, text in enumerate(candidates)}


def expected(name: str) -> dict[str, Any]:
    """Scores recorded from pycocoevalcap, outside the repository."""
    if not TRUTH.is_dir():
        pytest.skip("the recorded scores lie outside the repository, in ../shared/truth")
    return json.loads((TRUTH / f"expected/{name}_expected.json").read_text("utf-8"))


def fakecaps() -> tuple[Captions, dict[str, Any]]:
    """1,000 tokenised captions of COCO images with five references, and their scores."""
    recorded = expected("coco_fakecap")
    ids = [str(name) for name in recorded["ids"]]
    return ([recorded["res"][i][0] for i in ids], [recorded["gts"][i] for i in ids]), recorded


def largest_difference(ours: np.ndarray, theirs: object) -> float:
    assert ours.shape == np.shape(theirs)
    return float(np.abs(ours - np.asarray(theirs)).max())
