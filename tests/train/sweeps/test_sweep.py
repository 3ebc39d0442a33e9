"""A sweep end to end, small: each trial is a real run, and a killed sweep goes on."""

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import Killed

from safe_data.core.errors import InputError
from safe_eval.cli import main as safe_eval
from safe_train.cli import main
from safe_train.settings.sweep import SweepConfig
from safe_train.stages.loop import Loop
from safe_train.sweeps.grid import Grid, read_grid
from safe_train.sweeps.measured import measure
from safe_train.sweeps.point import Point, points_of
from safe_train.sweeps.recipe import commands, recipe
from safe_train.sweeps.result import SweepResult
from safe_train.sweeps.rules import Ruled
from safe_train.sweeps.sweep import RESULTS, run_sweep
from safe_train.sweeps.trial import PRUNED, UNSTABLE, read_trial

Swept = tuple[SweepConfig, SweepResult]


def copied(swept: Swept, tmp_path: Path, **changes: Any) -> SweepConfig:
    """The sweep in another folder, which a test may change."""
    config, _ = swept
    assert config.out is not None
    shutil.copytree(config.out, tmp_path / "run")
    return replace(config, out=tmp_path / "run", **changes)


def out_of(config: SweepConfig) -> Path:
    assert config.out is not None
    return config.out


def test_every_trial_is_a_run_that_other_commands_open(swept: Swept, tmp_path: Path) -> None:
    config, result = swept
    runs = [out_of(config) / point / f"seed-{seed}" for point in ("k2-r4", "k4-r4") for seed in (0, 1)]
    for run in runs:
        names = {path.name for path in run.iterdir()}
        assert names >= {
            "adapter.safetensors",
            "config.json",
            "predictions.jsonl",
            "scores.json",
            "trial.json",
        }
    assert [row.point for row in result.rows] == ["k2-r4", "k4-r4"]
    assert result.rows[0].seeds == (0, 1)
    predictions = [str(run / "predictions.jsonl") for run in runs[:2]]
    assert safe_eval(["score", *predictions, "--out", str(tmp_path), "--quiet"]) == 0


def test_the_table_is_what_safe_eval_scored(swept: Swept) -> None:
    config, result = swept
    for row in result.rows:
        for seed, shown in zip(row.seeds, row.metrics["audio_score"].by_seed, strict=True):
            scores = json.loads((out_of(config) / row.point / f"seed-{seed}/scores.json").read_text())
            found = {
                (m["model"], m["condition"], m["slice"]): m["value"]
                for m in scores["metrics"]
                if m["metric"] == "accuracy"
            }
            assert shown == pytest.approx(found["safe", "full", "audio"])
            drift = found["base", "full", "vl"] - found["safe", "swap_audio", "vl"]
            place = row.seeds.index(seed)
            assert row.metrics["vl_drift"].by_seed[place] == pytest.approx(drift)
            gain = found["safe", "full", "audio"] - found["base", "full", "audio"]
            assert row.metrics["audio_gain"].by_seed[place] == pytest.approx(gain)
        trial = read_trial(out_of(config) / row.point / "seed-0")
        assert trial is not None
        stored = json.loads((out_of(config) / row.point / "seed-0/config.json").read_text())
        assert trial.parameters == stored["trained_parameters"] == row.metrics["parameters"].mean
        assert row.metrics["latency_ms"].mean > 0
        assert row.metrics["latency_ratio"].mean > 0
        assert row.metrics["oscillation"].mean > 0
        assert row.metrics["diverged"].mean == 0


def test_the_results_are_written_in_every_form(swept: Swept) -> None:
    config, result = swept
    out = out_of(config)
    assert result.files == tuple(out / name for name in RESULTS)
    assert all(file.is_file() for file in result.files)
    stored = json.loads((out / "results.json").read_text())
    assert stored["decision"] == result.decision
    assert [rule["name"] for rule in stored["rules"]] == ["smallest", "highest & best"]
    text = (out / "results.md").read_text("utf-8")
    assert "| k2-r4 " in text
    assert f"**Decision: {result.decision}**" in text
    assert "- highest & best: not measured: not told apart: k2-r4, k4-r4" in text
    tex = (out / "results.tex").read_text("utf-8")
    assert r"\caption{two\_points: mean $±$ sd over seeds, on val}" in tex
    assert (out / "results.csv").read_text().startswith("point,metric,mean,sd,ci_low,ci_high,seeds,status\n")
    wrong = (out / "wrong.csv").read_text().splitlines()
    assert wrong[0] == "point,slice,example_id,cluster,points"
    first = result.rows[0]
    assert sum(line.startswith("k2-r4,audio,") for line in wrong) == first.wrong_audio
    assert (out / "recipe.md").read_text().startswith("# Recipe from sweep two_points\n\nNo point was shown")


