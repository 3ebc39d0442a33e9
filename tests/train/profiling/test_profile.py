"""The command as it is typed: what it measures of a checkpoint and of a plan, writes, prints and refuses."""

import platform
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_models import SHORT

from safe_data.core.errors import InputError
from safe_train.cli import main
from safe_train.predict import sounds
from safe_train.profiling.profile import curves_of, profile_checkpoint
from safe_train.profiling.profile_charts import CHARTS
from safe_train.profiling.result import read_profile
from safe_train.settings.backbone import BackboneConfig
from safe_train.settings.profile import MeasuringConfig, ProfileConfig, ProfiledData

LASTING = ("base", "pathway", "gradients", "optimizer's state")


def test_a_checkpoint_is_measured_in_every_way(profiled: Any) -> None:
    """Each budget, none, and the gate; sizes that double, and the one that training uses."""
    found = profiled.profile
    assert (found.budgets, found.gate, found.subject) == ((2, 4), "entropy", "a checkpoint")
    assert [(one.name, one.tokens) for one in found.latency] == [
        ("gate off", 0),
        ("k = 2", 2),
        ("k = 4", 4),
        ("its gate", None),
    ]
    assert [one.listens for one in found.latency] == [0, 1, 1, 1]
    assert [rung.rows for rung in found.training.rungs] == [1, 2, 4, 6, 8]
    assert [rung.rows for rung in found.answering.rungs] == [1, 2, 4, 8]
    assert (found.training.batch_size, found.training.planned_rows) == (12, 6)
    assert found.sounds is not None
    assert found.sounds.encoders == ("logmel",)
    assert found.sounds.ratio.pairs == 8


def test_memory_is_that_of_the_tensors(profiled: Any, nested: Path, untaught: Path) -> None:
    parts = {part.name: part.size_bytes for part in profiled.profile.components}
    weights = (untaught / "model.safetensors").stat().st_size
    assert 0.9 * weights < parts["base"] < 1.1 * weights
    assert parts["pathway"] == pytest.approx((nested / "adapter.safetensors").stat().st_size, rel=0.1)
    assert parts["gradients"] == 4 * profiled.profile.training.trained_parameters
    assert parts["optimizer's state"] == pytest.approx(2 * parts["gradients"], rel=0.01)  # two moments
    always = sum(parts[name] for name in (*LASTING, "process beside tensors"))
    assert profiled.profile.largest.always_bytes == always
    for rung in profiled.profile.training.rungs:
        assert 0 < rung.memory.held_bytes <= rung.memory.peak_bytes
    for rung in profiled.profile.answering.rungs:
        assert rung.cache_bytes < rung.without.peak_bytes < rung.with_sound.peak_bytes
        assert rung.heard_bytes == rung.rows * 4 * 2 * 4 * 8 * 4  # 4 layers, keys and values, tokens, rank
    sizes = [rung.memory.peak_bytes for rung in profiled.profile.training.rungs]
    assert sizes == sorted(sizes)


def test_it_is_written_whole_and_says_nothing_of_the_host(profiled: Any) -> None:
    files = {path.name for path in profiled.out.iterdir()}
    assert files == {"profile.json", "profile.md", "options.yaml", *CHARTS}
    json = (profiled.out / "profile.json").read_text("utf-8")
    markdown = (profiled.out / "profile.md").read_text("utf-8")
    for text in (json, markdown):
        assert platform.node() not in text
        assert str(profiled.out.parents[1]) not in text
    for chart in CHARTS:
        assert (profiled.out / chart).read_text("utf-8").startswith("<svg ")
        assert f"({chart})" in markdown


def test_it_prints_80_columns_and_exits_by_its_decision(profiled: Any) -> None:
    assert max(map(len, profiled.lines[:-1])) <= 80
    findings = {one.name: one.decision for one in profiled.profile.findings}
    assert list(findings) == [
        "memory fits",
        "memory predictable, training",
        "throughput",
        "memory predictable, answers",
        "cached sounds",
        "latency, k = 2",
        "latency, k = 4",
        "latency, its gate",
    ]
    assert findings["memory fits"] == findings["throughput"] == "go"
    codes = {"go": 0, "no-go": 1, "not measured": 2}
    assert profiled.code == codes[profiled.profile.decision]
    assert f"decision: {profiled.profile.decision}" in profiled.lines


def test_curves_are_those_of_sizes_and_of_budgets(profiled: Any) -> None:
    curves = curves_of(profiled.profile)
    assert set(curves) == {0, 1, 2, 4, 6, 8}
    assert "latency/p95_ms" in curves[4]
    assert "training/peak_mb" in curves[6]
    assert "answers/per_second_without" not in curves[6]


