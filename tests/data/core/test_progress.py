"""Progress is a bar on a terminal and lines elsewhere; both count what this process did."""

import io
import sys
from typing import Any

import pytest

from safe_data.core.progress import Progress


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A screen in the place of stderr; not a fixture, because pytest puts its own there after those."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def work(clock: Clock, seconds: float, steps: int, total: int | None, **options: Any) -> None:
    """Do `steps` steps of so many seconds each."""
    with Progress("working", total, clock=clock, **options) as progress:
        for _ in range(steps):
            clock.now += seconds
            progress.update()


def test_elsewhere_a_line_every_ten_seconds_and_a_last_one(capsys: pytest.CaptureFixture[str]) -> None:
    work(Clock(), 4.0, 7, total=7, unit="clip")
    assert capsys.readouterr().err.splitlines() == [
        "working 3/7  0.25 clip/s  ETA 16 s",
        "working 6/7  0.25 clip/s  ETA 4 s",
        "working 7/7  0.25 clip/s  took 28 s",
    ]


def test_work_that_stops_early_says_how_far_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    work(Clock(), 0.0625, 240, total=1000)
    assert capsys.readouterr().err.splitlines() == [
        "working 160/1000  16 step/s  ETA 52 s",
        "working 240/1000  16 step/s  ETA 48 s",
    ]


def test_short_work_prints_nothing_unless_it_shall_end_with_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    work(Clock(), 1.0, 9, total=9)
    assert capsys.readouterr().err == ""
    work(Clock(), 1.0, 9, total=9, ends_with_line=True)
    assert capsys.readouterr().err == "working 9/9  1 step/s  took 9 s\n"
    work(Clock(), 1.0, 0, total=9, ends_with_line=True)
    assert capsys.readouterr().err == ""


def test_a_line_is_not_printed_twice(capsys: pytest.CaptureFixture[str]) -> None:
    work(Clock(), 10.0, 2, total=2)
    assert capsys.readouterr().err.splitlines() == [
        "working 1/2  0.1 step/s  ETA 10 s",
        "working 2/2  0.1 step/s  took 20 s",
    ]


def test_without_a_total_there_is_no_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    work(Clock(), 10.0, 1, total=None)
    assert capsys.readouterr().err == "working 1  0.1 step/s\n"


def test_resumed_work_starts_at_its_step_and_rates_what_this_process_did(
    capsys: pytest.CaptureFixture[str],
) -> None:
    work(Clock(), 10.0, 1, total=800, start=700)
    assert capsys.readouterr().err == "working 701/800  0.1 step/s  ETA 16 min 30 s\n"


def test_what_the_rate_counts_may_differ_from_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Progress("working", 100, rated="samples", clock=clock) as progress:
        clock.now += 10
        progress.update(20, items=4120)
    assert capsys.readouterr().err == "working 20/100  412 samples/s  ETA 40 s\n"


def test_texts_stand_in_the_order_of_their_labels_and_stay(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Progress("working", None, labels=("a", "b", "c"), clock=clock) as progress:
        progress.update(shown={"c": "3"})
        clock.now += 10
        progress.update(shown={"a": "1"})
    assert capsys.readouterr().err == "working 2  a 1  c 3  0.2 step/s\n"


def test_steps_that_start_again_are_taken_back(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Progress("working", 10, clock=clock) as progress:
        progress.update(6)
        progress.update(-2)
        clock.now += 10
        progress.update()
    assert capsys.readouterr().err == "working 5/10  0.5 step/s  ETA 10 s\n"


def test_a_total_that_changes_is_followed(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Progress("working", 10, clock=clock) as progress:
        progress.total = 20
        clock.now += 10
        progress.update(10)
    assert capsys.readouterr().err == "working 10/20  1 step/s  ETA 10 s\n"


def test_an_error_in_the_work_leaves_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()

    def broken() -> None:
        with Progress("working", 10, ends_with_line=True, clock=clock) as progress:
            clock.now += 1
            progress.update(3)
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert capsys.readouterr().err == "working 3/10  3 step/s  ETA 2 s\n"


def test_a_terminal_gets_a_bar_that_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    with Progress("working", 800, start=120, labels=("loss",)) as progress:
        for _ in range(3):
            progress.update(shown={"loss": "0.412"})
        progress._bar.refresh()
    shown = screen.getvalue()
    assert "working:" in shown
    assert "123/800" in shown
    assert "loss 0.412]" in shown
    assert "\n" not in shown
    assert shown.endswith("\r")


def test_the_bar_shows_the_rate_of_what_is_counted_beside_that_of_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen, clock = terminal(monkeypatch), Clock()
    with Progress("working", 8, rated="samples", clock=clock) as progress:
        clock.now += 2
        progress.update(items=824)
        progress._bar.refresh()
    assert "step/s, 412 samples/s]" in screen.getvalue()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_quiet_shows_nothing(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Terminal() if is_terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    work(Clock(), 20.0, 5, total=5, quiet=True, ends_with_line=True)
    assert screen.getvalue() == ""
    assert capsys.readouterr() == ("", "")
