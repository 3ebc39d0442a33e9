"""Parity: with the gate off every logit is the untouched base's, and a change of the base is seen."""

from pathlib import Path

import numpy as np
import torch

from safe_data.shards.dataset import ShardDataset
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.parity.comparison import gate_off_parity
from safe_train.pathway.model import SafeModel


def test_gate_off_compares_every_logit_with_an_untouched_base(
    model: SafeModel, backbone: Backbone, untaught: Path, test_split: ShardDataset
) -> None:
    untouched = load_backbone(untaught)
    asked = sum(len(test_split.record(clip).examples) for clip in range(len(test_split)))
    found = gate_off_parity(model, untouched, test_split, batch_size=16)
    assert (found.questions, found.largest_difference) == (asked, 0.0)
    assert found.batches == found.identical_batches == -(-asked // 16)
    with torch.no_grad():
        backbone.model.lm_head.weight[7] += np.float32(1e-6)
    changed = gate_off_parity(model, untouched, test_split, batch_size=16)
    assert changed.identical_batches == 0
    assert changed.largest_difference > 0
