"""Parity: proof that the base is unchanged, by the hash of its weights and its logits with the gate off."""

import msgspec
import torch
from tqdm import tqdm

from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_train.base.backbone import Backbone, decoder_start
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.freeze import FreezeAudit
from safe_train.base.prompts import stored_picture
from safe_train.checkpoint import CheckpointConfig
from safe_train.pathway.model import SafeModel

FREEZE_FILE = "freeze.json"


class GateOffParity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the logits of SAFE, with its gate at 0, agree with the logits of an untouched base."""

    batches: int
    identical_batches: int
    questions: int
    largest_difference: float


class FreezeProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of freeze.json."""

    base_weights_sha256_before: str
    base_weights_sha256_after: str
    base_parameters: int
    trainable_base_parameters: int
    trained_parameters: int
    gate_off: GateOffParity

    @property
    def holds(self) -> bool:
        """Whether the weights of the base, and all its logits with the gate off, are unchanged."""
        return (
            self.base_weights_sha256_before == self.base_weights_sha256_after
            and self.trainable_base_parameters == 0
            and self.gate_off.batches == self.gate_off.identical_batches > 0
        )


def gate_off_parity(
    model: SafeModel, untouched: Backbone, dataset: ShardDataset, batch_size: int = 64
) -> GateOffParity:
    """Compute the logits of every question twice: by an untouched base, and by SAFE with its gate at 0.

    SAFE is given the questions' own sounds, by the embeddings that `dataset` was opened with.

    Raises:
        InputError: the split has no questions, or the dataset has no embeddings.
    """
    questions = [(i, example) for i in range(len(dataset)) for example in dataset.record(i).examples]
    if not questions:
        raise InputError(f"{dataset.root}: split {dataset.split!r} has no questions, so there are no logits")
    dialogue = Dialogue(untouched.model, untouched.processor)
    starts = range(0, len(questions), batch_size)
    identical, largest = 0, 0.0
    for start in tqdm(starts, desc="gate off", unit="batch", disable=None, leave=False):
        part = questions[start : start + batch_size]
        batch = dialogue.encode(
            [Question(example.prompt, stored_picture(dataset, record)) for record, example in part]
        )
        audio = torch.from_numpy(dataset.embeddings([record for record, _ in part])).float()
        with torch.no_grad():
            batch |= decoder_start(untouched.model, len(part))
            before = untouched.model(**batch).logits
            with model.fuse(audio=audio.to(model.base.device), gate=0.0):
                after = model.base(**batch).logits
        identical += torch.equal(before, after)
        largest = max(largest, float((before - after).abs().max()))
    return GateOffParity(len(starts), identical, len(questions), largest)


def freeze_proof(trained: CheckpointConfig, after: FreezeAudit, gate_off: GateOffParity) -> FreezeProof:
    """Join the hash of the base before training with its audit now and the parity of the logits."""
    return FreezeProof(
        base_weights_sha256_before=trained.base.weights_sha256,
        base_weights_sha256_after=after.weights_sha256,
        base_parameters=after.parameters,
        trainable_base_parameters=after.trainable_parameters,
        trained_parameters=trained.trained_parameters,
        gate_off=gate_off,
    )
