"""Adaptation: what of the base itself is trained, for the baselines that SAFE is compared with.

SAFE trains nothing of it. `lora` adds low-rank updates by peft to linear layers of the decoder, whose own
weights stay as they are. `full` trains the language model and the projector of pictures, as the second stage
of LLaVA does; the vision tower stays frozen. Dropout of the base itself stays off in all of them.

Either can be taken back: within `untouched` the base computes what it did before, bit for bit, and `remove`
leaves it as it was. For that, `full` keeps a second copy of the weights that it trains, on their device.

**Source:** LoRA, Hu et al. 2021 (arXiv 2106.09685); LLaVA-1.5, Liu et al. 2023 (arXiv 2310.03744).
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from safe_data.core.errors import InputError
from safe_train.base.backbone import decoder_layers
from safe_train.base.freeze import freeze
from safe_train.base.int8 import is_divided
from safe_train.settings.adaptation import AdaptationConfig, LoraTargets

if TYPE_CHECKING:
    from peft import LoraConfig

ADAPTER = "default"  # peft's name of an adapter that is the only one
# The linear layers of decoders in transformers: LLaMA, Qwen, Gemma; OPT; Phi-3; T5.
_ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj", "out_proj", "qkv_proj", "q", "k", "v", "o")
_MLP = ("gate_proj", "up_proj", "down_proj", "fc1", "fc2", "gate_up_proj", "wi", "wi_0", "wi_1", "wo")
_MERGER = "merger"  # the projector of the Qwen family is a part of its vision tower


class Adaptation(Protocol):
    """What of a base is trained.

    `weights` are the trained weights by the names they are stored by. Those of `sometimes` have no part in a
    forward pass without a picture. With `sees_anew`, the features of a picture are no longer the base's.
    """

    weights: dict[str, nn.Parameter]
    sometimes: tuple[nn.Parameter, ...]
    sees_anew: bool

    def untouched(self) -> AbstractContextManager[None]:
        """The base as it was before, without gradients."""
        ...

    def train(self, mode: bool) -> None:
        """Turn on the dropout of what was added, or turn it off."""
        ...

    def remove(self) -> None:
        """Leave the base as it was before; what was trained is lost."""
        ...


class Frozen:
    """Nothing of the base is trained."""

    def __init__(self) -> None:
        self.weights: dict[str, nn.Parameter] = {}
        self.sometimes: tuple[nn.Parameter, ...] = ()
        self.sees_anew = False

    def untouched(self) -> AbstractContextManager[None]:
        """The base as it is."""
        return nullcontext()

    def train(self, mode: bool) -> None:
        """Do nothing."""

    def remove(self) -> None:
        """Do nothing."""


class Lora:
    """Low-rank updates of the decoder's linear layers, which peft puts around these layers.

    Their first values follow from the seed, and change nothing. They are float32, whatever the base is.

    Raises:
        InputError: the decoder has no such linear layers.
    """

    def __init__(self, base: Any, config: AdaptationConfig, seed: int = 0) -> None:
        from peft.tuners.lora import LoraLayer, LoraModel

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.config = lora_config(base, config)
            self._tuner = LoraModel(base, self.config, ADAPTER)
        self._layers: list[Any] = [one for one in base.modules() if isinstance(one, LoraLayer)]
        for layer in self._layers:
            layer.eval()  # new modules are in training mode
        named = base.named_parameters()
        self.weights = {_stored_name(name): weight for name, weight in named if weight.requires_grad}
        self.sometimes: tuple[nn.Parameter, ...] = ()
        self.sees_anew = False

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """The base without the updates: each linear layer is called as if nothing were around it."""
        for layer in self._layers:
            layer.enable_adapters(False)
        try:
            yield
        finally:
            for layer in self._layers:
                layer.enable_adapters(True)

    def train(self, mode: bool) -> None:
        """Turn the dropout of the updates on or off; not the modules of the base that they are around."""
        for layer in self._layers:
            layer.lora_dropout.train(mode)

    def remove(self) -> None:
        """Take the updates away: the base has the modules and the names of its weights again."""
        if self._layers:
            self._tuner.unload()
        self._layers = []


class Full:
    """All weights but those of the vision tower are trained, in the precision that they were loaded in.

    Raises:
        InputError: the vision tower is not found, or weights are quantised or offloaded.
    """

    def __init__(self, base: Any) -> None:
        trained = _without_vision(base)
        for name, weight in trained.items():
            if weight.is_meta:
                raise InputError(
                    f"{type(base).__name__}: {name} is offloaded; to train a base whole, keep all of it on a "
                    "device, or choose base=lora"
                )
            if not weight.is_floating_point() or is_divided(weight):
                kind = type(weight).__name__ if is_divided(weight) else weight.dtype
                raise InputError(
                    f"{type(base).__name__}: {name} is {kind}; a quantised base cannot be trained "
                    "whole, load it in float32 or bfloat16, or choose base=lora"
                )
        self.weights = trained
        language = {id(weight) for weight in base.get_decoder().parameters()}
        head = base.get_output_embeddings()
        language |= {id(weight) for weight in head.parameters()} if head is not None else set()
        self.sometimes = tuple(weight for weight in trained.values() if id(weight) not in language)
        self.sees_anew = bool(self.sometimes)
        # The copy is what is trained: the last bits of a product depend on where in memory its weights lie.
        self._before = {name: weight.data for name, weight in trained.items()}
        _point(trained, {name: tensor.clone() for name, tensor in self._before.items()}, requires_grad=True)

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """The base with the weights it had: they take the place of the trained ones, uncopied."""
        trained = {name: weight.data for name, weight in self.weights.items()}
        was_trained = any(weight.requires_grad for weight in self.weights.values())
        _point(self.weights, self._before, requires_grad=False)
        try:
            yield
        finally:
            _point(self.weights, trained, requires_grad=was_trained)

    def train(self, mode: bool) -> None:
        """Do nothing: nothing was added."""

    def remove(self) -> None:
        """Put the weights back that the base had, and freeze them."""
        _point(self.weights, self._before, requires_grad=False)


def adapt(base: Any, config: AdaptationConfig, seed: int = 0) -> Adaptation:
    """Freeze a base, and then make trainable what the settings say; its answers do not change yet.

    Raises:
        InputError: its family has no linear layers or no vision tower where they are looked for.
    """
    freeze(base)
    if config.base == "frozen":
        return Frozen()
    return Lora(base, config, seed) if config.base == "lora" else Full(base)


@torch.no_grad()
def load_adapted(adaptation: Adaptation, found: Mapping[str, Tensor]) -> None:
    """Give what is trained of a base the values that were stored.

    Raises:
        InputError: they are of other weights.
    """
    expected = {name: tuple(weight.shape) for name, weight in adaptation.weights.items()}
    stored = {name: tuple(tensor.shape) for name, tensor in found.items()}
    if expected != stored:
        wrong = sorted(name for name in expected | stored if expected.get(name) != stored.get(name))
        raise InputError(
            f"stored weights of the adapted base do not fit it: {', '.join(wrong[:3])}; train it again"
        )
    for name, weight in adaptation.weights.items():
        weight.copy_(found[name])


def adapted_weights(adaptation: Adaptation) -> dict[str, Tensor]:
    """What is trained of a base, on the CPU, as it is stored."""
    return {name: weight.detach().cpu().contiguous() for name, weight in adaptation.weights.items()}


def lora_config(base: Any, config: AdaptationConfig) -> "LoraConfig":
    """The settings of peft; `target_modules` is one pattern, as the order of a list would not be kept.

    Raises:
        InputError: the decoder has no such linear layers.
    """
    from peft import LoraConfig

    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=linear_layers(base, config.lora_targets),
    )


def linear_layers(base: Any, targets: LoraTargets) -> str:
    """A pattern that matches the names of the decoder's linear layers, and no other module.

    Raises:
        InputError: the decoder has none of the known names.
    """
    layers = decoder_layers(base)
    within = {name for layer in layers for name, one in layer.named_modules() if isinstance(one, nn.Linear)}
    wanted = {"attention": _ATTENTION} | ({"MLP": _MLP} if targets == "attention_mlp" else {})
    found: list[str] = []
    for part, names in wanted.items():
        fitting = sorted(name for name in within if name.rpartition(".")[2] in names)
        if not fitting:
            raise InputError(
                f"{type(base).__name__}: no layer of its decoder has a linear layer of an {part} named "
                f"{', '.join(names)}; it has {', '.join(sorted(within)) or 'none'}; add their names to "
                "safe_train/base/adaptation.py"
            )
        found += fitting
    place = next(name for name, module in base.named_modules() if module is layers)
    return rf"{re.escape(place)}\.\d+\.({'|'.join(map(re.escape, found))})"


def _without_vision(base: Any) -> dict[str, nn.Parameter]:
    """The weights outside the vision tower, and those of the projector that is a part of it."""
    tower = base.get_encoder("image") if hasattr(base, "get_encoder") else base
    if tower is base or tower is base.base_model:
        raise InputError(f"{type(base).__name__}: found no vision tower to keep frozen; choose base=lora")
    merges = [name for name, _ in tower.named_modules() if _MERGER in name.rpartition(".")[2]]
    merging = {id(weight) for name in merges for weight in tower.get_submodule(name).parameters()}
    seeing = {id(weight) for weight in tower.parameters()} - merging
    if audio := getattr(base, "audio_tower", None):
        seeing |= {id(weight) for weight in audio.parameters()}
    return {name: weight for name, weight in base.named_parameters() if id(weight) not in seeing}


def _point(weights: Mapping[str, nn.Parameter], values: Mapping[str, Tensor], *, requires_grad: bool) -> None:
    """Let weights be other tensors. PyTorch multiplies in another order where a weight needs a gradient."""
    for name, weight in weights.items():
        weight.data = values[name]
        weight.requires_grad_(requires_grad)


def _stored_name(name: str) -> str:
    """The name by which peft stores a weight, so that its users can load it."""
    return f"base_model.model.{name.replace(f'.{ADAPTER}.', '.')}"
