"""Progress off a terminal: a line every ten seconds, and none if it should be quiet."""

import io
import sys

import pytest

from safe_data.core.progress import progress


def shown(capsys: pytest.CaptureFixture[str], times: tuple[float, ...], **options: bool | int) -> list[str]:
    """What is said when one more unit is done at each of these seconds after the start."""
    clock = iter((0.0, *times))
    with progress("predict", 40, "row", clock=lambda: next(clock), **options) as advance:
        for _ in times:
            advance(1)
    return capsys.readouterr().err.splitlines()


def test_a_line_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, (3, 9.9, 10, 12, 19.9, 20.1)) == [
        "predict: 3 of 40 rows, 0.3 rows/s, 02:03 left",
        "predict: 6 of 40 rows, 0.299 rows/s, 01:53 left",
    ]
    assert shown(capsys, (1, 2, 3)) == []


def test_what_was_done_earlier_does_not_count_for_the_speed(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, (5, 10), done=30) == ["predict: 32 of 40 rows, 0.2 rows/s, 00:40 left"]


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, (10, 20), quiet=True) == []


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress("predict", 40, "row", done=10) as advance:
        advance(20)
        written = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "predict:" in written
    assert "10/40" in written
