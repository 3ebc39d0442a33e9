"""Consultation: what a gate decides for the questions of a batch, and the answers that follow from it.

A gate that needs a state is shown the first step of a generation with the gate shut. The questions that skip
the sound are answered by that same generation, which goes on for them alone; those that listen are then asked
again, hearing it. So a skip costs what the base costs, and a consultation one more pass over its prompt.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from safe_eval.models.generation import FollowAll, Generation
from safe_eval.models.model import Answer
from safe_train.base.dialogue import Dialogue, Question
from safe_train.gates.gate import Decisions, Gate
from safe_train.gates.states import influence, states_from, unseen
from safe_train.pathway.model import SafeModel

# The embeddings of the sounds of all questions, a tensor per encoder; only these rows need be filled.
Listen = Callable[[Sequence[int]], tuple[Tensor, ...]]
Follow = Callable[[int, Sequence[int]], None]  # told of the tokens of a question's answer so far


class Passed(NamedTuple):
    """A generation with the gate shut, of which the answers of those that listen are left after one token."""

    made: Generation
    decisions: Decisions
    gate_ms: float  # of each question


class Consultation:
    """A batch of questions that a gate decides on; `open_gates` are closed (0) where nothing may be heard.

    `follow` is told of each answer as it is made, once it is decided whether it hears.
    """

    def __init__(
        self,
        model: SafeModel,
        gate: Gate,
        questions: Sequence[Question],
        open_gates: Sequence[float],
        listen: Listen,
        follow: Follow | None = None,
    ) -> None:
        self._model, self._gate, self._listen, self._follow = model, gate, listen, follow
        self._questions, self._open = questions, np.asarray(open_gates, np.float64)
        self._most = model.pathway.config.most_tokens
        self._sounds: tuple[Tensor, ...] = ()
        self.sound_seconds = 0.0  # spent on the embeddings of sounds
        self.decisions = Decisions(np.zeros(len(questions), np.int64), np.zeros(len(questions)))
        self.gate_ms = 0.0  # of each question
        self._first: Tensor | None = None  # logits of the first token as answered

    @property
    def first(self) -> Tensor | None:
        """The logits of the first token of each answer, as answered; None where all skip after a pass."""
        return self._first

    def shut(self, dialogue: Dialogue, inputs: dict[str, Any]) -> Passed:
        """Ask with the gate shut, and let the gate decide on what its first step shows."""
        decided: list[tuple[Decisions, float]] = []

        def leave(first: Tensor, hidden: Tensor) -> Sequence[bool]:
            started = perf_counter()
            decisions = self._allowed(self._gate.decide(states_from(first, hidden)))
            decided.append((decisions, 1000 * (perf_counter() - started) / len(decisions)))
            left: list[bool] = decisions.listens.tolist()
            skips.extend(row for row, is_left in enumerate(left) if not is_left)
            return left

        skips: list[int] = []
        with self._model.fuse():
            made = dialogue.generate(inputs, leave, self._following(range(len(self._questions)), skips))
        return Passed(made, *decided[0])

    def answer_at_once(self, dialogue: Dialogue, inputs: dict[str, Any]) -> list[Answer]:
        """The answers where the gate needs no state, or nothing may be heard: one generation for all."""
        started = perf_counter()
        count = len(self._questions)
        if self._open.any():
            decisions = self._allowed(self._gate.decide(unseen(count)))
            self._settle(decisions, 1000 * (perf_counter() - started) / count)
        rows = range(count)
        with self.hearing(rows):
            made = dialogue.generate(inputs, None, self._following(rows, rows))
        self._first = made.first
        return dialogue.read(self._questions, made)

    def answer(self, dialogue: Dialogue, inputs: dict[str, Any], passed: Passed) -> list[Answer]:
        """The answers behind the pass with the gate shut."""
        self._settle(passed.decisions, passed.gate_ms)
        answers, rows = dialogue.read(self._questions, passed.made), self._listening
        if rows:
            questions = [self._questions[row] for row in rows]
            again = inputs if len(rows) == len(self._questions) else dialogue.encode(questions)
            with self.hearing(rows):
                made = dialogue.generate(again, None, self._following(rows, rows))
            self._first = passed.made.first.clone()
            self._first[rows] = made.first
            for row, answer in zip(rows, dialogue.read(questions, made), strict=True):
                answers[row] = answer
        return answers

    def hearing(self, rows: Sequence[int]) -> AbstractContextManager[Any]:
        """What these questions hear, as was decided for each."""
        chosen = list(rows)
        tokens = self.decisions.tokens[chosen]
        if not tokens.any():
            return self._model.fuse()
        gates = np.where(tokens > 0, self._open[chosen], 0.0).tolist()
        budgets = np.unique(tokens[tokens > 0]).tolist()
        sounds = tuple(sound[chosen] for sound in self._sounds)
        # The largest budget, and one for all, need no mask: the rows that skip have their gate closed.
        budget = tokens.tolist() if len(budgets) > 1 else None if budgets[0] == self._most else budgets[0]
        return self._model.fuse(audio=sounds, gate=gates, tokens=budget)

    def told(self, answers: Sequence[Answer], off: Tensor | None, *, timed: bool) -> list[Answer]:
        """The answers with what was decided, and how far the sound moved them from `off`.

        `off` are the logits of the first token with the gate shut, None where they are not known.
        """
        moved: list[float | None] = [None] * len(answers)
        if off is not None:
            found = np.zeros(len(answers)) if self._first is None else influence(off, self._first)
            skips = ~self.decisions.listens
            found[skips] = 0.0
            moved = [
                float(one) if is_open else None for one, is_open in zip(found, self._open > 0, strict=True)
            ]
        return [
            replace(
                answer,
                consulted=tokens > 0,
                audio_tokens=tokens,
                gate_score=score,
                gate_ms=self.gate_ms if timed else None,
                influence_kl=kl,
            )
            for answer, tokens, score, kl in zip(
                answers, self.decisions.tokens.tolist(), self.decisions.scores.tolist(), moved, strict=True
            )
        ]

    def _following(self, rows: Sequence[int], told: Sequence[int]) -> FollowAll | None:
        """Who follows a generation of these questions; only those of `told`, which may come to be known."""
        if (follow := self._follow) is None:
            return None

        def step(tokens: Tensor) -> None:
            known = {*told}
            for row, so_far in zip(rows, tokens.tolist(), strict=True):
                if row in known:
                    follow(row, so_far)

        return step

    @property
    def _listening(self) -> list[int]:
        rows: list[int] = np.flatnonzero(self.decisions.listens).tolist()
        return rows

    def _allowed(self, decisions: Decisions) -> Decisions:
        """What was decided, as far as anything may be heard."""
        return Decisions(np.where(self._open > 0, decisions.tokens, 0), decisions.scores * self._open)

    def _settle(self, decisions: Decisions, gate_ms: float) -> None:
        """Take the decisions, and fetch the sounds of the questions that listen, and of no other."""
        self.decisions, self.gate_ms = decisions, gate_ms
        started = perf_counter()
        if rows := self._listening:
            self._sounds = self._listen(rows)
        self.sound_seconds = perf_counter() - started
