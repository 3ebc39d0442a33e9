"""METEOR equals the jar, per item and per corpus. Without Java or a jar, the reason says what to install."""

import json
from pathlib import Path

import made_captions as made
import numpy as np
import pytest

from safe_eval.scorers.captions.java import find_jar, find_java
from safe_eval.scorers.captions.meteor import meteor, meteor_counts
from safe_eval.scorers.captions.spice import MODELS, read_spice, spice

# The jar's own answers, item by item, and its corpus score (pycocoevalcap 1.2, Java 17).
CANDIDATES = ["", "a dog", "the", "a dog runs in the park", "running dogs", "a  |||x", "a a a a"]
REFERENCES = [
    ["a dog"],
    ["a dog"],
    ["the"],
    ["the park has a dog that runs", "a dog"],
    ["a dog runs"],
    ["x"],
    ["a b"],
]

needs_meteor = pytest.mark.skipif(
    find_java() is None or find_jar("meteor", "meteor-1.5.jar") is None, reason="needs Java and pycocoevalcap"
)


@needs_meteor
def test_meteor_of_a_few_captions_item_by_item_and_in_sum() -> None:
    counts = meteor_counts(CANDIDATES, REFERENCES)
    assert not isinstance(counts, str), counts
    expected = [0.0, 1.0, 1.0, 0.39229486540443065, 0.0, 0.38095238095238093]
    assert meteor(counts)[:6].tolist() == pytest.approx(expected, abs=1e-12)
    # A perfect caption is one chunk, and adds none to a corpus: the jar's corpus scores of some of them.
    assert meteor(counts[[1, 3]].sum(axis=0)) == pytest.approx(0.4393419632880124, abs=1e-12)
    assert meteor(counts[[0, 1]].sum(axis=0)) == pytest.approx(0.5405405405405405, abs=1e-12)


@pytest.mark.slow
@needs_meteor
def test_meteor_equals_the_recorded_scores_of_1_000_captions() -> None:
    captions, recorded = made.fakecaps()
    counts = meteor_counts(*captions)
    assert not isinstance(counts, str), counts
    assert made.largest_difference(meteor(counts), recorded["METEOR"]) < 1e-12
    assert meteor(counts.sum(axis=0)) == pytest.approx(0.19525467177780284, abs=1e-12)


def test_without_java_the_reason_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for score in (meteor_counts, spice):
        reason = score(["a dog"], [["a dog"]])
        assert isinstance(reason, str)
        assert reason.endswith(
            "is not measured: there is no java on the PATH; install a Java runtime, 8 or later"
        )


@pytest.mark.parametrize("script", ["exit 3", "echo what is this", "read line; exit 0"])
def test_a_java_that_does_not_work_is_a_reason_and_no_crash(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str
) -> None:
    broken = tmp_path / "java"
    broken.write_text(f"#!/bin/sh\n{script}\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = meteor_counts(["a dog"] * 3, [["a dog"]] * 3)
    assert isinstance(reason, str)
    assert reason.startswith("METEOR is not measured: meteor-1.5.jar did not answer")


@pytest.mark.skipif(find_jar("spice", "lib", MODELS[0]) is not None, reason="CoreNLP is here")
@pytest.mark.skipif(find_java() is None, reason="needs Java")
def test_without_corenlp_spice_says_which_jars_to_put_where() -> None:
    reason = spice(["a dog"], [["a dog"]])
    assert isinstance(reason, str)
    assert all(name in reason for name in MODELS)
    assert "spice/lib of pycocoevalcap, or give SPICE values made elsewhere" in reason


def test_spice_scores_are_read_by_the_number_of_the_caption() -> None:
    def item(number: int, f: float | None) -> dict[str, object]:
        return {"image_id": number, "scores": {"All": {"pr": 1, "re": 1, "f": f}, "Color": {"f": None}}}

    answer = json.dumps([item(1, 0.25), item(0, 0.5)]).encode()
    assert np.array_equal(read_spice(answer, 2), [0.5, 0.25])
    with pytest.raises(ValueError, match="1 captions have no score"):
        read_spice(json.dumps([item(0, None), item(1, 0.5)]).encode(), 2)
    with pytest.raises(ValueError, match="Expected"):
        read_spice(b"{}", 1)
