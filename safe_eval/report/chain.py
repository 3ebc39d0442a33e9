"""The chain on the page: what the verdict rests on, file by file, and what it leaves out."""

from typing import Any

from safe_eval.judging.chain import Link
from safe_eval.judging.verdict import Verdict
from safe_eval.report import numbers

SHORT = 12  # digits of a hash that are enough to compare two by eye

_PROVES = (
    "Each file names those above it by their sha256, and the verdict names itself. An unbroken chain shows "
    "that these files belong together. It does not show who wrote them: to prove the numbers, run verdict "
    "again on the predictions."
)


def chain_words(chain: tuple[Link, ...], verdict: Verdict) -> dict[str, Any]:
    """The chain as the page shows it: one row per file, and sentences on what was expected and not judged."""
    return {
        "lead": _PROVES,
        "rows": [
            {
                "role": link.role,
                "name": link.name,
                "short": link.sha256[:SHORT],
                "full": link.sha256,
                "state": link.state,
                "whole": link.found == link.sha256,
            }
            for link in chain
        ],
        "sentences": [
            _expected(verdict),
            *filter(None, [verdict.left_out_text]),
            *_overlooked(verdict),
            *verdict.notes,
        ],
        "missing": [] if verdict.expected is None else list(verdict.expected.named),
    }


def chain_sentence(chain: tuple[Link, ...]) -> str:
    """The chain in one line, for the summary: each file by its short hash, and those that are not here.

    >>> chain_sentence((Link("scores", "scores.json", "0a" * 32, None), Link("verdict", "v.json", "1", "1")))
    'scores.json 0a0a0a0a0a0a (not here, so not compared) → v.json 1'
    """
    files = [
        f"{link.name} {link.sha256[:SHORT]}" + ("" if link.found == link.sha256 else f" ({link.state})")
        for link in chain
    ]
    return " → ".join(files)


def _expected(verdict: Verdict) -> str:
    expected = verdict.expected
    if expected is None:
        return "Nobody said what should have been answered, so nothing shows that no question was left out."
    sources = ", ".join(file.name for file in expected.sources)
    examples = numbers.count(sum(one.examples for one in expected.datasets), "example")
    if not expected.missing:
        return f"Every answer that {sources} expects is there, and asks what it expects: {examples}."
    missing = numbers.count(expected.missing)
    return f"{missing} of {numbers.count(expected.answers)} answers that {sources} expects are missing."


def _overlooked(verdict: Verdict) -> list[str]:
    if verdict.overlooked is None:
        return []
    text = verdict.overlooked.text
    return [f"{text[:1].upper()}{text[1:]}."]
