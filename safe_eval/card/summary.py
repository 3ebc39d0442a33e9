"""Summary: a verdict in the Markdown of GitHub, for `$GITHUB_STEP_SUMMARY` or a comment."""

from collections.abc import Iterator

from safe_data.core import numerals
from safe_data.core.markdown import plain, table
from safe_eval.card.published import Published, hashes
from safe_eval.judging.judged import GO, NO_GO, Judged
from safe_eval.judging.verdict import Verdict

_SIGNS = {GO: "✅", NO_GO: "❌"}  # anything else was not measured
_UNKNOWN = "❔"


def summary(published: Published, verdict: Verdict) -> str:
    """The decision, each criterion with its number and its evidence, the notes, and the hashes."""
    return "\n".join(_lines(published, verdict)) + "\n"


def _lines(published: Published, verdict: Verdict) -> Iterator[str]:
    name = plain(published.run.resolve().name)
    yield from (f"## {_sign(verdict.decision)} {name}: {verdict.decision}", "")
    yield from (f"By {plain(verdict.criteria_file.name)}: {verdict.tally}.", "")
    if verdict.left_out_text is not None:
        yield from (plain(verdict.left_out_text), "")
    columns = ["", "criterion", "found", "bound", "evidence"]
    yield from table(columns, [_row(judged) for judged in verdict.criteria])
    yield ""
    if published.scores.notes:
        yield from ("<details><summary>Notes</summary>", "")
        yield from (f"- {plain(note)}" for note in published.scores.notes)
        yield from ("", "</details>", "")
    yield from ("Computed from:", "")
    yield from hashes(published.scores.provenance.predictions)


def _row(judged: Judged) -> list[str]:
    name = judged.name + (" (a warning: decides nothing)" if judged.severity == "warning" else "")
    by = "" if judged.use == "value" else f"{judged.use} "
    return [_sign(judged.decision), name, _found(judged), by + judged.bound, judged.evidence]


def _found(judged: Judged) -> str:
    if judged.value is None:
        return "not measured"
    low, high = judged.ends
    if low is None or high is None:
        return f"{judged.value:.6g}"
    return f"{numerals.fraction(judged.value)} {numerals.interval(low, high)}"


def _sign(decision: str) -> str:
    return _SIGNS.get(decision, _UNKNOWN)
