"""Batches: questions with their pictures, sounds and answers, as the model takes them.

The questions of a step are divided among forward passes by their length, so that a question without a picture
is not padded to the length of those with one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Bool, Float32, Int64
from numpy import ndarray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from safe_data.core.errors import InputError
from safe_eval.models.processors import pictures_apart
from safe_eval.models.token_batches import IGNORED, Inputs, append_answers, collate, pad_token
from safe_train.augmentation import Augmentation
from safe_train.base.prompts import Prompts, encode_answer
from safe_train.questions import Asked, Questions

FORWARD_COST_TOKENS = 256  # what one more forward pass costs, in tokens of padding
_KEPT = 1 << 16  # answers, and examples


@dataclass(frozen=True)
class Batch:
    """Prompts followed by their answers; shorter answers are padded with -100."""

    asked: tuple[Asked, ...]
    inputs: Inputs
    answers: Int64[Tensor, "batch tokens"]
    audio: tuple[Tensor, ...]

    @property
    def real(self) -> Bool[Tensor, "batch tokens"]:
        """Which tokens of `answers` are not padding."""
        return self.answers != IGNORED

    @property
    def learns(self) -> Bool[Tensor, " batch"]:
        """Which rows learn their answer; the others keep the base's."""
        return torch.tensor([row.role == "audio" for row in self.asked], device=self.answers.device)

    def to(self, device: torch.device, dtype: torch.dtype) -> "Batch":
        """The batch on a device, with pictures in the precision of the base."""
        inputs = {
            name: value.to(device, dtype if value.is_floating_point() else None)
            for name, value in self.inputs.items()
        }
        return Batch(
            self.asked, inputs, self.answers.to(device), tuple(sound.to(device) for sound in self.audio)
        )


class Loader:
    """Makes batches from questions. It may be used by several threads.

    Raises:
        InputError: an answer has no tokens.
    """

    def __init__(
        self,
        questions: Questions,
        processor: Any,
        prompts: Prompts | None = None,
        augmentation: Augmentation | None = None,
    ) -> None:
        self.questions = questions
        self._processor = processor
        self._prompts = prompts or Prompts(processor)
        self._augmentation = augmentation
        self._answer = lru_cache(_KEPT)(lambda answer: encode_answer(processor, answer))
        self._example = lru_cache(_KEPT)(questions.of)
        for answer in questions.answers:
            if not answer.strip():
                raise InputError(f"answer {answer!r} has no words; training needs some")

    def example_ids(self, asked: Sequence[Asked]) -> list[str]:
        """The ids of the examples asked."""
        return [self._example(row.question).id for row in asked]

    def batch(self, asked: Sequence[Asked]) -> Batch:
        """Make one batch of these questions."""
        return self._joined(asked, [self._encoded(row) for row in asked])

    def batches(self, asked: Sequence[Asked], most_rows: int) -> list[Batch]:
        """Make the batches of a step's forward passes, of at most `most_rows` questions each."""
        encoded = [self._encoded(row) for row in asked]
        lengths = [prompt["input_ids"].shape[1] + len(answer) for prompt, answer in encoded]
        return [
            self._joined([asked[rows[i]] for i in part], [encoded[rows[i]] for i in part])
            for rows in self._apart([prompt for prompt, _ in encoded])
            for part in divided_by_length([lengths[row] for row in rows], most_rows)
        ]

    def _apart(self, prompts: Sequence[Inputs]) -> list[list[int]]:
        """The rows that may stand in one batch."""
        rows = range(len(prompts))
        if not pictures_apart(self._processor):
            return [list(rows)]
        shown = [row for row in rows if "pixel_values" in prompts[row]]
        return [part for part in (sorted({*rows} - {*shown}), shown) if part]

    def _encoded(self, row: Asked) -> tuple[Inputs, Int64[Tensor, " tokens"]]:
        """A row's prompt, and its answer."""
        example = self._example(row.question)
        learnt = self.questions.answer[row.question]
        answer = example.references[row.reference] if learnt is None else learnt
        picture = self.questions.corpora.picture(int(self.questions.clip[row.question]))
        prompt = self._prompts.asking.worded(example.prompt, example.task)
        return self._prompts.encode(prompt, picture), self._answer(answer)

    def _joined(
        self, asked: Sequence[Asked], encoded: Sequence[tuple[Inputs, Int64[Tensor, " tokens"]]]
    ) -> Batch:
        pad = pad_token(self._processor)
        answers = pad_sequence([a for _, a in encoded], batch_first=True, padding_value=IGNORED)
        inputs = append_answers(collate([prompt for prompt, _ in encoded], pad), answers, self._processor)
        sounds = self.questions.corpora.embeddings([row.heard for row in asked])
        self._change(asked, sounds)
        return Batch(tuple(asked), inputs, answers, tuple(torch.from_numpy(sound) for sound in sounds))

    def _change(self, asked: Sequence[Asked], sounds: Sequence[Float32[ndarray, "rows *shape"]]) -> None:
        """Put the embeddings of changed sounds in the place of the stored ones."""
        for number, row in enumerate(asked):
            if row.change is None or self._augmentation is None:
                continue
            changed = self._augmentation.embed(*self.questions.corpora.place(row.heard), row.change)
            for stored, embedding in zip(sounds, changed or (), strict=False):
                stored[number] = embedding


def divided_by_length(lengths: Sequence[int], most_rows: int) -> list[list[int]]:
    """Divide rows among forward passes so that the fewest tokens are computed, FORWARD_COST_TOKENS a pass.

    Rows are in the order of their length, then of their number.

    >>> divided_by_length([300, 20, 310, 22], most_rows=8)
    [[1, 3], [0, 2]]
    >>> divided_by_length([20, 21, 22], most_rows=2)
    [[0], [1, 2]]
    """
    order = sorted(range(len(lengths)), key=lambda row: lengths[row])
    best: list[tuple[int, int]] = [(0, 0)]  # of the first n rows: cost, start of the last pass
    for end in range(1, len(order) + 1):
        longest = lengths[order[end - 1]]
        starts = range(max(0, end - most_rows), end)
        best.append(
            min((best[start][0] + (end - start) * longest + FORWARD_COST_TOKENS, start) for start in starts)
        )
    parts: list[list[int]] = []
    end = len(order)
    while end:
        start = best[end][1]
        parts.append(order[start:end])
        end = start
    return parts[::-1]
