"""Phases: what long work is at, where its steps cannot be counted. A bar on a terminal, elsewhere a line.

with Phases("scoring") as at:
    at("reading predictions")
    …
    at("intervals")

The line comes every ten seconds even while a phase does not return, such as a program in Java.
"""

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType

from tqdm import tqdm

from safe_data.core.numerals import duration
from safe_data.core.progress import LINE_INTERVAL_SECONDS, Clock
from safe_data.core.terminal import complain, printable

_WAKES_SECONDS = 0.5


Phase = Callable[[str], object]  # is told which phase begins


def unseen(_: str) -> None:
    """Show no phase."""


class Phases:
    """Shows on stderr which phase work is in, and since when; work of less than ten seconds prints no line.

    Args:
        what: what is done; each line begins with it
        quiet: show nothing
        clock: for tests
        wakes_seconds: how often a line may come; for tests
    """

    def __init__(
        self,
        what: str,
        *,
        quiet: bool = False,
        clock: Clock = time.monotonic,
        wakes_seconds: float = _WAKES_SECONDS,
    ) -> None:
        self._what, self._phase, self._clock = what, "", clock
        self._began = self._line_at = clock()
        self._on_terminal = sys.stderr.isatty()
        self._quiet, self._wakes_seconds = quiet, wakes_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._bar = tqdm(
            desc=printable(what),
            bar_format="{desc} {elapsed}",
            leave=False,
            dynamic_ncols=True,
            disable=quiet or not self._on_terminal,
        )

    def __call__(self, phase: str) -> None:
        """Say which phase begins."""
        self._phase = phase
        self._bar.set_description_str(self._text())

    def __enter__(self) -> "Phases":
        if not self._quiet:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._bar.close()

    def _watch(self) -> None:
        while not self._ended.wait(self._wakes_seconds):
            if self._on_terminal:
                self._bar.refresh()
            elif self._clock() - self._line_at >= LINE_INTERVAL_SECONDS:
                self._line_at = self._clock()
                line = f"{self._text()}  {duration(self._line_at - self._began)} so far"
                complain([line])

    def _text(self) -> str:
        return printable(f"{self._what}: {self._phase}" if self._phase else self._what)
