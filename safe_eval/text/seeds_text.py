"""Scores over seeds and over wordings as lines of at most 80 columns: mean ± std, intervals, and p values."""

import textwrap
from collections.abc import Iterator, Sequence

from safe_data.core import numerals
from safe_data.core.table import COLUMNS
from safe_eval.results.metrics import without_repeats
from safe_eval.results.prompts import PromptRow
from safe_eval.results.seeds import SeedComparison, SeedRow
from safe_eval.scoring.scores import Scores
from safe_eval.text.pairs_text import family_lines, pair_lines

_NAME = 30  # "safe/mute_audio − base/full"
_PAIR = 23  # in the table with the most columns
_WORDED = 24  # "safe/mute_audio"


def seed_means(rows: Sequence[SeedRow]) -> Iterator[str]:
    """Means of one metric and dataset over seeds, then their intervals and the spread between seeds."""
    judged = any(row.mixed is not None for row in rows)
    counted = " right wrong mixed" if judged else ""
    yield f"  {'':<{_NAME}} slice     mean ± std    seeds{counted}"
    for row in without_repeats(rows, ("model", "condition")):
        name = numerals.cut(f"{row.model}/{row.condition}", _NAME) if row.slice == "all" else ""
        counts = (row.always_right, row.always_wrong, row.mixed)
        told = "".join(f"{count:>6}" for count in counts if count is not None)
        yield f"  {name:<{_NAME}} {row.slice:<6}{spread_text(row):>14}{len(row.seeds):>7}{told}"
    if judged:
        yield "  right, wrong: items that every seed gets right, or every seed gets wrong"
    yield ""
    yield f"  {'':<{_NAME}} slice interval          seed std   at most"
    for row in without_repeats(rows, ("model", "condition")):
        name = numerals.cut(f"{row.model}/{row.condition}", _NAME) if row.slice == "all" else ""
        interval = numerals.interval(row.ci_low, row.ci_high)
        between = f"{numerals.fraction(row.seed_std):>8}{numerals.fraction(row.seed_std_high):>10}"
        yield f"  {name:<{_NAME}} {row.slice:<6}{interval:<18}{between}"
    level = numerals.percent(rows[0].confidence)
    yield f"  seed std: between seeds, without item noise; at most: its {level} upper limit"


def seed_differences(rows: Sequence[SeedComparison]) -> Iterator[str]:
    """Differences of one metric and dataset over seeds, each with the p value of its interval."""
    if not rows:
        return
    yield ""
    yield f"  {'':<{_PAIR}} slice difference ± std interval             p    Holm"
    yield from pair_lines(rows, _PAIR, _seed_difference)
    yield "  intervals and p over clusters and seeds at once, by one test"
    yield from family_lines(rows)


def _seed_difference(row: SeedComparison) -> str:
    spread = f"{numerals.difference(row.mean)} ± {numerals.fraction(row.std)}"
    interval = numerals.interval(row.ci_low, row.ci_high, signed=True)
    tests = f"{numerals.p_value(row.p_value):>8}{numerals.p_value(row.holm_p):>8}"
    return f"{row.slice:<6}{spread:>15} {interval:<16}{tests}"


def prompt_lines(scores: Scores) -> Iterator[str]:
    """Per metric, dataset and seed whose examples were asked in several wordings, a table over them."""
    for metric, dataset, seed in dict.fromkeys((r.metric, r.dataset, r.seed) for r in scores.prompts):
        rows = [r for r in scores.prompts if (r.metric, r.dataset, r.seed) == (metric, dataset, seed)]
        on = "" if dataset is None else f" on {dataset}"
        yield ""
        yield f"{metric}{on}, seed {seed}, over wordings"
        yield from _prompt_table(without_repeats(rows, ("model", "condition")))
        level = numerals.percent(rows[0].confidence)
        yield f"  wording: std between wordings, without item noise; at most: {level} limit"


def _prompt_table(rows: Sequence[PromptRow]) -> Iterator[str]:
    yield f"  {'':<{_WORDED}} slice    mean ± std  interval         wording at most"
    for row in rows:
        name = numerals.cut(f"{row.model}/{row.condition}", _WORDED) if row.slice == "all" else ""
        interval = numerals.interval(row.ci_low, row.ci_high)
        between = f"{numerals.fraction(row.prompt_std):>7}{numerals.fraction(row.prompt_std_high):>8}"
        yield f"  {name:<{_WORDED}} {row.slice:<6}{spread_text(row):>14}  {interval:<16}{between}"
        if row.slice == "all":
            each = zip(row.prompts, row.means, strict=True)
            told = ", ".join(f"{prompt} {numerals.fraction(mean)}" for prompt, mean in each)
            indent = " " * 4
            yield from textwrap.wrap(told, COLUMNS, initial_indent=indent, subsequent_indent=indent)


def spread_text(row: SeedRow | PromptRow) -> str:
    """The mean ± the standard deviation."""
    return f"{numerals.fraction(row.mean)} ± {numerals.fraction(row.std)}"
