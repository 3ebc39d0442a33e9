"""Dialogue: prompts in, answers out, with the probability of each answer and of each choice."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from safe_eval.models.model import Answer
from safe_train.base.backbone import last_logits
from safe_train.base.loading import input_device
from safe_train.base.prompts import IGNORED, Picture, Prompts, append_answers, collate, pad_token
from safe_train.base.vision import Vision

SCORED_ROWS = 32  # choices of several tokens that are scored at once

# The state in which the rows of these numbers are computed: for SAFE, what each of them hears.
Hearing = Callable[[Sequence[int]], AbstractContextManager[Any]]


def deaf(_rows: Sequence[int]) -> AbstractContextManager[Any]:
    """The base as it is."""
    return nullcontext()


class Question(NamedTuple):
    """What is asked: a prompt, perhaps about a picture, and perhaps with choices."""

    prompt: str
    picture: Picture | None = None
    choices: tuple[str, ...] | None = None


class Generation(NamedTuple):
    """The generated tokens, their log-probabilities, and the logits that the first was chosen from."""

    tokens: Int64[Tensor, "batch tokens"]
    log_probabilities: Float[Tensor, "batch tokens"]
    first: Float[Tensor, "batch vocab"]


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
        self._processor = processor
        self._tokenizer = processor.tokenizer
        self._pad = pad_token(processor)
        self._prompts = prompts or Prompts(processor)
        self._vision = vision
        self._scored_rows = scored_rows
        self._choice_tokens: dict[tuple[str, ...], list[list[int]] | None] = {}
        end = self._tokenizer.eos_token_id
        self._end = [] if end is None else [end]
        self._stops = _stop_tokens(base, self._end)

    def answer(
        self, questions: Sequence[Question], hearing: Hearing = deaf, inputs: dict[str, Any] | None = None
    ) -> list[Answer]:
        """Answer each question; choices of one token each get their probabilities from the first logits.

        `inputs` are the questions as `encode` encodes them, where they are asked a second time.
        """
        encoded = self.encode(questions) if inputs is None else inputs
        with hearing(range(len(questions))):
            made = self.generate(encoded)
        answers = self._read(made)
        for row, chances in self._first_chances(questions, made.first).items():
            answers[row] = replace(answers[row], choice_probabilities=chances)
        return answers

    def score(
        self, questions: Sequence[Question], answers: Sequence[Answer], hearing: Hearing = deaf
    ) -> list[Answer]:
        """The answers with the probabilities of choices of several tokens, whose likelihoods are computed."""
        scores = self._scores(questions, hearing)
        return [
            self._with_scores(answer, questions[row].choices or (), scores[row]) if row in scores else answer
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

    @torch.no_grad()
    def generate(self, inputs: dict[str, Any]) -> Generation:
        """Continue each prompt greedily: the most likely token each time."""
        generated = self.base.generate(
            **inputs,
            do_sample=False,
            num_beams=1,
            max_new_tokens=self._prompts.asking.answer_tokens,
            pad_token_id=self._pad,
            eos_token_id=self._stops.tolist() or None,
            return_dict_in_generate=True,
            output_logits=True,
        )
        tokens = generated.sequences[:, -len(generated.logits) :]
        steps = zip(generated.logits, tokens.T, strict=True)
        chosen = [logits.float().log_softmax(-1).gather(1, token[:, None]) for logits, token in steps]
        return Generation(tokens.cpu(), torch.cat(chosen, 1).cpu(), generated.logits[0].float().cpu())

    def _read(self, made: Generation) -> list[Answer]:
        """The answers; the confidence of each is the probability of exactly this text, its end included."""
        stops = torch.isin(made.tokens, self._stops)
        is_said = stops.cumsum(1) - stops.long() == 0  # up to the first stop
        chances = made.log_probabilities.masked_fill(~is_said, 0).sum(1).exp().clamp(max=1).tolist()
        said = [tokens[kept] for tokens, kept in zip(made.tokens, is_said, strict=True)]
        texts = self._tokenizer.batch_decode(said, skip_special_tokens=True)
        return [Answer(text.strip(), chance) for text, chance in zip(texts, chances, strict=True)]

    def _first_chances(
        self, questions: Sequence[Question], first: Float[Tensor, "batch vocab"]
    ) -> dict[int, dict[str, float]]:
        """By question: the probability of each choice relative to the others, where each is one token."""
        rows: dict[tuple[str, ...], list[int]] = {}
        for row, question in enumerate(questions):
            if question.choices:
                rows.setdefault(question.choices, []).append(row)
        found = {}
        for choices, asked in rows.items():
            ids = self._tokens_of(choices)
            if ids is not None and max(map(len, ids)) == 1:
                chances = first[asked][:, [one[0] for one in ids]].softmax(-1).tolist()
                for row, shares in zip(asked, chances, strict=True):
                    found[row] = dict(zip(choices, shares, strict=True))
        return found

    def _with_scores(self, answer: Answer, choices: tuple[str, ...], scores: Sequence[float]) -> Answer:
        """Probabilities relative to the other choices, and the log-likelihoods they come from."""
        lengths = [len(ids) + len(self._end) for ids in self._tokens_of(choices) or []]
        per_token = [score / length for score, length in zip(scores, lengths, strict=True)]
        chances = torch.tensor(scores, dtype=torch.float64).softmax(-1).tolist()
        return replace(
            answer,
            choice_probabilities=dict(zip(choices, chances, strict=True)),
            metadata={
                "choice_log_likelihoods": dict(zip(choices, scores, strict=True)),
                "choice_log_likelihoods_per_token": dict(zip(choices, per_token, strict=True)),
            },
        )

    def _scores(self, questions: Sequence[Question], hearing: Hearing) -> dict[int, list[float]]:
        """By question: the log-likelihood of each choice and its end token, where one has several tokens."""
        wanted = []
        for row, question in enumerate(questions):
            ids = self._tokens_of(question.choices) or [[]]
            if max(map(len, ids)) > 1:
                wanted += [(row, [*one, *self._end]) for one in ids]
        scores: dict[int, list[float]] = {}
        for start in range(0, len(wanted), self._scored_rows):
            part = wanted[start : start + self._scored_rows]
            rows = [row for row, _ in part]
            tokens = [torch.tensor(one) for _, one in part]
            answers = pad_sequence(tokens, batch_first=True, padding_value=IGNORED).to(self._device)
            inputs = self.encode([questions[row] for row in rows])
            with hearing(rows):
                found = self._log_likelihoods(inputs, answers)
            for row, score in zip(rows, found.tolist(), strict=True):
                scores.setdefault(row, []).append(score)
        return scores

    @torch.no_grad()
    def _log_likelihoods(
        self, inputs: dict[str, Any], answers: Int64[Tensor, "batch tokens"]
    ) -> Float[Tensor, " batch"]:
        """The log-probability of each answer behind its prompt: the sum over its tokens."""
        batch = append_answers(inputs, answers, self._processor)
        logits = last_logits(self.base, batch, answers.shape[1])
        real = answers != IGNORED
        chosen = logits.log_softmax(-1).gather(2, answers.masked_fill(~real, 0)[..., None])[..., 0]
        summed: Tensor = (chosen * real).sum(1)
        return summed.cpu()

    def _tokens_of(self, choices: tuple[str, ...] | None) -> list[list[int]] | None:
        """The tokens of each choice; None without choices, or where one has none or two have the same."""
        if not choices:
            return None
        if choices not in self._choice_tokens:
            ids = [self._tokenizer(choice, add_special_tokens=False)["input_ids"] for choice in choices]
            distinct = all(ids) and len({tuple(one) for one in ids}) == len(ids)
            self._choice_tokens[choices] = ids if distinct else None
        return self._choice_tokens[choices]


def _stop_tokens(base: Any, end: list[int]) -> Int64[Tensor, " tokens"]:
    """The tokens that end an answer: the tokenizer's end token, and those at which the model stops."""
    stops = base.generation_config.eos_token_id
    found = {*end, *(stops if isinstance(stops, list) else [stops])} - {None}
    return torch.tensor(sorted(found), dtype=torch.int64)
