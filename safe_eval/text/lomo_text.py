"""Leaving a modality out, as text: right answers lost, and hearing set apart from seeing."""

from collections.abc import Iterator, Sequence

from safe_data.core import numerals
from safe_eval.arms.arm import COMPARED_SLICES
from safe_eval.results.drop import TYPES
from safe_eval.results.lomo import LomoRow
from safe_eval.results.separation import SeparationRow
from safe_eval.scoring.scores import Scores

_NAME = 27  # characters of "safe/mute_audio"
_TYPE = 14  # characters of a question type
_MOST_TYPES = 8  # that are shown

_Set = tuple[str, str | None, int | None]  # a metric, a dataset, and a seed or none


def lomo_lines(scores: Scores) -> Iterator[str]:
    """The shares lost and the separations, a table per metric and dataset.

    Of several seeds that have a row together, only that is shown; scores.json has each.
    """
    for key in _shown(scores.lomo):
        yield ""
        yield _title("right answers that are lost", *key)
        yield from _lost([row for row in scores.lomo if _set(row) == key and row.slice in COMPARED_SLICES])
        yield from ("", _title("accuracy that is lost", *key))
        yield from _drops([row for row in scores.lomo if _set(row) == key])
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


def _drops(rows: Sequence[LomoRow]) -> Iterator[str]:
    """The mean losses by slice and question type; of many types, those that lose or gain most."""
    yield f"  {'':<{_NAME}} {'slice':<{_TYPE}}   drop  interval          beyond vl"
    for name in dict.fromkeys(f"{row.model}/{row.condition}" for row in rows):
        own = [row for row in rows if f"{row.model}/{row.condition}" == name]
        types = [row for row in own if row.slice not in COMPARED_SLICES]
        most = sorted(types, key=lambda row: -abs(row.drop or 0.0))[:_MOST_TYPES]
        title = numerals.cut(name, _NAME)
        for row in (row for row in own if row.slice != "all" and (row not in types or row in most)):
            around = numerals.interval(row.drop_low, row.drop_high, signed=True)
            sliced = numerals.cut(row.slice.removeprefix(TYPES), _TYPE)
            line = f"  {title:<{_NAME}} {sliced:<{_TYPE}}"
            line += f"{numerals.difference(row.drop):>7}  {around:<16}"
            yield line + f"{'' if row.beyond_vl is None else numerals.difference(row.beyond_vl):>11}".rstrip()
            title = ""
        if len(types) > len(most):
            yield f"    {len(types) - len(most)} more question types are in scores.json"


def _separated(rows: Sequence[SeparationRow]) -> Iterator[str]:
    yield f"  {'':<{_NAME}}   audio      vl   apart  interval               p"
    for row in rows:
        name = numerals.cut(f"{row.model}/{row.condition}", _NAME)
        interval = numerals.interval(row.ci_low, row.ci_high, signed=True)
        losses = "".join(f"{numerals.difference(one):>8}" for one in (row.audio, row.vl, row.value))
        yield f"  {name:<{_NAME}}{losses}  {interval:<16} {numerals.p_value(row.p_value):>7}"
        around = numerals.interval(row.auroc_low, row.auroc_high)
        yield f"    AUROC of what an answer loses: {numerals.fraction(row.auroc)}  {around}".rstrip()
    yield "  audio, vl: accuracy under full − under the condition"
    yield "  AUROC: how often an answer on the sound loses more than one on the picture"
