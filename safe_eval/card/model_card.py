"""Model card: the section about evaluation for the README of a model, in Markdown."""

from collections.abc import Iterator

from safe_data.core import numerals
from safe_data.core.markdown import plain, table
from safe_eval.card.headline import Headline, all_items, headlines
from safe_eval.card.published import Published, hashes, name_of
from safe_eval.results.comparisons import Comparison

# A script finds the section between these, to replace it.
BEGIN = "<!-- safe-eval: begin -->"
END = "<!-- safe-eval: end -->"
_NUMBERS = ("value", "difference", "items", "clusters")


def model_card(published: Published, model: str) -> str:
    """The section about a model: its numbers with intervals, what changed against others, and the proof."""
    return "\n".join([BEGIN, *_section(published, model), END, ""])


def _section(published: Published, model: str) -> Iterator[str]:
    scores, verdict = published.scores, published.verdict
    yield from ("## Evaluation", "")
    if verdict is not None:
        by = f"by `{verdict.criteria_file.name}`"
        yield from (f"Verdict on the whole run: **{verdict.decision}** {by}; {verdict.tally}.", "")
        if verdict.left_out_text is not None:
            yield from (plain(verdict.left_out_text), "")
    columns = ["dataset", "condition", "metric", "value", "interval", "items", "clusters", "seeds"]
    rows = [_row(one) for one in all_items(scores) if one.model == model]
    yield from table(columns, rows, numbers=_NUMBERS)
    yield ""
    yield from _differences(published, model)
    yield from _notes(published)
    yield from ("Every number was computed from these predictions:", "")
    yield from hashes(scores.provenance.predictions)
    version = scores.provenance.versions.get("safe-hearing", "unknown")
    files = " ".join(file.name for file in scores.provenance.predictions)
    yield from ("", f"Check it with safe-eval {version}:", "")
    yield from (f"    safe-eval score {files} --out RUN", "")


def _row(one: Headline) -> list[str]:
    interval = numerals.interval(one.ci_low, one.ci_high)
    return [
        name_of(one.dataset),
        one.condition,
        one.metric,
        numerals.fraction(one.value),
        interval,
        str(one.n),
        str(one.clusters),
        ", ".join(map(str, one.seeds)),
    ]


def _differences(published: Published, model: str) -> Iterator[str]:
    """What the sound and the other models change, by the metrics that lead."""
    leading = {(one.dataset, one.metric) for one in headlines(published.scores)}
    rows = [
        _difference(row)
        for row in published.scores.comparisons
        if row.difference is not None
        and (row.dataset, row.metric) in leading
        and row.slice in ("all", "audio", "vl")
        and row.a.rpartition("/")[0] == model
    ]
    if not rows:
        return
    yield from ("Paired differences on the same examples, A − B:", "")
    columns = ["dataset", "A", "B", "slice", "metric", "seed", "difference", "interval", "items"]
    yield from table(columns, rows, numbers=_NUMBERS)
    yield ""


def _difference(row: Comparison) -> list[str]:
    interval = numerals.interval(row.ci_low, row.ci_high, signed=True)
    names = [name_of(row.dataset), row.a, row.b, row.slice, row.metric, str(row.seed)]
    return [*names, numerals.difference(row.difference), interval, str(row.n)]


def _notes(published: Published) -> Iterator[str]:
    scores = published.scores
    lost = [
        f"{arm.model}/{arm.condition}: {arm.answered} of {arm.expected} examples answered"
        for arm in scores.cells
        if arm.answered < arm.expected
    ]
    if not (lost or scores.notes):
        return
    yield from ("A reader of the numbers must know:", "")
    yield from (f"- {plain(note)}" for note in [*lost, *scores.notes])
    yield ""
