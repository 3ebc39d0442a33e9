"""The line: batches of what waits, one question that fails, who leaves, and an end that answers all."""

import threading
from collections.abc import Sequence
from queue import Queue

import pytest

from safe_data.records import Example
from safe_eval.models.model import Answer, Input
from safe_train.serve.line import Line, Outcome, Waiting


class Desk:
    """A model that answers when it is let, and remembers its batches."""

    def __init__(self, is_open: bool = True) -> None:
        self.batches: list[list[str]] = []
        self.opened, self.asked = threading.Event(), threading.Event()
        self.outcomes: Queue[tuple[str, Outcome]] = Queue()
        if is_open:
            self.opened.set()

    def ask(self, inputs: Sequence[Input]) -> list[Answer]:
        prompts = [one.example.prompt for one in inputs]
        self.batches.append(prompts)
        self.asked.set()
        assert self.opened.wait(5)
        if "bad" in prompts:
            raise RuntimeError("cannot")
        return [Answer(prompt.upper()) for prompt in prompts]

    def waiting(self, prompt: str) -> Waiting:
        example = Example(id="q", task="vqa", prompt=prompt, references=())
        return Waiting(Input(example), lambda outcome: self.outcomes.put((prompt, outcome)))

    def told(self, count: int) -> dict[str, str]:
        found = dict(self.outcomes.get(timeout=5) for _ in range(count))
        return {one: o.answer.text if o.answer else str(o.error) for one, o in found.items()}


def test_what_waits_while_the_model_is_busy_is_answered_together() -> None:
    desk = Desk(is_open=False)
    line = Line(desk.ask, batch_size=3, wait_seconds=0)
    line.join(desk.waiting("a"))
    assert desk.asked.wait(5)
    for prompt in "bcde":
        line.join(desk.waiting(prompt))
    assert len(line) == 4
    desk.opened.set()
    assert desk.told(5) == {"a": "A", "b": "B", "c": "C", "d": "D", "e": "E"}
    assert desk.batches == [["a"], ["b", "c", "d"], ["e"]]
    line.end()
    assert not line.is_alive


def test_the_first_waits_for_others_until_the_batch_is_full() -> None:
    desk = Desk()
    line = Line(desk.ask, batch_size=2, wait_seconds=60)
    line.join(desk.waiting("a"))
    assert not desk.asked.wait(0.05)
    line.join(desk.waiting("b"))
    assert desk.told(2) == {"a": "A", "b": "B"}
    assert desk.batches == [["a", "b"]]
    line.end()


def test_one_question_that_fails_costs_no_other() -> None:
    desk, sizes = Desk(), list[int]()
    line = Line(desk.ask, batch_size=3, wait_seconds=60, seen=sizes.append)
    for prompt in ("a", "bad", "c"):
        line.join(desk.waiting(prompt))
    assert desk.told(3) == {"a": "A", "bad": "cannot", "c": "C"}
    assert sizes == [3]
    line.end()


def test_who_leaves_is_not_asked_for() -> None:
    desk = Desk(is_open=False)
    line = Line(desk.ask, batch_size=2, wait_seconds=0)
    first, gone = desk.waiting("a"), desk.waiting("gone")
    line.join(first)
    assert desk.asked.wait(5)
    line.join(gone)
    line.join(desk.waiting("c"))
    assert line.leave(gone)
    assert not line.leave(first)  # it is being answered
    desk.opened.set()
    assert desk.told(2) == {"a": "A", "c": "C"}
    assert desk.batches == [["a"], ["c"]]
    line.end()


@pytest.mark.parametrize("waits", [0.0, 60.0])
def test_the_end_answers_all_that_wait(waits: float) -> None:
    desk = Desk(is_open=False)
    line = Line(desk.ask, batch_size=2, wait_seconds=waits)
    for prompt in "abcde":
        line.join(desk.waiting(prompt))
    threading.Timer(0.05, desk.opened.set).start()
    line.end()
    assert desk.told(5) == {one: one.upper() for one in "abcde"}
