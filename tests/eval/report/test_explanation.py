"""The section of interpretation: there where a run has an explanation, with what its numbers do not show."""

import shutil
from pathlib import Path

import pytest
from html_page import Page

from safe_data.core.errors import InputError
from safe_data.core.files import json_bytes
from safe_eval.report.explanation import (
    NOT_SHOWN,
    Association,
    Attention,
    Attribution,
    Curve,
    Estimate,
    Explanation,
    GroupRow,
    Influence,
    ModeCount,
    Parts,
    Prediction,
    SanityCheck,
    Shuffled,
    read_explanation,
)
from safe_eval.report.explanation_charts import explanation_charts
from safe_eval.report.report import write_report

SOME = Estimate(0.25, 0.2, 0.3, 40, 20)
BY_LUCK = Estimate(0.01, None, None, 40, 20)


def made_explanation(**changes: object) -> Explanation:
    attribution = [
        Attribution(method=method, player=player, slice=name, nats=SOME, share=SOME)
        for method in ("gradients", "shapley", "shapley given the words")
        for player in ("words", "picture", "sound")[method.endswith("words") :]
        for name in ("all", "audio", "vl", "type:sound")
    ]
    attention = [
        Attention(
            layer=layer, head=head, slice=name, entropy=SOME, largest=SOME, added=SOME, weights=(0.5, 0.5)
        )
        for layer in (1, 2)
        for head in (None, 0)
        for name in ("all", "audio", "vl", "type:sound")
    ]
    told = {"layer": None, "head": None, "positives": 12, "n": 40}
    curves = [
        Curve(kind=kind, order=order, values=(1.0, 0.5, 0.0), area=SOME, better=SOME)
        for kind in ("deletion", "insertion")
        for order in ("attributed", "random")
    ]
    found = {
        "checkpoint": "adapter",
        "checkpoint_sha256": "ab" * 32,
        "dataset": "world",
        "fingerprint": "cd" * 32,
        "split": "test",
        "gate": "entropy",
        "tokens": 4,
        "questions": 40,
        "groups": 20,
        "checked": 30,
        "left_out": {"without a sound": 3},
        "steps": 128,
        "seed": 0,
        "confidence": 0.95,
        "checks": (SanityCheck("deletion beats random order", "no-go", "it is <b>not</b> better"),),
        "attribution": tuple(attribution),
        "completeness": (),
        "parts": (
            Parts(
                unit="segments",
                count=4,
                is_exact=True,
                slice="audio",
                nats=(0.1, 0.2, 0.3, 0.4),
                auroc=0.7,
                low=0.6,
                high=0.8,
                n=40,
            ),
        ),
        "attention": tuple(attention),
        "predictions": (
            Prediction(score="added", slice="all", auroc=0.875, low=0.8, high=0.9, **told),
            Prediction(score="added", slice="audio", auroc=None, low=None, high=None, why_not="none", **told),
        ),
        "influence": (
            Influence(slice="all", answers="all", mean=SOME, quantiles=(0.1, 0.2, 0.9), above=0.5),
        ),
        "modes": (
            ModeCount(slice="all", mode="misses the sound", means="m", is_failure=True, count=7, share=SOME),
        ),
        "associations": (
            Association(
                heard="sound: bell",
                seen="colour: red",
                named=False,
                effect=SOME,
                chance=0.1,
                p_value=0.001,
                holm_p=0.02,
            ),
        ),
        "association_questions": 20,
        "by_group": (
            GroupRow(
                field="murmur", value="yes", slice="all", accuracy=SOME, gain=BY_LUCK, p_value=1.0, holm_p=1.0
            ),
        ),
        "shuffled": (Shuffled(map="words, picture and sound", stage="output", correlation=SOME),),
        "curves": tuple(curves),
        "notes": (),
        "not_shown": NOT_SHOWN,
        "cpu_seconds": 1.0,
        "versions": {},
    }
    return Explanation(**{**found, **changes})  # type: ignore[arg-type]


def run_with(run: Path, copy: Path, content: bytes) -> Path:
    shutil.copytree(run, copy)
    (copy / "explain").mkdir()
    (copy / "explain" / "explain.json").write_bytes(content)
    return copy


def test_the_page_shows_an_explanation_with_what_it_does_not_show(run, tmp_path):
    text = write_report(run_with(run, tmp_path / "run", json_bytes(made_explanation()))).read_text()
    said = Page(text).said
    for shown in (
        "40 questions in 20 groups of world, split test.",
        "modes are of its answers with its entropy gate",
        "Left out: 3 without a sound.",
        "deletion beats random order it is <b>not</b> better no-go",
        "0.875 [0.800, 0.900]",
        "not measured none",
        "sound: bell → colour: red 20 questions",
        "of which 1 differ from 0 after Holm",
        "misses the sound",
        "explain/explain.json",
    ):
        assert shown in said or shown.replace("20 questions", "40 questions in 20 groups") in said, shown
    for sentence in NOT_SHOWN.values():
        assert " ".join(sentence.split()) in said
    assert "<b>not</b>" not in text
    assert 'href="#explanation"' in text


def test_a_run_without_one_has_no_such_section(run, tmp_path):
    text = write_report(run, out=tmp_path / "page.html").read_text()
    assert "explanation" not in text
    assert "Interpretation" not in text


def test_every_chart_is_drawn_and_an_empty_one_is_left_out() -> None:
    charts = explanation_charts(made_explanation())
    assert [chart["file"] for chart in charts] == [
        "shares_all.svg",
        "shares_given_words.svg",
        "added.svg",
        "curves.svg",
        "shuffled.svg",
    ]
    unchecked = explanation_charts(made_explanation(curves=(), shuffled=()))
    assert [chart["file"] for chart in unchecked] == ["shares_all.svg", "shares_given_words.svg", "added.svg"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"format_version": 9}', "is of format 9, and this version reads 1; explain again"),
        (b'{"format_version": 1}', "is not what `safe-train explain` writes"),
        (b"[1]", "is not what `safe-train explain` writes"),
    ],
)
def test_another_file_of_that_name_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "explain.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_explanation(path)
