"""Answering: the time and the memory of batches of answers by their rows, with a sound and without."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch

from safe_data.core.phases import Phase, unseen
from safe_eval.models.generation import decoder_start
from safe_train.base.dialogue import Dialogue
from safe_train.parity.memory import bytes_of
from safe_train.profiling.answers import Answers, cache_bytes, of_length
from safe_train.profiling.gauge import Gauge, held_by, pass_memory
from safe_train.profiling.ladder import climb, in_turns, seconds_of, sizes
from safe_train.profiling.operations import operations_of
from safe_train.profiling.quantiles import quantile_of
from safe_train.profiling.result import Answering, AnsweringRung, Operations, PassMemory
from safe_train.profiling.subject import Subject
from safe_train.profiling.training import ladder_of, room_for

_LENGTHS = 16  # questions whose answers say how long those of a batch are


@dataclass(frozen=True)
class Answered:
    """What batches of answers showed."""

    answering: Answering
    operations: Operations


class _Seen(NamedTuple):
    """A size: its two ways, and what they hold."""

    with_sound: Callable[[], None]
    without: Callable[[], None]
    with_memory: PassMemory
    without_memory: PassMemory
    cache_bytes: int | None
    heard_bytes: int


def profile_answering(subject: Subject, answers: Answers, at: Phase = unseen) -> Answered:
    """Measure batches of answers.

    A batch runs until its longest answer ends, so all have as many tokens as the longest of a few that the
    base gives. Its first prompt is the longest of those that are asked.
    """
    measuring = subject.config.measuring
    numbers = subject.questions_with_sounds(measuring.most_rows)
    at("batches of answers")
    tokens = max(answers.lengths(subject.questions_with_sounds(_LENGTHS)))
    dialogue = answers.dialogue(tokens, remembers=True)
    numbers = sorted(numbers, key=lambda number: -_prompt_length(dialogue, answers, number))
    climbed = climb(
        sizes(measuring.most_rows),
        lambda rows: _look(answers, dialogue, [numbers[n % len(numbers)] for n in range(rows)], tokens),
        seconds=measuring.ladder_seconds,
        runs=measuring.repeats,
        room=room_for(subject.device),
    )
    if not climbed.seen:
        raise MemoryError("not one answer fits the memory")
    seen = climbed.seen
    ways = [way for one in seen.values() for way in (one.with_sound, one.without)]
    times = in_turns(ways, measuring.repeats)
    rungs = tuple(
        AnsweringRung(
            rows=rows,
            tokens=tokens,
            with_sound_ms=quantile_of(times[2 * place]).scaled(1000),
            without_ms=quantile_of(times[2 * place + 1]).scaled(1000),
            with_sound=one.with_memory,
            without=one.without_memory,
            cache_bytes=one.cache_bytes,
            heard_bytes=one.heard_bytes,
        )
        for place, (rows, one) in enumerate(seen.items())
    )
    peaks = {rows: one.with_memory.peak_bytes for rows, one in seen.items()}
    always = bytes_of(answers.model.base) + bytes_of(answers.model.pathway)
    answering = Answering(rungs=rungs, ladder=ladder_of(climbed, peaks, always))
    operations = operations_of(f"an answer of {tokens} tokens", seen[min(seen)].with_sound, subject.device)
    return Answered(answering, operations)


def _look(answers: Answers, dialogue: Dialogue, numbers: list[int], tokens: int) -> tuple[_Seen, float]:
    """Run a size both ways, once more to see what each holds, and once more for the seconds of both."""
    model, audio = answers.model, answers.audio(numbers)
    inputs = of_length(dialogue.encode([answers.question(number) for number in numbers]), tokens)
    most = model.pathway.config.most_tokens

    def run(tokens: int, _: Gauge | None = None) -> None:
        with answers.hearing(audio, tokens):
            dialogue.generate(dict(inputs))

    with_sound, without = partial(run, most), partial(run, 0)
    device = audio[0].device
    measured = []
    for way in (with_sound, without):
        way()
        measured.append(pass_memory(device, way))
    with torch.no_grad():
        heard = model.pathway(audio, most)
    seen = _Seen(
        with_sound=with_sound,
        without=without,
        with_memory=measured[0],
        without_memory=measured[1],
        cache_bytes=_cache_bytes(model.base, inputs, len(numbers)),
        heard_bytes=held_by(tensor for pair in heard.values() for tensor in pair),
    )
    return seen, seconds_of(with_sound) + seconds_of(without)


@torch.no_grad()
def _cache_bytes(base: Any, inputs: dict[str, Any], rows: int) -> int | None:
    """The key-value cache of the prompts."""
    asked = {name: value for name, value in inputs.items() if name != "min_new_tokens"}
    output = base(**asked, **decoder_start(base, rows), use_cache=True)
    return cache_bytes(getattr(output, "past_key_values", None))


def _prompt_length(dialogue: Dialogue, answers: Answers, number: int) -> int:
    return int(dialogue.encode([answers.question(number)])["input_ids"].shape[1])
