"""Stages text: what stage B and stage C found, in 80 columns."""

from collections.abc import Sequence
from textwrap import wrap

from safe_data.core import numerals
from safe_data.core.table import COLUMNS, Table, render
from safe_train.gates.front_view import front_text
from safe_train.gates.gate_facts import Drop, Estimate, GateFacts
from safe_train.gates.gate_text import verdict_lines
from safe_train.gates.safe_set import in_points
from safe_train.stages.policy_result import SeedResult, Spread, StageB
from safe_train.stages.stage_b import Learnt
from safe_train.stages.stage_c import Distilled

_SHARES = ("skips_audio", "drop_audio", "false_consultation")
_WORDS = {
    "skips_audio": "audio questions skipped, %",
    "drop_audio": "points lost on audio",
    "false_consultation": "false consultation, %",
    "mean_tokens": "audio tokens",
}


def stage_b_lines(found: Learnt) -> list[str]:
    """The safe set, what the kept policy earns, the policies of all seeds, and the front."""
    result = found.result
    lines = [
        f"Stage B, {result.method}: "
        f"reward = score − {result.alpha:g} · cost − {result.gamma:g} · irrelevance",
        f"  {result.questions:,} questions in {result.groups:,} groups, judged out of fold",
        *_notes([f"  {loss.note}" for loss in result.safe_set]),  # at most by the upper bound
    ]
    if result.seeds:
        lines += ["", *_first(result.seeds[0]), *_off_policy(result.seeds[0]), *_over_seeds(result)]
    if found.front is not None:
        lines += ["", *front_text(found.front)]
    told = {loss.note for loss in result.safe_set}
    return [*lines, *_gate(found.gate), *_notes([note for note in result.notes if note not in told])]


def stage_c_lines(found: Distilled) -> list[str]:
    """What each student loses, and which is kept."""
    result = found.result
    rows = [
        (
            one.name,
            one.weights,
            f"{100 * one.agreement:.1f}",
            numerals.accuracy_points(one.loss_audio),
            numerals.accuracy_points(one.high_audio),
            numerals.accuracy_points(one.loss_vl),
            numerals.accuracy_points(one.high_vl),
            "yes" if one.keeps else "no",
        )
        for one in result.students
    ]
    columns = ("student", "weights", "agrees %", "audio", "bound", "VL", "bound ", "keeps")
    limit = f"{100 * result.extra:g} points"
    title = f"Lost beyond the {result.teacher}, in points; a student keeps the drop within {limit}"
    kept = "no student is kept" if result.chosen is None else f"kept: {result.chosen}, the smallest that does"
    return [
        *render([Table(title, columns, rows, name="students")], "text"),
        kept,
        *_gate(found.gate),
        *_notes(result.notes),
    ]


def _first(first: SeedResult) -> list[str]:
    worth = first.worth
    if worth is None:
        return []
    found = worth.found
    return [
        f"Policy of seed {first.seed}",
        f"  reward              {_estimate(worth.reward)}",
        f"  oracle              {worth.oracle:.4f}; regret {_estimate(worth.regret)}",
        f"  always {worth.best_constant:<13}{worth.best_constant_reward:.4f}; gain {_estimate(worth.gain)}",
        f"  audio skipped       {_percent(found.skips_audio)}",
        f"  drop on audio       {_drop(found.drop_audio)}",
        f"  drop on VL          {_drop(found.drop_vl)}",
        f"  false consultation  {_percent(found.false_consultation)}",
        f"  audio tokens        {found.mean_tokens:.2f} on average",
    ]


def _off_policy(first: SeedResult) -> list[str]:
    if not first.off_policy:
        return []
    lines = ["", f"Told from the log alone, seed {first.seed}"]
    for one in first.off_policy:
        ends = numerals.interval(one.interval.low, one.interval.high)
        value = "not measured" if one.value is None else f"{one.value:.4f} {ends}"
        lines.append(f"  {one.method.replace('_', ' '):<20}{value}")
    return lines


def _over_seeds(result: StageB) -> list[str]:
    if len(result.seeds) < 2:  # one seed is told above
        return []
    numbers = ", ".join(str(one.seed) for one in result.seeds)
    return ["", f"Over seeds {numbers}: mean ± sd", *(f"  {_spread(one)}" for one in result.over_seeds)]


def _spread(spread: Spread) -> str:
    times = 100 if spread.name in _SHARES else 1
    digits = 2 if spread.name in (*_SHARES, "mean_tokens") else 4
    name = _WORDS.get(spread.name, spread.name)
    sd = "" if spread.sd is None else f" ± {times * spread.sd:.{digits}f}"
    return f"{name:<28}{times * spread.mean:z.{digits}f}{sd}".replace("-", "−")


def _gate(gate: GateFacts | None) -> Sequence[str]:
    return [] if gate is None else ["", *verdict_lines(gate)]


def _notes(notes: Sequence[str]) -> list[str]:
    return [line for note in notes for line in wrap(note, COLUMNS, subsequent_indent="    ")]


def _estimate(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return f"{found.value:.4f}"
    return f"{found.value:.4f} [{found.low:.4f}, {found.high:.4f}]".replace("-", "−")


def _percent(found: Estimate | None) -> str:
    if found is None:
        return "not measured"
    ends = (
        "" if found.low is None or found.high is None else f" [{100 * found.low:.1f}, {100 * found.high:.1f}]"
    )
    return f"{100 * found.value:.1f} %{ends}"


def _drop(drop: Drop | None) -> str:
    if drop is None:
        return "not measured"
    high = "no bound" if drop.high is None else f"at most {in_points(drop.high)}"
    return f"{in_points(drop.value)}, {high}; limit {100 * drop.limit:g}"