@pytest.fixture(scope="module")
def plan(
    profiled: Any, shards: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ProfileConfig, Any]:
    """A plan that also trains the base, for a card on which few more rows than are tried fit."""
    line = profiled.profile.training.ladder.model
    stated = line.always_bytes + line.bytes_of(12)
    config = ProfileConfig(
        BackboneConfig(str(untaught)),
        tmp_path_factory.mktemp("plan") / "profile",
        data=ProfiledData(shards=(shards,)),
        asking=SHORT,
        measuring=MeasuringConfig(most_rows=8, repeats=8, questions=8, sounds=8, card_gb=stated / 1e9),
        trackers=("tensorboard",),
        quiet=True,
    )
    found = sounds.load_encoder

    def missing(_: str) -> Any:
        raise InputError("encoder logmel: is not at hand")

    sounds.load_encoder = missing
    try:
        return config, profile_checkpoint(config)
    finally:
        sounds.load_encoder = found


def test_a_plan_is_measured_without_a_checkpoint(plan: tuple[ProfileConfig, Any]) -> None:
    config, found = plan
    assert (found.subject, found.gate, found.budgets) == ("a plan", None, (8,))
    assert [one.name for one in found.latency] == ["gate off", "k = 8"]
    assert found.notes[0].startswith("the pathway is untrained")
    assert (config.out / "run/tensorboard").is_dir()
    decisions = {one.name: one for one in found.findings}
    assert decisions["throughput"].decision == "not measured"
    assert decisions["cached sounds"].evidence.startswith("encoder logmel: is not at hand")
    assert found.sounds is None


def test_the_most_rows_for_a_stated_card_are_run_to_check_them(plan: tuple[ProfileConfig, Any]) -> None:
    largest = plan[1].largest
    assert largest.card_from == "--card-gb"
    limit = 0.9 * largest.card_bytes
    if largest.rows is None:
        assert largest.always_bytes > limit - plan[1].training.ladder.model.bytes_of(1)
    elif largest.rows <= 16:
        assert largest.checked_bytes == pytest.approx(limit, rel=0.1)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["profile", *words]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err.removeprefix("safe-train profile: ")


def test_what_is_there_is_replaced_with_force_only(
    profiled: Any, untaught: Path, shards: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--data", str(shards), "--backbone", str(untaught), "--out", str(profiled.out))
    there = profiled.out / "profile.json"
    before = there.read_bytes()
    said = f"{there}: is there already; name another file, or add --force to replace it\n"
    assert refused(capsys, *words) == said
    assert there.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--repeats=7",), "repeats=7: must be at least 8"),
        (("--headroom=1",), "headroom=1.0: must be at least 0 and below 1"),
        (("--latency-limit=1",), "latency_limit=1.0: must be above 1; 10 % more is 1.1"),
        (("--card-gb=0",), "card_gb=0.0: must be above 0"),
        (("--asked-split=gate",), "no split 'gate'; it has test, train, val"),
        (("--rank=16", "--heads=2"), "says its own pathway, and other settings are given; leave out the"),
    ],
)
def test_what_cannot_be_profiled_is_one_line(
    words: tuple[str, ...],
    message: str,
    nested: Path,
    untaught: Path,
    shards: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    usual = (str(nested), "--data", str(shards), "--backbone", str(untaught), "--out", str(out), "--quiet")
    assert message in refused(capsys, *usual, *words)
    assert not (out / "profile.json").exists()


def test_a_dataset_must_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "--backbone", "b", "--out", str(tmp_path))
    assert said == "data=[]: name the folder of a dataset with --data; its questions are asked\n"


def test_the_file_of_a_training_run_is_a_plan(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Its folder of results is not taken for that of the profile."""
    file = tmp_path / "options.yaml"
    run = {"out": "runs/mine", "seed": 4, "quiet": False}
    file.write_text(
        yaml.safe_dump({"data": {"shards": ["s"]}, "backbone": {"source": "b"}, "run": run}), "utf-8"
    )
    words = ["--config", "demo", "--config", str(file), "--out", str(tmp_path), "--print_config"]
    assert main(["profile", *words]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["data"]["data"] == ["s"]
    assert shown["pathway"]["tokens"] == [4, 8, 12]
    assert (shown["out"], shown["seed"]) == (str(tmp_path), 0)
    assert "run" not in shown


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"format_version": 0}', "p: is of format 0, and this version reads 1; profile again"),
        (b"[]", "p: is not a profile"),
        (b"{", "p: is not a profile"),
        (b'{"format_version": 1}', "p: is not a profile: Object missing required field"),
    ],
)
def test_another_file_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_profile(content, "p")
