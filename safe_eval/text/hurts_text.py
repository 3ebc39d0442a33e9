"""When audio hurts, as text: gained and lost by question type, and the errors that come again."""

import textwrap
from collections.abc import Iterator, Sequence

from safe_data.core import numerals
from safe_data.core.table import COLUMNS
from safe_eval.results.hurts import HurtRow
from safe_eval.results.telling import TypicalError
from safe_eval.scoring.scores import Scores

TYPES_SHOWN, ERRORS_SHOWN = 10, 5  # of each table; all are in scores.json

_NAME = 22

_Set = tuple[str, str | None, int | None, str, str]


def hurt_lines(scores: Scores) -> Iterator[str]:
    """A table for each model and arm without the sound, the types that lose most first, and typical errors.

    Of several seeds that have a row together, only that is shown.
    """
    keys = dict.fromkeys(map(_set, scores.hurts))
    for key in keys:
        metric, dataset, seed, model, against = key
        if seed is not None and (metric, dataset, None, model, against) in keys:
            continue
        where = "" if dataset is None else f" on {dataset}"
        over = "over seeds" if seed is None else f"seed {seed}"
        yield ""
        title = f"when audio hurts: {model}/full against {against}, {metric}{where}, {over}"
        yield from textwrap.wrap(title, COLUMNS, subsequent_indent="  ")
        yield from _table([row for row in scores.hurts if _set(row) == key])
        yield from _errors([row for row in scores.typical_errors if (row.model, row.against) == key[3:]], key)
    if scores.telling:
        yield f"  the {len(scores.telling)} items to look at: table telling, and the report"


def _set(row: HurtRow) -> _Set:
    return row.metric, row.dataset, row.seed, row.model, row.against


def _table(rows: Sequence[HurtRow]) -> Iterator[str]:
    yield f"  {'':<{_NAME}} gained   lost      n     net  interval            Holm"
    types = [row for row in rows if row.slice.startswith("type:")]
    for row in (row for row in rows if row not in types):
        yield _line(row, row.slice)
    for row in types[:TYPES_SHOWN]:
        yield _line(row, row.slice)
    if len(types) > TYPES_SHOWN:
        yield f"  … {len(types) - TYPES_SHOWN} types that lose less are in scores.json"
    for reason in dict.fromkeys(row.why_not for row in rows if row.why_not):
        yield f"  not measured: {reason}"


def _line(row: HurtRow, name: str) -> str:
    interval = numerals.interval(row.ci_low, row.ci_high, signed=True)
    line = f"  {numerals.cut(name, _NAME):<{_NAME}}{row.gained:>7}{row.lost:>7}{row.n:>7}"
    line += f"{numerals.difference(row.net):>8}  {interval:<16}"
    return f"{line}{numerals.p_value(row.holm_p):>8}" if row.holm_p is not None else line.rstrip()


def _errors(rows: Sequence[TypicalError], key: _Set) -> Iterator[str]:
    own = [row for row in rows if (row.metric, row.dataset) == key[:2]]
    if own:
        seeds = "" if len(own[0].seeds) == 1 else f" in {len(own[0].seeds)} seeds"
        yield f"  typical errors, of {own[0].lost} answers lost{seeds}: given → right"
    for row in own[:ERRORS_SHOWN]:
        given, right = numerals.cut(row.given, 26), numerals.cut(row.right, 26)
        yield f"    {f'{given} → {right}':<56}{row.count:>6}{numerals.share_text(row.share):>9}"
