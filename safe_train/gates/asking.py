"""Asking at every budget: the table of outcomes that gates are fitted and judged on.

A question is asked once with the gate shut, which gives its state too, and once at each trained budget of
audio tokens, in the same batch. The budgets share its prompt, the features of its picture and the embedding
of its sound. With the first layer fused they share no layer of the language model: what is heard changes
every layer above it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.core.options_file import TRAIN, installed_versions
from safe_data.core.progress import Progress
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import label_of
from safe_eval.models.files import base_files
from safe_eval.models.generation import Generation
from safe_eval.models.processors import pictures_apart
from safe_train.base.backbone import Backbone
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.loading import input_device
from safe_train.base.prompts import Prompts, check_pictures, stored_picture
from safe_train.base.vision import Vision
from safe_train.checkpoint import pathway_weights
from safe_train.gates.outcomes import Outcomes
from safe_train.gates.scored_questions import ScoredQuestion, scored_questions, scores_of
from safe_train.gates.states import States, influence, joined, states_from
from safe_train.pathway.model import SafeModel
from safe_train.settings.backbone import AskingConfig


@dataclass
class _Found:
    """What was found for each question so far, by its number."""

    answers: dict[int, tuple[str, ...]] = field(default_factory=dict)
    influence: dict[int, list[float]] = field(default_factory=dict)
    states: list[States] = field(default_factory=list)
    order: list[int] = field(default_factory=list)  # of the questions in `states`


def ask_every_budget(
    model: SafeModel,
    backbone: Backbone,
    dataset: ShardDataset,
    *,
    budgets: Sequence[int] | None = None,
    encoders: Sequence[str] = (),
    asking: AskingConfig | None = None,
    batch_size: int = 32,
    latency_questions: int = 0,
    facts: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> Outcomes:
    """Ask every question of a split with the gate shut and at each budget, and score every answer.

    An answer is scored by the rule of its benchmark, as in `safe-eval score`. `budgets` are trained ones
    (default: all). `encoders` are the labels, such as `logmel-1a2b3c4d`, of the embeddings in the dataset
    that the pathway hears by, in its order (default: those that the dataset was opened with). `latency_ms` is
    the median over `latency_questions`, each asked alone, without the time of embedding the sound; the fact
    `state_ms` is that of the pass behind a state, which a question that listens pays too.

    The budgets share the prompt, the features of the picture and the embedding of the sound. With the first
    layer fused they can share no layer of the prefill. A question whose clip has no sound has the base's
    answer at every budget. Those that no gate can learn from are left out and counted in the facts.

    Raises:
        InputError: a budget was not trained, the dataset lacks an embedding, or no question is left.
    """
    asking = asking or AskingConfig()
    tried = _checked_budgets(model, budgets)
    check_pictures(asking, [dataset])
    heard = [dataset.with_encoder(label) for label in encoders] or [dataset]
    asked, left_out = scored_questions(dataset)
    one_by_one = Asker(model, backbone, dataset, heard, tried, asking)
    found = _Found()
    with Progress("asking at every budget", len(asked), unit="question", quiet=quiet) as progress:
        for numbers in _batches(asked, backbone, batch_size):
            one_by_one.ask(numbers, [asked[number] for number in numbers], found)
            progress.update(len(numbers))
    latency, state_ms = one_by_one.latency(_spread(asked, latency_questions))
    order = np.argsort(found.order, kind="stable")
    answers = tuple(found.answers[number] for number in range(len(asked)))
    made = {
        "adapter_sha256": _adapter_sha256(model),
        "base_files": base_files(backbone.folder, quiet=quiet),
        "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
        "split": dataset.split,
        "encoders": list(encoders) or [_label(one) for one in heard],
        "asking": asdict(asking),
        "batch_size": batch_size,
        "metrics": dict(Counter(one.metric for one in asked)),
        "left_out": left_out,
        "latency_questions": min(latency_questions, len(asked)),
        "state_ms": state_ms,
        "device": f"{input_device(model.base).type}, {torch.get_num_threads()} threads",
        "versions": installed_versions(TRAIN),
    }
    return Outcomes(
        example_ids=tuple(one.example.id for one in asked),
        groups=tuple(one.record.group for one in asked),
        question_types=tuple(one.example.question_type for one in asked),
        needs_audio=np.array([bool(one.example.needs_audio) for one in asked]),
        budgets=(0, *tried),
        answers=answers,
        scores=scores_of(asked, answers),
        influence_kl=np.array([found.influence[number] for number in range(len(asked))]),
        latency_ms=latency,
        states=joined(found.states).of(order.tolist()),
        facts={**made, **(facts or {})},
    )


class Asker:
    """Asks questions with the gate shut and at each budget."""

    def __init__(
        self,
        model: SafeModel,
        backbone: Backbone,
        dataset: ShardDataset,
        heard: Sequence[ShardDataset],
        budgets: Sequence[int],
        asking: AskingConfig,
    ) -> None:
        self._model, self._dataset, self._heard, self._budgets = model, dataset, heard, budgets
        self._asking, self._backbone = asking, backbone
        self._dialogue = Dialogue(
            model.base, backbone.processor, Prompts(backbone.processor, asking), vision=Vision(model.base)
        )

    def ask(self, numbers: Sequence[int], asked: Sequence[ScoredQuestion], found: _Found) -> None:
        """Ask a batch of questions, and note what was found under their numbers."""
        questions, dialogue = [self._question(one) for one in asked], self._dialogue
        inputs = dialogue.encode(questions)

        def look(first: Tensor, hidden: Tensor) -> list[bool]:
            found.states.append(states_from(first, hidden))
            return [False] * len(first)

        base = dialogue.generate(dict(inputs), look)
        found.order += numbers
        said, changed = [dialogue.read(questions, base)], [np.zeros(len(asked))]
        for made in self._heard_at_each_budget(asked, inputs, base):
            said.append(dialogue.read(questions, made))
            changed.append(influence(base.first, made.first))
        for place, number in enumerate(numbers):
            found.answers[number] = tuple(answers[place].text for answers in said)
            found.influence[number] = [float(one[place]) for one in changed]

    def latency(self, asked: Sequence[ScoredQuestion]) -> tuple[Float64[ndarray, " budgets"], float | None]:
        """The median milliseconds of an answer at each budget, 0 first, and those of the pass behind a state.

        Each question is asked alone, at every budget in turn, after one that does not count. Nothing is
        remembered from one answer to the next. NaN and None if there are none.
        """
        if not asked:
            return np.full(1 + len(self._budgets), np.nan), None
        prompts = Prompts(self._backbone.processor, self._asking, picture_bytes=0, token_bytes=0)
        dialogue = Dialogue(self._model.base, self._backbone.processor, prompts)
        times: list[list[float]] = []
        for one in (asked[0], *asked):
            audio, question = self._audio([one]), self._question(one)
            row = []
            for tokens in (0, *self._budgets):
                started = perf_counter()
                with self._hearing(audio, [one], tokens):
                    dialogue.answer([question])
                row.append(perf_counter() - started)
            inputs = dialogue.encode([question])
            started = perf_counter()
            dialogue.generate(inputs, lambda first, hidden: [len(states_from(first, hidden)) > 0])
            times.append([*row, perf_counter() - started])
        medians = [1000 * median(column) for column in zip(*times[1:], strict=True)]
        return np.array(medians[:-1]), medians[-1]

    def _heard_at_each_budget(
        self, asked: Sequence[ScoredQuestion], inputs: dict[str, Any], base: Generation
    ) -> Iterator[Generation]:
        if not any(one.has_sound for one in asked):  # then the gate stays shut
            yield from [base] * len(self._budgets)
            return
        audio = self._audio(asked)
        for tokens in self._budgets:
            with self._hearing(audio, asked, tokens):
                yield self._dialogue.generate(dict(inputs))

    def _hearing(self, audio: tuple[Tensor, ...], asked: Sequence[ScoredQuestion], tokens: int) -> Any:
        if not tokens:
            return self._model.fuse()
        gates = [float(one.has_sound) for one in asked]
        return self._model.fuse(audio=audio, gate=1.0 if all(gates) else gates, tokens=tokens)

    def _audio(self, asked: Sequence[ScoredQuestion]) -> tuple[Tensor, ...]:
        clips, device = [one.clip for one in asked], input_device(self._model.base)
        embeddings = (dataset.embeddings(clips).astype(np.float32) for dataset in self._heard)
        return tuple(torch.from_numpy(one).to(device) for one in embeddings)

    def _question(self, one: ScoredQuestion) -> Question:
        prompt = self._asking.worded(one.example.prompt, one.example.task)
        return Question(prompt, stored_picture(self._dataset, one.clip), one.example.choices)


def _checked_budgets(model: SafeModel, wanted: Sequence[int] | None) -> tuple[int, ...]:
    """The budgets to try, ascending, without 0.

    Raises:
        InputError: one was not trained.
    """
    trained = model.pathway.config.budgets
    budgets = tuple(sorted({*(trained if wanted is None else wanted)} - {0}))
    if unknown := [tokens for tokens in budgets if tokens not in trained]:
        raise InputError(
            f"{unknown[0]} audio tokens: this pathway was trained with {list(trained)}; try these"
        )
    return budgets


def _batches(asked: Sequence[ScoredQuestion], backbone: Backbone, size: int) -> Iterator[list[int]]:
    """The numbers of the questions of each batch; those without a picture apart where they must be."""
    pools = [list(range(len(asked)))]
    if pictures_apart(backbone.processor):
        shown = [number for number in pools[0] if asked[number].has_picture]
        pools = [shown, sorted({*pools[0]} - {*shown})]
    for pool in pools:
        for start in range(0, len(pool), size):
            yield pool[start : start + size]


def _spread(asked: Sequence[ScoredQuestion], count: int) -> list[ScoredQuestion]:
    """Evenly spaced questions, at most so many."""
    places = np.linspace(0, len(asked) - 1, min(count, len(asked))).round().astype(int)
    return [asked[place] for place in places.tolist()]


def _adapter_sha256(model: SafeModel) -> str:
    """The hash that the weights of the pathway have in a checkpoint."""
    from safetensors.torch import save

    return hashlib.sha256(save(pathway_weights(model.pathway))).hexdigest()


def _label(dataset: ShardDataset) -> str:
    encoder = dataset.encoder
    return "none" if encoder is None else label_of(encoder["name"], encoder["fingerprint"])
