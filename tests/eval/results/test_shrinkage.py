"""Shrunken slices in scores.json: which slices are a family, what is not measured, and what is printed."""

import numpy as np
import pytest
from made_rows import row

from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.shrinkage import ShrinkageRow
from safe_eval.scoring.score import score_predictions
from safe_eval.scoring.scores import Scores
from safe_eval.text.scores_text import scores_table

QUICK = Sampling(resamples=200)


def typed(sizes: dict[str, int], right: dict[str, float], **fields: object) -> list[Prediction]:
    """So many questions of each type in clusters of two, of which a share is right."""
    return [
        row(
            f"{name}-{place}",
            "yes" if place < right[name] * size else "no",
            group=f"{name}-{place // 2}",
            question_type=name,
            **fields,
        )
        for name, size in sizes.items()
        for place in range(size)
    ]


SIZES = {"count": 100, "where": 100, "who": 100, "loud": 100, "rare": 2}
RIGHT = {"count": 0.8, "where": 0.7, "who": 0.6, "loud": 0.7, "rare": 1.0}


def scored(rows: list[Prediction]) -> Scores:
    return score_predictions(rows, QUICK)


def by_slice(scores: Scores, **about: str) -> dict[str, ShrinkageRow]:
    rows = [r for r in scores.shrinkage if all(getattr(r, name) == it for name, it in about.items())]
    return {r.slice: r for r in rows}


def test_a_rare_type_all_right_is_no_longer_the_best() -> None:
    scores = scored(typed(SIZES, RIGHT))
    found = by_slice(scores)
    assert set(found) == {f"type:{name}" for name in SIZES}
    rare, count = found["type:rare"], found["type:count"]
    assert (rare.value, rare.n, rare.clusters, rare.effective_clusters) == (1.0, 2, 1, 1.0)
    assert rare.shrunken < count.shrunken
    assert rare.weight < 0.5 < 1 - rare.weight
    assert rare.ci_low < rare.family_mean < rare.shrunken < rare.ci_high <= 1.0
    assert (rare.slices, rare.family, rare.why_not) == (5, "type", None)
    assert rare.shrunken == pytest.approx(
        rare.family_mean + rare.weight * (1.0 - rare.family_mean), abs=0.005
    )
    values = {m.slice: m.value for m in scores.metrics if m.slice.startswith("type:")}
    assert {name: r.value for name, r in found.items()} == values


def test_few_slices_are_not_measured_and_one_is_no_family() -> None:
    three = scored(typed({"a": 20, "b": 20, "c": 20}, dict.fromkeys("abc", 0.5)))
    assert {r.why_not for r in three.shrinkage} == {"3 slices do not show how much slices differ; it takes 4"}
    assert {r.shrunken for r in three.shrinkage} == {None}
    assert {r.value for r in three.shrinkage} == {0.5}
    assert scored(typed({"a": 20}, {"a": 0.5})).shrinkage == ()
    assert "no shrunken values: 3 slices do not show" in " ".join(scores_table(three))


def test_slices_that_overlap_are_families_of_their_own() -> None:
    """MUSIC-AVQA has the types of question, and the modality of each as a type too."""
    kinds = [
        "Audio/Counting",
        "Audio/Comparative",
        "Visual/Counting",
        "Visual/Location",
        "Audio-Visual/Counting",
    ]
    rows = typed(dict.fromkeys(kinds, 40), dict.fromkeys(kinds, 0.5), dataset="music_avqa", task="vqa")
    found = by_slice(scored(rows))
    families: dict[str, set[str]] = {}
    for name, r in found.items():
        families.setdefault(r.family, set()).add(name.removeprefix("type:"))
    assert set(families["type"]) == set(kinds)
    assert families["type 2"] == {"Audio", "Visual", "Audio-Visual"}
    assert found["type:Audio"].why_not == "3 slices do not show how much slices differ; it takes 4"


def test_a_metric_of_a_whole_corpus_says_why_it_is_not_shrunken() -> None:
    words = ["a", "dog", "barks", "while", "a", "man", "talks", "near", "the", "road"]
    rows = [
        row(
            f"c{clip}",
            " ".join(words[clip % 4 :]),
            references=(" ".join(words),),
            task="caption",
            question_type=f"t{clip % 5}",
            group=f"g{clip}",
        )
        for clip in range(40)
    ]
    scores = scored(rows)
    assert all(r.shrunken is not None for r in by_slice(scores, metric="cider_d").values())
    reasons = {r.why_not for r in by_slice(scores, metric="bleu_4").values()}
    assert reasons == {"bleu_4 is one number of all answers and has no score per answer"}
    found = list(by_slice(scores, metric="cider_d").values())
    assert 0 <= min(r.ci_low for r in found) <= max(r.ci_high for r in found) <= 10


def test_the_text_ranks_types_by_their_shrunken_values() -> None:
    lines = list(scores_table(scored([*typed(SIZES, RIGHT), *typed(SIZES, RIGHT, condition="mute_audio")])))
    start = next(place for place, line in enumerate(lines) if "question types, best first" in line)
    assert " ".join(lines[start].split()) == "question types, best first mean n effective shrunken interval"
    assert lines[start + 1].startswith("  model/full: mean 0.71")
    ranked = [line.split() for line in lines[start + 2 : start + 7]]
    assert ranked[0][:3] == ["count", "0.800", "100"]
    assert ranked[1][:3] == ["rare", "1.000", "2"]
    assert ranked[-1][0] == "who"
    assert max(map(len, lines)) <= 80
    assert sum("best first" in line for line in lines) == 1  # under `full` alone


def test_of_many_types_the_best_and_the_worst_are_printed() -> None:
    names = [f"t{place:02}" for place in range(30)]
    rng = np.random.default_rng(0)
    rows = typed(dict.fromkeys(names, 20), dict(zip(names, rng.uniform(0.2, 0.9, 30), strict=True)))
    text = "\n".join(scores_table(scored(rows)))
    assert "    … 10 more are in scores.json" in text
    assert sum(line.startswith("    t") for line in text.splitlines()) == 20
