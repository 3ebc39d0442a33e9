"""Options in sections: files with and without them, presets by name, and what wins over what."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import yaml

from safe_data.core.command import run
from safe_data.core.options_file import options_of, write_options


@dataclass(frozen=True)
class Model:
    """What is trained."""

    source: str = field(metadata={"option": "model"})
    """where it is"""
    layers: tuple[int, ...] = field(default=(4, 8), metadata={"option": "layer"})
    """layers that hear"""
    bottleneck: int | None = 16
    """inner dimensions; null: none"""
    tokens: int | tuple[int, ...] = 8
    """one number, or several"""


@dataclass(frozen=True)
class Course:
    """How it is trained."""

    weights: dict[str, float] = field(default_factory=lambda: {"audio": 0.5, "vl": 0.5})
    """share of each role"""
    steps: int | None = field(default=None, metadata={"instead_of": "epochs"})
    """number of steps"""
    epochs: float | None = field(default=None, metadata={"instead_of": "steps"})
    """number of passes"""
    shape: Literal["flat", "round"] | None = None
    """how it looks"""
    dry_run: bool = False
    """do nothing"""


@dataclass(frozen=True)
class Training:
    """All of it."""

    model: Model
    course: Course = field(default_factory=Course)


RAN: list[Training] = []


def train(config: Training, *, seed: int = 0) -> None:
    """Train."""
    RAN.append(config)


@pytest.fixture
def presets(tmp_path: Path) -> Path:
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "small.yaml").write_text(
        "model: {layer: [1], bottleneck: 2}\ncourse: {steps: 7, weights: {vl: 1}}\n"
    )
    (folder / "long.yaml").write_text("course:\n  epochs: 3\n")
    return folder


@pytest.fixture
def call(tmp_path: Path, presets: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the command with words, and say with what; a word `FILE: content` becomes a config file."""
    monkeypatch.chdir(tmp_path)

    def called(*words: str) -> Training | int:
        RAN.clear()
        argv = []
        for number, word in enumerate(words):
            if ": " in word:
                Path(f"{number}.yaml").write_text(word)
                argv += ["--config", f"{number}.yaml"]
            else:
                argv.append(word)
        code = run("prog", "A program.", {"train": train}, ["train", *argv], presets)
        return RAN[0] if RAN else code

    return called


def test_a_file_has_sections_or_none_and_names_options_or_fields(call) -> None:
    wanted = Training(Model("m", (1, 2), 3), Course(steps=5))
    nested = "model: {source: m, layers: [1, 2], bottleneck: 3}\ncourse: {steps: 5}"
    assert call(nested) == wanted
    assert call("model: {model: m, layer: [1, 2], bottleneck: 3}\nsteps: 5") == wanted
    assert call("model: m\nlayer: [1, 2]\nbottleneck: 3\nsteps: 5") == wanted
    assert call("--model", "m", "--layer", "1", "--layer", "2", "--bottleneck", "3", "--steps", "5") == wanted


