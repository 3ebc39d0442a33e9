"""Dialogue: prompts in, answers out, with the probability of each answer and of each choice."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

from safe_eval.models.generation import FollowAll, Generation, Generator, Leave
from safe_eval.models.model import Answer
from safe_eval.models.token_batches import collate, pad_token
from safe_train.base.loading import input_device
from safe_train.base.prompts import Picture, Prompts
from safe_train.base.vision import Vision

SCORED_ROWS = 32  # choices of several tokens that are scored at once

# The state in which the rows of these numbers are computed: for SAFE, what each of them hears.
Hearing = Callable[[Sequence[int]], AbstractContextManager[Any]]


def deaf(_rows: Sequence[int]) -> AbstractContextManager[Any]:
    """The base as it is."""
    return nullcontext()


class Question(NamedTuple):
    """What is asked: a prompt, perhaps about a picture, perhaps with choices; and for how long an answer."""

    prompt: str
    picture: Picture | None = None
    choices: tuple[str, ...] | None = None
    answer_tokens: int | None = None  # the most, where that is less than usual


class Dialogue:
    """Asks a base questions and reads its answers with its processor.

    With `vision`, the features of a picture are computed once for all questions about it.
    """

    def __init__(
        self,
        base: Any,
        processor: Any,
        prompts: Prompts | None = None,
        *,
        vision: Vision | None = None,
        scored_rows: int = SCORED_ROWS,
    ) -> None:
        self.base = base
        self._device = input_device(base)
        self._pad = pad_token(processor)
        self._prompts = prompts or Prompts(processor)
        self._vision = vision
        self._scored_rows = scored_rows
        self._generator = Generator(base, processor)

    def answer(
        self, questions: Sequence[Question], hearing: Hearing = deaf, inputs: dict[str, Any] | None = None
    ) -> list[Answer]:
        """Answer each question; choices of one token each get their probabilities from the first logits.

        `inputs` are the questions as `encode` encodes them, where they are asked a second time.
        """
        encoded = self.encode(questions) if inputs is None else inputs
        with hearing(range(len(questions))):
            made = self.generate(encoded)
        return self.read(questions, made)

    def read(self, questions: Sequence[Question], made: Generation) -> list[Answer]:
        """The answers in what was generated."""
        answers = self._generator.read(made, [question.answer_tokens for question in questions])
        choices = [question.choices for question in questions]
        for row, chances in self._generator.first_chances(choices, made.first).items():
            answers[row] = replace(answers[row], choice_probabilities=chances)
        return answers

    def score(
        self, questions: Sequence[Question], answers: Sequence[Answer], hearing: Hearing = deaf
    ) -> list[Answer]:
        """The answers with the probabilities of choices of several tokens, whose likelihoods are computed."""
        scores = self._scores(questions, hearing)
        return [
            self._generator.with_scores(answer, questions[row].choices or (), scores[row])
            if row in scores
            else answer
            for row, answer in enumerate(answers)
        ]

    def encode(self, questions: Sequence[Question]) -> dict[str, Any]:
        """Encode questions as one batch on the base's device, pictures in its precision."""
        encoded = [self._prompts.encode(question.prompt, question.picture) for question in questions]
        seen: dict[str, Any] = {}
        if self._vision is not None:
            encoded, seen = self._vision.look(encoded, [question.picture for question in questions])
        batch = collate(encoded, self._pad)
        on_device = {
            name: value.to(self._device, self.base.dtype if value.is_floating_point() else None)
            for name, value in batch.items()
        }
        return on_device | seen

    def generate(
        self, inputs: dict[str, Any], leave: Leave | None = None, follow: FollowAll | None = None
    ) -> Generation:
        """Continue each prompt greedily: the most likely token each time.

        `leave` is told of the first step, and says which answers not to continue; `follow` of every step.
        """
        return self._generator.generate(inputs, self._prompts.asking.answer_tokens, leave, follow)

    def prompt_tokens(self, question: Question) -> int:
        """The tokens of a prompt, with those of its picture; it is remembered. Any thread may ask."""
        return int(self._prompts.encode(question.prompt, question.picture)["input_ids"].shape[1])

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of an answer so far."""
        return self._generator.text_of(tokens)

    def pieces_of(self, tokens: Sequence[int]) -> list[str]:
        """The text of each token of an answer."""
        return self._generator.pieces_of(tokens)

    def _scores(self, questions: Sequence[Question], hearing: Hearing) -> dict[int, list[float]]:
        """By question: the log-likelihood of each choice and its end token, where one has several tokens."""
        wanted = self._generator.to_score([question.choices for question in questions])
        scores: dict[int, list[float]] = {}
        for start in range(0, len(wanted), self._scored_rows):
            rows, tokens = zip(*wanted[start : start + self._scored_rows], strict=True)
            inputs = self.encode([questions[row] for row in rows])
            with hearing(rows):
                found = self._generator.log_likelihoods(inputs, tokens)
            for row, score in zip(rows, found, strict=True):
                scores.setdefault(row, []).append(score)
        return scores
