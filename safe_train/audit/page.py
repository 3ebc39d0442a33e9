"""Page: an audit as a few tables of 80 columns."""

from collections.abc import Iterator

from safe_data.core.table import Table, render
from safe_train.audit.audit import GB, Audit
from safe_train.audit.memory import Memory

_OPTIONS = {
    "most trainable": "--most-trainable",
    "least trainable": "--least-trainable",
    "most share": "--most-share",
    "card": "--card-gb",
}
_PARTS = (
    ("base", "base"),
    ("pathway", "pathway"),
    ("gradients", "gradients"),
    ("AdamW's moments", "optimizer"),
    ("teacher's answers, at most", "teacher_cache"),
    ("activations for backward", "activations"),
    ("beside them, at the peak", "working"),
    ("total", "total"),
)


def page(audit: Audit) -> list[str]:
    """The lines to print."""
    sections = [_counts(audit), _verdict(audit), _memory(audit)]
    lines = [line for section in sections for line in [*section, ""]]
    return lines[:-1]


def _counts(audit: Audit) -> list[str]:
    rows = [
        (part.name, part.parameters, part.trainable, _percent(part.parameters / audit.parameters))
        for part in audit.components
    ]
    rows.append(("total", audit.parameters, audit.trainable, _percent(1)))
    title = f"{audit.backbone}: {audit.architecture}, {audit.precision}"
    shapes = ", ".join("x".join(map(str, shape)) for shape in audit.embeddings)
    counted = dict.fromkeys(("parameters", "trainable"), "{:,}".format)
    table = Table(title, ("component", "parameters", "trainable", "of all"), rows, counted)
    return [*render([table], "text"), f"  embeddings of {shapes} ({audit.embeddings_from})"]


def _verdict(audit: Audit) -> Iterator[str]:
    yield "Freeze and budgets"
    if audit.freeze_faults:
        yield "  freeze  does not hold"
        yield from (f"    {fault}" for fault in audit.freeze_faults)
    else:
        yield f"  freeze  holds: only projector and fusion, {_trained(audit)} of all, require gradients"
    for check in audit.checks:
        if check.holds is not None:
            verdict = "holds" if check.holds else "does not hold"
            yield f"  {check.name}  {verdict}: {check.found} ({check.bound})"
    asked = [_OPTIONS[check.name] for check in audit.checks if check.holds is None]
    if asked:
        yield f"  not asked: {', '.join(asked)}"


def _memory(audit: Audit) -> Iterator[str]:
    plain, checkpointing = audit.memory
    title = f"Memory in GB: {plain.rows} rows a forward pass, {audit.positions} positions a row"
    rows = [(name, _gb(plain, part), _gb(checkpointing, part)) for name, part in _PARTS]
    columns = ("", "plain", "activation checkpointing")
    yield from render([Table(title, columns, rows, dict.fromkeys(columns[1:], "{:,.2f}".format))], "text")
    yield f"  positions: {audit.positions_from}"
    yield "  not seen: the vision tower's pass, workspaces, what an allocator wastes"
    card = audit.card
    if card is not None:
        yield f"  most rows on {card.card_gb:g} GB with {100 * card.headroom:g} % free: {_most(card.rows)}"
        yield f"    with activation checkpointing: {_most(card.rows_checkpointing)}"


def _trained(audit: Audit) -> str:
    return _percent(audit.trainable / audit.parameters)


def _gb(memory: Memory, part: str) -> float:
    return float(getattr(memory, part)) / GB


def _most(rows: int | None) -> str:
    return "not one" if rows is None else str(rows)


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
