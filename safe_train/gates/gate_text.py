"""Gate text: what gate.json says, in 80 columns."""

from collections.abc import Sequence
from textwrap import wrap

from safe_data.core import numerals
from safe_data.core.numerals import accuracy_points
from safe_data.core.table import COLUMNS, Table, Value, render
from safe_train.gates.all_gates import GATES
from safe_train.gates.gate_facts import Drop, Estimate, GateFacts, Reliability
from safe_train.gates.heuristics import ALWAYS, NEVER
from safe_train.gates.threshold import LISTEN_ALWAYS, LISTEN_NEVER

_COMPARED = ("gate", "skips", "of audio", "lost", "at most", "VL lost", "VL most", "false", "AUROC")
_POINTS = ("lost", "at most", "VL lost", "VL most")
_PERCENT = ("skips", "of audio", "false")


def gate_lines(facts: GateFacts) -> list[str]:
    """The gate, the outcomes behind it, what it decides, and what was found."""
    on = facts.fitted_on
    return [
        f"Gate {facts.kind}: {GATES[facts.kind].about}",
        f"  fitted on {on.dataset}, split {on.split}",
        f"  {on.questions:,} questions, of them {on.audio_questions:,} of audio, in {on.groups:,} groups",
        f"  {_decides(facts)}",
        "",
        *render([_by_budget(facts)], "text"),
        "",
        *_found(facts),
        *_reliability(facts),
        "",
        *verdict_lines(facts),
        *(line for note in facts.notes for line in _note(note)),
    ]


def compared_lines(gates: Sequence[GateFacts]) -> list[str]:
    """Several gates in one table."""
    rows: list[list[Value]] = []
    for facts in gates:
        found, area = facts.found, facts.calibration.auroc if facts.calibration else None
        shares = [_value(found.skips), _value(found.skips_audio)]
        drops = [*_both(found.drop_audio), *_both(found.drop_vl)]
        rows.append([facts.kind, *shares, *drops, _value(found.false_consultation), _value(area)])
    write = dict.fromkeys(_POINTS, accuracy_points) | dict.fromkeys(_PERCENT, _percent)
    title = f"Beside each other, in percent and points of accuracy lost; {gates[0].kind} is saved"
    return render([Table(title, _COMPARED, rows, write)], "text")


def _note(note: str) -> list[str]:
    return wrap(note, COLUMNS, initial_indent="  ", subsequent_indent="    ")


def _decides(facts: GateFacts) -> str:
    """When it listens, and with how many tokens."""
    if facts.threshold is None:
        weights = "" if facts.alpha is None else f" (alpha {facts.alpha:g}, gamma {facts.gamma or 0:g})"
        return f"chooses among {_listed(facts.budgets)} audio tokens{weights}"
    if facts.kind in (ALWAYS, NEVER):
        return f"{facts.kind} listens, with {facts.tokens} audio tokens"
    if facts.threshold <= LISTEN_ALWAYS:
        return f"listens to every question, with {facts.tokens} audio tokens"
    level = "above 1, so never" if facts.threshold >= LISTEN_NEVER else f"of {facts.threshold:.4g} or more"
    return f"listens with {facts.tokens} audio tokens at a score {level} (rule {facts.rule})"


def _by_budget(facts: GateFacts) -> Table:
    rows: list[list[str | None]] = [
        [_budget(one.tokens), _share(one.audio), _share(one.vl), _milliseconds(one.latency_ms)]
        for one in facts.by_budget
    ]
    found, oracle = facts.found, facts.oracle
    rows.append(
        [f"this gate ({found.mean_tokens:.1f} on average)", _share(found.audio), _share(found.vl), None]
    )
    rows.append([f"oracle (skips {_share(oracle.skips)})", _share(oracle.audio), _share(oracle.vl), None])
    return Table("Accuracy, in percent", ("audio tokens", "audio", "VL", "latency"), rows)


def _found(facts: GateFacts) -> list[str]:
    found, oracle = facts.found, facts.oracle
    against = f"always listening with {facts.tokens} tokens"
    lines = [
        f"Against {against}",
        f"  skips               {_interval(found.skips)}",
        f"    of audio          {_interval(found.skips_audio)}; oracle {_share(oracle.skips_audio)}",
        f"    of VL             {_interval(found.skips_vl)}",
        f"  false consultation  {_interval(found.false_consultation)} of VL questions",
        f"  drop on audio       {_drop(found.drop_audio, facts)}",
        f"  drop on VL          {_drop(found.drop_vl, facts)}",
    ]
    lost = found.against_base_vl
    if lost is not None:
        ends = (
            ""
            if lost.low is None or lost.high is None
            else f" [{accuracy_points(lost.low)}, {accuracy_points(lost.high)}]"
        )
        lines.append(f"  VL against the base {accuracy_points(lost.value)}{ends} points lost")
    return lines


def _reliability(facts: GateFacts) -> list[str]:
    every, audio = facts.calibration, facts.calibration_audio
    if every is None or facts.kind in (ALWAYS, NEVER):
        return []
    is_chance = GATES[facts.kind].learned  # of a heuristic it is no chance, and no ECE is due
    return [
        "",
        "Does the score tell where hearing corrects the answer?",
        *_told("all questions", every, is_chance=is_chance),
        *([] if audio is None else _told("audio questions", audio, is_chance=is_chance)),
    ]


def _told(name: str, reliability: Reliability, *, is_chance: bool) -> list[str]:
    corrected = f"corrects {_share(reliability.corrected.value)}"
    lines = [f"  {name:<16} {corrected:<16} AUROC {_fractions(reliability.auroc)}"]
    if is_chance:
        lines.append(f"  {'':<16} {'':<16} ECE   {_fractions(reliability.ece)}")
    return lines


def verdict_lines(facts: GateFacts) -> list[str]:
    """Whether the gate holds, in a sentence, which the exit code of a command repeats."""
    if facts.holds:
        return ["Holds: the bounds of both drops are within their limits."]
    if not facts.shown:
        return ["Not judged: these questions cannot show that the drops are within their limits."]
    if facts.found.keeps_limits:  # as it listens to every question
        return ["Does not hold: no threshold above always listening was shown to keep the limits."]
    return ["Does not hold: the drops are not shown to be within their limits."]


def _drop(drop: Drop | None, facts: GateFacts) -> str:
    if drop is None:
        return "not measured"
    high = "no bound" if drop.high is None else f"at most {accuracy_points(drop.high)}"
    sure = numerals.percent(facts.confidence)
    return f"{accuracy_points(drop.value)} points, {high} at {sure}; limit {100 * drop.limit:g}"


def _both(drop: Drop | None) -> tuple[float | None, float | None]:
    return (None, None) if drop is None else (drop.value, drop.high)


def _value(found: Estimate | None) -> float | None:
    return None if found is None else found.value


def _interval(found: Estimate | None) -> str:
    if found is None:
        return "not measured"
    if found.low is None or found.high is None:
        return _share(found.value)
    return f"{_share(found.value)} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _fractions(found: Estimate | None) -> str:
    if found is None:
        return "not measured"
    return f"{numerals.fraction(found.value)} {numerals.interval(found.low, found.high)}"


def _budget(tokens: int) -> str:
    return "0, the base alone" if tokens == 0 else str(tokens)


def _listed(budgets: Sequence[int]) -> str:
    *first, last = map(str, budgets)
    return f"{', '.join(first)} and {last}" if first else last


def _milliseconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f} ms"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _share(value: float | None) -> str:
    return numerals.share_text(value)
