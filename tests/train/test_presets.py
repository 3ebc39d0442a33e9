"""Presets: the runs of the plan, by name, with what is changed about them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from safe_data.core.command import run
from safe_data.core.errors import InputError
from safe_train.cli import main
from safe_train.pathway.model import fused_layers
from safe_train.presets import PRESETS, preset_config
from safe_train.settings.train import TrainConfig

WHERE: dict[str, Any] = {"shards": (Path("s"),), "backbone": "b", "out": Path("o")}
NAMES = sorted(file.stem for file in PRESETS.glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_is_a_configuration_and_says_what_it_is_for(name: str) -> None:
    config = preset_config(name, **WHERE)
    assert config != preset_config(**WHERE)
    assert (PRESETS / f"{name}.yaml").read_text("utf-8").startswith("# ")


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_and_python_read_a_preset_alike(name: str) -> None:
    parsed = []

    def train(config: TrainConfig) -> None:
        """Train."""
        parsed.append(config)

    words = ["train", "s", "--backbone", "b", "--out", "o", "--config", name]
    assert run("prog", "A program.", {"train": train}, words, PRESETS) == 0
    assert parsed == [preset_config(name, **WHERE)]


def test_the_help_names_all_presets(capsys: pytest.CaptureFixture[str]) -> None:
    assert {"demo", "baseline", "phase1", "phase2", "no_retention", "kl"} <= set(NAMES)
    assert main(["stage-a", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"or the name of a preset ({', '.join(NAMES)}); the command line wins" in shown


def test_no_preset_is_the_default_settings() -> None:
    config = preset_config(**WHERE)
    assert (config.data.shards, config.backbone.source, config.run.out) == ((Path("s"),), "b", Path("o"))
    assert config == TrainConfig(config.data, config.backbone, config.run)


def test_the_plans_first_phase() -> None:
    phase1 = preset_config("phase1", **WHERE)
    pathway, optim = phase1.pathway, phase1.optim
    assert (pathway.layers, pathway.rank, pathway.tokens, pathway.bottleneck) == (
        (8, 16, 24, 32),
        64,
        32,
        1024,
    )
    assert (pathway.tanh_scale, pathway.token_norm, pathway.input_norm) == (10.0, False, False)
    assert (pathway.residual_scale, pathway.max_residual_scale) == (0.3, 1.0)
    assert (optim.projector_lr, optim.fusion_lr, optim.gate_warm_up) == (1e-3, 5e-4, "none")
    assert (optim.epochs, optim.batch_size, optim.rows_per_forward) == (20, 4 * 32, 4)
    assert (phase1.loss.kl_weight, phase1.data.weights) == (0.0, {"audio": 1.0})


def test_each_retention_is_alone_and_all_are_together() -> None:
    alone = {
        name: preset_config(name, **WHERE).loss for name in ("no_retention", "kl", "fisher", "nullspace")
    }
    kept = {name: (one.kl_weight, one.fisher_weight, one.null_space_energy) for name, one in alone.items()}
    assert kept["no_retention"] == (0, 0, None)
    assert kept["kl"] == (3, 0, None)
    assert kept["fisher"] == (0, 10, None)
    assert kept["nullspace"] == (0, 0, 0.97)
    together = preset_config("all_retention", **WHERE).loss
    assert (together.kl_weight, together.fisher_weight, together.null_space_energy) == (3, 10, 0.97)
    assert together.fisher_interval == alone["fisher"].fisher_interval == 25
    assert together.temperature == alone["kl"].temperature


def test_what_safe_is_compared_with() -> None:
    safe, random = preset_config("demo", **WHERE), preset_config("demo", "random_audio", **WHERE)
    assert random == replace(safe, data=replace(safe.data, heard="random"))
    assert preset_config("demo", "original_vl", **WHERE).optim.steps == 0
    lora, full = (preset_config("phase1", name, **WHERE) for name in ("lora_only", "full_finetune"))
    assert (lora.adaptation.base, full.adaptation.base) == ("lora", "full")
    assert fused_layers(lora.pathway, 40) == fused_layers(full.pathway, 40) == (0,)
    assert full.loss.kl_weight == 0
    assert preset_config("demo", "lora_only", **WHERE).loss == safe.loss


def test_the_plans_baseline() -> None:
    baseline = preset_config("baseline", **WHERE)
    pathway, optim = baseline.pathway, baseline.optim
    assert (pathway.layers, pathway.rank, pathway.tokens, pathway.tanh_scale) == ((6, 12, 24), 8, 16, 2.0)
    assert (pathway.residual_scale, pathway.max_residual_scale) == (0.05, 0.3)
    assert (optim.gate_warm_up, optim.gate_warm_up_steps) == ("linear", 2000)
    assert (optim.projector_lr, optim.fusion_lr) == (2e-4, 1e-4)


def test_the_second_phase_is_the_first_with_a_wider_projector_and_longer() -> None:
    second, first = preset_config("phase2", **WHERE), preset_config("phase1", **WHERE)
    assert (second.pathway.bottleneck, second.optim.epochs) == (4096, 50)
    changed = preset_config("phase1", **WHERE, bottleneck=4096, epochs=50.0)
    assert changed == second
    assert first != second


def test_a_later_preset_wins_and_what_is_changed_wins_over_all() -> None:
    config = preset_config("phase1", "kl", **WHERE, layer=(2,), seed=3, bottleneck=None)
    assert config.loss.kl_weight == 3.0
    assert config.pathway.layers == (2,)
    assert config.pathway.bottleneck is None
    assert (config.pathway.tokens, config.run.seed) == (32, 3)


def test_steps_and_epochs_stand_instead_of_each_other() -> None:
    assert preset_config("phase1", **WHERE, steps=5).optim.epochs is None
    assert preset_config("demo", **WHERE, epochs=2.0).optim.steps is None
    both = preset_config("demo", "phase1", **WHERE).optim
    assert (both.steps, both.epochs) == (None, 20)
    with pytest.raises(InputError, match=r"steps=5 and epochs=2\.0: give one of them"):
        preset_config("demo", **WHERE, steps=5, epochs=2.0)


@pytest.mark.parametrize(
    ("names", "changes", "message"),
    [
        (["phase3"], {}, "no preset 'phase3'; did you mean 'phase2'?|did you mean 'phase1'?"),
        (["xyz"], {}, r"no preset 'xyz'; there are \['all_retention', 'baseline', 'demo', "),
        (["demo"], {"stepz": 5}, "no option 'stepz'; did you mean 'steps'?"),
        (["demo"], {"tokens": 0}, "tokens=0: must be at least 1"),
    ],
)
def test_what_is_no_preset_or_option(names: list[str], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        preset_config(*names, **WHERE, **changes)
