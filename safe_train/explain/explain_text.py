"""Explain text: what `safe-train explain` prints, its tables in Markdown, and its items as CSV."""

import textwrap
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from safe_data.core.markdown import plain, table
from safe_data.core.table import COLUMNS, csv_text
from safe_data.core.table import Table as Csv
from safe_eval.report.explanation import Explanation
from safe_eval.report.explanation_tables import explanation_lead, explanation_parts
from safe_eval.report.table import Cell, Row, Table
from safe_train.explain.asked import FULL, GATED, Outcome
from safe_train.explain.explained import Explained
from safe_train.explain.modes import mode_of

_SHORT = ("all", "audio", "vl")


def explanation_lines(found: Explanation) -> list[str]:
    """What a terminal shows: the checks, what answers rest on, what tells help, and the modes."""
    lines = [*_wrapped(explanation_lead(found)), "", f"sanity checks: {found.decision}"]
    for one in found.checks:
        lines += _wrapped(f"{one.decision}: {one.name}: {one.evidence}", "  ")
    lines += ["", "what answers rest on (Shapley values, mean nats of the answer):"]
    for row in found.attribution:
        if row.method == "shapley" and row.slice in _SHORT:
            lines.append(
                f"  {row.slice:6}{row.player:9}{row.nats.value:+7.2f}  {row.share.value:6.1%} of all"
            )
    lines += ["", "does it tell that the sound helps? (AUROC)"]
    for told in found.predictions:
        if told.layer is None:
            ends = "" if told.low is None or told.high is None else f" [{told.low:.3f}, {told.high:.3f}]"
            value = told.why_not if told.auroc is None else f"{told.auroc:.3f}{ends}"
            lines.append(f"  {told.slice:6}{told.score:20}{value}")
    lines += ["", "how answers come out:"]
    kinds = {one.slice for one in found.modes}
    for mode in found.modes:
        if mode.slice in (_SHORT[1:] if "audio" in kinds else _SHORT[:1]):
            lines.append(f"  {mode.slice:6}{mode.count:5}  {mode.share.value:6.1%}  {mode.mode}")
    lines += ["", *_wrapped(found.not_shown["attention"]), *_wrapped(found.not_shown["attribution"])]
    return [*lines, f"{found.cpu_seconds:.0f} s of the processor"]


def explanation_markdown(found: Explanation, charts: Sequence[str]) -> str:
    """The content of explain.md, with the charts that were drawn; each part says what it does not show."""
    lines = [f"# Explanation of {plain(found.checkpoint)}", "", plain(explanation_lead(found)), ""]
    for part in explanation_parts(found):
        lines += [f"## {part.title}", ""]
        for one in part.tables:
            lines += [f"**{plain(one.caption)}**; {plain(one.note)}.", "", *_markdown(one), ""]
        lines += [f"*Not shown:* {plain(part.not_shown)}", ""]
    lines += [f"![{name.partition('.')[0]}]({name})" for name in charts]
    lines += ["", *(f"- {plain(note)}" for note in found.notes)]
    return "\n".join(lines).rstrip("\n") + "\n"


def items_csv(outcomes: Sequence[Outcome], explained: Sequence[Explained | None]) -> bytes:
    """One line for each question: what was said in each arm, its mode, and its attributions."""
    rows = [_item(outcome, one) for outcome, one in zip(outcomes, explained, strict=True)]
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    values = [[row.get(name) for name in columns] for row in rows]
    return csv_text([Csv("Items", columns, values)]).encode()


def _item(outcome: Outcome, one: Explained | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "example_id": outcome.example_id,
        "record_id": outcome.record_id,
        "group": outcome.group,
        "question_type": outcome.question_type,
        "needs_audio": outcome.needs_audio,
        "references": " | ".join(outcome.references),
        "mode": mode_of(outcome),
        "consulted": outcome.consulted,
        "influence_kl": outcome.influence_kl,
    }
    for arm in (FULL, "mute_audio", "swap_audio", "gate_off", GATED):
        if arm in outcome.said:
            row |= {f"answer_{arm}": outcome.said[arm].answer, f"score_{arm}": outcome.said[arm].score}
    if one is None:
        return row
    for method in ("gradients", "shapley", "given_words"):
        row |= {f"{method}_{name}": value for name, value in getattr(one, method).items()}
    row |= {
        "gradients_delta": one.gradients_delta,
        "difference": one.difference,
        "attention_entropy": fmean(value for layer in one.entropy for value in layer),
        "attention_added": fmean(one.layer_added),
    }
    return row | {f"part_{number}": value for number, value in enumerate(one.parts, 1)}


def _markdown(one: Table) -> list[str]:
    grouped = any(row.group for row in one.rows)
    columns = [*(["Of"] if grouped else []), one.first, *(plain(column.title) for column in one.columns)]
    rows = [[*([row.group] if grouped else []), _label(row), *map(_cell, row.cells)] for row in one.rows]
    return list(table(columns, rows))


def _label(row: Row) -> str:
    return f"{row.label} ({row.detail})" if row.detail else row.label


def _cell(cell: Cell | None) -> str:
    return "–" if cell is None else " ".join(filter(None, [cell.value, cell.interval, *cell.lines]))


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, COLUMNS, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False
    )
