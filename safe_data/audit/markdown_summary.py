"""Markdown summary: what came of a check in the Markdown of GitHub, for `$GITHUB_STEP_SUMMARY` or a comment.

What fails stands first, and what holds is folded.
"""

from collections.abc import Iterator, Sequence

from safe_data.audit.judged import URGENCY, Judged
from safe_data.audit.rule_results import RuleResult
from safe_data.core.command import DOES_NOT_HOLD, HOLDS
from safe_data.core.markdown import plain, table

_SIGNS = {HOLDS: "✅", DOES_NOT_HOLD: "❌"}
_UNKNOWN = "❔"
_SIGN_OF = {"FAIL": "❌", "not judged": "❔", "warn": "⚠️", "info": "ℹ️", "ok": "✅", "n/a": "➖"}
_FOLDED = ("ok", "n/a")
_COLUMNS = ("", "suite", "rule", "observed", "bound", "what it is about")
MOST_BYTES = 900_000  # GitHub shows no summary above 1 MiB


def markdown_summary(judged: Judged) -> str:
    """The verdict, the rules that do not hold with their reasons, and the others folded."""
    text = "\n".join(_lines(judged)).rstrip() + "\n"
    if len(text.encode()) <= MOST_BYTES:
        return text
    return "\n".join([*_head(judged), "The rules are too many to be shown here; see results.json."]) + "\n"


def _head(judged: Judged) -> list[str]:
    sign = _SIGNS.get(judged.exit_code, _UNKNOWN)
    lines = [f"## {sign} {plain(judged.title)}: {judged.verdict}", ""]
    lines += [f"{judged.records} records, {plain(judged.summary.partition(': ')[2])}.", ""]
    return lines + [f"- {plain(sentence)}" for sentence in judged.unjudged] + [""] * bool(judged.unjudged)


def _lines(judged: Judged) -> Iterator[str]:
    yield from _head(judged)
    faults = [] if judged.outlook is None else [f for s in judged.outlook.stages for f in s.faults]
    if faults:
        yield from (f"- {plain(f'the curriculum cannot be drawn: {fault}')}" for fault in faults)
        yield ""
    urgent = [result for label in URGENCY if label not in _FOLDED for result in judged.with_label(label)]
    if urgent:
        yield from _table(urgent)
        yield ""
    for label, words in (("ok", "hold"), ("n/a", "do not apply")):
        if folded := judged.with_label(label):
            yield from (f"<details><summary>{len(folded)} rules {words}</summary>", "")
            yield from _table(folded)
            yield from ("", "</details>", "")


def _table(results: Sequence[RuleResult]) -> Iterator[str]:
    rows = [
        [
            _SIGN_OF[result.label],
            result.suite,
            result.name,
            result.seen,
            result.bound,
            "; ".join(result.reasons or [result.description]),
        ]
        for result in results
    ]
    return table(_COLUMNS, rows, numbers=("observed",))
