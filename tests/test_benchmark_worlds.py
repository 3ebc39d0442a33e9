"""The benchmark of the worlds runs from the world to its lines, and each line is what its name says."""

import json
import shutil
from pathlib import Path

import pytest

from benchmarks import worlds
from safe_eval.prediction import Prediction
from safe_train.toy.recipe import Recipe


@pytest.mark.filterwarnings("ignore")
def test_a_small_world_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = Recipe(pictures=60, vision_steps=3, language_steps=4, held_out_questions=20, world="foggy")
    monkeypatch.setattr(worlds, "recipe_for", lambda world: quick)
    worlds.measure("foggy", seed=0, clips=80, out=tmp_path / "made", steps=2, batch_size=8, quiet=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [line["step"] for line in lines if "step" in line] == [
        *("world and shards", "toy", "stage A", "predictions")
    ]
    found = {line["slice"]: line for line in lines if "questions" in line and "slice" in line}
    parts = ("the hint is true", "the hint misleads", "no hint")
    assert (
        sum(found.get(f"audio, {part}", {"questions": 0})["questions"] for part in parts)
        == (found["audio"]["questions"])
    )
    assert found["VL"]["questions"] == found["VL, clear"]["questions"] + found["VL, in fog"]["questions"]
    assert {"base", "safe full", "safe swap_audio", "safe mute_audio"} <= found["audio"].keys()
    assert 0 <= lines[-1]["share"] <= 1
    shutil.rmtree(tmp_path / "made")


def test_accuracies_are_of_the_slice() -> None:
    def answered(model: str, condition: str, name: str, answer: str) -> Prediction:
        facts = {"picture_tells": "bell", "contradicts": name == "b", "difficulty": "easy", "fog": False}
        return Prediction(
            example_id=name,
            references=("horn" if name == "b" else "bell",),
            answer=answer,
            model=model,
            condition=condition,
            needs_audio=name != "seen",
            metadata={"fog": False} if name == "seen" else facts,
        )

    rows = {("base", "full", name): answered("base", "full", name, "bell") for name in ("a", "b", "seen")}
    for condition in worlds.CONDITIONS:
        said = "horn" if condition == "full" else "bell"
        rows["safe", condition, "a"] = answered("safe", condition, "a", "bell")
        rows["safe", condition, "b"] = answered("safe", condition, "b", said)
        rows["safe", condition, "seen"] = answered("safe", condition, "seen", "bell")
    found = {line["slice"]: line for line in worlds.accuracies(rows)}
    hinted = ("audio, the hint is true", "audio, the hint misleads")
    assert found.keys() == {"VL", "VL, clear", "audio", *hinted, "audio, easy"}
    assert (found["audio"]["base"], found["audio"]["safe full"]) == (0.5, 1.0)
    assert found["audio, the hint misleads"] == {
        "slice": "audio, the hint misleads",
        "questions": 1,
        "base": 0.0,
        "safe full": 1.0,
        "safe swap_audio": 0.0,
        "safe mute_audio": 0.0,
    }
    *lines, unsure = worlds.tells(rows, {"a": 0.1, "b": 0.9, "seen": 0.6})
    assert [line["auroc_of_entropy"] for line in lines] == [1.0, 1.0]
    assert [line["corrected_by_hearing"] for line in lines] == [1 / 3, 1 / 2]
    assert unsure["share"] == 1.0
