"""Leaving a modality out, as text: right answers lost, and hearing set apart from seeing."""

from collections.abc import Iterator, Sequence

from safe_data.core import numerals
from safe_eval.results.lomo import LomoRow
from safe_eval.results.separation import SeparationRow
from safe_eval.scoring.scores import Scores

_NAME = 27  # characters of "safe/mute_audio"

_Set = tuple[str, str | None, int | None]  # a metric, a dataset, and a seed or none


def lomo_lines(scores: Scores) -> Iterator[str]:
    """The shares lost and the separations, a table per metric and dataset.

    Of several seeds that have a row together, only that is shown; scores.json has each.
    """
    for key in _shown(scores.lomo):
        yield ""
        yield _title("right answers that are lost", *key)
        yield from _lost([row for row in scores.lomo if _set(row) == key])
    for key in _shown(scores.separation):
        rows = [row for row in scores.separation if _set(row) == key]
        yield ""
        yield _title("hearing set apart from seeing", *key, pooled=len(rows[0].datasets))
        yield from _separated(rows)


def _shown(rows: Sequence[LomoRow | SeparationRow]) -> Iterator[_Set]:
    keys = dict.fromkeys(map(_set, rows))
    return (key for key in keys if key[2] is None or (*key[:2], None) not in keys)


def _set(row: LomoRow | SeparationRow) -> _Set:
    return row.metric, row.dataset, row.seed


def _title(what: str, metric: str, dataset: str | None, seed: int | None, pooled: int = 1) -> str:
    where = f" on {pooled} datasets together" if pooled > 1 else "" if dataset is None else f" on {dataset}"
    return f"{what}: {metric}{where}, " + ("over seeds" if seed is None else f"seed {seed}")


def _lost(rows: Sequence[LomoRow]) -> Iterator[str]:
    corrected = any(row.corrected is not None for row in rows)
    told = " corrected" if corrected else ""
    yield f"  {'':<{_NAME}} slice     lost  interval         right{told}"
    for name in dict.fromkeys(f"{row.model}/{row.condition}" for row in rows):
        own = [row for row in rows if f"{row.model}/{row.condition}" == name]
        sides = [row for row in own if row.slice != "all"] or own
        for row in sides:
            line = f"  {numerals.cut(name, _NAME):<{_NAME}} {row.slice:<6} "
            line += f"{numerals.fraction(row.share_lost):>7}"
            line += f"  {numerals.interval(row.ci_low, row.ci_high):<14}{row.n:>8}"
            yield line + (f"{numerals.fraction(row.corrected):>10}" if corrected else "")
            name = ""
    if corrected:
        yield "  corrected: the share lost / the share that a guess among the choices loses"


def _separated(rows: Sequence[SeparationRow]) -> Iterator[str]:
    yield f"  {'':<{_NAME}}   audio      vl   apart  interval               p"
    for row in rows:
        name = numerals.cut(f"{row.model}/{row.condition}", _NAME)
        interval = numerals.interval(row.ci_low, row.ci_high, signed=True)
        losses = "".join(f"{numerals.difference(one):>8}" for one in (row.audio, row.vl, row.value))
        yield f"  {name:<{_NAME}}{losses}  {interval:<16} {numerals.p_value(row.p_value):>7}"
    yield "  audio, vl: accuracy under full − under the condition"