def test_what_is_there_is_used_again_and_a_killed_sweep_goes_on(
    swept: Swept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, result = copied(swept, tmp_path), swept[1]
    out = out_of(config)
    last = out / "k4-r4/seed-1"
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("adapter.safetensors")}
    weights = (last / "adapter.safetensors").read_bytes()
    shutil.rmtree(last)
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_end_epoch", _kill)
        with pytest.raises(Killed):
            run_sweep(config)
    assert not (out / "results.json").exists()  # it must not seem to be of this sweep
    again = run_sweep(config)
    assert (last / "adapter.safetensors").read_bytes() == weights
    assert [row.metrics["audio_score"] for row in again.rows] == [
        r.metrics["audio_score"] for r in result.rows
    ]
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items() if last not in path.parents)


def _kill(loop: Loop) -> None:
    raise Killed


def test_another_grid_in_the_folder_is_refused_with_what_differs(swept: Swept, tmp_path: Path) -> None:
    config = copied(swept, tmp_path, changes=("steps=25",))
    with pytest.raises(InputError) as refused:
        run_sweep(config)
    assert "run/k2-r4/seed-0: holds another trial; this one differs:" in str(refused.value)
    assert "options.optim.steps: 24 there, 25 here" in str(refused.value)
    assert "add --force to start over" in str(refused.value)


def test_only_runs_some_and_says_what_is_missing(swept: Swept, tmp_path: Path) -> None:
    config = copied(swept, tmp_path, only=("k2-r4",))
    shutil.rmtree(out_of(config) / "k4-r4")
    found = run_sweep(config)
    assert [row.status for row in found.rows] == ["finished", "not run"]
    assert found.decision == "not measured"
    assert found.rules[0].statement == "not measured: k4-r4: 2 of 2 seeds were not run"


def test_a_trial_that_diverges_or_drifts_is_a_row_and_no_candidate(
    grid_file: Path, shards: Path, untaught: Path, tmp_path: Path
) -> None:
    grid = tmp_path / "wild.yaml"
    text = grid_file.read_text().replace(
        "vary: {tokens: [2, 4], rank: [4]}", "vary: {projector_lr: [1.0e30]}"
    )
    grid.write_text(text)
    config = SweepConfig(str(grid), tmp_path / "run", shards=(shards,), backbone=str(untaught), quiet=True)
    found = run_sweep(config)
    assert [row.status for row in found.rows] == [UNSTABLE]
    assert found.rows[0].seeds == (0,)  # its other seed would not make it a candidate
    assert found.rows[0].metrics["diverged"].mean == 1
    assert "seed 0 was unstable: step " in found.rules[0].statement


def test_a_trial_is_pruned_by_its_loss(grid_file: Path, shards: Path, untaught: Path, tmp_path: Path) -> None:
    grid = tmp_path / "pruned.yaml"
    points = "points: [{name: learns}, {name: waits, options: {projector_lr: 1.0e-9, fusion_lr: 1.0e-9}}]\n"
    text = grid_file.read_text().replace("vary: {tokens: [2, 4], rank: [4]}\n", points)
    text = text.replace("steps: 24,", "steps: 24, tokens: 2, rank: 4, projector_lr: 0.01, fusion_lr: 0.01,")
    grid.write_text(text.replace("seeds: [0, 1]", "seeds: [0]\npruning: {loss: 1, startup: 1, after: 8}"))
    config = SweepConfig(str(grid), tmp_path / "run", shards=(shards,), backbone=str(untaught), quiet=True)
    found = run_sweep(config)
    assert [row.status for row in found.rows] == ["finished", PRUNED]
    assert "is above the 1th percentile of 1 points before it" in (found.rows[1].missing or "")
    assert run_sweep(config).rows == found.rows


def test_the_recipe_of_a_winner_is_commands_that_parse(
    swept: Swept, capsys: pytest.CaptureFixture[str]
) -> None:
    config, result = swept
    grid: Grid = read_grid(config.grid)
    points = points_of(grid)
    won = Ruled(name="r", rule="best", decision="go", winner="k4-r4", statement="k4-r4 is the best")
    import msgspec

    named = msgspec.structs.replace(result, winner="k4-r4", rules=(won,))
    text = recipe(named, grid, points, [Path("runs/my shards")], "runs/base-{seed}")
    assert "`k4-r4` was chosen: k4-r4 is the best." in text
    train, ask, score = commands(points[1], grid, [Path("runs/my shards")], "runs/base-{seed}", 1)
    assert "'runs/my shards' --backbone runs/base-1" in train
    assert "--tokens 4 --rank 4 --seed 1" in train
    assert "--steps" not in train
    for command in (train, ask):
        assert main([*shlex.split(command)[1:], "--print_config"]) == 0
    assert safe_eval([*shlex.split(score)[1:], "--print_config"]) == 0
    assert all(f"    {command}" in text for command in (train, ask, score))


