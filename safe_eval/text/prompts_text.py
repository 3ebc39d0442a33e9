"""Scores over wordings as lines of at most 80 columns: mean ± std, what wording adds, and each wording."""

import textwrap
from collections.abc import Iterator, Sequence

from safe_data.core import numerals
from safe_data.core.table import COLUMNS
from safe_eval.results.metrics import without_repeats
from safe_eval.results.prompts import PromptRow
from safe_eval.scoring.scores import Scores

_NAME = 24  # "safe/mute_audio"


def prompt_lines(scores: Scores) -> Iterator[str]:
    """Per metric, dataset and seed whose examples were asked in several wordings, a table over them."""
    for metric, dataset, seed in dict.fromkeys((r.metric, r.dataset, r.seed) for r in scores.prompts):
        rows = [r for r in scores.prompts if (r.metric, r.dataset, r.seed) == (metric, dataset, seed)]
        on = "" if dataset is None else f" on {dataset}"
        yield ""
        yield f"{metric}{on}, seed {seed}, over wordings"
        yield from _table(without_repeats(rows, ("model", "condition")))
        level = numerals.percent(rows[0].confidence)
        yield f"  wording: std between wordings, without item noise; at most: its {level} upper limit"


def _table(rows: Sequence[PromptRow]) -> Iterator[str]:
    yield f"  {'':<{_NAME}} slice    mean ± std  interval         wording at most"
    for row in rows:
        name = numerals.cut(f"{row.model}/{row.condition}", _NAME) if row.slice == "all" else ""
        spread = f"{numerals.fraction(row.mean)} ± {numerals.fraction(row.std)}"
        interval = numerals.interval(row.ci_low, row.ci_high)
        between = f"{numerals.fraction(row.prompt_std):>7}{numerals.fraction(row.prompt_std_high):>8}"
        yield f"  {name:<{_NAME}} {row.slice:<6}{spread:>14}  {interval:<16}{between}"
        if row.slice == "all":
            each = zip(row.prompts, row.means, strict=True)
            told = ", ".join(f"{prompt} {numerals.fraction(mean)}" for prompt, mean in each)
            indent = " " * 4
            yield from textwrap.wrap(told, COLUMNS, initial_indent=indent, subsequent_indent=indent)
