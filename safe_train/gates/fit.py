"""Fit: a gate for a checkpoint, from a split's questions asked at every budget, saved beside its weights."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import label_of
from safe_train.base.backbone import load_backbone
from safe_train.checkpoint import (
    CONFIG,
    Checkpoint,
    attach_checkpoint,
    check_dataset,
    read_checkpoint,
    read_config,
)
from safe_train.gates.asking import ask_every_budget
from safe_train.gates.fitting import fit_on
from safe_train.gates.gate_files import FOLDER, FittedGate, check_no_gate, made_for, write_gate
from safe_train.gates.outcomes import OUTCOMES, Outcomes, read_outcomes
from safe_train.settings.gate import GateConfig


@dataclass(frozen=True)
class Fitted:
    """The gate that was saved, those to show beside it, and whether the outcomes were there before."""

    gate: FittedGate
    compared: tuple[FittedGate, ...]
    files: tuple[Path, ...]
    asked_before: bool


def fit_gate(
    checkpoint: Path, data: Path, *, backbone: str | Path | None = None, config: GateConfig | None = None
) -> Fitted:
    """Fit a gate for a checkpoint on a split of a dataset, and write it to CHECKPOINT/gate.

    The questions are asked at every budget first, which needs the backbone. The outcomes are kept, and used
    again where checkpoint, split and wording are the same and all trained budgets are in them.

    Raises:
        InputError: there is a gate and no `force`, the dataset is another than was trained on, no backbone is
            given for questions that must be asked, or the outcomes are too few to fit on.
    """
    config = config or GateConfig()
    check_no_gate(checkpoint, force=config.force)
    outcomes, asked_before = outcomes_of(checkpoint, data, backbone=backbone, config=config)
    note = _seen_in_training(checkpoint, outcomes)
    gates = [_with_note(fit_on(outcomes, replace(config, kind=kind)), note) for kind in config.kinds]
    files = write_gate(checkpoint, gates[0], outcomes, force=config.force)
    return Fitted(gates[0], tuple(gates[1:]), tuple(files), asked_before)


def outcomes_of(
    checkpoint: Path, data: Path, *, backbone: str | Path | None, config: GateConfig
) -> tuple[Outcomes, bool]:
    """The outcomes of a split at every budget, and whether they were there before.

    Raises:
        InputError: see `fit_gate`.
    """
    read = read_checkpoint(checkpoint)
    dataset = ShardDataset(data, config.split)
    check_dataset(read, dataset, allow_other=config.allow_other_dataset)
    facts, wanted = _facts(read, dataset), (0, *read.config.pathway.budgets)
    known = _known(checkpoint / FOLDER / OUTCOMES, can_ask=backbone is not None)
    if known is not None and facts.items() <= known.facts.items() and _has_all(known, wanted, config):
        return known, True
    if backbone is None:
        raise InputError(
            f"{checkpoint}: these questions were not asked yet at its budgets; give its base with --backbone"
        )
    base = load_backbone(backbone, read.config.loading)
    asked = ask_every_budget(
        attach_checkpoint(read, base),
        base,
        dataset,
        encoders=[label_of(used.name, used.fingerprint) for used in read.config.encoders],
        asking=read.config.asking,
        batch_size=config.batch_size,
        latency_questions=config.latency_questions,
        facts=facts,
        quiet=config.quiet,
    )
    return asked, False


def _facts(checkpoint: Checkpoint, dataset: ShardDataset) -> dict[str, Any]:
    """What outcomes depend on, as their file gives it back; tuples become lists there."""
    config, made = checkpoint.config, made_for(checkpoint.config)
    facts = {
        "adapter_sha256": made.adapter_sha256,
        "base_sha256": made.base_sha256,
        "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
        "split": dataset.split,
        "asking": asdict(config.asking),
        "loading": asdict(config.loading),
    }
    found: dict[str, Any] = json.loads(json.dumps(facts))
    return found


def _seen_in_training(checkpoint: Path, outcomes: Outcomes) -> str | None:
    """A note where these questions taught the pathway, which then hears them better than new ones."""
    asked = outcomes.facts["dataset"]["fingerprint"], outcomes.facts["split"]
    taught = read_config(checkpoint / CONFIG).datasets
    if asked not in [(one.fingerprint, one.split) for one in taught]:
        return None
    return f"the split {asked[1]} taught the checkpoint: on other questions, the gate may lose more than here"


def _with_note(gate: FittedGate, note: str | None) -> FittedGate:
    if note is None:
        return gate
    return replace(gate, facts=msgspec.structs.replace(gate.facts, notes=(*gate.facts.notes, note)))


def _known(path: Path, *, can_ask: bool) -> Outcomes | None:
    """The table beside the gate, if there is one; a damaged one is asked again where that is possible."""
    try:
        return read_outcomes(path) if path.is_file() else None
    except InputError:
        if can_ask:
            return None
        raise


def _has_all(outcomes: Outcomes, budgets: tuple[int, ...], config: GateConfig) -> bool:
    """Whether every budget was tried for every question, and timed where that is wanted."""
    timed = not config.latency_questions or bool(np.isfinite(outcomes.latency_ms).all())
    return outcomes.budgets == budgets and outcomes.is_whole and timed
