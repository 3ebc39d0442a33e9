"""Latency: what a question, asked alone, waits for its answer: without a sound, at each budget, by its gate.

Every question is asked in all ways before the next, each time beginning with another way, so that a busy
moment slows all of them. Pictures are decoded, and prompts encoded, anew each time. Sounds come from the
cache, and reading them is not in these times: see `Sounds`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

from safe_data.core.phases import Phase, unseen
from safe_train.gates.gate import Gate
from safe_train.parity.timing import TimeRatio, ratio_of, wait
from safe_train.predict.consultation import Consultation
from safe_train.profiling.answers import Answers, of_length, token_times
from safe_train.profiling.ladder import without_collecting
from safe_train.profiling.quantiles import Quantile, quantile_of
from safe_train.profiling.result import Latency
from safe_train.profiling.subject import Subject

GATE_OFF, GATED = "gate off", "its gate"
_WARM_UPS = 3  # questions that are asked before any counts


class Asked(NamedTuple):
    """The seconds of one request: encoding, all of it, and to the first token and for each further one."""

    encode: float
    total: float
    first: float | None
    token: float | None
    listened: bool


AskedFor = tuple[int, tuple[Tensor, ...], int]  # a question, its sound, the tokens of its answer
Ask = Callable[[int, tuple[Tensor, ...], int], Asked]


@dataclass
class Way:
    """A way to answer: its name, its budget (None where a gate chooses), and its requests so far."""

    name: str
    tokens: int | None
    ask: Ask
    asked: list[Asked] = field(default_factory=list)


def profile_latency(subject: Subject, answers: Answers, at: Phase = unseen) -> tuple[Latency, ...]:
    """Measure each way to answer; the first is that without a sound."""
    numbers = subject.questions_with_sounds(subject.config.measuring.questions)
    at("questions asked alone")
    lengths = answers.lengths(numbers)
    requests = [
        (number, answers.audio([number]), length) for number, length in zip(numbers, lengths, strict=True)
    ]
    ways = _ways(subject, answers)
    ask_in_turns(ways, requests)
    return tuple(latency_of(way, ways[0].asked) for way in ways)


def ask_in_turns(ways: Sequence[Way], requests: Sequence[AskedFor]) -> None:
    """Ask every question in all ways before the next, after a few that do not count."""
    for request in requests[:_WARM_UPS]:
        for way in ways:
            way.ask(*request)
    with without_collecting():
        for turn, request in enumerate(requests):
            for place in range(len(ways)):
                way = ways[(turn + place) % len(ways)]
                way.asked.append(way.ask(*request))


def latency_of(way: Way, off: Sequence[Asked]) -> Latency:
    """What the requests of a way say, and against those without a sound where it is another way."""
    totals = [one.total for one in way.asked]
    firsts = [one.first for one in way.asked if one.first is not None]
    tokens = [one.token for one in way.asked if one.token is not None]
    is_other = way.asked is not off
    first_pairs = [(a.first, b.first) for a, b in zip(off, way.asked, strict=True)]
    known = [(a, b) for a, b in first_pairs if a is not None and b is not None]
    return Latency(
        name=way.name,
        tokens=way.tokens,
        listens=sum(one.listened for one in way.asked) / len(way.asked),
        encode_ms=_ms([one.encode for one in way.asked]),
        p50_ms=_ms(totals),
        p95_ms=_ms(totals, 0.95),
        first_ms=_ms(firsts) if firsts else None,
        token_ms=_ms(tokens) if tokens else None,
        ratio=_ratio([(a.total, b.total) for a, b in zip(off, way.asked, strict=True)]) if is_other else None,
        first_ratio=_ratio(known) if is_other else None,
    )


def _ways(subject: Subject, answers: Answers) -> list[Way]:
    ways = [Way(GATE_OFF, 0, asker(answers, 0))]
    for tokens in subject.config.pathway.budgets:
        ways.append(Way(f"k = {tokens}", tokens, asker(answers, tokens)))
    if subject.gate is not None:
        ways.append(Way(GATED, None, gated(answers, subject.gate)))
    return ways


def asker(answers: Answers, tokens: int) -> Ask:
    """Asks with so many audio tokens."""

    def ask(number: int, audio: tuple[Tensor, ...], length: int) -> Asked:
        dialogue, question = answers.dialogue(length), answers.question(number)
        with token_times(answers.model.base) as times:
            started = _now()
            inputs = of_length(dialogue.encode([question]), length)
            encoded = _now()
            with answers.hearing(audio, tokens):
                made = dialogue.generate(inputs)
            dialogue.read([question], made)
            ended = _now()
        first = times[0] - encoded if times else None
        token = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else None
        return Asked(encoded - started, ended - started, first, token, tokens > 0)

    return ask


def gated(answers: Answers, gate: Gate) -> Ask:
    """Asks as predictions do: a gate that needs a state sees the first token of the base's own answer."""

    def ask(number: int, audio: tuple[Tensor, ...], length: int) -> Asked:
        question = answers.question(number)
        dialogue = answers.dialogue(length, looks_once=gate.needs_state)

        def listen(_rows: Sequence[int]) -> tuple[Tensor, ...]:
            return audio

        started = _now()
        consultation = Consultation(answers.model, gate, [question], [1.0], listen)
        inputs: dict[str, Any] = of_length(dialogue.encode([question]), length)
        encoded = _now()
        if gate.needs_state:
            consultation.answer(dialogue, inputs, consultation.shut(dialogue, inputs))
        else:
            consultation.answer_at_once(dialogue, inputs)
        ended = _now()
        listened = bool(consultation.decisions.listens[0])
        return Asked(encoded - started, ended - started, None, None, listened)

    return ask


def _now() -> float:
    wait()
    return time.perf_counter()


def _ms(seconds: Sequence[float], share: float = 0.5) -> Quantile:
    return quantile_of(seconds, share).scaled(1000)


def _ratio(pairs: Sequence[tuple[float, float]]) -> TimeRatio | None:
    return ratio_of(pairs) if len(pairs) >= 8 else None
