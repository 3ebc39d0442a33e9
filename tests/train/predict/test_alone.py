"""Times of questions that were also asked alone, put beside the answers of their batch."""

from msgspec.structs import replace

from safe_eval.prediction import Prediction
from safe_train.predict.alone import with_times


def row(
    example: str, *, tokens: int, batch: int, latency_ms: float | None = None, model: str = "safe"
) -> Prediction:
    return Prediction(
        example_id=example,
        references=("bell",),
        answer="bell",
        model=model,
        condition="full",
        consulted=tokens > 0,
        audio_tokens=tokens,
        latency_ms=latency_ms,
        metadata={"batch": batch},
    )


def test_a_time_goes_with_the_decision_that_it_was_measured_for() -> None:
    together = [row("a", tokens=4, batch=64), row("b", tokens=0, batch=64), row("c", tokens=4, batch=64)]
    alone = [row("a", tokens=4, batch=1, latency_ms=9.0), row("b", tokens=4, batch=1, latency_ms=9.0)]
    together.append(row("b", tokens=0, batch=64, model="base"))
    alone.append(row("b", tokens=0, batch=1, latency_ms=5.0, model="base"))
    timed, other, untimed, base = with_times(together, alone)
    assert (timed.latency_ms, timed.metadata) == (9.0, {"batch": 1})
    assert [other, untimed, base] == together[1:]  # a time of one side alone could not be compared
    assert replace(timed, latency_ms=None, metadata={"batch": 64}) == together[0]
