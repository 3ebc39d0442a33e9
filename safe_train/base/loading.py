"""Loading: what transformers is told about a base's precision and devices, and where the base then lies."""

import importlib.util
from typing import Any

import torch
from torch import nn

from safe_data.core.errors import InputError, did_you_mean
from safe_train.base.int8 import int8_config
from safe_train.settings.backbone import LoadingConfig

# The ways in which accelerate spreads a model over the devices of one process.
SPREADS = ("auto", "balanced", "balanced_low_0", "sequential")
_BITSANDBYTES = "bitsandbytes>=0.46.1"
_LAID = ("8bit", "4bit")  # bitsandbytes lays these where it can compute, and they cannot be moved


def loading_options(loading: LoadingConfig) -> dict[str, Any]:
    """What `from_pretrained` is called with.

    Raises:
        InputError: there is no such device, or nothing here that can compute with quantized weights.
    """
    dtype = loading.dtype if loading.dtype == "auto" else getattr(torch, loading.dtype)
    options: dict[str, Any] = {"dtype": dtype}
    if loading.attention is not None:
        options["attn_implementation"] = loading.attention
    if loading.device_map is not None:
        _check_device(loading.device_map)
        options["device_map"] = loading.device_map
    if loading.quantization is not None:
        options["quantization_config"] = _quantization(loading)
    return options


def check_processes(loading: LoadingConfig, processes: int) -> None:
    """Check that several processes do not all put their base on the same devices.

    Raises:
        InputError: they would.
    """
    if processes > 1 and loading.device_map not in (None, "cpu", "cuda"):
        raise InputError(
            f"device_map={loading.device_map}: each of {processes} processes would put its base there; "
            "leave it out, so that each takes its own device, or start one process"
        )


def place(model: Any, loading: LoadingConfig, device: torch.device) -> None:
    """Move a base to a device, unless it was loaded to where it is to stay."""
    if loading.device_map is None and loading.quantization not in _LAID:
        model.to(device)


def input_device(model: Any) -> torch.device:
    """Where a base takes its inputs: on the device of its input embeddings."""
    return layer_device(model.get_input_embeddings())


def layer_device(layer: nn.Module) -> torch.device:
    """Where a layer computes: accelerate's hooks say it, because offloaded weights are on no device."""
    for module in layer.modules():
        hook = getattr(module, "_hf_hook", None)
        for one in getattr(hook, "hooks", (hook,)):
            device = getattr(one, "execution_device", None)
            if device is not None:
                return torch.device(device)
    return next(layer.parameters()).device


def _check_device(name: str) -> None:
    """Check that a device map is a way to spread a model, or a device of this machine."""
    if name in SPREADS:
        return
    known = (*SPREADS, "cpu", "cuda")
    try:
        device = torch.device(name)
    except RuntimeError:
        hint = did_you_mean(name, known, f"choose from {', '.join(known)}, or a device such as cuda:1")
        raise InputError(f"device_map={name}: is no device, and no way to spread a model; {hint}") from None
    try:
        is_here = device.type != "meta" and torch.empty(0, device=device) is not None
    except (RuntimeError, AssertionError, NotImplementedError):  # torch has no one error for it
        is_here = False
    if not is_here:
        raise InputError(f"device_map={name}: this machine has no such device; leave it out, or choose cpu")


def _quantization(loading: LoadingConfig) -> Any:
    """The configuration of torchao or bitsandbytes; what is not quantized or is computed is in `dtype`."""
    if loading.quantization == "int8":
        config = int8_config()
        from transformers import TorchAoConfig

        return TorchAoConfig(config)
    missing = [] if torch.cuda.is_available() else ["a CUDA device"]
    if importlib.util.find_spec("bitsandbytes") is None:
        missing.append(f"bitsandbytes (pip install '{_BITSANDBYTES}')")
    if missing:
        raise InputError(
            f"quantization={loading.quantization}: needs {' and '.join(missing)}; choose int8, which "
            "computes anywhere, or leave it out"
        )
    from transformers import BitsAndBytesConfig

    if loading.quantization == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    computed = torch.bfloat16 if loading.dtype == "auto" else getattr(torch, loading.dtype)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=computed)
