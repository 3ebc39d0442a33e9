"""The verdict in words: one word, one sentence, each criterion with its bound, and the coverage."""

from typing import Any

from safe_eval.arms.coverage import ArmCoverage
from safe_eval.judging.verdict import GO, NO_GO, Judged, Verdict
from safe_eval.report import numbers
from safe_eval.report.accuracy import Column
from safe_eval.scoring.scores import Scores

_SIGNS = {">=": "≥", "<=": "≤", "==": "=", "within": "within ±"}
_USES = {
    "value": "",
    "ci_low": "judged by the lower end of the interval",
    "ci_high": "judged by the upper end of the interval",
    "equivalence": "judged by both ends of the interval of two one-sided tests",
}


def tone(decision: str) -> str:
    """The colour of a decision; an unknown word is never green.

    >>> tone("go"), tone("no-go"), tone("not measured"), tone("maybe")
    ('good', 'bad', 'unknown', 'unknown')
    """
    return {GO: "good", NO_GO: "bad"}.get(decision, "unknown")


def verdict_words(verdict: Verdict) -> dict[str, str]:
    """The word of the verdict, its colour and its sentence."""
    return {"word": verdict.decision.upper(), "tone": tone(verdict.decision), "sentence": _sentence(verdict)}


def criterion_words(judged: Judged) -> dict[str, Any]:
    """A criterion as shown, in the units of the criteria file."""
    return {
        "name": spaced(judged.name),
        "value": numbers.plain(judged.value),
        "interval": numbers.interval(numbers.plain(judged.ci_low), numbers.plain(judged.ci_high)),
        "bound": bound_text(judged.bound),
        "use": _USES.get(judged.use, judged.use),
        "decision": judged.decision,
        "tone": tone(judged.decision),
        "evidence": judged.evidence,
        "warning": judged.severity == "warning",
    }


def spaced(name: str) -> str:
    """A name from a file as words.

    >>> spaced("sound_helps")
    'sound helps'
    """
    return name.replace("_", " ")


def bound_text(bound: str) -> str:
    """A bound in mathematical signs.

    >>> bound_text(">= -0.05"), bound_text("within 0.005")
    ('≥ −0.05', 'within ±0.005')
    """
    operator, _, limit = bound.partition(" ")
    sign = _SIGNS.get(operator, operator)
    return f"{sign}{'' if sign.endswith('±') else ' '}{limit.replace('-', numbers.MINUS)}"


def coverage_words(scores: Scores) -> dict[str, Any]:
    """How many of the expected examples were answered: one sentence, and one line per arm."""
    sets = len({(arm.dataset, arm.seed) for arm in scores.cells})
    baseline = scores.provenance.baseline
    models = {arm.model for arm in scores.cells} - {baseline}
    rows = []
    for arm in scores.cells:
        column = Column(arm.model, arm.condition, arm.model == baseline)
        where = f" ({arm.dataset or 'unnamed dataset'}, seed {arm.seed})" if sets > 1 else ""
        title = (column.title if len(models) == 1 else column.key) + where
        rows.append({"text": _coverage_text(title, arm), "complete": arm.answered == arm.expected})
    gaps = sum(not row["complete"] for row in rows)
    if not rows:
        sentence = "Coverage unknown: the scores do not say how many items were expected."
    elif gaps:
        sentence = f"Coverage incomplete in {gaps} of {numbers.count(len(rows), 'arm')}."
    else:
        sentence = "Coverage complete: every expected item was answered."
    return {"complete": bool(rows) and not gaps, "sentence": sentence, "rows": rows}


def _sentence(verdict: Verdict) -> str:
    deciding = [judged for judged in verdict.criteria if judged.severity != "warning"]
    failed = [spaced(judged.name) for judged in deciding if tone(judged.decision) == "bad"]
    unmeasured = [spaced(judged.name) for judged in deciding if tone(judged.decision) == "unknown"]
    of_all = f"of {numbers.count(len(deciding), 'criterion', 'criteria')}"
    if failed:
        also = f"; {len(unmeasured)} could not be measured" if unmeasured else ""
        do = "does" if len(failed) == 1 else "do"
        return f"{len(failed)} {of_all} {do} not hold: {', '.join(failed)}{also}."
    if unmeasured:
        return f"{len(unmeasured)} {of_all} could not be measured: {', '.join(unmeasured)}."
    if len(deciding) == 1:
        return "The one criterion holds."
    return f"All {len(deciding)} criteria hold." if deciding else "No criterion was given."


def _coverage_text(title: str, arm: ArmCoverage) -> str:
    missing = arm.expected - arm.answered - arm.errored - arm.unparsed - arm.excluded
    lost = {"errored": arm.errored, "unparsed": arm.unparsed, "excluded": arm.excluded, "missing": missing}
    told = "".join(f", {numbers.count(amount)} {what}" for what, amount in lost.items() if amount)
    return f"{title}: {numbers.count(arm.answered)} of {numbers.count(arm.expected)} answered{told}"
