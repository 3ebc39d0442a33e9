"""Counts: the parameters of each part of the base and of the pathway, and whether the base is frozen.

Parts are told apart by the model's structure, and parameters by identity: no name decides what is frozen.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from torch import nn

from safe_train.pathway.model import SafeModel
from safe_train.settings.learning import OptimConfig
from safe_train.stages.optimizer import new_optimizer

_NAMED = 3  # modules that a line names


class Component(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the model: its modules, all its parameters, and those that require a gradient."""

    name: str
    modules: str
    parameters: int
    trainable: int


def components(model: SafeModel) -> tuple[Component, ...]:
    """The parts of the base, then those of the pathway.

    The language model is the base's decoder; the head is its output layer, and has no parameter of its own
    where it shares the input embeddings; the vision tower is what transformers gives as image encoder. What
    is left stands between picture and language. Where a family has that inside its vision tower, as Qwen's
    merger, it counts there.
    """
    base = model.base
    taken: set[int] = set()
    parts = [("language model", [base.get_decoder()]), ("head", [base.get_output_embeddings()])]
    tower = base.get_encoder(modality="image")
    if tower is not base:
        parts.insert(0, ("vision tower", [tower]))
    found = {name: _component(name, base, modules, taken) for name, modules in parts}
    left = {id(parameter) for parameter in base.parameters()} - taken
    between = list(_tops(base, left))
    found["multimodal projector"] = _component("multimodal projector", base, between, taken, left)
    order = ("vision tower", "multimodal projector", "language model", "head")
    pathway = model.pathway
    heard = [_component("audio projectors", model, list(pathway.projectors), set())]
    heard += [
        _component(f"fusion at layer {number}" if number else "fusion at the input", model, [block], set())
        for number, block in ((n, pathway.block(n)) for n in pathway.config.layers)
    ]
    return (*(found[name] for name in order if name in found), *heard)


def freeze_faults(model: SafeModel, optim: OptimConfig) -> tuple[str, ...]:
    """What is wrong with the freeze, each in one sentence: nothing, if only the pathway can be trained.

    All parameters are looked at by identity: of the base, of the pathway, and those an optimizer would get.
    """
    base, pathway = model.base, model.pathway
    of_base = {id(parameter): name for name, parameter in base.named_parameters(remove_duplicate=False)}
    faults = []
    loose = [name for name, parameter in base.named_parameters() if parameter.requires_grad]
    if loose:
        faults.append(f"{_counted(loose, 'parameter')} of the base would be trained: {_first(loose)}")
    moving = [name or "the model itself" for name, module in base.named_modules() if module.training]
    if moving:
        faults.append(f"{_counted(moving, 'module')} of the base would be in training mode: {_first(moving)}")
    shared = [name for name, parameter in pathway.named_parameters() if id(parameter) in of_base]
    if shared:
        faults.append(f"{_counted(shared, 'parameter')} of the pathway belong to the base: {_first(shared)}")
    parts = [*pathway.projectors.parameters(), *pathway.blocks.parameters()]
    known = {id(parameter) for parameter in parts}
    others = [n for n, p in model.named_parameters() if p.requires_grad and id(p) not in known]
    if others:
        faults.append(f"{_counted(others, 'parameter')} beside projector and fusion: {_first(others)}")
    groups = new_optimizer(pathway, optim).param_groups
    given = [of_base[id(p)] for group in groups for p in group["params"] if id(p) in of_base]
    if given:
        faults.append(f"the optimizer would get {_counted(given, 'parameter')} of the base: {_first(given)}")
    return tuple(faults)


def _component(
    name: str, root: nn.Module, modules: Iterable[Any], taken: set[int], only: set[int] | None = None
) -> Component:
    """Count the parameters of modules that no other part has taken."""
    here = [module for module in modules if isinstance(module, nn.Module)]
    fresh = {}
    for module in here:
        for parameter in module.parameters():
            if id(parameter) not in taken and (only is None or id(parameter) in only):
                fresh[id(parameter)] = parameter
    taken.update(fresh)
    paths = {id(module): path for path, module in root.named_modules()}
    if isinstance(root, SafeModel):
        paths = {key: path.removeprefix("pathway.") for key, path in paths.items()}
    return Component(
        name=name,
        modules=_first([paths[id(module)] for module in here]) if fresh else "",
        parameters=sum(parameter.numel() for parameter in fresh.values()),
        trainable=sum(parameter.numel() for parameter in fresh.values() if parameter.requires_grad),
    )


def _tops(module: nn.Module, left: set[int]) -> Iterator[nn.Module]:
    """The highest modules all of whose parameters are left, and those that hold one themselves."""
    own = [id(parameter) for parameter in module.parameters()]
    if own and left.issuperset(own):
        yield module
        return
    if any(id(parameter) in left for parameter in module.parameters(recurse=False)):
        yield module
    for child in module.children():
        yield from _tops(child, left)


def _counted(names: list[str], noun: str) -> str:
    return f"{len(names)} {noun}" + ("s" if len(names) > 1 else "")


def _first(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown}, …"
