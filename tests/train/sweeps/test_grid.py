"""Grid files: what is refused and where, the points and their names, and every grid that ships with SAFE."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from safe_data.core.errors import InputError
from safe_train.audit.blueprint import count_pathway
from safe_train.cli import main
from safe_train.pathway.model import fused_layers
from safe_train.sweeps.dry_run import config_of, plan_points
from safe_train.sweeps.grid import GRIDS, Grid, grid_names, read_grid, set_options
from safe_train.sweeps.held import audit_config
from safe_train.sweeps.point import Point, check_only, points_of
from safe_train.sweeps.search import planned

LAYERS_13B, WIDTH_13B, MOST_TRAINED = 40, 5120, 250_000_000


def read(tmp_path: Path, text: str) -> Grid:
    file = tmp_path / "grid.yaml"
    file.write_text(text)
    return read_grid(str(file))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vary: {tokns: [4]}", "grid.yaml:1: no option 'tokns'; did you mean 'tokens'?"),
        (
            "seeds: [0]\nvary:\n  steps: [many]",
            "grid.yaml:3: steps is 'many': input should be a valid integer",
        ),
        ("vary: {rank: [4]}\noptions:\n  seed: 1", "grid.yaml:3: seed is set for each trial; leave it out"),
        ("vary: {rank: [4]}\npoints: [{name: a}]", "grid.yaml:1: give 'vary' or 'points', one of them"),
        ("vary: {rank: [4]}\nserach: grid", "grid.yaml:2: unknown field 'serach'; did you mean 'search'?"),
        ("vary:\n  rank: {low: 8, high: 4}", "vary.rank"),
        ("vary: {kl_weight: {low: 0.1, high: 1}}", "a range is drawn from; list its values, or set"),
        ("search: tpe\nvary: {rank: [4]}", "search: tpe needs 'vary' and a number of 'trials'"),
        ("trials: 4\nvary: {rank: [4]}", "trials: a grid runs all its points"),
        ("seeds: [1, 1]\nvary: {rank: [4]}", "grid.yaml:1: seeds=[1, 1]: name each seed once"),
        ("presets: [phse1]\nvary: {rank: [4]}", "grid.yaml:1: no preset 'phse1'; did you mean 'phase1'?"),
        ("points: [{name: a}, {name: a}]", "the name 'a' is taken; give each point another one"),
        ("points: [{name: ../a}]", "grid.yaml:1: points[0].name is '../a'"),
        ("world: hard\nbackbone: b\nvary: {rank: [4]}", "'world' makes shards and a backbone"),
        ("world: hard\ntoy: {widht: 3}\nvary: {rank: [4]}", "grid.yaml:2: toy.widht is no part of the toy's"),
        ("pruning: {after: 3}\nvary: {rank: [4]}", "give 'drift', 'loss' or both; or write `pruning: off`"),
        ("vary: {rank: [4]}\nrules: [{rule: smallest, targets: []}]", "grid.yaml:2: "),
        (
            "vary: {rank: [4]}\nrules:\n  - rule: smallest\n    targets: [{metric: drift, at_most: 1}]",
            "no metric 'drift'; did you mean 'vl_drift'?",
        ),
        ("[1]", "expected keys such as 'vary', 'seeds' and 'rules'"),
    ],
)
def test_what_is_no_grid_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read(tmp_path, text)
    assert said in str(refused.value)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(
        InputError, match="tokns: is neither a file nor the name of a grid; did you mean 'tokens'"
    ):
        read_grid("tokns")


def test_points_are_every_combination_in_the_order_of_the_file(tmp_path: Path) -> None:
    grid = read(tmp_path, "vary:\n  tokens: [8, 4]\n  location: [early, late]\npruning: off\n")
    names = [point.name for point in points_of(grid)]
    assert names == ["k8-location_early", "k8-location_late", "k4-location_early", "k4-location_late"]
    assert grid.pruning is None
    assert points_of(grid)[2].options == {"tokens": 4, "location": "early"}


def test_two_points_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"two points are called kl0\.1; name them under 'points'"):
        points_of(read(tmp_path, "vary: {kl_weight: [0.1, 0.10000001]}"))


def test_options_that_do_not_go_together_name_their_point(tmp_path: Path) -> None:
    grid = read(tmp_path, "options: {heads: 8}\nvary: {rank: [8, 4]}")
    with pytest.raises(InputError, match="point r4: rank=4 does not divide among heads=8"):
        plan_points(planned(grid), grid.seeds, None)


def test_options_of_the_command_line_are_typed() -> None:
    assert set_options(("layer=[1, 2]", "bottleneck=null")) == {"layer": (1, 2), "bottleneck": None}
    with pytest.raises(InputError, match=r"set='steps': write NAME=VALUE, such as steps=200"):
        set_options(("steps",))


def test_only_names_points() -> None:
    with pytest.raises(InputError, match=r"only='kl4': did you mean 'k4'"):
        check_only(["kl4"], [Point("k4")])


def trained_of_13b(point: Point) -> int:
    """The parameters that a point trains beside a LLaVA of 13 billion, all of whose shapes are known."""
    audited = audit_config(config_of(point), "llava")
    layers = fused_layers(audited.pathway, LAYERS_13B)
    projectors, blocks = count_pathway(
        replace(audited.pathway, layers=layers, location=None),
        width=WIDTH_13B,
        shapes=audited.audit.shapes,
    )
    return projectors + sum(blocks.values())


@pytest.mark.parametrize("name", grid_names())
def test_every_grid_parses_and_dry_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    grid = read_grid(name)
    assert (GRIDS / f"{name}.yaml").read_text("utf-8").startswith("# ")
    assert grid.about.endswith("?")
    assert grid.rules
    assert main(["sweep", name, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    points = planned(grid)
    assert all(point.name[:12] in shown for point in points)
    for point in points:
        assert 100_000 < trained_of_13b(point) < MOST_TRAINED
    named = {getattr(rule, side, None) for rule in grid.rules for side in ("a", "b", "point")} - {None}
    assert named <= {point.name for point in points}


def test_the_grids_are_the_plans() -> None:
    varied: dict[str, dict[str, Any]] = {
        "tokens": {"tokens": [4, 8, 12]},
        "tokens_publication": {"tokens": [4, 8, 16]},
        "rank": {"rank": [4, 8, 16]},
        "retention_weight": {"kl_weight": [0, 0.1, 0.2, 0.5, 1]},
        "gate_warm_up": {"gate_warm_up": ["linear", "cosine", "step", "none"]},
        "kl_temperature": {"temperature": [1, 2, 3, 4]},
        "fusion_location": {"location": ["input", "early", "middle", "late"]},
        "projector_depth": {"depth": [2, 3, 4, 5]},
        "residual_scale": {"residual_scale": [0.01, 0.05, 0.1, 0.2]},
        "encoder": {"encoder": [["clap"], ["whisper"], ["clap", "whisper"]]},
        "learning_rates": {
            "projector_lr": [5e-5, 1e-4, 2e-4],
            "fusion_lr": [2e-5, 5e-5, 1e-4],
            "kl_weight": [0.5, 1, 2],
        },
    }
    for name, expected in varied.items():
        assert read_grid(name).vary == expected
    assert [point.name for point in points_of(read_grid("baselines"))] == [
        "safe",
        "original_vl",
        "lora_only",
        "full_finetune",
        "random_audio",
    ]
    assert len(points_of(read_grid("lora_size"))) == 6
    assert len(read_grid("lora_size").seeds) == 2
    assert read_grid("lora_targets").seeds == (42, 123, 456)
    demo = read_grid("demo")
    assert len(points_of(demo)) <= 6
    assert demo.options["steps"] <= 200


def test_a_dry_run_counts_a_model_by_its_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from audit_plans import tiny_llava

    tiny_llava().save_pretrained(tmp_path / "tiny")
    words = ["sweep", "specaugment", "--dry-run", "--audit", str(tmp_path / "tiny")]
    assert main([*words, "--set", "layer=[2, 4]"]) == 0
    shown = capsys.readouterr().out
    assert "trained" in shown.splitlines()[3]
    assert shown.endswith("4 trials, 80 epochs in all\n")


@pytest.mark.slow
@pytest.mark.parametrize("name", grid_names())
def test_the_memory_of_every_grid_beside_13b_is_counted(name: str, tmp_path: Path) -> None:
    from audit_plans import published_llava

    published_llava(large=True).save_pretrained(tmp_path / "llava-13b")
    grid = read_grid(name)
    points = tuple(replace(point, options=point.options | {"rows_per_forward": 4}) for point in planned(grid))
    for one in plan_points(points, grid.seeds, str(tmp_path / "llava-13b")):
        assert one.memory is not None
        assert 26e9 < one.memory < 200e9
