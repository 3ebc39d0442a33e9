"""Progress: a bar on a terminal, a line every ten seconds elsewhere, and nothing if it should be quiet."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_INTERVAL_SECONDS = 10.0

Advance = Callable[[int], None]


@contextmanager
def progress(
    what: str,
    total: int,
    unit: str,
    *,
    done: int = 0,
    quiet: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Advance]:
    """Show on stderr how far something is, by a function that is told how many more units are done.

    `done` units were done earlier; they do not count for the speed.
    """
    from tqdm import tqdm

    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        with tqdm(total=total, initial=done, desc=what, unit=unit, leave=False) as bar:

            def advance(count: int) -> None:
                bar.update(count)

            yield advance
    else:
        yield _lines(what, total, unit, done, clock)


def _lines(what: str, total: int, unit: str, earlier: int, clock: Callable[[], float]) -> Advance:
    from tqdm import tqdm

    done, started = earlier, clock()
    said = started

    def advance(count: int) -> None:
        nonlocal done, said
        done += count
        now = clock()
        if now - said < LINE_INTERVAL_SECONDS:
            return
        said = now
        speed = (done - earlier) / (now - started)
        left = tqdm.format_interval((total - done) / speed) if speed else "?"
        line = f"{what}: {done} of {total} {unit}s, {speed:.3g} {unit}s/s, {left} left"
        print(line, file=sys.stderr, flush=True)

    return advance
