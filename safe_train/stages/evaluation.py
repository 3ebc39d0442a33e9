"""Evaluation during training: does it hear, and did what it sees drift?

An answer counts as right if greedy decoding would give exactly the answer to learn, which one forward pass
tells. Vision questions are asked with the gate open and an unrelated sound: with the gate closed, nothing can
drift. This guides a run; `safe-train predict` and `safe-eval score` measure it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from accelerate import Accelerator

from safe_train.batches import Batch, Loader
from safe_train.pathway.model import SafeModel
from safe_train.questions import Asked
from safe_train.retention.distillation import answer_logits, distillation_loss
from safe_train.stages.processes import summed

AUDIO_METRICS = ("audio_accuracy",)
VL_METRICS = ("vl_accuracy", "vl_drift", "vl_flips", "vl_kl")
_STREAM = 7


class Sums(NamedTuple):
    """Counts over questions, and the sum of the divergence over tokens."""

    questions: float = 0.0
    right: float = 0.0
    base_right: float = 0.0
    flipped: float = 0.0
    divergence: float = 0.0
    tokens: float = 0.0


class Evaluation:
    """Questions of the validation split, which are the same in every evaluation."""

    def __init__(self, loader: Loader, *, questions: int, seed: int, rows: int) -> None:
        self._loader, self._rows = loader, rows
        asked, corpora = loader.questions, loader.questions.corpora
        needs = asked.needs_audio
        hear, see = (_spread(np.flatnonzero(which), questions) for which in (needs, ~needs))
        self.audio = tuple(Asked(int(q), "audio", int(asked.clip[q]), 0) for q in hear)
        rng = np.random.default_rng((seed, _STREAM))
        unrelated = corpora.unrelated(asked.clip[see], rng)
        self.vl = tuple(Asked(int(q), "vl", int(clip), 0) for q, clip in zip(see, unrelated, strict=True))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of what is measured."""
        return (*(AUDIO_METRICS if self.audio else ()), *(VL_METRICS if self.vl else ()))

    def __call__(self, model: SafeModel, accelerator: Accelerator) -> dict[str, float]:
        """The metrics, those that there are questions for; accuracies and flips as fractions of 1."""
        was_training = model.pathway.training
        model.eval()
        audio = self._sums(model, accelerator, self.audio)
        vl = self._sums(model, accelerator, self.vl)
        model.train(was_training)
        metrics: dict[str, float] = {}
        if audio.questions:
            metrics |= zip(AUDIO_METRICS, (audio.right / audio.questions,), strict=True)
        if vl.questions:
            drift = (vl.base_right - vl.right) / vl.questions
            shares = (vl.right / vl.questions, drift, vl.flipped / vl.questions, vl.divergence / vl.tokens)
            metrics |= zip(VL_METRICS, shares, strict=True)
        return metrics

    @torch.no_grad()
    def _sums(self, model: SafeModel, accelerator: Accelerator, asked: Sequence[Asked]) -> Sums:
        """The sums over all processes."""
        mine = asked[accelerator.process_index :: accelerator.num_processes]
        sums = Sums()
        for batch in self._loader.batches(mine, self._rows):
            found = _sums_of(model, batch.to(model.base.device, model.base.dtype))
            sums = Sums(*(one + other for one, other in zip(sums, found, strict=True)))
        return Sums(*summed(accelerator, sums))


def _sums_of(model: SafeModel, batch: Batch) -> Sums:
    with model.fuse(audio=batch.audio):
        heard = answer_logits(model.base, batch)
    with model.untouched():
        base = answer_logits(model.base, batch)
    right, base_right = (_is_right(logits.argmax(-1), batch) for logits in (heard, base))
    tokens = int(batch.real.sum())
    divergence = distillation_loss(heard, base, batch.real, temperature=1.0) * tokens
    return Sums(
        len(batch.asked),
        float(right.sum()),
        float(base_right.sum()),
        float((right != base_right).sum()),
        float(divergence),
        tokens,
    )


def _is_right(chosen: torch.Tensor, batch: Batch) -> torch.Tensor:
    return ((chosen == batch.answers) | ~batch.real).all(1)


def _spread(questions: np.ndarray, count: int) -> np.ndarray:
    """Evenly spaced questions, at most this many."""
    if len(questions) <= count:
        return questions
    return questions[np.linspace(0, len(questions) - 1, count).round().astype(np.int64)]
