"""Phases are a line every ten seconds off a terminal, even while a phase does not return."""

import io
import sys
import time

import pytest

from safe_data.core.phases import Phases


class Clock:
    """A clock that goes so many seconds further each time it is read."""

    def __init__(self, seconds: float) -> None:
        self.now, self.seconds = 0.0, seconds

    def __call__(self) -> float:
        self.now += self.seconds
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def wait_for(said: io.StringIO, text: str) -> None:
    for _ in range(500):
        if text in said.getvalue():
            return
        time.sleep(0.01)
    pytest.fail(f"{text!r} was not said, only {said.getvalue()!r}")


def test_a_line_every_ten_seconds_says_the_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    with Phases("scoring", clock=Clock(11.0), wakes_seconds=0.001) as at:
        at("reading predictions")
        wait_for(said, "scoring: reading predictions")  # though this block does nothing
        at("intervals")
        wait_for(said, "scoring: intervals")
    first = said.getvalue().splitlines()[0]
    assert first.startswith("scoring")
    assert first.endswith(" s so far")
    ended = said.getvalue()
    time.sleep(0.02)
    assert said.getvalue() == ended


def test_short_work_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    with Phases("scoring", clock=Clock(0.0), wakes_seconds=0.001) as at:
        at("reading predictions")
        time.sleep(0.02)
    assert said.getvalue() == ""


@pytest.mark.parametrize("screen", [io.StringIO, Terminal])
def test_quiet_shows_nothing(screen: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    said = screen()
    monkeypatch.setattr(sys, "stderr", said)
    with Phases("scoring", quiet=True, clock=Clock(11.0), wakes_seconds=0.001) as at:
        at("reading predictions")
        time.sleep(0.02)
    assert said.getvalue() == ""


def test_a_terminal_shows_the_phase_and_clears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said = Terminal()
    monkeypatch.setattr(sys, "stderr", said)
    with Phases("scoring", wakes_seconds=0.001) as at:
        at("reading predictions")
        wait_for(said, "scoring: reading predictions")
    assert "\n" not in said.getvalue()


def test_an_error_ends_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    with pytest.raises(ValueError, match="broken"), Phases("scoring", clock=Clock(11.0), wakes_seconds=0.001):
        raise ValueError("broken")
    ended = said.getvalue()
    time.sleep(0.02)
    assert said.getvalue() == ended
