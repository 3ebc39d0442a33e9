"""Evaluation during training: does it hear, and did what it sees drift?

An answer counts as right if greedy decoding would give exactly the answer to learn, which one forward pass
tells. Vision questions are asked with the gate open, with silence and with an irrelevant sound: with the gate
closed, nothing can drift. Of several budgets of audio tokens, all hear the largest. This guides a run;
`safe-train predict` and `safe-eval score` measure it.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from accelerate import Accelerator
from jaxtyping import Bool, Float
from torch import Tensor

from safe_train.base.loading import input_device
from safe_train.batches import Batch, Loader
from safe_train.corpora import SILENCE
from safe_train.pathway.model import SafeModel
from safe_train.questions import Asked
from safe_train.retention.distillation import answer_logits, distillation_loss
from safe_train.retention.drift import IRRELEVANT, MEASURED, NO_AUDIO, QUESTIONS, SILENT, drift_metrics
from safe_train.stages.processes import summed

AUDIO_METRICS = ("audio_accuracy",)
_STREAM = 7

# The base's logits for the answers of a batch.
BaseLogits = Callable[[Batch], Float[Tensor, "batch tokens vocab"]]


class Evaluation:
    """Questions of the validation split, which are the same in every evaluation.

    `base_logits` gives what the base says where SAFE with its gate closed is not the base, as when the base
    itself is trained. Then vision questions are asked without audio, too; else nothing can be lost so.
    """

    def __init__(
        self, loader: Loader, *, questions: int, seed: int, rows: int, base_logits: BaseLogits | None = None
    ) -> None:
        self._loader, self._rows, self._base_logits = loader, rows, base_logits
        asked, corpora = loader.questions, loader.questions.corpora
        needs = asked.needs_audio
        hear, see = (spread(np.flatnonzero(which), questions) for which in (needs, ~needs))
        self.audio = tuple(Asked(int(q), "audio", int(asked.clip[q]), 0) for q in hear)
        rng = np.random.default_rng((seed, _STREAM))
        unrelated = corpora.unrelated(asked.clip[see], rng)
        self.vl = tuple(Asked(int(q), "vl", int(clip), 0) for q, clip in zip(see, unrelated, strict=True))
        self._groups = corpora.group[asked.clip[see]]
        self._cases = (IRRELEVANT, SILENT, *((NO_AUDIO,) if base_logits else ()))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of what is measured."""
        vl = (*(f"{case}_{name}" for case in self._cases for name in MEASURED), QUESTIONS)
        return (*(AUDIO_METRICS if self.audio else ()), *(vl if self.vl else ()))

    @torch.no_grad()
    def __call__(self, model: SafeModel, accelerator: Accelerator) -> dict[str, float]:
        """The metrics, those that there are questions for; accuracies and flips as fractions of 1.

        Raises:
            RuntimeError: the base's logits change by SAFE's hooks alone, without audio.
        """
        was_training = model.pathway.training
        model.eval()
        metrics: dict[str, float] = {}
        with accelerator.autocast():  # as in training: else rounding alone would be drift
            if self.audio:
                metrics |= zip(AUDIO_METRICS, (self._audio_accuracy(model, accelerator),), strict=True)
            if self.vl:
                metrics |= self._vl_metrics(model, accelerator)
        model.train(was_training)
        return metrics

    def _audio_accuracy(self, model: SafeModel, accelerator: Accelerator) -> float:
        right = 0.0
        for batch in self._batches(model, accelerator, self.audio):
            with model.fuse(audio=batch.audio):
                right += float(is_right(answer_logits(model.base, batch), batch).sum())
        return summed(accelerator, [right])[0] / len(self.audio)

    def _vl_metrics(self, model: SafeModel, accelerator: Accelerator) -> dict[str, float]:
        """The metrics of all cases, over all processes: each fills in the questions that it asks."""
        places = {row.question: place for place, row in enumerate(self.vl)}
        right = np.zeros((1 + len(self._cases), len(self.vl)))  # the base's first
        divergence = np.zeros(1 + len(self._cases))  # the tokens first
        for number, batch in enumerate(self._batches(model, accelerator, self.vl)):
            if number == 0 and not self._base_logits:
                _check_without_audio(model, batch)
            here = [places[row.question] for row in batch.asked]
            base = self._base_logits(batch) if self._base_logits else answer_logits(model.base, batch)
            right[0, here] = is_right(base, batch).cpu()
            tokens = int(batch.real.sum())
            divergence[0] += tokens
            for case, name in enumerate(self._cases, 1):
                heard = self._heard(model, batch, name)
                right[case, here] = is_right(heard, batch).cpu()
                loss = distillation_loss(heard, base, batch.real, temperature=1.0)
                divergence[case] += float(loss) * tokens
        both = np.array(summed(accelerator, [*divergence, *right.ravel()]))
        divergence, right = both[: len(divergence)], both[len(divergence) :].reshape(right.shape)
        metrics: dict[str, float] = {}
        for case, name in enumerate(self._cases, 1):
            kl = float(divergence[case] / divergence[0])
            metrics |= drift_metrics(name, right[0] > 0, right[case] > 0, self._groups, kl)
        return metrics | {QUESTIONS: float(len(self.vl))}

    def _heard(self, model: SafeModel, batch: Batch, case: str) -> Float[Tensor, "batch tokens vocab"]:
        """What SAFE says, with its gate open, if there is anything to hear."""
        sounds: tuple[Tensor, ...] | None = batch.audio
        if case == SILENT:
            silence = self._loader.questions.corpora.embeddings([SILENCE] * len(batch.asked))
            sounds = tuple(torch.from_numpy(one).to(input_device(model.base)) for one in silence)
        with model.fuse(audio=None if case == NO_AUDIO else sounds):
            return answer_logits(model.base, batch)

    def _batches(self, model: SafeModel, accelerator: Accelerator, asked: Sequence[Asked]) -> Iterator[Batch]:
        mine = asked[accelerator.process_index :: accelerator.num_processes]
        for batch in self._loader.batches(mine, self._rows):
            yield batch.to(input_device(model.base), model.base.dtype)


def _check_without_audio(model: SafeModel, batch: Batch) -> None:
    """Check, on one batch, that nothing is lost without audio: the hooks alone change no bit.

    Raises:
        RuntimeError: they do.
    """
    with model.fuse():
        hooked = answer_logits(model.base, batch)
    model.detach()
    try:
        bare = answer_logits(model.base, batch)
    finally:
        model.attach()
    if not torch.equal(hooked, bare):
        most = float((hooked - bare).abs().max())
        raise RuntimeError(f"without audio, SAFE's hooks change the base's logits by up to {most:g}")


def is_right(logits: Float[Tensor, "batch tokens vocab"], batch: Batch) -> Bool[Tensor, " batch"]:
    """Whether greedy decoding would give exactly each answer, from the logits that predict its tokens."""
    return ((logits.argmax(-1) == batch.answers) | ~batch.real).all(1)


def spread(questions: np.ndarray, count: int) -> np.ndarray:
    """Evenly spaced questions, at most this many."""
    if len(questions) <= count:
        return questions
    return questions[np.linspace(0, len(questions) - 1, count).round().astype(np.int64)]
