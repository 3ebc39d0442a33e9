"""docs/evaluation.md is true: its example makes predictions, its commands exist, it names every metric."""

import re
import shlex
from pathlib import Path

import pytest

from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.cli import COMMANDS, main
from safe_eval.condition import CONDITIONS
from safe_eval.predictions import read_predictions
from safe_eval.results.aggregates import OWN_AGGREGATES
from safe_eval.results.calibration import CALIBRATION_METRICS
from safe_eval.results.gates import GATE_MEASURES
from safe_eval.scorers.scorer import CAPTION_METRICS, ON_REQUEST, SCORERS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/evaluation.md").read_text("utf-8")


def test_the_example_writes_predictions_that_are_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    asked = {"id": "q1", "video": "v1", "type": "count", "answers": ["two"], "about_the_sound": True}
    reply = {"text": "two", "probability": 0.8, "used_the_sound": True}
    monkeypatch.chdir(tmp_path)
    exec(example, {"examples": [asked], "model": lambda example, condition: reply})
    rows = read_predictions("predictions.jsonl")
    assert [(row.condition, row.answer, row.group) for row in rows] == [
        ("full", "two", "v1"),
        ("mute_audio", "two", "v1"),
    ]
    assert main(["validate", "predictions.jsonl"]) == 0
    assert main(["score", "predictions.jsonl", "--out", "scores", "--resamples", "100"]) == 0


def test_the_commands_and_their_options_exist(capsys: pytest.CaptureFixture[str]) -> None:
    block = PAGE.split("\n\n")[1]
    shown = [shlex.split(line, comments=True) for line in block.splitlines()]
    assert {words[1] for words in shown} | {"agreement"} == set(COMMANDS)
    for words in shown:
        assert main([words[1], "--help"]) == 0
        text = capsys.readouterr().out
        assert all(option in text for option in words if option.startswith("--"))


@pytest.mark.parametrize(
    "name",
    [
        *(*SCORERS, *ON_REQUEST, *CAPTION_METRICS, *CALIBRATION_METRICS, *CONSULTATION_METRICS),
        *(*OWN_AGGREGATES, *CONDITIONS, *GATE_MEASURES),
    ],
)
def test_every_metric_and_condition_is_explained(name: str) -> None:
    if name in ("bleu_2", "bleu_3"):
        name = "bleu_1` … `bleu_4"
    assert f"`{name}`" in PAGE


def test_the_tests_and_files_it_names_are_there() -> None:
    named = set(re.findall(r"test_\w+\.py", PAGE))
    assert named
    assert all(any((ROOT / "tests/eval").rglob(name)) for name in named)
    assert all((ROOT / name).is_file() for name in re.findall(r"safe_eval/[\w/]+\.py", PAGE))
    for name in re.findall(r"python -m benchmarks (\w+)", PAGE):
        assert (ROOT / f"benchmarks/{name}.py").is_file()
