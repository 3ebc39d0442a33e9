"""The table of a real run: a line for each kind of question that was asked, and the arms that answered it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import Scores
from safe_train.demo_text import TWIN
from safe_train.real.real_text import table_lines

# By model, condition and seed, how many of eight questions are answered rightly.
RIGHT = {
    ("base", "full", 1): 2,
    ("safe", "full", 1): 6,
    ("safe", "full", 2): 8,
    (TWIN, "full", 1): 7,
    ("safe", "swap_audio", 1): 3,
    ("safe", "mute_audio", 1): 1,
    ("safe", "gate_off", 1): 2,
}
RIGHT_WITHOUT_A_MODEL = {("majority", "full", 0): 4, ("probe", "full", 0): 5}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("scores")
    models, baselines = (
        _scores(folder / f"{name}.jsonl", right)
        for name, right in (("models", RIGHT), ("baselines", RIGHT_WITHOUT_A_MODEL))
    )
    return table_lines(models, baselines)


def _scores(path: Path, answered: Mapping[tuple[str, str, int], int]) -> Scores:
    rows = [
        Prediction(
            example_id=f"{dataset}-{kind}-{number}",
            record_id=f"{dataset}-{kind}-{number}",
            dataset=dataset,
            split="test",
            group=f"group-{number // 2}",
            task="vqa",
            question_type=kind,
            needs_audio=True,
            prompt="What kind of sound is it?",
            references=("drum",),
            answer="drum" if number < right else "noise",
            model=model,
            condition=condition,
            seed=seed,
        )
        for (model, condition, seed), right in answered.items()
        for dataset, kind in (("stamps", "kind"), ("gcompris", "kind"), ("stamps", "colour"))
        for number in range(8)
    ]
    write_predictions(path, rows)
    return score_files([path])


def test_a_line_for_each_kind_of_question_that_was_asked(table: list[str]) -> None:
    header, *lines = table
    assert [line.split("  ")[0] for line in lines] == ["kind of sound, other corpus", "kind of sound"]
    assert header.startswith("accuracy (%) [95% interval]  ")


def test_the_first_seed_is_shown_with_what_was_not_measured_left_open(table: list[str]) -> None:
    header, line, _ = table
    names = [name for name in header.split("  ") if name.strip()]
    cells = [cell.strip() for cell in line.split("  ") if cell.strip()]
    found = dict(zip((name.strip() for name in names), cells, strict=True))
    assert (found["n"], found["groups"]) == ("8", "4")
    assert {name: found[name] for name in ("base", "always on", "muted", "gate off", "majority")} == {
        "base": "25.0",
        "always on": "87.5",
        "muted": "12.5",
        "gate off": "25.0",
        "majority": "50.0",
    }
    for name, share in (("SAFE", "75.0"), ("swapped", "37.5"), ("probe", "62.5")):
        low, high = found[name].removeprefix(f"{share} [").removesuffix("]").split(", ")
        assert int(low) < float(share) < int(high)
    assert {found[name] for name in ("chance", "shortcut", "at one level")} == {"–"}
