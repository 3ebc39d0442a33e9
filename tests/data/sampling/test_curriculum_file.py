"""A curriculum file is read correctly, or all its faults are named with their lines."""

from pathlib import Path

import pytest

from safe_data.core.errors import InputError
from safe_data.sampling import curriculum_file as stages_module
from safe_data.sampling.curriculum_file import Stage, Until, read_stages

GOOD = """\
stages:
  - name: first sounds
    weights: {audio: 0.8, vl: 0.2}
    difficulty: {audio: [easy, unrated]}
    until: {metric: audio_accuracy, at_least: 0.6, patience: 2, steps: 4000}
  - name: more
    weights: {audio: 1, vl: 1e-1}
    until: {steps: 200}
  - name: calm
    weights: {vl: 1}
    until: {metric: vl_drift, at_most: 0, steps: 30, extend_steps: 5}
  - name: everything
    weights: {audio: 0.4, vl: 0.6}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "curriculum.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(InputError) as error:
        read_stages(write(tmp_path, text))
    return str(error.value).replace(str(tmp_path), "")


def test_a_file_is_read(tmp_path: Path) -> None:
    assert read_stages(write(tmp_path, GOOD)) == (
        Stage(
            name="first sounds",
            weights={"audio": 0.8, "vl": 0.2},
            difficulty={"audio": ("easy", "unrated")},
            until=Until(metric="audio_accuracy", at_least=0.6, patience=2, steps=4000),
        ),
        Stage(name="more", weights={"audio": 1, "vl": 0.1}, until=Until(steps=200)),
        Stage(
            name="calm",
            weights={"vl": 1},
            until=Until(metric="vl_drift", at_most=0.0, steps=30, extend_steps=5),
        ),
        Stage(name="everything", weights={"audio": 0.4, "vl": 0.6}),
    )


def test_the_documented_file_is_one(tmp_path: Path) -> None:
    lines = (stages_module.__doc__ or "").splitlines()
    example = [line[4:] for line in lines if line.startswith("    ")]
    assert [stage.name for stage in read_stages(write(tmp_path, "\n".join(example)))] == [
        "first sounds",
        "harder sounds",
        "everything",
    ]


FAULTS = [
    # what to replace, by what, in which line the fault is found, what is said
    ("weights: {audio: 0.8", "weigths: {audio: 0.8", 2, "has no 'stages[0].weights'; add it"),
    (
        "weights: {audio: 0.8",
        "weigths: {audio: 0.8",
        3,
        "unknown field 'weigths' in stages[0]; did you mean 'weights'?",
    ),
    ("steps: 200", "step: 200", 8, "unknown field 'step' in stages[1].until; did you mean 'steps'?"),
    (
        "name: more",
        "name: more\n    colour: red",
        7,
        "unknown field 'colour' in stages[1]; fields are name, weights",
    ),
    ("stages:", "seed: 0\nstages:", 1, "unknown field 'seed'; fields are stages"),
    ("vl: 0.2", "vl: -0.2", 3, "stages[0].weights: weight -0.2 of 'vl': a weight is a number, 0 or more"),
    ("vl: 0.2", "vl: .nan", 3, "stages[0].weights: weight nan of 'vl': a weight is a number, 0 or more"),
    ("vl: 0.2", "vl: much", 3, "stages[0].weights.vl is 'much': input should be a valid number"),
    ("0.4, vl: 0.6", "0, vl: 0", 13, "stages[3].weights: no dataset has a weight above 0; nothing would be"),
    ("unrated]", "medum]", 4, "stages[0].difficulty.audio[1] is 'medum': input should be 'easy', 'medium'"),
    ("[easy, unrated]", "[]", 2, "stages[0]: 'difficulty' is empty for 'audio'; list some, or leave"),
    ("{audio: [", "{sea: [", 2, "stages[0]: 'difficulty' names 'sea', which has no weight in this stage"),
    (
        "at_least: 0.6, ",
        "",
        5,
        "stages[0].until: 'metric' goes with 'at_least' or 'at_most'; give both, or",
    ),
    ("metric: audio_accuracy, ", "", 5, "stages[0].until: 'metric' goes with 'at_least' or 'at_most'; give"),
    ("metric: vl_drift, ", "", 11, "stages[2].until: 'metric' goes with 'at_least' or 'at_most'; give"),
    ("at_most: 0", "at_most: .inf", 11, "stages[2].until.at_most is inf: input should be a finite number"),
    ("at_most: 0", "at_most: 0, at_least: 0", 11, "stages[2].until: has 'at_least' and 'at_most'; give one"),
    ("extend_steps: 5", "extend_steps: 0", 11, "stages[2].until.extend_steps is 0: input should be greater"),
    (
        "{steps: 200}",
        "{steps: 9, extend_steps: 9}",
        8,
        "stages[1].until: 'extend_steps' needs 'metric':",
    ),
    (
        "steps: 30, extend_steps: 5",
        "extend_steps: 5",
        11,
        "stages[2].until: 'extend_steps' needs 'steps': after 'steps', the stage goes on until the metric "
        "holds; add it, or remove 'extend_steps'",
    ),
    ("{steps: 200}", "{steps: 0}", 8, "stages[1].until.steps is 0: input should be greater than or equal"),
    ("200}", "9, patience: 2}", 8, "stages[1].until: 'patience' needs a metric; add 'metric' with"),
    ("{steps: 200}", "{}", 8, "stages[1].until: is empty; give 'steps', the most that the"),
    (
        ", steps: 4000",
        "",
        5,
        "stages[0].until: 'audio_accuracy' may never hold; give 'steps', the most that the",
    ),
    ("    until: {steps: 200}\n", "", 6, "stage 'more': without 'until' no later stage would begin"),
    (
        "0.4, vl: 0.6}\n",
        "0.4, vl: 0.6}\n    until: {steps: 1}\n",
        12,
        "stage 'everything': the last stage has no 'until'; remove it",
    ),
    (
        "name: more",
        "name: everything",
        12,
        "stage 'everything': the name is taken; give each stage another one",
    ),
    (GOOD, "stages: []", 1, "holds no stages; give one or more"),
]


@pytest.mark.parametrize(("old", "new", "line", "message"), FAULTS)
def test_a_fault_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    text = GOOD.replace(old, new)
    assert text != GOOD
    assert f"curriculum.yaml:{line}: {message}" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected one list named 'stages', with 'name' and 'weights' in each"),
        ("- 1", "expected one list named 'stages', with 'name' and 'weights' in each"),
        ("stages: [", "is not YAML: while parsing a flow node"),
        ("stages: &a [*a]", "is not YAML: an alias stands for itself, line 1"),
        ("stages:\n- {name: a, name: b}", "is not YAML: 'name' is given twice"),
        ("stages: !!python/object/apply:os.getcwd []", "is not YAML: could not determine a constructor"),
    ],
)
def test_what_is_no_list_of_stages_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text).startswith(f"/curriculum.yaml: {message}")


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace("vl: 0.2", "vl: -1")
        .replace("steps: 200", "steps: x")
        .replace("- name: more", "- nam: more")
    )
    assert refusal(tmp_path, text).count("\ncurriculum.yaml:") == 4


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.yaml: cannot be read \(No such file or directory\)$"):
        read_stages(tmp_path / "none.yaml")
