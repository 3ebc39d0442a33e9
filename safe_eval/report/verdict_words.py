"""The verdict in words: one word, one sentence, each criterion with its bound, and the coverage."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from safe_eval.arms.coverage import ArmCoverage
from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED, Judged
from safe_eval.judging.metric_names import PROPORTIONS, SEED_STD
from safe_eval.judging.sampled import as_asked
from safe_eval.judging.verdict import Verdict
from safe_eval.report import numbers
from safe_eval.report.labels import Models
from safe_eval.report.table import Cell, Column, Row, Table
from safe_eval.report.units import PLAIN, Unit, unit_of
from safe_eval.results.gate_row import DROP
from safe_eval.scoring.scores import Scores

_SIGNS = {">=": "≥", "<=": "≤", "==": "=", "within": "within ±"}
_USES = {
    "value": "",
    "ci_low": "judged by the lower end of the interval",
    "ci_high": "judged by the upper end of the interval",
    "limit": "judged by the one-sided limit",
    "equivalence": "judged by both ends of the interval of two one-sided tests",
    "non_inferiority": "judged by the worse end of the interval of two one-sided tests",
}


def tone(decision: str) -> str:
    """The colour of a decision; an unknown word is never green.

    >>> tone("go"), tone("no-go"), tone("not measured"), tone("maybe")
    ('good', 'bad', 'unknown', 'unknown')
    """
    return {GO: "good", NO_GO: "bad"}.get(decision, "unknown")


def verdict_words(verdict: Verdict) -> dict[str, str]:
    """The word of the verdict, its colour and its sentence, with what the criteria leave out on purpose."""
    sentence = " ".join([_sentence(verdict), *filter(None, [verdict.left_out_text])])
    return {"word": verdict.decision.upper(), "tone": tone(verdict.decision), "sentence": sentence}


def headline(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """The word of a verdict; of several, how many there are of each, in the colour of the worst."""
    words = Counter(verdict.decision for verdict in verdicts)
    worst = next(decision for decision in (NO_GO, NOT_MEASURED, GO, *words) if decision in words)
    told = [f"{count} {decision.upper()}" for decision, count in sorted(words.items())]
    return {"word": ", ".join(told) if len(verdicts) > 1 else worst.upper(), "tone": tone(worst)}


def criterion_words(judged: Judged) -> dict[str, Any]:
    """A criterion as shown: shares and their bounds in percent, like all tables of the page."""
    unit = criterion_unit(judged)
    return {
        "name": spaced(judged.name),
        "value": _write(judged, unit)(judged.value),
        "interval": _interval(judged, unit),
        "bound": bound_text(judged.bound, unit),
        "use": _USES.get(judged.use, judged.use),
        "decision": judged.decision,
        "tone": tone(judged.decision),
        "evidence": judged.evidence,
        "warning": judged.severity == "warning",
    }


def _write(judged: Judged, unit: Unit) -> Callable[[float | None], str]:
    """How its numbers are written: in points without a sign where they say how far seeds lie apart."""
    if not unit.is_share:
        return numbers.plain
    is_spread = judged.metric is not None and judged.metric.endswith(SEED_STD)
    return (lambda value: unit.write(value).removeprefix("+")) if is_spread else unit.write


def _interval(judged: Judged, unit: Unit) -> str:
    """Both ends of the interval that decides, or the one that there is: an upper limit."""
    write, (low, high) = _write(judged, unit), judged.ends
    if low is None and high is not None:
        return f"at most {write(high)}"
    if high is None and low is not None:
        return f"at least {write(low)}"
    if unit.is_share:
        return unit.interval(low, high)
    return numbers.interval(write(low), write(high))


def criteria_table(verdicts: Mapping[str, Verdict]) -> Table:
    """The criteria of several runs, by the names of the runs: a row per criterion, and a column per run."""
    judged = {run: {row.name: row for row in verdict.criteria} for run, verdict in verdicts.items()}
    names = dict.fromkeys(name for own in judged.values() for name in own)
    return Table(
        caption="Criteria",
        note="shares in percent, their differences in percentage points (pp); the evidence is on each run's "
        "own page",
        first="Criterion",
        columns=tuple(map(Column, judged)),
        rows=tuple(
            Row(spaced(name), tuple(_judged_cell(own.get(name)) for own in judged.values())) for name in names
        ),
        empty="not judged",
    )


def _judged_cell(judged: Judged | None) -> Cell | None:
    if judged is None:
        return None
    words = criterion_words(judged)
    lines = (f"bound {words['bound']}", *(["a warning: decides nothing"] if words["warning"] else []))
    found = "" if judged.value is None else f"{words['value']} {words['interval']}".strip()
    return Cell(words["decision"], found, lines, tone=words["tone"])


def criterion_unit(judged: Judged) -> Unit:
    """The unit of a criterion's numbers; plain if an older verdict does not name its metric."""
    if judged.metric is None:
        return Unit(is_share=False)
    subtracted = judged.against is not None and judged.metric not in PROPORTIONS
    subtracted |= judged.metric == DROP or judged.metric.endswith(SEED_STD)
    return unit_of(judged.metric, difference=subtracted)


def spaced(name: str) -> str:
    """A name from a file as words.

    >>> spaced("sound_helps")
    'sound helps'
    """
    return name.replace("_", " ")


def bound_text(bound: str, unit: Unit = PLAIN) -> str:
    """A bound in mathematical signs, in the unit of the number it bounds.

    >>> bound_text(">= -0.05"), bound_text("within 0.005"), bound_text("within 0.005", Unit(True, True))
    ('≥ −0.05', 'within ±0.005', 'within ±0.5 pp')
    """
    operator, _, limit = bound.partition(" ")
    sign = _SIGNS.get(operator, operator)
    if unit.is_share:
        limit = f"{float(limit) * 100:.10g} {'pp' if unit.is_difference else '%'}"
    return f"{sign}{'' if sign.endswith('±') else ' '}{limit.replace('-', numbers.MINUS)}"


def coverage_words(scores: Scores, models: Models, verdicts: Sequence[Verdict] = ()) -> dict[str, Any]:
    """How many of the expected examples were answered: one sentence, and one line per arm.

    What every verdict leaves out by its condition is no gap, unless a request failed.
    """
    sets = len({(arm.dataset, arm.seed) for arm in scores.cells})
    rows = []
    for arm in scores.cells:
        where = f" ({arm.dataset or 'unnamed dataset'}, seed {arm.seed})" if sets > 1 else ""
        title = models.title(arm.model, arm.condition) + where
        is_left_out = bool(verdicts) and all(v.scope.samples(arm.dataset, arm.condition) for v in verdicts)
        wanted = as_asked([arm], verdicts[0].scope)[0].expected if is_left_out else arm.expected
        text = _coverage_text(title, arm) + (", left out on purpose" if is_left_out else "")
        rows.append({"text": text, "complete": arm.answered == wanted, "left out": is_left_out})
    gaps = sum(not row["complete"] for row in rows)
    if not rows:
        sentence = "Coverage unknown: the scores do not say how many items were expected."
    elif gaps:
        sentence = f"Coverage incomplete in {gaps} of {numbers.count(len(rows), 'arm')}."
    else:
        but = ", but for what is left out on purpose" if any(row["left out"] for row in rows) else ""
        sentence = f"Coverage complete: every expected item was answered{but}."
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
