"""Captions for tests: made by hypothesis, or real ones with the scores pycocoevalcap gave them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from made_rows import row

from safe_eval.prediction import Prediction

TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "truth"

Captions = tuple[list[str], list[list[str]]]

words = st.sampled_from(["a", "dog", "cat", "runs", "on", "the", "25 1/2", "!!"])  # with a no-break space
captions = st.lists(words, max_size=9).map(" ".join)
examples = st.lists(st.tuples(captions, st.lists(captions, min_size=1, max_size=4)), min_size=2, max_size=7)


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


HEARD = "a dog barks while the rain falls and some people talk near an old loud car outside"
WORDS = HEARD.split()


def caption(name: str, text: str, *references: str, **fields: object) -> Prediction:
    return row(name, text, references=references, task="caption", dataset="made", group=name, **fields)


def captioned(count: int = 30, **fields: object) -> list[Prediction]:
    """The model tells most of what is heard; without the sound it says the caption of another example."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, size=rng.integers(5, 9))) for _ in range(count)]
    rows = []
    for i, text in enumerate(texts):
        words = text.split()
        references = (text, " ".join(words[1:]), " ".join(words[::-1]))
        for condition, said in (("full", " ".join(words[:-1])), ("mute_audio", texts[i - 1])):
            rows.append(caption(f"c{i}", said, *references, condition=condition, model="safe", **fields))
    return rows
