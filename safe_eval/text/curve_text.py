"""Curves as text: what is left as the sound gets worse, where half of the gain is gone, other datasets."""

import textwrap
from collections.abc import Callable, Iterator, Sequence

from safe_data.core import numerals
from safe_data.core.table import COLUMNS
from safe_eval.results.domains import DomainDifference, DomainRow
from safe_eval.results.half_gain import HalfGainRow
from safe_eval.results.noise_curve import DROP, SHIFT_EARLIER, SHIFT_LATER, SNR, NoiseRow
from safe_eval.scoring.scores import Scores

CURVE_TITLES = {
    SNR: "hearing in noise",
    "lowpass": "hearing below a cut-off frequency",
    "codec_mp3": "hearing through MP3",
    "clip": "hearing the first seconds",
    SHIFT_LATER: "hearing a sound that comes later",
    SHIFT_EARLIER: "hearing a sound that comes earlier",
    DROP: "sound and picture left out by chance",
}

_NAME = 27  # characters of "safe/mute_audio"
_DOMAIN = 21  # of "safe on music_avqa"

_Set = tuple[str, str | None, int | None, str]  # a metric, a dataset, a seed or none, and a kind of curve


def curve_lines(scores: Scores) -> Iterator[str]:
    """A table per metric, dataset and kind of curve, and below it where half of the gain is gone.

    Of several seeds that have a row together, only that is shown; scores.json has each.
    """
    keys = dict.fromkeys(map(_set, scores.noise_curve))
    for key in keys:
        metric, dataset, seed, kind = key
        if seed is not None and (metric, dataset, None, kind) in keys:
            continue
        where = "" if dataset is None else f" on {dataset}"
        yield ""
        yield f"{CURVE_TITLES[kind]}: {metric}{where}, " + ("over seeds" if seed is None else f"seed {seed}")
        rows = [row for row in scores.noise_curve if _set(row) == key]
        yield from _curve(rows)
        for words in shared_words(rows):
            yield from textwrap.wrap(words, COLUMNS, initial_indent="  ", subsequent_indent="    ")
        for row in scores.half_gain:
            if _set(row) == key:
                text = f"{row.model}: {half_gain_words(row)}"
                yield from textwrap.wrap(text, COLUMNS, initial_indent="  ", subsequent_indent="    ")


def shared_words(rows: Sequence[NoiseRow]) -> Iterator[str]:
    """How many examples the curves of models are about, where not all were asked under every condition."""
    for model, part in dict.fromkeys((row.model, row.slice) for row in rows):
        own = [row for row in rows if (row.model, row.slice) == (model, part)]
        most = max(row.n + row.not_shared for row in own)
        if any(row.not_shared for row in own):
            of = f"{own[0].n:,} of {most:,} questions of slice {part}"
            yield f"{model}: on the {of} that were asked at every level"


def half_gain_words(row: HalfGainRow, write: Callable[[float | None], str] = numerals.difference) -> str:
    """Where half of the gain is gone, with the interval, or why that is not measured."""
    if row.level is None:
        return f"where half of the gain is gone: not measured: {row.why_not}"
    words = f"half of the gain ({write(row.gain)}) is gone at {level_words(row.level, row.unit)}"
    if row.interval is None:
        return f"{words}; interval not measured: {row.why_no_interval}"
    return f"{words} {half_interval(row)}"


def half_interval(row: HalfGainRow) -> str:
    """The interval of the level; an end beyond the levels is written as < or > the last of them."""
    if row.interval is None:
        return ""
    low = f"< {_number(min(row.levels))}" if row.low is None else _number(row.low)
    high = f"> {_number(max(row.levels))}" if row.high is None else _number(row.high)
    return f"[{low}, {high}]"


def level_words(level: float, unit: str) -> str:
    """A level with its unit.

    >>> level_words(-5.0, "dB"), level_words(3981.07, "Hz"), level_words(0.25, "s")
    ('−5 dB', '3980 Hz', '0.25 s')
    """
    return f"{_number(level)} {unit}"


def domain_lines(scores: Scores) -> Iterator[str]:
    """One model on several datasets: accuracy and gain on each, and how the gains differ."""
    for slice_name, seed in _shown_domains(scores.domains):
        rows = [row for row in scores.domains if (row.slice, row.seed) == (slice_name, seed)]
        differences = [r for r in scores.domain_differences if (r.slice, r.seed) == (slice_name, seed)]
        yield ""
        yield f"on other datasets: slice {slice_name}, " + ("over seeds" if seed is None else f"seed {seed}")
        yield f"  {'':<{_DOMAIN}}    full  interval          gain  interval              n"
        for row in rows:
            yield from _domain(row)
        for pair in differences:
            yield _domain_difference(pair)


def _set(row: NoiseRow | HalfGainRow) -> _Set:
    return row.metric, row.dataset, row.seed, row.kind


def _curve(rows: Sequence[NoiseRow]) -> Iterator[str]:
    for slice_name in dict.fromkeys(row.slice for row in rows):
        yield f"  {'':<{_NAME}}{slice_name:>8}  interval         − full  interval"
        for row in (row for row in rows if row.slice == slice_name):
            name = numerals.cut(f"{row.model}/{row.condition}", _NAME)
            interval = numerals.interval(row.ci_low, row.ci_high)
            line = f"  {name:<{_NAME}}{numerals.fraction(row.value):>8}  {interval:<14}"
            if row.difference is not None:
                between = numerals.interval(row.difference_low, row.difference_high, signed=True)
                line += f"{numerals.difference(row.difference):>9}  {between}"
            yield line.rstrip()


def _shown_domains(rows: Sequence[DomainRow]) -> Iterator[tuple[str, int | None]]:
    keys = dict.fromkeys((row.slice, row.seed) for row in rows)
    return (key for key in keys if key[1] is None or (key[0], None) not in keys)


def _domain(row: DomainRow) -> Iterator[str]:
    name = numerals.cut(f"{row.model} on {row.dataset or 'no dataset'}", _DOMAIN)
    line = f"  {name:<{_DOMAIN}}{numerals.fraction(row.value):>8}  "
    line += f"{numerals.interval(row.ci_low, row.ci_high):<14}{numerals.difference(row.gain):>8}  "
    if row.gain is None:
        yield f"{line.rstrip()} not measured"
        yield f"    no gain: {row.why_not}"
        return
    yield f"{line}{numerals.interval(row.gain_low, row.gain_high, signed=True):<16}{row.n_gain:>7}"


def _domain_difference(row: DomainDifference) -> str:
    name = f"{row.model}: gain on {row.dataset_a or 'no dataset'} − {row.dataset_b or 'no dataset'}"
    interval = numerals.interval(row.ci_low, row.ci_high, signed=True)
    return (
        f"  {numerals.cut(name, 38):<38}{numerals.difference(row.difference):>8}  {interval:<16}"
        f" Holm {numerals.p_value(row.holm_p)}"
    )


def _number(level: float) -> str:
    """Three significant digits, and whole numbers without a fraction."""
    rounded = float(f"{level:.3g}")
    text = f"{rounded:.0f}" if rounded == round(rounded) else f"{rounded:g}"
    return text.replace("-", "−")
