"""Latency and passes: answers have the length they are told, and a delay is found where it was planted."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator

from safe_train.base.freeze import weights_sha256
from safe_train.pathway.model import AudioPathway
from safe_train.profiling.answers import Answers, cache_bytes, of_length, token_times
from safe_train.profiling.latency import profile_latency
from safe_train.profiling.subject import Subject, attached, read_subject
from safe_train.profiling.training import Passes
from safe_train.settings.adaptation import AdaptationConfig
from safe_train.settings.backbone import BackboneConfig
from safe_train.settings.profile import MeasuringConfig, ProfileConfig, ProfiledData


@pytest.fixture(scope="module")
def read(nested: Path, shards: Path, untaught: Path) -> Callable[..., Subject]:
    def subject(**changes: Any) -> Subject:
        config = ProfileConfig(
            BackboneConfig(str(untaught)),
            Path("unwritten"),
            data=ProfiledData(shards=(shards,)),
            measuring=MeasuringConfig(questions=8, most_rows=8),
            **changes,
        )
        return read_subject(config, device=torch.device("cpu"))

    return subject


@pytest.fixture(scope="module")
def subject(read: Callable[..., Subject], nested: Path) -> Subject:
    return read(checkpoint=nested)


@pytest.mark.parametrize("tokens", [0, 4])
@pytest.mark.parametrize("length", [1, 3])
def test_an_answer_has_the_length_it_is_told(subject: Subject, tokens: int, length: int) -> None:
    (number,) = subject.questions_with_sounds(1)
    with attached(subject.to_ask()) as model:
        answers = Answers(subject, model)
        dialogue = answers.dialogue(length)
        inputs = of_length(dialogue.encode([answers.question(number)]), length)
        with token_times(model.base) as times, answers.hearing(answers.audio([number]), tokens):
            made = dialogue.generate(inputs)
    assert made.tokens.shape == (1, length)
    assert len(times) == length
    assert times == sorted(times)


def test_a_delay_of_the_pathway_is_found_in_the_first_token(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys and values are made once a request, before its first token, so the prefill has the delay."""
    real = AudioPathway.forward

    def slow(*given: Any, **named: Any) -> Any:
        time.sleep(0.06)
        return real(*given, **named)

    monkeypatch.setattr(AudioPathway, "forward", slow)
    with attached(subject.to_ask()) as model:
        off, *heard = profile_latency(subject, Answers(subject, model))
    assert [one.name for one in heard] == ["k = 2", "k = 4", "its gate"]
    assert off.first_ms is not None
    for one in heard:
        assert one.p50_ms.value > off.p50_ms.value + 40
    for one in heard[:2]:
        assert one.first_ms is not None
        assert one.first_ms.value > off.first_ms.value + 40
        assert one.encode_ms.value < 40
    assert off.tokens == 0
    assert off.listens == 0


def test_a_cache_that_hides_its_tensors_is_not_guessed() -> None:
    assert cache_bytes(None) is None
    assert cache_bytes(object()) is None


def test_passes_hold_the_longest_question_and_the_rows_they_are_asked(subject: Subject) -> None:
    with attached(subject.to_train()) as model:
        passes = Passes(subject, model, Accelerator(cpu=True), most=8)
        batches = {rows: passes.batch(rows) for rows in (1, 3, 8)}
        assert [len(batch.asked) for batch in batches.values()] == [1, 3, 8]
        assert len({batch.inputs["input_ids"].shape[1] for batch in batches.values()}) == 1
        (_, memory), seconds = passes.look(3)
        assert seconds > 0
        assert memory.held_bytes is not None
        assert 0 < memory.held_bytes <= memory.peak_bytes
        before = [one.clone() for one in passes.parameters]
        passes.optimizer.step()
        assert any(not torch.equal(one, old) for one, old in zip(passes.parameters, before, strict=True))


def test_a_plan_that_trains_the_base_leaves_it_as_it_was(read: Callable[..., Subject]) -> None:
    """Low-rank updates of the base are trained beside the pathway, and are gone after."""
    found = read(adaptation=AdaptationConfig(base="lora", lora_rank=2))
    base = found.backbone.model
    before = weights_sha256(base)
    with attached(found.to_train()) as model:
        passes = Passes(found, model, Accelerator(cpu=True), most=2)
        pathway = sum(one.numel() for one in model.pathway.parameters())
        assert sum(one.numel() for one in passes.parameters) > pathway
        passes.run(passes.batch(2))
        passes.optimizer.step()
    assert weights_sha256(base) == before
    with attached(found.to_ask()):
        pass
    assert weights_sha256(base) == before
