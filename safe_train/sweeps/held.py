"""Held: what planned trainings of one model train, and the memory they need, by the model's config alone.

The memory of one training is measured by a pass of the whole model on the meta device, which takes seconds.
Trainings that differ in the size of their pathway alone share a pass: that of the one which trains most.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from safe_train.settings.audit import AuditConfig, AuditedData, AuditedRun, BudgetConfig
from safe_train.settings.backbone import BackboneConfig
from safe_train.settings.train import TrainConfig

NOTE = "the base's own weights not counted"
# The shapes of an embedding of encoders, for an audit without shards.
_SHAPES = {"clap": "512", "logmel": "512", "whisper": "1500x768"}
_TIMES = 4  # a trained weight is held: itself, its gradient, and two moments of AdamW
_BYTES = 4  # of each, as the pathway is float32


class Held(NamedTuple):
    """The parameters that a training trains, and its memory in bytes at the peak of a pass."""

    trainable: int
    memory: int
    note: str | None


def held_by_trainings(configs: Sequence[TrainConfig], model: str) -> list[Held]:
    """What each training holds, of a model by its config: a folder, a config.json or a hub id.

    Memory is that with activation checkpointing where a training's options say so. What a smaller pathway
    saves is counted by its weights; what its activations save is not, so that the number is a little high.

    Raises:
        InputError: the config cannot be read, or an option does not fit the model.
    """
    from safe_train.audit.blueprint import read_model_config

    model_config = read_model_config(model)
    wanted = [audit_config(config, model) for config in configs]
    trained = _trained(wanted, model_config)
    most: dict[str, int] = {}  # the number of the training that trains most, by what a pass depends on
    for number, config in enumerate(wanted):
        key = _alike(config)
        if key not in most or trained[number] > trained[most[key]]:
            most[key] = number
    peaks = {key: _peak(wanted[number], model_config) for key, number in most.items()}
    found = []
    for number, config in enumerate(wanted):
        key = _alike(config)
        fewer = trained[most[key]] - trained[number]
        note = None if config.adaptation.base == "frozen" else NOTE
        found.append(Held(trained[number], peaks[key] - _TIMES * _BYTES * fewer, note))
    return found


def audit_config(config: TrainConfig, model: str) -> AuditConfig:
    """What is audited of a planned run: a model by its config alone, with embeddings as its encoders give."""
    shapes = tuple(_SHAPES.get(name, "512") for name in config.data.encoder)
    data = {name: getattr(config.data, name) for name in ("encoder", "weights", "silent_fraction")}
    return AuditConfig(
        backbone=BackboneConfig(model),
        data=AuditedData(**data),
        run=AuditedRun(),
        loading=config.loading,
        asking=config.asking,
        pathway=config.pathway,
        loss=config.loss,
        optim=config.optim,
        adaptation=config.adaptation,
        audit=BudgetConfig(embedding=shapes),
    )


def _trained(wanted: Sequence[AuditConfig], model_config: Any) -> list[int]:
    """The parameters that each trains of its pathway; one base of each precision serves them all."""
    from safe_train.audit.audit import precision_of
    from safe_train.audit.blueprint import META, new_base, size
    from safe_train.pathway.model import new_pathway

    bases: dict[str, Any] = {}
    counts: dict[str, int] = {}
    found = []
    for config in wanted:
        precision = precision_of(config, model_config)
        if str(precision) not in bases:
            bases[str(precision)] = new_base(model_config, precision)
        key = repr((config.pathway, config.audit.shapes))
        if key not in counts:
            with META:
                pathway = new_pathway(config.pathway, bases[str(precision)], config.audit.shapes, seed=0)
            counts[key] = size(one for one in pathway.parameters() if one.requires_grad)
        found.append(counts[key])
    return found


def _alike(config: AuditConfig) -> str:
    """What the memory of a pass depends on beside the size of the pathway."""
    from safe_train.audit.audit import kept_rows, planned_rows

    rows = planned_rows(config)
    pathway, optim = config.pathway, config.optim
    return repr(
        (
            *(config.loading.dtype, rows, kept_rows(config, rows), optim.activation_checkpointing),
            *(pathway.design, pathway.layers, pathway.location, config.audit.shapes),
        )
    )


def _peak(config: AuditConfig, model_config: Any) -> int:
    from safe_train.audit.audit import memory_of, planned_rows, positions_of, precision_of
    from safe_train.audit.blueprint import blueprint

    model = blueprint(model_config, config.pathway, config.audit.shapes, precision_of(config, model_config))
    positions, _ = positions_of(config, model_config)
    return memory_of(
        model,
        config,
        rows=planned_rows(config),
        positions=positions,
        checkpointing=config.optim.activation_checkpointing,
    ).total
