"""What a curriculum will draw is what it then draws; what it cannot draw is a fault."""

import json
from itertools import chain
from pathlib import Path

import pytest
from folders import row, write_media, write_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.build.build import build_dataset
from safe_data.cli import main
from safe_data.sampling.curriculum import Curriculum, Progress, levels_of
from safe_data.sampling.curriculum_file import Stage, Until
from safe_data.sampling.outlook import StageOutlook, look_ahead

STAGES = """\
stages:
  - name: first
    weights: {audio: 0.75, vl: 0.25}
    difficulty: {audio: [easy]}
    until: {metric: accuracy, at_least: 0.6, patience: 2, steps: 9}
  - name: "calm \\e[2J"
    weights: {vl: 1}
    until: {metric: drift, at_most: 0.02, steps: 3, extend_steps: 2}
  - name: all
    weights: {audio: 0.4, vl: 0.6}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips of training, two of them easy, and one for a test."""
    folder = tmp_path_factory.mktemp("world")
    rows = [row(number, difficulty="easy" if number < 2 else None) for number in range(7)]
    rows[6]["split"], rows[6]["group"] = "test", "other"
    write_media(folder / "sounds", rows)
    build_dataset(write_rows(folder / "sounds", rows), folder / "shards", encoders=())
    (folder / "stages.yaml").write_text(STAGES)
    return folder


def check(world: Path, *arguments: object) -> int:
    """`safe-data check --sampling`, which judges datasets by other suites too, unless it is told not to."""
    only = ("--only", "sampling", "--quiet") if arguments else ()
    return main(["check", *map(str, arguments), *only, "--sampling", str(world / "stages.yaml")])


