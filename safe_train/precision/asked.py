"""Asked: the questions that every precision answers, with a sound if the gate lets them, and their scores."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import label_of
from safe_eval.models.processors import pictures_apart
from safe_eval.options import Sampling
from safe_eval.statistics.paired import paired_difference, paired_test
from safe_eval.statistics.score_interval import score_interval
from safe_train.base.backbone import Backbone
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.loading import input_device
from safe_train.base.prompts import Prompts, check_pictures, stored_picture
from safe_train.base.vision import Vision
from safe_train.checkpoint import Checkpoint, check_dataset
from safe_train.gates.gate import Gate
from safe_train.gates.scored_questions import ScoredQuestion, scored_questions, scores_of
from safe_train.gates.states import influence
from safe_train.pathway.model import SafeModel
from safe_train.precision.result import Accuracy, Answered
from safe_train.predict.consultation import Consultation
from safe_train.profiling.subject import evenly
from safe_train.settings.backbone import AskingConfig
from safe_train.settings.precision import PrecisionConfig


class Said(NamedTuple):
    """What a model said to all questions: its answers, the logits they begin with, and where it listened."""

    texts: tuple[str, ...]
    first: Float[Tensor, "questions vocab"]
    listens: Bool[ndarray, " questions"]


@dataclass(frozen=True)
class Questionnaire:
    """Questions with a score of their own; `heard` holds the embeddings of each encoder of the checkpoint."""

    dataset: ShardDataset
    heard: tuple[ShardDataset, ...]
    asked: tuple[ScoredQuestion, ...]
    left_out: dict[str, int]
    asking: AskingConfig
    batch_size: int

    def question(self, one: ScoredQuestion) -> Question:
        """A question as it is asked."""
        prompt = self.asking.worded(one.example.prompt, one.example.task)
        return Question(prompt, stored_picture(self.dataset, one.clip), one.example.choices)

    @property
    def vl(self) -> list[Question]:
        """The questions that need no sound, or all where each needs one: what the closed gate is tried on."""
        found = [one for one in self.asked if not one.example.needs_audio] or list(self.asked)
        return [self.question(one) for one in found]

    @property
    def metrics(self) -> dict[str, int]:
        """How many questions are scored by each metric."""
        return dict(Counter(one.metric for one in self.asked))

    def say(self, model: SafeModel, backbone: Backbone, gate: Gate) -> Said:
        """Ask a model all questions."""
        dialogue = Dialogue(
            model.base,
            backbone.processor,
            Prompts(backbone.processor, self.asking),
            vision=Vision(model.base),
        )
        texts: dict[int, str] = {}
        first: dict[int, Tensor] = {}
        listens = np.zeros(len(self.asked), bool)
        for numbers in self._batches(backbone):
            consultation, logits, answers = self._consult(model, dialogue, gate, numbers)
            texts |= zip(numbers, answers, strict=True)
            first |= zip(numbers, logits, strict=True)
            listens[numbers] = consultation.decisions.listens
        order = range(len(self.asked))
        return Said(tuple(texts[n] for n in order), torch.stack([first[n] for n in order]), listens)

    def _consult(
        self, model: SafeModel, dialogue: Dialogue, gate: Gate, numbers: Sequence[int]
    ) -> tuple[Consultation, Tensor, list[str]]:
        asked = [self.asked[number] for number in numbers]
        device = input_device(model.base)

        def listen(_rows: Sequence[int]) -> tuple[Tensor, ...]:
            clips = [one.clip for one in asked]
            embeddings = (dataset.embeddings(clips).astype(np.float32) for dataset in self.heard)
            return tuple(torch.from_numpy(one).to(device) for one in embeddings)

        questions = [self.question(one) for one in asked]
        has_sound = [float(one.has_sound) for one in asked]
        consultation = Consultation(model, gate, questions, has_sound, listen)
        inputs = dialogue.encode(questions)
        if not (gate.needs_state and any(has_sound)):
            answers, shut = consultation.answer_at_once(dialogue, inputs), None
        else:
            passed = consultation.shut(dialogue, inputs)
            answers, shut = consultation.answer(dialogue, inputs, passed), passed.made.first
        logits = consultation.first if consultation.first is not None else shut
        if logits is None:
            raise ValueError("a batch of questions was answered without logits")
        return consultation, logits, [one.text for one in answers]

    def _batches(self, backbone: Backbone) -> Iterator[list[int]]:
        """The numbers of the questions of each batch; those without a picture apart where they must be."""
        pools = [list(range(len(self.asked)))]
        if pictures_apart(backbone.processor):
            shown = [number for number in pools[0] if self.asked[number].has_picture]
            pools = [shown, sorted({*pools[0]} - {*shown})]
        for pool in pools:
            for start in range(0, len(pool), self.batch_size):
                yield pool[start : start + self.batch_size]


def read_questionnaire(checkpoint: Checkpoint, shards: Path, config: PrecisionConfig) -> Questionnaire:
    """Choose the questions that all precisions answer.

    Raises:
        InputError: the dataset may not be asked, lacks an embedding, or has no question with a score.
    """
    dataset = ShardDataset(shards, config.split)
    check_dataset(checkpoint, dataset, allow_other=config.allow_other_dataset)
    check_pictures(checkpoint.config.asking, [dataset])
    heard = [dataset.with_encoder(label_of(e.name, e.fingerprint)) for e in checkpoint.config.encoders]
    asked, left_out = scored_questions(dataset)
    chosen = [asked[number] for number in evenly(range(len(asked)), config.questions)]
    return Questionnaire(
        dataset, tuple(heard), tuple(chosen), left_out, checkpoint.config.asking, config.batch_size
    )


def answered(questionnaire: Questionnaire, reference: Said, said: Said, sampling: Sampling) -> Answered:
    """Score what was said, beside what the first precision said, which may be the same.

    Raises:
        InputError: references name none of the choices.
    """
    is_first = said is reference
    scores = scores_of(questionnaire.asked, list(zip(reference.texts, said.texts, strict=True)))
    needs = np.array([bool(one.example.needs_audio) for one in questionnaire.asked])
    groups = np.array([one.record.group for one in questionnaire.asked])
    of = {
        name: _accuracy(scores[inside, 1], None if is_first else scores[inside, 0], groups[inside], sampling)
        for name, inside in (("audio", needs), ("vl", ~needs))
        if inside.any()
    }
    finite = _are_finite(reference.first, said.first)
    kl = influence(reference.first[finite], said.first[finite])
    known = bool(finite.all())
    return Answered(
        audio=of.get("audio"),
        vl=of.get("vl"),
        listens=float(said.listens.mean()),
        same_answers=float(np.mean([a == b for a, b in zip(reference.texts, said.texts, strict=True)])),
        kl_mean=float(kl.mean()) if known else None,
        kl_p95=float(np.quantile(kl, 0.95)) if known else None,
        not_finite=int((~finite).sum()),
    )


def _are_finite(reference: Tensor, said: Tensor) -> Tensor:
    """Where no logit is NaN or infinite, but those of tokens that may not be said, which are -inf in both."""
    barred = (reference == -torch.inf) & (said == -torch.inf)
    return torch.isfinite(torch.where(barred, 0.0, reference + said)).all(1)


def _accuracy(
    scores: Float[ndarray, " questions"],
    before: Float[ndarray, " questions"] | None,
    groups: ndarray,
    sampling: Sampling,
) -> Accuracy:
    interval = score_interval(scores, groups, sampling.confidence)
    found = Accuracy(
        value=float(scores.mean()),
        low=interval.low,
        high=interval.high,
        questions=len(scores),
        clusters=len(np.unique(groups)),
    )
    if before is None:
        return found
    change = paired_difference(scores, before, groups, sampling)
    p_value, test = paired_test(scores, before, groups, sampling)
    return msgspec.structs.replace(
        found,
        difference=change.difference,
        difference_low=change.interval.low,
        difference_high=change.interval.high,
        gained=change.gained,
        lost=change.lost,
        p_value=p_value,
        test=test,
        mcnemar=change.mcnemar,
    )
