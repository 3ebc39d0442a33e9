"""Measures: what a server counts for Prometheus, in a registry of its own."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from safe_eval.models.model import Answer

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Measures:
    """Counts requests by status, their times, batches, and what the gate decided."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self._requests = Counter(
            "safe_requests",
            "Requests for completions, by the status of the reply",
            ["status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "safe_request_seconds",
            "From the first byte of a request to the last of its answer (status 200)",
            buckets=_SECONDS,
            registry=registry,
        )
        self._batches = Histogram(
            "safe_batch_size", "Questions answered together", buckets=_SIZES, registry=registry
        )
        self._decisions = Counter(
            "safe_decisions",
            "Answers by what was heard: consulted, skipped, or there was no sound",
            ["decision"],
            registry=registry,
        )
        self._audio_tokens = Counter("safe_audio_tokens", "Audio tokens of consultations", registry=registry)
        self._answer_tokens = Counter("safe_answer_tokens", "Tokens of answers", registry=registry)
        for decision in ("consulted", "skipped", "no_sound"):
            self._decisions.labels(decision)

    def watch(self, *, waiting: Callable[[], int], places: Callable[[], int]) -> None:
        """Read these whenever the measures are read."""
        registry = self._registry
        Gauge("safe_queue_length", "Requests that wait for the model", registry=registry).set_function(
            waiting
        )
        Gauge(
            "safe_places_taken", "Requests that wait or are being answered", registry=registry
        ).set_function(places)

    def replied(self, status: int) -> None:
        """Count a reply."""
        self._requests.labels(str(status)).inc()

    def answered(self, answer: Answer, seconds: float, *, had_sound: bool) -> None:
        """Count an answer."""
        self._seconds.observe(seconds)
        decision = "no_sound" if not had_sound else "consulted" if answer.consulted else "skipped"
        self._decisions.labels(decision).inc()
        self._audio_tokens.inc(answer.audio_tokens or 0)
        self._answer_tokens.inc(0 if answer.said is None else len(answer.said.tokens))

    def batch(self, size: int) -> None:
        """Count a batch."""
        self._batches.observe(size)

    def text(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return generate_latest(self._registry)