def test_a_section_whose_lines_are_all_comments_changes_nothing(call) -> None:
    assert call("model: m", "course: \n  # steps: 5") == Training(Model("m"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("course: {step: 5}", "course.step is no option; did you mean 'steps'?"),
        (
            "course: {zzz: 5}",
            "course.zzz is no option; there are weights, steps, epochs, shape, dry_run",
        ),
        ("cours: {steps: 5}", "'cours.steps'; did you mean 'course'?"),
        ("stepps: 5", "'stepps'; did you mean 'steps'?"),
        ("course: [5]", "course is [5]; write its options below it, one `name: value` a line"),
        ("course: {steps: many}", "--steps: expected int, not many; see --help"),
        ("model: {layer: 3}", "--layer: expected a list such as [a, b], not one int; see --help"),
        ("course: {shape: oval}", "--shape: expected one of 'flat', 'round', not oval; see --help"),
        ("course: {weights: {vl: x}}", "--weights: expected float, not x; see --help"),
        ("course: {weights: 1}", "--weights: expected dict, not 1; see --help"),
        ("course: {dry_run: 'no'}", "dry_run is 'no'; write true or false"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line(
    call, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    assert call("--model", "m", content) == 3
    assert re.fullmatch(f"prog train: .*{re.escape(message)}\n", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("content", "held"), [("- steps\n", "- steps"), ("# steps: 5\n", "# steps: 5"), ("", "nothing")]
)
def test_a_file_without_options(
    call, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, held: str
) -> None:
    (tmp_path / "some.yaml").write_text(content)
    assert call("--model", "m", "--config", "some.yaml") == 3
    said = f"--config: expected options such as `seed: 1`, one a line, not {held}; see --help"
    assert capsys.readouterr().err == f"prog train: {said}\n"


def test_a_preset_is_found_by_its_name_unless_a_file_has_it(call, tmp_path: Path) -> None:
    small = Training(Model("m", (1,), 2), Course(steps=7, weights={"vl": 1.0}))
    assert call("--model", "m", "--config", "small") == small
    assert call("--model", "m", "--config=small") == small
    (tmp_path / "small").mkdir()  # a folder of that name is no file
    assert call("--model", "m", "--config", "small") == small
    (tmp_path / "long").write_text("bottleneck: 5\n")
    assert call("--model", "m", "--config", "long") == Training(Model("m", bottleneck=5))


@pytest.mark.parametrize(
    ("name", "hint"),
    [("smal", "did you mean 'small'?"), ("other.yaml", "presets are long, small"), ("", "expected")],
)
def test_a_config_that_is_nowhere(call, capsys: pytest.CaptureFixture[str], name: str, hint: str) -> None:
    assert call("--model", "m", *(["--config", name] if name else ["--config"])) == 3
    said = (
        f"--config {name}: is neither a file nor a preset; {hint}" if name else "argument --config: expected"
    )
    assert said in capsys.readouterr().err


def test_a_later_file_wins_and_the_command_line_wins_wherever_it_stands(call) -> None:
    files = ("layer: [5, 6]", "layer: [7]\nbottleneck: 9")
    assert call("--model", "m", *files) == Training(Model("m", (7,), 9))
    for words in ([*files, "--layer", "1"], ["--layer", "1", *files], [files[0], "--layer", "1", files[1]]):
        assert call("--model", "m", *words) == Training(Model("m", (1,), 9))


def test_a_dict_is_replaced_by_a_file_and_changed_by_its_keys(call) -> None:
    assert call("--model", "m", "weights: {vl: 1}").course.weights == {"vl": 1.0}
    assert call("--model", "m", "weights: {vl: 1}", "weights: {audio: 2}").course.weights == {"audio": 2.0}
    assert call("--model", "m", "--weights", '{"vl":3}').course.weights == {"vl": 3.0}
    assert call("--model", "m", "--weights.vl", "4").course.weights == {"audio": 0.5, "vl": 4.0}
    assert call("--model", "m", "weights: {vl: 1}", "--weights.a/vl", "4").course.weights == {
        "vl": 1.0,
        "a/vl": 4.0,
    }


def test_a_number_or_a_list_is_given_once_or_several_times(call) -> None:
    of = {
        ("--tokens", "4"): 4,
        ("--tokens", "[4, 8]"): (4, 8),
        ("--tokens", "4", "--layer", "1", "--tokens=8", "--layer", "2"): (4, 8),
        ("tokens: 4",): 4,
        ("model: {tokens: [4, 8]}",): (4, 8),
        ("tokens: [4, 8]", "--tokens", "9"): 9,
        ("tokens: 4", "--tokens", "9", "--tokens", "10"): (9, 10),
    }
    for words, tokens in of.items():
        assert call("--model", "m", *words).model.tokens == tokens


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tokens", "x"], "--tokens: expected int or list, not x; see --help"),
        (["--tokens", "4", "--tokens", "x"], "--tokens: expected int, not [4, 'x']; see --help"),
        (["--tokens", "4", "--tokens"], "argument --tokens: expected one argument; see --help"),
        (["tokens: many"], "--tokens: expected int or list, not many; see --help"),
    ],
)
def test_what_is_neither_a_number_nor_a_list(
    call, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert call("--model", "m", *words) == 3
    assert capsys.readouterr().err == f"prog train: {message}\n"


def test_null_is_a_value_where_it_may_be_one(call) -> None:
    assert call("--model", "m", "--bottleneck", "null").model.bottleneck is None
    assert call("--model", "m", "model: {bottleneck: null}").model.bottleneck is None
    assert call("--model", "m", "layer: null\ndry_run: null\nseed: null") == Training(Model("m"))


def test_null_is_not_given_where_it_must_be_something(call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("model: {model: null}") == 3
    assert capsys.readouterr().err == (
        "prog train: the following arguments are required: model; see --help\n"
    )


def test_an_option_replaces_the_one_it_stands_instead_of(call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--model", "m", "--config", "long").course == Course(epochs=3)
    assert call("--model", "m", "--config", "long", "--steps", "9").course == Course(steps=9)
    assert call("--model", "m", "--steps=9", "--config", "long").course == Course(steps=9)
    assert call("--model", "m", "--config", "small", "--config", "long").course.epochs == 3
    assert call("--model", "m", "--config", "small", "--config", "long").course.steps is None
    both = call("--model", "m", "--steps", "9", "--epochs", "2").course  # for the settings to refuse
    assert (both.steps, both.epochs) == (9, 2)


def test_print_config_shows_sections_and_runs_again(
    call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--model", "m", "--config", "long", "--bottleneck", "null", "--weights.vl", "2")
    ran = call(*words)
    assert call(*words, "--print_config") == 0
    shown = capsys.readouterr().out
    assert yaml.safe_load(shown) == {
        "seed": 0,
        "quiet": False,
        "model": {"model": "m", "layer": [4, 8], "bottleneck": None, "tokens": 8},
        "course": {
            "weights": {"audio": 0.5, "vl": 2.0},
            "steps": None,
            "epochs": 3.0,
            "shape": None,
            "dry_run": False,
        },
    }
    (tmp_path / "printed.yaml").write_text(shown)
    assert call("--config", "printed.yaml") == ran


def test_what_was_written_runs_again(call, tmp_path: Path) -> None:
    ran = Training(Model("m", (3,), None, (4, 8)), Course(steps=4, weights={"a/vl": 1.0}))
    path = write_options(tmp_path / "out", "prog train", options_of(ran))
    written = yaml.safe_load(path.read_text())
    assert written["model"] == {"source": "m", "layer": [3], "bottleneck": None, "tokens": [4, 8]}
    assert call("--config", str(path)) == ran
    assert call("--config", str(path), "--epochs", "2").course == Course({"a/vl": 1.0}, epochs=2)


def test_help_groups_the_options_by_section(call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "model: --model MODEL where it is (required, type: str) --layer LAYER layers that hear" in said
    assert "(may be given several times; default: 4, 8) (type: int) --bottleneck" in said
    assert "course: --weights WEIGHTS share of each role" in said


@dataclass(frozen=True)
class Look:
    """A smaller command that reads the files of a larger one."""

    UNREAD: ClassVar[Any] = Training

    model: Model
    course: Path | None = None  # an option where the larger has a section
    numbers: tuple[int, ...] = field(default=(1, 2), metadata={"nargs": "+"})
    """several at once"""


def test_a_smaller_command_passes_over_what_it_does_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    looked = []

    def look(config: Look) -> None:
        """Look."""
        looked.append(config)

    def words(content: str, *more: str) -> list[str]:
        (tmp_path / "run.yaml").write_text(content)
        return ["look", f"--config={tmp_path / 'run.yaml'}", *more]

    whole = "model: {source: x, layer: [3]}\ncourse: {steps: 7}\n"
    assert run("prog", "A program.", {"look": look}, words(whole, "--numbers", "3", "4")) == 0
    assert run("prog", "A program.", {"look": look}, words("model: {source: x}\ncourse: a\n")) == 0
    assert looked == [Look(Model("x", (3,)), numbers=(3, 4)), Look(Model("x"), Path("a"))]
    wrong = whole.replace("steps", "stepz")
    assert run("prog", "A program.", {"look": look}, words(wrong)) == 3
    assert "course.stepz is no option; did you mean 'steps'?" in capsys.readouterr().err
