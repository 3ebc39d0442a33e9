"""Loading: precision, devices, attention and quantization are what was asked for, or are refused."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch

from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.freeze import audit_freeze, weights_sha256
from safe_train.base.loading import check_processes, input_device, loading_options, place
from safe_train.checkpoint import attach_checkpoint, read_checkpoint
from safe_train.parity.comparison import gate_off_parity
from safe_train.settings.backbone import LoadingConfig

CPU = torch.device("cpu")


@pytest.fixture(params=["cpu", "disk"])
def offloaded(request: pytest.FixtureRequest, backbone: Backbone, tmp_path: Path) -> Backbone:
    """The untaught backbone, whose weights lie in memory or on a disk until their module computes."""
    from accelerate import cpu_offload, disk_offload

    if request.param == "cpu":
        model = cpu_offload(backbone.model, execution_device=CPU)
    else:
        model = disk_offload(backbone.model, str(tmp_path / "disk"), execution_device=CPU)
    return backbone._replace(model=model)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("auto", torch.float32),
        ("float32", torch.float32),
        ("bfloat16", torch.bfloat16),
        ("float16", torch.half),
    ],
)
def test_a_base_is_loaded_in_the_precision_that_is_asked_for(
    name: Any, found: torch.dtype, untaught: Path
) -> None:
    loaded = load_backbone(untaught, LoadingConfig(dtype=name))
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {found}


def test_the_attention_is_the_one_asked_for(untaught: Path) -> None:
    for name in ("eager", "sdpa"):
        loaded = load_backbone(untaught, LoadingConfig(attention=name))
        assert loaded.model.config.text_config._attn_implementation == name


def test_an_attention_that_transformers_refuses_is_named(untaught: Path) -> None:
    with pytest.raises(InputError) as refused:
        load_backbone(untaught, LoadingConfig(attention="flash_attention_2", dtype="float16"))
    told = str(refused.value)
    assert told.startswith(
        f"{untaught}: is not a vision-language model that can be loaded with dtype=float16, "
        "attention=flash_attention_2: "
    )
    assert "lash" in told.partition("attention=flash_attention_2: ")[2]


@pytest.mark.parametrize(
    ("loading", "where"),
    [
        (LoadingConfig(), "meta"),
        (LoadingConfig(device_map="cpu"), "cpu"),
        (LoadingConfig(device_map="auto"), "cpu"),
        (LoadingConfig(quantization="4bit"), "cpu"),  # transformers lays it where it can compute
    ],
)
def test_a_base_goes_where_the_process_computes_unless_its_place_was_chosen(
    loading: LoadingConfig, where: str, backbone: Backbone
) -> None:
    place(backbone.model, loading, torch.device("meta"))
    assert {parameter.device.type for parameter in backbone.model.parameters()} == {where}
    assert input_device(backbone.model).type == where


def test_a_device_map_of_one_device_lays_all_weights_there(untaught: Path) -> None:
    for device_map in ("cpu", "auto"):  # without an accelerator, there is nothing else to spread over
        loaded = load_backbone(untaught, LoadingConfig(device_map=device_map)).model
        assert {parameter.device for parameter in loaded.parameters()} == {input_device(loaded)}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu", "device_map=gpu: is no device, and no way to spread a model; did you mean 'cpu'?"),
        (
            "0",
            "device_map=0: is no device, and no way to spread a model; choose from auto, balanced, balanced_",
        ),
        (
            "balancd",
            "device_map=balancd: is no device, and no way to spread a model; did you mean 'balanced'?",
        ),
        ("cuda:99", "device_map=cuda:99: this machine has no such device; leave it out, or choose cpu"),
        ("meta", "device_map=meta: this machine has no such device; leave it out, or choose cpu"),
    ],
)
def test_a_device_that_is_not_here_is_refused(name: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        loading_options(LoadingConfig(device_map=name))
    assert str(refused.value).startswith(message)


def test_several_processes_do_not_share_the_devices_of_one_map() -> None:
    for shared in ("auto", "cuda:0"):
        with pytest.raises(InputError, match=f"device_map={shared}: each of 2 processes would put its base"):
            check_processes(LoadingConfig(device_map=shared), 2)
        check_processes(LoadingConfig(device_map=shared), 1)
    for own in (None, "cpu", "cuda"):
        check_processes(LoadingConfig(device_map=own), 2)


def having(monkeypatch: pytest.MonkeyPatch, *, cuda: bool, bitsandbytes: bool) -> None:
    """Stand for a machine with or without CUDA and bitsandbytes."""
    real = importlib.util.find_spec

    def found(name: str, package: str | None = None) -> Any:
        return (object() if bitsandbytes else None) if name == "bitsandbytes" else real(name, package)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(importlib.util, "find_spec", found)


@pytest.mark.parametrize(
    ("cuda", "bitsandbytes", "missing"),
    [
        (False, False, "a CUDA device and bitsandbytes (pip install 'bitsandbytes>=0.46.1')"),
        (False, True, "a CUDA device"),
        (True, False, "bitsandbytes (pip install 'bitsandbytes>=0.46.1')"),
    ],
)
def test_quantized_weights_need_cuda_and_bitsandbytes(
    cuda: bool, bitsandbytes: bool, missing: str, untaught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    having(monkeypatch, cuda=cuda, bitsandbytes=bitsandbytes)
    with pytest.raises(InputError) as refused:
        load_backbone(untaught, LoadingConfig(quantization="4bit"))
    assert str(refused.value) == (
        f"quantization=4bit: needs {missing}; choose int8, which computes anywhere, or leave it out"
    )


@pytest.mark.parametrize(
    ("loading", "wanted"),
    [
        (LoadingConfig(quantization="8bit"), {"load_in_8bit": True, "load_in_4bit": False}),
        (
            LoadingConfig(quantization="4bit"),
            {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": "bfloat16"},
        ),
        (
            LoadingConfig(quantization="4bit", dtype="float16"),
            {"load_in_8bit": False, "bnb_4bit_compute_dtype": "float16"},
        ),
    ],
)
def test_transformers_is_told_how_to_quantize(
    loading: LoadingConfig, wanted: dict[str, Any], untaught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForImageTextToText

    class AskedError(Exception):
        """What transformers was asked for."""

    def ask(_: Path, **options: Any) -> None:
        raise AskedError(options["quantization_config"].to_dict())

    having(monkeypatch, cuda=True, bitsandbytes=True)
    monkeypatch.setattr(AutoModelForImageTextToText, "from_pretrained", ask)
    with pytest.raises(AskedError) as asked:
        load_backbone(untaught, loading)
    assert wanted.items() <= asked.value.args[0].items()


def test_whole_numbers_as_weights_are_hashed_and_frozen(backbone: Backbone) -> None:
    """As bitsandbytes keeps them: parameters of 8 bits, and the scales that belong to them."""
    linear = backbone.model.get_decoder().layers[0].mlp.up_proj
    scale = linear.weight.abs().max() / 127
    for kind in (torch.int8, torch.uint8):
        weight = (linear.weight.float() / scale).round().to(kind)
        linear.weight = torch.nn.Parameter(weight, requires_grad=False)
        linear.register_buffer("SCB", scale)
        before = audit_freeze(backbone.model)
        assert audit_freeze(backbone.model) == before
        linear.weight.view(-1)[3] += 1
        assert audit_freeze(backbone.model).weights_sha256 != before.weights_sha256


def test_two_numbers_in_a_byte_are_two_parameters(backbone: Backbone) -> None:
    class State:
        """What bitsandbytes remembers of a matrix."""

        shape = torch.Size([128, 64])

    linear = backbone.model.get_decoder().layers[0].mlp.up_proj
    assert linear.weight.shape == State.shape
    before = audit_freeze(backbone.model).parameters
    packed = torch.zeros(128 * 64 // 2, 1, dtype=torch.uint8)
    linear.weight = torch.nn.Parameter(packed, requires_grad=False)
    linear.weight.quant_state = State()
    assert audit_freeze(backbone.model).parameters == before


def test_weights_that_wait_elsewhere_are_hashed_too(offloaded: Backbone, untaught: Path) -> None:
    assert next(offloaded.model.parameters()).is_meta
    assert input_device(offloaded.model) == CPU
    assert audit_freeze(offloaded.model) == audit_freeze(load_backbone(untaught).model)
    assert next(offloaded.model.parameters()).is_meta


def test_weights_that_are_nowhere_are_no_hash(backbone: Backbone) -> None:
    with pytest.raises(ValueError, match="has no values, and accelerate keeps none for it"):
        weights_sha256(backbone.model.to("meta"))


@pytest.mark.parametrize("dtype", ["auto", "bfloat16"])
@pytest.mark.parametrize("device_map", ["cpu", "auto", None])
def test_with_its_gate_off_it_is_the_untouched_base(
    dtype: Any, device_map: str | None, untaught: Path, adapter: Path, test_split: ShardDataset
) -> None:
    loading = LoadingConfig(dtype=dtype, device_map=device_map)
    untouched = load_backbone(untaught, LoadingConfig(dtype=dtype))
    model = attach_checkpoint(read_checkpoint(adapter), load_backbone(untaught, loading))
    parity = gate_off_parity(model, untouched, test_split)
    assert parity.batches == parity.identical_batches > 0


def test_with_its_gate_off_an_offloaded_base_is_the_untouched_base(
    offloaded: Backbone, untaught: Path, adapter: Path, test_split: ShardDataset
) -> None:
    model = attach_checkpoint(read_checkpoint(adapter), offloaded)
    parity = gate_off_parity(model, load_backbone(untaught), test_split)
    assert parity.batches == parity.identical_batches > 0
