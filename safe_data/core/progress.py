"""Progress: how far long work is. A bar on a terminal; elsewhere a line every ten seconds, and a last one.

with Progress("predicting", 600, unit="question") as progress:
    for batch in batches:
        progress.update(len(batch))
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

from tqdm import tqdm

from safe_data.core.numerals import duration
from safe_data.core.terminal import complain, printable

LINE_INTERVAL_SECONDS = 10.0

Clock = Callable[[], float]  # seconds since some moment


class Progress:
    """Counts steps, and shows on stderr how many are done, how fast, and how long the rest takes.

    Rates are of this process: steps that an earlier one did do not count. Work of less than ten seconds
    prints no line.

    Args:
        what: what is done; each line begins with it
        total: steps of the whole work; None if nobody knows
        unit: one step
        rated: what the rate counts, such as samples (default: steps)
        labels: of the texts that `update` will be given, in the order in which they are shown
        start: steps that were done before
        quiet: show nothing
        ends_with_line: print a last line even if the work took less than ten seconds
        clock: for tests
    """

    def __init__(
        self,
        what: str,
        total: int | None,
        *,
        unit: str = "step",
        rated: str | None = None,
        labels: Sequence[str] = (),
        start: int = 0,
        quiet: bool = False,
        ends_with_line: bool = False,
        clock: Clock = time.monotonic,
    ) -> None:
        self.what = printable(what)
        self.total = total
        self.done = start
        self._start = start
        self._unit = unit
        self._rated = rated
        self._items = 0  # of what the rate counts
        self._shown = dict.fromkeys(labels, "")
        self._clock = clock
        self._began = self._line_at = clock()
        self._line_of: int | None = start if ends_with_line else None
        on_terminal = sys.stderr.isatty()
        self._prints = not quiet and not on_terminal
        self._bar = tqdm(
            desc=self.what,
            total=total,
            unit=unit,
            initial=start,
            leave=False,
            dynamic_ncols=True,
            disable=quiet or not on_terminal,
        )

    def update(
        self, steps: int = 1, *, items: int | None = None, shown: Mapping[str, str] | None = None
    ) -> None:
        """Count steps; a negative number where work starts again.

        Args:
            steps: how many were done
            items: how many they had of what the rate counts (default: steps)
            shown: texts by their labels; one stays until it is given again
        """
        self.done += steps
        self._items += steps if items is None else items
        self._shown |= shown or {}
        if not self._bar.disable:
            texts = [*self._texts(), *(self._rate() if self._rated else [])]  # the bar itself rates steps
            self._bar.total = self.total
            self._bar.set_postfix_str(", ".join(texts), refresh=False)
            self._bar.update(steps)
        elif self._prints and self._clock() - self._line_at >= LINE_INTERVAL_SECONDS:
            self._print()

    def close(self) -> None:
        """Remove the bar, or print the last line."""
        self._bar.close()
        if self._prints and self._line_of is not None and self._line_of != self.done:
            self._print()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _print(self) -> None:
        count = f"{self.what} {self.done}" + ("" if self.total is None else f"/{self.total}")
        line = "  ".join([count, *self._texts(), *self._rate(), *self._time()])
        complain([line])
        self._line_at, self._line_of = self._clock(), self.done

    def _texts(self) -> list[str]:
        return [printable(f"{label} {text}") for label, text in self._shown.items() if text]

    def _rate(self) -> list[str]:
        """What was done per second; nothing before anything was."""
        elapsed = self._clock() - self._began
        if elapsed <= 0 or self._items <= 0:
            return []
        rate, counted = self._items / elapsed, self._rated or self._unit
        return [f"{rate:.0f} {counted}/s" if rate >= 10 else f"{rate:.2g} {counted}/s"]

    def _time(self) -> list[str]:
        """How long the rest takes, or at the end how long it all took."""
        elapsed, done = self._clock() - self._began, self.done - self._start
        if self.total is None or done <= 0:
            return []
        if self.done >= self.total:
            return [f"took {duration(elapsed)}"]
        return [f"ETA {duration(elapsed / done * (self.total - self.done))}"]
