"""Publish: the checkpoint of a run, of its last state or of the best before it drifted."""

from collections.abc import Sequence
from dataclasses import replace

from safe_data.sampling.curriculum import Progress
from safe_train.base.adaptation import load_adapted
from safe_train.base.adapted_files import save_adapted
from safe_train.base.freeze import weights_sha256
from safe_train.checkpoint import AdaptedBase, TrainedFor, TrainedOn, UsedEncoder, save_checkpoint
from safe_train.corpora import Corpora
from safe_train.pathway.model import SafeModel
from safe_train.retention.drift import shown_above
from safe_train.run_state import Best, State, saved_weights
from safe_train.settings.train import TrainConfig


def kept_state(config: TrainConfig, model: SafeModel, state: State) -> Best | Progress | None:
    """What is published: the last state, or the best where the last has drifted; None if there is no such.

    The model gets the weights of that state.
    """
    if not shown_above(state.metrics, config.run.drift_stop):
        return state.progress
    if state.best is not None:
        pathway, base = saved_weights(config.run.out, state.best.step)
        model.pathway.load_state_dict(pathway)
        load_adapted(model.adaptation, base)
    return state.best


def adapted_base(config: TrainConfig, model: SafeModel, base: TrainedFor) -> AdaptedBase | None:
    """Write what was trained of the base to OUT; None for a frozen base."""
    settings, adaptation = config.adaptation, model.adaptation
    if settings.base == "frozen":
        return None
    trained = base.weights_sha256 if settings.base == "lora" else weights_sha256(model.base)
    return AdaptedBase(
        settings=settings,
        parameters=sum(weight.numel() for weight in adaptation.weights.values()),
        files=save_adapted(config.run.out, model.base, adaptation, base.name),
        weights_sha256=trained,
    )


def publish(
    config: TrainConfig,
    model: SafeModel,
    corpora: Corpora,
    encoders: Sequence[UsedEncoder],
    base: TrainedFor,
    steps: int,
    step: int,
    adapted: AdaptedBase | None,
) -> None:
    """Write the checkpoint of a run of so many planned steps, as it was after one of them."""
    save_checkpoint(
        config.run.out,
        model.pathway,
        encoders=encoders,
        datasets=[TrainedOn(d.name, d.fingerprint, d.split, len(d)) for d in corpora.datasets],
        base=base,
        loading=config.loading,
        asking=config.asking,
        loss=config.loss,
        optim=replace(config.optim, steps=steps, epochs=None),
        seed=config.run.seed,
        step=step,
        adapted=adapted,
    )
