"""A checkpoint with a gate that skips about half of the questions of a split."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from made_outcomes import made_outcomes
from tiny_models import SHORT

from safe_data.shards.dataset import ShardDataset
from safe_train.base.backbone import load_backbone
from safe_train.checkpoint import attach_checkpoint, read_checkpoint
from safe_train.gates.asking import ask_every_budget
from safe_train.gates.fitting import fit_on
from safe_train.gates.gate_files import fitted_gate, made_for, write_gate
from safe_train.settings.gate import GateConfig


def add_entropy_gate(folder: Path, untaught: Path, split: ShardDataset) -> None:
    """Write an entropy gate into a checkpoint, with the median entropy of a split as its threshold."""
    backbone = load_backbone(untaught)
    model = attach_checkpoint(read_checkpoint(folder), backbone)
    states = ask_every_budget(model, backbone, split, asking=SHORT, quiet=True).states
    median = float(np.median(states.entropy / states.largest_entropy))
    of = made_for(read_checkpoint(folder).config)
    origin = {"dataset": {"name": "made", "fingerprint": "f" * 12}, "split": "gate"}
    table = replace(made_outcomes(), facts={**origin, **msgspec.structs.asdict(of)})
    facts = fit_on(table, GateConfig(kind="entropy")).facts
    chosen = msgspec.structs.replace(facts, threshold=median, tokens=4, budgets=(0, 4))
    write_gate(folder, fitted_gate(chosen, {}), table)
