"""Comparison: what a base says to a list of questions, kept so that what it says later can be compared.

All logits are hashed; those of the last tokens of each prompt are kept as well, as many as there is room for,
so that a difference has a size. So one copy of a base is enough: it is asked before anything is attached to
it, and again after.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import msgspec
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.core.progress import Progress
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.generation import decoder_start
from safe_train.base.backbone import Backbone
from safe_train.base.dialogue import Dialogue, Hearing, Question, deaf
from safe_train.base.loading import input_device
from safe_train.base.prompts import Prompts, stored_picture
from safe_train.pathway.model import SafeModel
from safe_train.settings.backbone import AskingConfig

KEPT_BYTES = 2**31


class Said(NamedTuple):
    """What was said to a batch: the hash of all logits, those kept and which are real, and the answers."""

    sha256: str
    logits: Float[Tensor, "batch tokens vocab"]
    real: Bool[Tensor, "batch tokens"]
    answers: Int64[Tensor, "batch tokens"] | None


class Comparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How far what was said agrees with what was said before.

    Differences are of the logits of the last `tokens` tokens of each prompt; `unseen_batches` differ
    elsewhere alone. `same_answers` counts generations with the same tokens, None if nothing was generated.
    """

    questions: int
    batches: int
    identical_batches: int
    unseen_batches: int
    largest_difference: float
    mean_difference: float
    tokens: int
    same_answers: int | None
    checksum: str


def all_questions(dataset: ShardDataset, asking: AskingConfig, *, vl_only: bool = False) -> list[Question]:
    """The questions of a split, worded, with their pictures; with `vl_only`, those that need no sound.

    Raises:
        InputError: there are none.
    """
    found = [
        Question(asking.worded(example.prompt, example.task), stored_picture(dataset, index))
        for index in range(len(dataset))
        for example in dataset.record(index).examples
        if not (vl_only and example.needs_audio)
    ]
    if not found:
        kind = "questions that do not need the sound" if vl_only else "questions"
        raise InputError(f"{dataset.root}: split {dataset.split!r} has no {kind}, so there are no logits")
    return found


class Asking:
    """Asks the same questions again and again, in the same batches."""

    def __init__(
        self,
        backbone: Backbone,
        questions: Sequence[Question],
        batch_size: int,
        *,
        asking: AskingConfig,
        generate: bool,
        quiet: bool,
    ) -> None:
        prompts = Prompts(backbone.processor, asking)
        self.dialogue = Dialogue(backbone.model, backbone.processor, prompts)
        self.parts = [questions[at : at + batch_size] for at in range(0, len(questions), batch_size)]
        vocabulary = backbone.model.get_output_embeddings().weight.shape[0]
        self.tokens = max(1, KEPT_BYTES // (4 * vocabulary * len(questions)))
        self._generate, self._quiet = generate, quiet

    def said(self, what: str, hearing: Hearing = deaf, first: int | None = None) -> Iterator[Said]:
        """What is said to each batch, or to the first few, in a state of hearing."""
        parts = self.parts[:first]
        with Progress(what, len(parts), unit="batch", quiet=self._quiet) as progress:
            for part in parts:
                yield self._said(part, hearing)
                progress.update()

    @torch.no_grad()
    def _said(self, part: Sequence[Question], hearing: Hearing) -> Said:
        inputs, base = self.dialogue.encode(part), self.dialogue.base
        started = decoder_start(base, len(part))
        with hearing(range(len(part))):
            logits = base(**inputs, **started).logits
            answers = self.dialogue.generate(inputs).tokens if self._generate else None
        digest = hashlib.sha256(logits.cpu().contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()
        # An encoder-decoder has no logits of the prompt, which its mask is of, but those of a start token.
        start = started.get("decoder_input_ids")
        mask = inputs["attention_mask"] if start is None else torch.ones_like(start)
        real = mask[:, -self.tokens :].bool().cpu()
        return Said(digest, logits[:, -self.tokens :].float().cpu(), real, answers)


def compare(before: Sequence[Said], after: Iterable[Said]) -> Comparison:
    """Compare what was said to the same batches, before and after."""
    batches = identical = unseen = questions = count = tokens = same = 0
    largest = summed = 0.0
    said = list(before)
    digest = hashlib.sha256()
    for one, other in zip(said, after, strict=True):
        batches, questions = batches + 1, questions + len(one.logits)
        count += int(one.real.sum()) * one.logits.shape[2]
        tokens = max(tokens, one.logits.shape[1])
        digest.update(_bytes_of(other))
        same += _same_answers(one.answers, other.answers)
        if one.sha256 == other.sha256:
            identical += 1
            continue
        apart = (one.logits[one.real].double() - other.logits[one.real].double()).abs()
        unseen += not bool((apart != 0).any())
        largest = max(largest, float(apart.nan_to_num(torch.inf).max()))
        summed += float(apart.nan_to_num(torch.inf).sum())
    return Comparison(
        questions=questions,
        batches=batches,
        identical_batches=identical,
        unseen_batches=unseen,
        largest_difference=largest,
        mean_difference=summed / max(count, 1),
        tokens=tokens,
        same_answers=None if any(one.answers is None for one in said) else same,
        checksum=digest.hexdigest(),
    )


def checksum(said: Iterable[Said]) -> str:
    """One hash of all logits and answers."""
    digest = hashlib.sha256()
    for one in said:
        digest.update(_bytes_of(one))
    return digest.hexdigest()


def gate_closed(model: SafeModel, gate: float = 0.0) -> Hearing:
    """A state in which each row is sent a random sound, behind a gate that is closed unless one is given."""

    def hearing(rows: Sequence[int]) -> AbstractContextManager[SafeModel]:
        return model.fuse(audio=random_sounds(model, len(rows)), gate=gate)

    return hearing


def random_sounds(model: SafeModel, rows: int) -> tuple[Tensor, ...]:
    """Random embeddings, the same each time."""
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(rows, *shape, generator=generator) for shape in model.pathway.shapes]
    return tuple(one.to(input_device(model.base)) for one in drawn)


def gate_off_parity(
    model: SafeModel,
    untouched: Backbone,
    dataset: ShardDataset,
    batch_size: int = 64,
    asking: AskingConfig | None = None,
) -> Comparison:
    """Compare all logits of every question: of an untouched base, and of SAFE with its gate at 0.

    `asking` is how the checkpoint was asked in training.

    Raises:
        InputError: the split has no questions.
    """
    asking = asking or AskingConfig()
    questions = all_questions(dataset, asking)
    fused = Backbone(model.base, untouched.processor, untouched.folder)
    one, other = (
        Asking(backbone, questions, batch_size, asking=asking, generate=False, quiet=False)
        for backbone in (untouched, fused)
    )
    return compare(list(one.said("base")), other.said("gate off", gate_closed(model)))


def _same_answers(one: Tensor | None, other: Tensor | None) -> int:
    """How many rows have the same tokens; generations of different lengths differ where one goes on."""
    if one is None or other is None:
        return 0
    shared = min(one.shape[1], other.shape[1])
    same = (one[:, :shared] == other[:, :shared]).all(1)
    return int(same.sum()) if one.shape == other.shape else 0


def _bytes_of(said: Said) -> bytes:
    answers = b"" if said.answers is None else said.answers.numpy().tobytes()
    return said.sha256.encode() + answers
