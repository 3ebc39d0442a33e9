"""Precision and memory of a run: student, teacher and evaluation round alike, and a run goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from tiny_runs import differing, interrupt, killing, lines_of, small_run

from safe_data.core.errors import InputError
from safe_train.base.backbone import Backbone, decoder_layers, load_backbone
from safe_train.checkpoint import read_checkpoint
from safe_train.retention import weights
from safe_train.settings.backbone import LoadingConfig
from safe_train.stages import processes
from safe_train.stages import stage_a as stage_a_module
from safe_train.stages.stage_a import StageAResult, stage_a

Train = Callable[..., StageAResult]


@pytest.fixture
def train(audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path) -> Train:
    """Run stage A in `tmp_path/out`, or another folder there."""

    def train(name: str = "out", **changes: Any) -> StageAResult:
        return stage_a(small_run(tmp_path / name, (audio_only, vl_only), untaught, **changes))

    return train


@pytest.fixture
def computed(untaught: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[torch.dtype, bool]]:
    """Of each pass through the base's second layer: its precision, and whether it was learnt from."""
    seen: list[tuple[torch.dtype, bool]] = []

    def look(_module: object, _args: object, output: torch.Tensor) -> None:
        seen.append((output.dtype, torch.is_grad_enabled()))

    def load(source: str, loading: LoadingConfig) -> Backbone:
        backbone = load_backbone(source, loading)
        decoder_layers(backbone.model)[1].mlp.up_proj.register_forward_hook(look)
        return backbone

    monkeypatch.setattr(stage_a_module, "load_backbone", load)
    return seen


@pytest.mark.parametrize(
    ("changes", "precision"),
    [
        ({}, torch.float32),
        ({"precision": "bf16"}, torch.bfloat16),
        ({"dtype": "bfloat16"}, torch.bfloat16),
        ({"dtype": "bfloat16", "precision": "bf16"}, torch.bfloat16),
    ],
)
def test_a_pathway_that_says_nothing_is_the_base_exactly(
    changes: dict[str, Any], precision: torch.dtype, train: Train, computed: list[tuple[torch.dtype, bool]]
) -> None:
    """If only the student rounded, the teacher would find a difference before there is one."""
    first = train(steps=2, eval_steps=1, **changes).losses[0]
    assert first.distillation == 0.0
    assert {dtype for dtype, _ in computed} == {precision}
    assert {learns for _, learns in computed} == {True, False}


@pytest.mark.parametrize("changes", [{"precision": "bf16"}, {"dtype": "bfloat16"}])
def test_the_evaluation_of_a_silent_pathway_finds_no_drift(
    changes: dict[str, Any], train: Train, tmp_path: Path
) -> None:
    train(steps=1, eval_steps=1, projector_lr=1e-30, fusion_lr=1e-30, **changes)
    (line,) = lines_of(tmp_path / "out/evaluations.jsonl")
    assert (line["vl_drift"], line["vl_flips"], line["vl_kl"]) == (0.0, 0.0, 0.0)


def test_the_pathway_stays_in_float32_and_learns_another_thing(train: Train, tmp_path: Path) -> None:
    rough, fine = train("rough", precision="bf16"), train("fine")
    stored = read_checkpoint(tmp_path / "rough")
    assert {tensor.dtype for tensor in stored.weights.values()} == {torch.float32}
    assert stored.config.optim.precision == "bf16"
    last, exact = rough.losses[-1], fine.losses[-1]
    assert last.cross_entropy != exact.cross_entropy
    assert last.cross_entropy == pytest.approx(exact.cross_entropy, rel=0.01)


