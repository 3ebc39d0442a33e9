"""Hearing as text: questions that need the sound, sounds that do not matter, and sounds that contradict."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from safe_data.core import numerals
from safe_data.core.table import COLUMNS
from safe_eval.arms.arm import COMPARED_SLICES
from safe_eval.results.contradiction import FOLLOWS, PICTURE, SOUND, ContradictionRow
from safe_eval.results.drop import TYPES
from safe_eval.results.irrelevance import ANSWERS_CHANGED, FALSE_CONSULTATION, KEPT, IrrelevanceRow
from safe_eval.results.lomo_agreement import LomoAgreementRow
from safe_eval.results.sound_kinds import ALL
from safe_eval.scoring.scores import Scores

_NAME = 22  # characters of "safe/mute_audio"
_SLICE = 12  # of a question type
_SHARES = (9, 8, 9, 11)  # of a column for each that answers follow


def hearing_lines(scores: Scores) -> Iterator[str]:
    """How declared and shown need of the sound agree, the irrelevance stress and the contradictions.

    Kinds of sounds and question types that are not shown here are in scores.json.
    """
    for key in _sets(scores.lomo_agreement):
        yield from ("", _title("need of the sound, declared and shown", *key))
        yield from _agreement([row for row in scores.lomo_agreement if _set(row) == key])
    for key in _sets([row for row in scores.irrelevance if row.measure == KEPT]):
        yield from ("", _title("pictures beside sounds that do not matter", *key))
        yield from _kept([row for row in scores.irrelevance if _set(row) == key and row.sound == ALL])
    consulted = [row for row in scores.irrelevance if row.measure == FALSE_CONSULTATION]
    for key in _sets(consulted):
        yield from ("", _title("sounds consulted where only the picture is asked about", "", *key[1:]))
        yield from _consulted([row for row in consulted if _set(row) == key])
    for key in _sets(scores.contradiction):
        yield from ("", _title("whom answers follow under contradict", *key))
        yield from _followed([row for row in scores.contradiction if _set(row) == key])


def _sets(rows: Sequence[Any]) -> list[tuple[str | None, str | None, int]]:
    return list(dict.fromkeys(map(_set, rows)))


def _set(row: LomoAgreementRow | IrrelevanceRow | ContradictionRow) -> tuple[str | None, str | None, int]:
    return row.metric, row.dataset, row.seed


def _title(what: str, metric: str | None, dataset: str | None, seed: int) -> str:
    about = ("" if not metric else f": {metric}") + ("" if dataset is None else f" on {dataset}")
    return f"{what}{about}, seed {seed}"


def _agreement(rows: Sequence[LomoAgreementRow]) -> Iterator[str]:
    yield f"  {'':<{_NAME}}   both declared   shown neither   kappa  interval"
    for row in rows:
        name = numerals.cut(f"{row.model}/{row.condition}", _NAME)
        counts = f"{row.declared_and_shown:>7}{row.only_declared:>9}{row.only_shown:>8}{row.neither:>8}"
        around = numerals.interval(row.kappa_low, row.kappa_high)
        yield f"  {name:<{_NAME}}{counts}{numerals.fraction(row.kappa):>8}  {around}".rstrip()
        by_kind = (("audio", row.shown_audio, row.guessed_audio), ("vl", row.shown_vl, row.guessed_vl))
        said = [
            f"{kind} {numerals.fraction(shown)} (guesses {numerals.fraction(guessed)})"
            for kind, shown, guessed in by_kind
            if shown is not None
        ]
        yield from _wrapped(f"shown: {', '.join(said)}" if said else "")
        yield from _wrapped(row.why_not or "")
    yield "  shown: right under full and wrong without the sound; so are some guesses"


def _kept(rows: Sequence[IrrelevanceRow]) -> Iterator[str]:
    yield f"  {'':<{_NAME}} {'against':<15}   kept at least  changed at most      n"
    changed = {(row.model, row.condition, row.against): row for row in rows if row.measure == ANSWERS_CHANGED}
    shown = ""
    for row in (row for row in rows if row.measure == KEPT):
        arm = f"{row.model}/{row.condition}"
        other = changed[row.model, row.condition, row.against]
        name = numerals.cut(arm, _NAME) if arm != shown else ""
        line = f"  {name:<{_NAME}} {numerals.cut(row.against or '', 15):<15}"
        line += f"{numerals.difference(row.value):>7}{numerals.difference(row.limit):>9}"
        line += f"{numerals.fraction(other.value):>9}{numerals.fraction(other.limit):>8}{row.n:>7}"
        yield line
        yield from _wrapped(row.why_not or "")
        shown = arm
    yield "  kept: accuracy − the other's; at least, at most: one-sided limits"


def _consulted(rows: Sequence[IrrelevanceRow]) -> Iterator[str]:
    yield f"  {'':<{_NAME}} {'sound':<16}   share  at most       n  gate"
    for row in rows:
        name = numerals.cut(f"{row.model}/{row.condition}", _NAME) if row.sound == ALL else ""
        numbers = f"{numerals.fraction(row.value):>8}{numerals.fraction(row.limit):>9}{row.n:>8}"
        yield f"  {name:<{_NAME}} {numerals.cut(row.sound, 16):<16}{numbers}  {row.gate or numerals.MISSING}"
        yield from _wrapped("" if row.why_not is None else f"not measured: {row.why_not}")


def _followed(rows: Sequence[ContradictionRow]) -> Iterator[str]:
    """A line per slice; then how much more each side is followed than with the gate off."""
    yield (
        f"  {'':<{_NAME}} {'slice':<{_SLICE}}"
        + "".join(f"{name:>{width}}" for name, width in zip(FOLLOWS, _SHARES, strict=True))
        + "     n"
    )
    by_slice: dict[tuple[str, str], dict[str, ContradictionRow]] = {}
    for row in rows:
        by_slice.setdefault((row.model, row.slice), {})[row.follows] = row
    for (model, name), found in by_slice.items():
        of_sound = found[SOUND]
        arm = numerals.cut(f"{model}/{of_sound.condition}", _NAME) if name == "all" else ""
        sliced = numerals.cut(name.removeprefix(TYPES), _SLICE)
        shares = "".join(
            f"{numerals.fraction(found[follows].value):>{width}}"
            for follows, width in zip(FOLLOWS, _SHARES, strict=True)
        )
        yield f"  {arm:<{_NAME}} {sliced:<{_SLICE}}{shares}{of_sound.n:>6}"
        yield from _wrapped("" if of_sound.why_not is None else f"not measured: {of_sound.why_not}")
        if name in COMPARED_SLICES:
            yield from _wrapped(_gap(found))
    yield "  a share says what was answered, and not why"


def _gap(found: dict[str, ContradictionRow]) -> str:
    said = [
        f"{follows} {numerals.difference(row.difference)} "
        f"{numerals.interval(row.difference_low, row.difference_high, signed=True)}"
        for follows, row in ((name, found[name]) for name in (PICTURE, SOUND))
        if row.difference is not None
    ]
    return f"against the gate off: {', '.join(said)}" if said else ""


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS, initial_indent="    ", subsequent_indent="      ")