def test_presets_and_lists_stand_in_the_commands_too() -> None:
    grid = read_grid("fusion_location")
    train = commands(points_of(grid)[1], grid, [Path("s")], "b", 0)[0]
    assert train.endswith("--config baseline '--layer=[]' --location early --seed 0")


def test_seeds_that_were_asked_different_questions_are_refused(swept: Swept, tmp_path: Path) -> None:
    config = copied(swept, tmp_path)
    grid, folders = read_grid(config.grid), [out_of(config) / "k2-r4" / f"seed-{seed}" for seed in (0, 1)]
    file = folders[1] / "predictions.jsonl"
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    gone = next(row["example_id"] for row in kept if row["needs_audio"])
    file.write_text("".join(json.dumps(row) + "\n" for row in kept if row["example_id"] != gone))
    trials = [(trial, folder) for folder in folders if (trial := read_trial(folder))]
    with pytest.raises(InputError, match="point k2-r4: its seeds were asked different questions"):
        measure(grid, "k2-r4", trials, 2)


def test_a_metric_that_the_answers_do_not_have_is_refused(swept: Swept) -> None:
    config, _ = swept
    grid = read_grid(config.grid)
    wrong = grid.model_copy(update={"metrics": grid.metrics.model_copy(update={"audio": "acuracy"})})
    trials = [(trial, f) for s in (0, 1) if (trial := read_trial(f := out_of(config) / f"k2-r4/seed-{s}"))]
    with pytest.raises(InputError, match="was not scored by 'acuracy'; did you mean 'accuracy'"):
        measure(wrong, "k2-r4", trials, 2)


def test_nothing_to_train_on_is_said_at_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["sweep", "tokens", "--out", str(tmp_path / "o")]) == 3
    assert "says nothing to train on; add --shards and --backbone, or --world hard" in capsys.readouterr().err
    assert main(["sweep", "tokens"]) == 3
    assert "a sweep needs a folder: add --out DIR, or --dry-run" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_the_command_prints_the_table_and_the_decision(
    swept: Swept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = copied(swept, tmp_path)
    words = ["sweep", config.grid, "--out", str(config.out), "--shards", *map(str, config.shards)]
    code = main([*words, "--backbone", str(config.backbone), "--quiet"])
    shown = capsys.readouterr().out
    assert code == {"go": 0, "no-go": 1, "not measured": 2}[swept[1].decision]
    assert "  k2-r4 " in shown
    assert f"decision: {swept[1].decision}\n  smallest: " in shown
    assert all(len(line) <= 80 for line in shown.splitlines() if line.startswith("  k"))


def test_a_point_keeps_going_when_it_drifts_unless_told() -> None:
    config = Point("a").config(shards=(Path("s"),), backbone="b", out=Path("o"), seed=3)
    assert (config.run.drift_stop, config.run.seed, config.run.trackers) == (None, 3, ("none",))
    told = Point("a", options={"drift_stop": 0.02}).config(
        shards=(Path("s"),), backbone="b", out=Path("o"), seed=0
    )
    assert told.run.drift_stop == 0.02


@pytest.mark.slow
def test_ray_tune_gives_the_same_results_in_the_same_order(swept: Swept, tmp_path: Path) -> None:
    config, result = swept
    found = run_sweep(replace(config, out=tmp_path / "ray", engine="ray", workers=2))
    for ours, theirs in zip(result.rows, found.rows, strict=True):
        assert (ours.point, ours.seeds) == (theirs.point, theirs.seeds)
        for metric in ("audio_score", "audio_gain", "vl_drift", "oscillation", "parameters"):
            assert ours.metrics[metric] == theirs.metrics[metric]


@pytest.mark.slow
def test_a_world_is_made_once_with_a_base_for_each_seed(grid_file: Path, tmp_path: Path) -> None:
    text = grid_file.read_text() + (
        "world: hard\nclips: 120\n"
        "toy: {pictures: 600, vision_steps: 60, language_steps: 60, held_out_questions: 50}\n"
    )
    grid = tmp_path / "world.yaml"
    grid.write_text(text)
    out = tmp_path / "run"
    found = run_sweep(SweepConfig(str(grid), out, quiet=True))
    assert {path.name for path in (out / "bases").iterdir()} == {"seed-0", "seed-1"}
    bases = [
        json.loads((out / f"k2-r4/seed-{s}/config.json").read_text())["base"]["weights_sha256"]
        for s in (0, 1)
    ]
    assert bases[0] != bases[1]
    assert found.rows[0].status == "finished"
