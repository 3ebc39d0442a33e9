"""Settings that cannot be are refused with the reason, when they are made."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from safe_data.core.errors import InputError
from safe_data.core.options_file import options_of, options_yaml, settings_from, without_sections
from safe_data.core.options_file import sections_of_settings as sections_of
from safe_train.settings.adaptation import AdaptationConfig
from safe_train.settings.backbone import BackboneConfig
from safe_train.settings.data import DataConfig
from safe_train.settings.learning import LossConfig, OptimConfig
from safe_train.settings.parity import ParityConfig
from safe_train.settings.pathway import PathwayConfig
from safe_train.settings.predict import PredictConfig
from safe_train.settings.train import RunConfig, TrainConfig

NAN = float("nan")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"rank": 8, "heads": 3}, "rank=8 does not divide among heads=3; choose a multiple"),
        ({"tokens": 0}, "tokens=0: must be at least 1"),
        ({"tokens": (0, 4)}, r"tokens=\[0, 4\]: must be at least 1"),
        ({"tokens": ()}, r"tokens=\[\]: name each number of tokens once, in ascending order"),
        ({"tokens": (8, 4)}, r"tokens=\[8, 4\]: name each number of tokens once, in ascending order"),
        ({"tokens": (4, 4)}, r"tokens=\[4, 4\]: name each number of tokens once, in ascending order"),
        ({"heads": 0}, "heads=0: must be at least 1"),
        ({"bottleneck": 0}, "bottleneck=0: must be at least 1"),
        ({"depth": 1}, "depth=1: must be at least 2"),
        ({"layers": (2, 2)}, r"layers=\[2, 2\]: name each layer once, counting from 1"),
        (
            {"layers": (3,), "location": "late"},
            r"layers=\[3\] and location=late: give one of them; in a file",
        ),
        ({"layers": (0, 1)}, r"layers=\[0, 1\]: name each layer once, counting from 1"),
        ({"tanh_scale": 0.0}, r"tanh_scale=0\.0: must be above 0"),
        ({"residual_scale": 0.0}, r"residual_scale=0\.0: must be above 0 and below max_residual_scale=1\.0"),
        ({"design": "lowrank"}, "design='lowrank': is no choice; did you mean 'low_rank'?"),
        ({"location": "top"}, "location='top': is no choice; choose from input, early, middle, late"),
        (
            {"residual_scale": 0.3, "max_residual_scale": float("inf")},
            "max_residual_scale=inf: must be finite",
        ),
        ({"residual_scale": 0.3, "max_residual_scale": 0.3}, "must be above 0 and below max_res"),
        ({"dropout": 1.0}, r"dropout=1\.0: must be at least 0 and below 1"),
        ({"dropout": NAN}, "dropout=nan: must be at least 0 and below 1"),
    ],
)
def test_a_pathway_that_cannot_be(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PathwayConfig(**choice)


def test_the_rank_of_lora_need_not_divide_among_the_heads() -> None:
    assert PathwayConfig(design="lora", rank=6, heads=4).rank == 6


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"steps": -1}, "steps=-1: must be 0 or more"),
        ({"epochs": 0.0}, r"epochs=0\.0: must be above 0"),
        ({"epochs": float("inf")}, "epochs=inf: must be finite"),
        ({"schedule": "linear"}, "schedule='linear': is no choice; choose from cosine, constant"),
        ({"gate_warm_up": "steps"}, "gate_warm_up='steps': is no choice; did you mean 'step'?"),
        ({"steps": 5, "epochs": 2.0}, r"steps=5 and epochs=2\.0: give one of them"),
        ({"batch_size": 0}, "batch_size=0: must be at least 1"),
        ({"rows_per_forward": 0}, "rows_per_forward=0: must be at least 1"),
        ({"projector_lr": 0.0}, r"projector_lr=0\.0: must be above 0"),
        ({"fusion_lr": NAN}, "fusion_lr=nan: must be above 0"),
        ({"clip_norm": -1.0}, r"clip_norm=-1\.0: must be above 0"),
        ({"warm_up_steps": -1}, "warm_up_steps=-1: must be 0 or more"),
        ({"weight_decay": NAN}, "weight_decay=nan: must be 0 or more"),
        ({"gate_warm_up_steps": 0}, "gate_warm_up_steps=0: must be at least 1"),
    ],
)
def test_an_optimization_that_cannot_be(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        OptimConfig(**choice)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"kl_weight": -1.0}, r"kl_weight=-1\.0: must be 0 or more"),
        ({"kl_weight": NAN}, "kl_weight=nan: must be 0 or more"),
        ({"fisher_weight": -1.0}, r"fisher_weight=-1\.0: must be 0 or more"),
        ({"fisher_interval": 0}, "fisher_interval=0: must be at least 1"),
        ({"null_space_energy": 1.0}, r"null_space_energy=1\.0: must be above 0 and below 1"),
        ({"null_space_energy": 0.0}, r"null_space_energy=0\.0: must be above 0 and below 1"),
        ({"null_space_energy": NAN}, "null_space_energy=nan: must be above 0 and below 1"),
        ({"temperature": 0.0}, r"temperature=0\.0: must be above 0"),
    ],
)
def test_a_loss_that_cannot_be(choice: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LossConfig(**choice)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"base": "qlora"}, "base='qlora': is no choice; did you mean 'lora'?"),
        ({"lora_targets": "mlp"}, "lora_targets='mlp': is no choice; choose from attention, attention_mlp"),
        ({"lora_rank": 0}, "lora_rank=0: must be at least 1"),
        ({"lora_alpha": 0}, "lora_alpha=0: must be at least 1"),
        ({"lora_dropout": 1.0}, r"lora_dropout=1\.0: must be at least 0 and below 1"),
        ({"lora_dropout": NAN}, "lora_dropout=nan: must be at least 0 and below 1"),
        ({"base_lr": 0.0}, r"base_lr=0\.0: must be above 0"),
    ],
)
def test_an_adaptation_that_cannot_be(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AdaptationConfig(**choice)


@pytest.mark.parametrize("loss", [LossConfig(fisher_weight=1.0), LossConfig(null_space_energy=0.9)])
def test_weights_of_the_pathway_are_held_only_beside_a_frozen_base(loss: LossConfig) -> None:
    sections = DataConfig((Path("a"),)), BackboneConfig("base"), RunConfig(Path("out"))
    TrainConfig(*sections, loss=loss)
    TrainConfig(*sections, adaptation=AdaptationConfig(base="lora"))
    with pytest.raises(
        InputError, match="base=lora: fisher_weight and null_space_energy hold the audio path"
    ):
        TrainConfig(*sections, loss=loss, adaptation=AdaptationConfig(base="lora"))


@pytest.mark.parametrize("name", ["base", " ", "a/b"])
def test_a_model_that_cannot_be_called_so(name: str) -> None:
    with pytest.raises(
        InputError, match=f"name='{name}': name the checkpoint's answers, with no / and not ba"
    ):
        PredictConfig(name=name)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"heard": "other"}, "heard='other': is no choice; choose from own, random"),
        ({"silent_fraction": 1.5}, r"silent_fraction=1\.5: must be in \[0, 1\]"),
        ({"validation_questions": 0}, "validation_questions=0: must be at least 1"),
        ({"workers": 0}, "workers=0: must be at least 1"),
        ({"weights": {"audio": -1.0}}, r"weight -1\.0 of 'audio': a weight is a number, 0 or more"),
        ({"weights": {"audio": 0.0}}, "no dataset has a weight above 0"),
    ],
)
def test_data_that_cannot_be(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DataConfig((Path("shards"),), **choice)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"seed": -1}, "seed=-1: a seed is 0 or more"),
        ({"eval_steps": -1}, "eval_steps=-1: must be 0 or more"),
        ({"checkpoint_steps": 0}, "checkpoint_steps=0: must be at least 1"),
        ({"spike_factor": 1.0}, r"spike_factor=1\.0: must be above 1"),
    ],
)
def test_a_run_that_cannot_be(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunConfig(Path("out"), **choice)


def test_a_negative_seed_draws_no_noise() -> None:
    with pytest.raises(InputError, match="seed=-1: a seed is 0 or more"):
        PredictConfig(seed=-1)


def test_a_base_is_called_by_the_last_part_of_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert BackboneConfig("models/llava/").name == "llava"
    assert BackboneConfig("llava-hf/llava-1.5-7b-hf").name == "llava-1.5-7b-hf"
    assert BackboneConfig(".").name == tmp_path.name


def test_all_settings_come_back_from_the_file_they_are_written_to() -> None:
    config = TrainConfig(
        data=DataConfig((Path("a"), Path("b")), encoder=("clap", "whisper"), weights={"a/vl": 1.0}),
        backbone=BackboneConfig("base"),
        run=RunConfig(Path("out"), seed=3, trackers=("none",)),
        pathway=PathwayConfig(layers=(2, 4), bottleneck=None, residual_scale=0.1),
        optim=OptimConfig(epochs=2.5),
    )
    written = yaml.safe_load(options_yaml("safe-train stage-a", options_of(config), []))
    flat = without_sections(written, sections_of(TrainConfig))
    flat |= {"shards": [Path(one) for one in flat["shards"]], "out": Path(flat["out"])}  # as the parser does
    assert asdict(settings_from(TrainConfig, flat)) == asdict(config)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"drift_stop": -0.1}, r"drift_stop=-0\.1: must be at least 0 and below 1; one point is 0\.01"),
        ({"drift_warning": 1.0}, r"drift_warning=1\.0: must be at least 0 and below 1"),
        ({"drift_stop": NAN}, "drift_stop=nan: must be at least 0 and below 1"),
    ],
)
def test_a_drift_that_cannot_be(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunConfig(Path("out"), **choice)
    assert RunConfig(Path("out"), drift_stop=None).drift_stop is None


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"samples": 0}, "samples=0: must be at least 1"),
        ({"bound": 0.0}, r"bound=0\.0: must be above 0"),
        ({"repeats": 7}, "repeats=7: must be at least 8"),
        ({"time_limit": 1.0}, r"time_limit=1\.0: must be above 1"),
        ({"seeds": ()}, r"seeds=\[\]: give one at least, or a --checkpoint"),
        ({"seeds": (0, -1)}, "seed=-1"),
    ],
)
def test_a_parity_that_cannot_be(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ParityConfig(Path("s"), BackboneConfig("b"), **choice)
