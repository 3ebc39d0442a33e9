"""Answers: questions of a split, asked for answers of a fixed length, so that ways to answer can be compared.

An answer takes as long as its words, and a sound may change them. So each answer has as many tokens as the
base's own: what differs between two ways is then the way alone.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.loading import input_device
from safe_train.base.prompts import Prompts
from safe_train.base.vision import Vision
from safe_train.parity.timing import wait
from safe_train.pathway.model import SafeModel
from safe_train.profiling.subject import Subject


class Answers:
    """Asks the questions of a subject, by their numbers, with a model that is attached to its base."""

    def __init__(self, subject: Subject, model: SafeModel) -> None:
        self.model = model
        self._subject = subject
        self._dialogues: dict[tuple[int, bool, bool], Dialogue] = {}

    def question(self, number: int) -> Question:
        """A question as it is asked."""
        subject = self._subject
        example = subject.asked.of(number)
        picture = subject.corpora.picture(int(subject.asked.clip[number]))
        return Question(subject.config.asking.worded(example.prompt, example.task), picture)

    def audio(self, numbers: Sequence[int]) -> tuple[Tensor, ...]:
        """The embeddings of the sounds of questions, on the device."""
        clips = [int(self._subject.asked.clip[number]) for number in numbers]
        device = input_device(self.model.base)
        return tuple(torch.from_numpy(one).to(device) for one in self._subject.corpora.embeddings(clips))

    def hearing(self, audio: tuple[Tensor, ...], tokens: int) -> AbstractContextManager[Any]:
        """What is heard with so many audio tokens; 0 is nothing, and then the base is alone."""
        return self.model.fuse(audio=audio, tokens=tokens) if tokens else self.model.fuse()

    def dialogue(self, tokens: int, *, remembers: bool = False, looks_once: bool = False) -> Dialogue:
        """Asks for at most so many tokens; what is not remembered is decoded and encoded each time.

        `looks_once` has the picture of a request of two passes looked at once, as predictions do.
        """
        key = tokens, remembers, looks_once
        if key not in self._dialogues:
            subject, base = self._subject, self.model.base
            asking = replace(subject.config.asking, answer_tokens=tokens)
            room = {} if remembers else {"picture_bytes": 0, "token_bytes": 0}
            prompts = Prompts(subject.backbone.processor, asking, **room)
            vision = Vision(base, 0) if looks_once else None
            self._dialogues[key] = Dialogue(base, subject.backbone.processor, prompts, vision=vision)
        return self._dialogues[key]

    def lengths(self, numbers: Sequence[int]) -> list[int]:
        """The tokens of the base's own answer to each question, its end included."""
        dialogue = self.dialogue(self._subject.config.asking.answer_tokens)
        found = []
        for number in numbers:
            with self.model.fuse():
                made = dialogue.generate(dialogue.encode([self.question(number)]))
            found.append(int(made.tokens.shape[1]))
        return found


def of_length(inputs: dict[str, Any], tokens: int) -> dict[str, Any]:
    """Inputs of a generation that does not end before it has so many tokens."""
    return {**inputs, "min_new_tokens": tokens}


@contextmanager
def token_times(base: Any) -> Iterator[list[float]]:
    """The moments at which each token of a generation could be chosen, in seconds; none if nobody can tell.

    The output layer is called once a token, the first time behind the whole prompt.
    """
    times: list[float] = []
    head = base.get_output_embeddings()
    if head is None:
        yield times
        return

    def seen(*_: Any) -> None:
        wait()
        times.append(time.perf_counter())

    hook = head.register_forward_hook(seen)
    try:
        yield times
    finally:
        hook.remove()


def cache_bytes(cache: Any) -> int | None:
    """The bytes of the keys and values that a forward pass left; None for a cache that hides them."""
    parts = [getattr(cache, name, None) for name in ("self_attention_cache", "cross_attention_cache")]
    if any(part is not None for part in parts):
        found = [cache_bytes(part) for part in parts if part is not None]
        return None if None in found else sum(one or 0 for one in found)
    layers = getattr(cache, "layers", None)
    if not layers:
        return None
    pairs = [(getattr(layer, "keys", None), getattr(layer, "values", None)) for layer in layers]
    tensors = [tensor for pair in pairs for tensor in pair if isinstance(tensor, Tensor)]
    return sum(tensor.nbytes for tensor in tensors) if tensors else None
