"""The proof that nothing was lost with the gate off: the base's weights by hash, its logits bit by bit."""

from pathlib import Path

import msgspec
import torch
from tqdm import tqdm

from safe_data.core.errors import InputError
from safe_data.core.files import write_json
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.model import Input
from safe_train.base.backbone import Backbone
from safe_train.base.dialogue import Dialogue
from safe_train.base.freeze import FreezeAudit
from safe_train.pathway.model import SafeModel

FREEZE_FILE = "freeze.json"


class GateOff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All logits of a base that was never touched, against those of the fused one under a sound, gate 0."""

    batches: int
    identical_batches: int
    questions: int
    largest_difference: float


class Freeze(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of freeze.json."""

    base_weights_sha256_before: str
    base_weights_sha256_after: str
    base_parameters: int
    trainable_base_parameters: int
    trained_parameters: int
    gate_off: GateOff

    @property
    def holds(self) -> bool:
        """Whether the base is what it was: its weights, and every logit with the gate off."""
        return (
            self.base_weights_sha256_before == self.base_weights_sha256_after
            and self.trainable_base_parameters == 0
            and self.gate_off.batches == self.gate_off.identical_batches > 0
        )


def compare_gate_off(
    model: SafeModel, untouched: Backbone, dataset: ShardDataset, encoder: str, batch_size: int = 64
) -> GateOff:
    """Ask every question of a split twice, with the question's own sound given and the gate at 0 on our side.

    Raises:
        InputError: a split without questions.
    """
    embedded = ShardDataset(dataset.root, dataset.split, encoder)
    asked = [(clip, example) for clip in range(len(dataset)) for example in dataset.record(clip).examples]
    if not asked:
        raise InputError(f"{dataset.root}: split {dataset.split!r} asks nothing, so nothing can be compared")
    dialogue = Dialogue(*untouched)
    starts = range(0, len(asked), batch_size)
    identical, largest = 0, 0.0
    for start in tqdm(starts, desc="gate off", unit="batch", disable=None, leave=False):
        part = asked[start : start + batch_size]
        images = {clip: dataset.image(clip) for clip, _ in part}
        inputs = [Input(example, images[clip], None, None) for clip, example in part]
        audio = torch.from_numpy(embedded.embeddings([clip for clip, _ in part])).float()
        batch = dialogue.prompts(inputs)
        with torch.no_grad():
            before = untouched.model(**batch).logits
            with model.fuse(audio=audio.to(model.base.device), gate=0.0):
                after = model.base(**batch).logits
        identical += torch.equal(before, after)
        largest = max(largest, float((before - after).abs().max()))
    return GateOff(len(starts), identical, len(asked), largest)


def prove_freeze(
    before: FreezeAudit, after: FreezeAudit, trained_parameters: int, gate_off: GateOff
) -> Freeze:
    """The audits before and after training, and the comparison, as one statement."""
    return Freeze(
        base_weights_sha256_before=before.weights_sha256,
        base_weights_sha256_after=after.weights_sha256,
        base_parameters=after.parameters,
        trainable_base_parameters=after.trainable_parameters,
        trained_parameters=trained_parameters,
        gate_off=gate_off,
    )


def write_freeze(freeze: Freeze, folder: Path) -> Path:
    """Write freeze.json into a folder."""
    return write_json(folder / FREEZE_FILE, freeze)