@pytest.mark.slow  # stopped runs in float32 are tried every time
@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bf16", "preset": "all_retention"},
        {"dtype": "bfloat16", "activation_checkpointing": True},
    ],
)
def test_a_stopped_run_ends_with_the_same_bytes(
    changes: dict[str, Any],
    audio_only: Path,
    vl_only: Path,
    untaught: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(weights, "FISHER_ROWS", 4)
    monkeypatch.setattr(weights, "NULL_SPACE_ROWS", 4)
    changes = dict(changes)
    if changes.pop("preset", None):
        changes |= {"fisher_weight": 10.0, "fisher_interval": 3, "null_space_energy": 0.9}
    runs = {
        name: small_run(tmp_path / name, (audio_only, vl_only), untaught, steps=6, **changes)
        for name in ("whole", "stopped")
    }
    stage_a(runs["whole"])
    with monkeypatch.context() as patch:
        killing(patch, "_show", 3, interrupt)
        with pytest.raises(KeyboardInterrupt):
            stage_a(runs["stopped"])
    stage_a(runs["stopped"])
    assert differing(tmp_path / "whole", tmp_path / "stopped") == []


@pytest.mark.parametrize("precision", [None, "bf16"])
def test_activation_checkpointing_gives_the_same_bytes_and_computes_layers_again(
    precision: str | None, train: Train, tmp_path: Path, computed: list[tuple[torch.dtype, bool]]
) -> None:
    passes = []
    for name, again in (("plain", False), ("again", True)):
        computed.clear()
        train(name, steps=3, eval_steps=0, precision=precision, activation_checkpointing=again)
        passes.append(sum(learns for _, learns in computed))
    assert passes[1] == 2 * passes[0]
    assert differing(tmp_path / "plain", tmp_path / "again") == ["config.json", "run/identity.json"]


def test_a_base_whose_weights_wait_elsewhere_trains_to_the_same_bytes(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate import cpu_offload

    def load(source: str, loading: LoadingConfig) -> Backbone:
        backbone = load_backbone(source, loading)
        return backbone._replace(model=cpu_offload(backbone.model, execution_device=torch.device("cpu")))

    train("here", steps=2, device_map="cpu")
    monkeypatch.setattr(stage_a_module, "load_backbone", load)
    train("elsewhere", steps=2, device_map="cpu")
    train("again", steps=2, device_map="cpu", activation_checkpointing=True)
    assert differing(tmp_path / "here", tmp_path / "elsewhere") == []
    assert "adapter.safetensors" not in differing(tmp_path / "here", tmp_path / "again")


def test_a_run_does_not_go_on_in_another_precision(train: Train, tmp_path: Path) -> None:
    train(steps=2)
    with pytest.raises(InputError) as refused:
        train(
            steps=2,
            dtype="bfloat16",
            attention="eager",
            device_map="cpu",
            answer_tokens=8,
            prompt_suffix="in a word",
            prompt_template="{image} {question}",
            precision="bf16",
            activation_checkpointing=True,
        )
    assert str(refused.value) == (
        f"{tmp_path / 'out'}: holds another run; this one differs:\n"
        "  options.loading.dtype: auto there, bfloat16 here\n"
        "  options.loading.device_map: None there, cpu here\n"
        "  options.loading.attention: None there, eager here\n"
        "  options.asking.prompt_template: None there, {image} {question} here\n"
        "  options.asking.prompt_suffix: None there, in a word here\n"
        "  options.asking.answer_tokens: 32 there, 8 here\n"
        "  options.optim.precision: None there, bf16 here\n"
        "  options.optim.activation_checkpointing: False there, True here\n"
        "choose another folder, or add --force to start over"
    )


def test_the_settings_alone_say_the_precision(monkeypatch: pytest.MonkeyPatch, train: Train) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    AcceleratorState._reset_state()
    train(steps=1)
    assert Accelerator(cpu=True).mixed_precision == "no"


def test_a_device_without_bfloat16_is_said(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "is_bf16_available", lambda **_: False)
    with pytest.raises(InputError, match="precision=bf16: this device does not compute in bfloat16; leave"):
        train(precision="bf16")


def test_processes_that_would_share_a_device_are_refused(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Two(Accelerator):
        num_processes = 2

    monkeypatch.setattr(stage_a_module, "Accelerator", Two)
    monkeypatch.setattr(stage_a_module, "load_backbone", None)
    with pytest.raises(InputError, match="device_map=auto: each of 2 processes would put its base there"):
        train(device_map="auto")
