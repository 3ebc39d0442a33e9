"""One run and its card, for every test of the card; no test changes them."""

from pathlib import Path

import pytest
from made_run import make_run

from safe_eval.card.card import Card, write_card
from safe_eval.options import CardOptions
from safe_eval.prediction import Prediction

MODELS = (("base", "full", 0), *(("org/safe", c, s) for c in ("full", "mute_audio") for s in (0, 1)))


def made_rows() -> list[Prediction]:
    """Two datasets, two models and two seeds, with a caption, an error, choices and hostile text."""
    rows = []
    for item in range(24):
        for model, condition, seed in MODELS:
            facts = {"group": f"clip-{item // 2}", "condition": condition, "model": model, "seed": seed}
            hears = model == "org/safe" and condition == "full" and (item + seed) % 6
            common = {**facts, "prompt": f"<b>| {item}?", "latency_ms": 12.5}
            rows.append(
                Prediction(
                    example_id=f"quiz/{item}",
                    dataset="quiz",
                    task="vqa",
                    references=("dog",),
                    needs_audio=True,
                    confidence=0.9 if hears else 0.4,
                    answer=None if item == 5 and condition == "mute_audio" else "dog" if hears else "cat",
                    error="out | of <memory>" if item == 5 and condition == "mute_audio" else None,
                    **common,
                )
            )
            if seed == 0 and condition == "full":
                captions = ("a dog barks twice", "rain falls on a roof", "a bell rings far away")
                rows.append(
                    Prediction(
                        example_id=f"caption-{item}",
                        dataset="clips",
                        task="caption",
                        references=(f"{captions[item % 3]} {item}", captions[item % 3]),
                        answer=captions[item % 3] if model == "org/safe" else "a sound",
                        **common,
                    )
                )
    return rows


@pytest.fixture(scope="package")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    criteria = folder / "judge.yaml"
    criteria.write_text(
        "leaves_out: [{slice: all}, {dataset: clips}]\n"
        "criteria:\n"
        "- {name: sound helps, metric: vqa_accuracy, condition: org/safe/full, against: base/full, "
        "bound: '>= 0.1'}\n"
        "- {name: 'never | wrong <x>', metric: vqa_accuracy, condition: org/safe/full, bound: '>= 1'}\n"
        "- {name: hears noise, metric: vqa_accuracy, condition: org/safe/noise_audio, bound: '>= 0.1'}\n"
        "- {name: nice to have, metric: vqa_accuracy, condition: org/safe/full, bound: '>= 1', "
        "severity: warning}\n"
    )
    return make_run(folder / "made", made_rows(), str(criteria))


@pytest.fixture(scope="package")
def card(run, tmp_path_factory) -> tuple[Path, Card]:
    out = tmp_path_factory.mktemp("card")
    options = CardOptions(
        hub=("quiz=org/quiz:hearing",), model_id=("org/safe=org/safe-7b",), date="2026-11-26"
    )
    return out, write_card(run, options, out=out)