def test_what_each_stage_draws_is_printed(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards = world / "shards"
    assert check(world, f"audio={shards}", f"vl={shards}", shards, "--batch-size", 4) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert lines[0] == f"{world / 'stages.yaml'}: 3 stages, batches of 4 rows"
    assert lines[1 : lines.index("OK") + 1] == [
        "  audio: 6 rows in train",
        "  vl: 6 rows in train",
        "  sounds: 6 rows in train",
        "",
        "stage 1: first",
        "  dataset  share  per batch  difficulty  rows  epochs  repeats after",
        "  audio    0.750        3.0  easy           2   13.50  at once",
        "  vl       0.250        1.0  all            6    1.50  6 steps",
        "  ends once accuracy is at least 0.6 at 2 evaluations in a row, or after 9 steps",
        "  note: rows of 'audio' repeat within a batch, which takes up to 3 of 2",
        "",
        "stage 2: calm \N{REPLACEMENT CHARACTER}[2J",
        "  dataset  share  per batch  difficulty  rows  epochs  repeats after",
        "  vl       1.000        4.0  all            6    3.33  1 step",
        "  ends after 3 steps if drift is at most 0.02; otherwise once that holds, or",
        "    after 5 steps",
        "",
        "stage 3: all",
        "  dataset  share  per batch  difficulty  rows  epochs  repeats after",
        "  audio    0.400        1.6  all            6  –       4 steps",
        "  vl       0.600        2.4  all            6  –       2 steps",
        "  ends with the training",
        "",
        "note: no stage draws 'sounds'",
        "OK",
    ]
    assert max(map(len, lines[1:])) <= 80


def test_a_curriculum_that_cannot_be_drawn_does_not_hold(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards = world / "shards"
    assert check(world, f"audio={shards}", f"vll={shards}") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines.count("  FAULT: no dataset is named 'vl'; did you mean 'vll'?") == 3
    assert "cannot be drawn: 3 faults" in lines
    assert check(world, f"audio={shards}", f"vl={shards}", "--split", "test", "--format", "json") == 1
    outlook = json.loads(capsys.readouterr().out)["outlook"]
    assert [stage["faults"] for stage in outlook["stages"]] == [["'audio' has 1 unrated, none easy"], [], []]
    first, second = outlook["stages"][0]["datasets"]
    assert first == {
        "name": "audio",
        "share": 0.75,
        "rows_per_batch": 192.0,
        "difficulty": ["easy"],
        "rows": None,
        "drawn": 1728,
        "epochs": None,
        "repeats_after": None,
    }
    assert (second["rows"], second["epochs"], second["repeats_after"]) == (1, 576.0, 0)
    assert [stage["most_steps"] for stage in outlook["stages"]] == [9, 5, None]


def test_without_datasets_the_file_alone_is_judged(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(world) == 0
    said = capsys.readouterr().out
    assert "no datasets are given, so only the file was judged\n" in said
    assert "  audio    0.750      192.0  easy\n" in said
    assert "epochs" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sampling", "none.yaml"], "none.yaml: cannot be read (No such file or directory)"),
        (["--sampling", "stages.yaml", "nowhere"], "nowhere: no dataset (dataset.json is missing)"),
        (["--sampling", "stages.yaml", "a=shards", "--split", "dev"], "shards: no split 'dev'; it has test,"),
        (
            ["--sampling", "stages.yaml", "shards", "shards"],
            "shards: two datasets are called 'sounds'; give",
        ),
        (["--sampling", "stages.yaml", "--batch-size", "0"], "--batch-size 0: a batch holds one row"),
        (
            ["--sampling", "stages.yaml", "--force"],
            "--suites, --suite, --only, --annotations, --out and --force",
        ),
        (["--sampling", "stages.yaml", "--only", "rows"], "--suites, --suite, --only, --annotations, --out"),
        (["--sampling", "stages.yaml", "--format", "junit"], "--format junit: judges a dataset; name one"),
        (["shards", "--split", "train"], "--split and --batch-size go with --sampling; add it, or"),
        (["shards", "shards"], "shards: two datasets are called 'sounds'; give one of them as NAME=shards"),
        ([], "no dataset is given; name the directory of a finished one"),
    ],
)
def test_what_cannot_be_judged_is_one_line(
    arguments: list[str],
    message: str,
    world: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(world)
    assert main(["check", *arguments]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"safe-data check: {message}")
    assert printed.err.count("\n") == 1


def outlooks(weights: dict[str, float], rows: dict[str, int], batch_size: int, steps: int) -> StageOutlook:
    stages = [
        Stage(name="one", weights=weights, until=Until(steps=steps)),
        Stage(name="last", weights=weights),
    ]
    levels = {name: levels_of([None] * count) for name, count in rows.items()}
    found = look_ahead(stages, levels, "file", "train", batch_size)
    assert found.faults == 0
    without = found.stages[1].datasets  # the last stage lasts, so it repeats in the end
    for one, lasting in zip(found.stages[0].datasets, without, strict=True):
        assert lasting.repeats_after is not None
        assert one.repeats_after == (lasting.repeats_after if lasting.repeats_after < steps else None)
    return found.stages[0]


@settings(max_examples=25, deadline=None)
@given(
    parts=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 20)), min_size=1, max_size=4),
    batch_size=st.integers(1, 12),
    steps=st.integers(1, 12),
)
def test_the_outlook_is_what_is_then_drawn(parts: list[tuple[int, int]], batch_size: int, steps: int) -> None:
    weights = {f"d{number}": weight for number, (weight, _) in enumerate(parts)}
    rows = {f"d{number}": count for number, (_, count) in enumerate(parts)}
    stage = outlooks(weights, rows, batch_size, steps)
    column = {name: [None] * count for name, count in rows.items()}
    plan = Curriculum([Stage(name="one", weights=weights)], column, batch_size=batch_size, seed=0)
    draws = [plan.batch(Progress(step)) for step in range(steps)]
    for one in stage.datasets:
        drawn = [draw.rows(one.name).tolist() for draw in draws]
        assert one.drawn == sum(map(len, drawn))
        assert one.epochs == draws[-1].epochs[one.name] == one.drawn / rows[one.name]
        so_far = [list(chain(*drawn[: step + 1])) for step in range(steps)]
        fresh = sum(len(set(found)) == len(found) for found in so_far)
        assert one.repeats_after == (None if fresh == steps else fresh)


def test_very_unequal_epochs_are_noted() -> None:
    stage = outlooks({"a": 1, "b": 1}, {"a": 10, "b": 1000}, batch_size=8, steps=100)
    assert stage.notes == ("in 100 steps, 'a' is seen 40.0 times, and 'b' is not seen whole (40.0%)",)
    assert outlooks({"a": 1, "b": 1}, {"a": 10, "b": 1000}, batch_size=8, steps=10).notes == ()
    assert outlooks({"a": 1, "b": 1}, {"a": 10, "b": 300}, batch_size=8, steps=100).notes == ()


def test_a_curriculum_says_what_may_surprise() -> None:
    stages = [
        Stage(name="one", weights={"a": 1, "b": 1}, until=Until(steps=100)),
        Stage(name="two", weights={"b": 1}),
    ]
    plan = Curriculum(stages, {"a": [None] * 3, "b": [None] * 1000}, batch_size=8, seed=0)
    assert plan.notes() == [
        "stage 'one': rows of 'a' repeat within a batch, which takes up to 4 of 3",
        "stage 'one': in 100 steps, 'a' is seen 133.3 times, and 'b' is not seen whole (40.0%)",
    ]
