"""Freeze proof: freeze.json of the demo: the base before and after training, and its gate-off logits."""

import msgspec

from safe_train.base.freeze import FreezeAudit
from safe_train.checkpoint import CheckpointConfig
from safe_train.parity.comparison import Comparison

FREEZE_FILE = "freeze.json"


class FreezeProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of freeze.json."""

    base_weights_sha256_before: str
    base_weights_sha256_after: str
    base_parameters: int
    trainable_base_parameters: int
    trained_parameters: int
    gate_off: Comparison

    @property
    def holds(self) -> bool:
        """Whether the weights of the base, and all its logits with the gate off, are unchanged."""
        return (
            self.base_weights_sha256_before == self.base_weights_sha256_after
            and self.trainable_base_parameters == 0
            and self.gate_off.batches == self.gate_off.identical_batches > 0
        )


def freeze_proof(trained: CheckpointConfig, after: FreezeAudit, gate_off: Comparison) -> FreezeProof:
    """Join the hash of the base before training with its audit now and the parity of the logits."""
    return FreezeProof(
        base_weights_sha256_before=trained.base.weights_sha256,
        base_weights_sha256_after=after.weights_sha256,
        base_parameters=after.parameters,
        trainable_base_parameters=after.trainable_parameters,
        trained_parameters=trained.trained_parameters,
        gate_off=gate_off,
    )
